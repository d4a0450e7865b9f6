// SPDX-License-Identifier: GPL-2.0

//! The kernels that machines boot.

use crate::{arch, build_dir, project_dir};
use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, RwLock},
};

/// Where the kernel `name`, a file in `kernels/`, was built: ours is "test", for which `KERNEL` may name
/// another directory. Any other is built when it is first asked for, while no machine runs, and is up to
/// date then.
pub fn kernel_dir(name: &str) -> Result<PathBuf, String> {
    static BUILT: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
    let build = || {
        let _alone = RUNNING.write().expect("nobody panics with it");
        let script = project_dir().join("scripts/kernel");
        let status = Command::new(script)
            .arg(name)
            .stdout(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    let mut built = BUILT.lock().expect("nobody panics with it");
    match name == "test" || *built.entry(name.into()).or_insert_with(build) {
        true => Ok(path_of(name)),
        false => Err(format!("the kernel {name} could not be built")),
    }
}

pub(crate) fn path_of(name: &str) -> PathBuf {
    let built = build_dir().join("kernels").join(name);
    match name {
        "test" => env::var_os("KERNEL").map_or(built, PathBuf::from),
        _ => built,
    }
}

/// The image of the kernel `name`, whether it is there or not.
pub fn image(name: &str) -> PathBuf {
    path_of(name).join(&arch().image)
}

/// Held for reading while a machine runs.
pub(crate) static RUNNING: RwLock<()> = RwLock::new(());
