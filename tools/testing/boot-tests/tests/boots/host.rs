// SPDX-License-Identifier: GPL-2.0

//! Files that a machine boots from, made on the host.

use boot_tests::{build_dir, project_dir};
use libtest_mimic::Failed;
use std::{path::PathBuf, process::Command};

/// Runs a shell script in [`build_dir()`], with `$1` the path of `tmp/NAME`, which it has to make. It
/// finds our own scripts like any command, and what goes into a guest in `$guest`.
pub fn make(name: &str, script: &str) -> Result<PathBuf, Failed> {
    let file = build_dir().join("tmp").join(name);
    let scripts = project_dir().join("scripts");
    let scripts = scripts.display();
    let out = Command::new("sh")
        .args([
            "-ec",
            &format!("PATH=$PATH:/sbin:/usr/sbin:{scripts}; {script}"),
            "sh",
        ])
        .arg(&file)
        .env(
            "guest",
            project_dir().join("tools/testing/boot-tests/guest"),
        )
        .current_dir(build_dir())
        .output()?;
    match out.status.success() && file.exists() {
        true => Ok(file),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&out.stderr)).into()),
    }
}

/// Makes an archive of gen_init_cpio's list `list`, in which `$1` is the archive's own path.
pub fn archive(name: &str, list: &str) -> Result<PathBuf, Failed> {
    make(
        name,
        &format!(
            "cat >$1.list <<EOF\n{list}\nEOF\nkernels/test/usr/gen_init_cpio -t 0 $1.list >$1"
        ),
    )
}
