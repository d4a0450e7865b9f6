// SPDX-License-Identifier: GPL-2.0

//! Files that a machine boots from, made on the host.

use boot_tests::{project_dir, target, Archive};
use libtest_mimic::Failed;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Runs a shell script in [`Target::out`](boot_tests::Target::out), with `$1` the path of `tmp/NAME`, which it
/// has to make; it finds what goes into a guest in `$guest`.
pub fn make(name: &str, script: &str) -> Result<PathBuf, Failed> {
    let file = target().tmp(name);
    let script = format!("PATH=$PATH:/sbin:/usr/sbin; {script}");
    let out = Command::new("sh")
        .args(["-ec", &script, "sh"])
        .arg(&file)
        .env(
            "guest",
            project_dir().join("tools/testing/boot-tests/guest"),
        )
        .current_dir(&target().out)
        .output()?;
    match out.status.success() && file.exists() {
        true => Ok(file),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&out.stderr)).into()),
    }
}

/// Has scripts/record say in the table of kernels what the one in `kernel` has been through.
pub fn record(kernel: &Path, what: &str) -> Result<(), Failed> {
    let status = Command::new(project_dir().join("scripts/record"))
        .arg(what)
        .env("KERNEL", kernel)
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("scripts/record: {status}").into()),
    }
}

/// The archive as `tmp/NAME`.
pub fn archive(name: &str, archive: Archive) -> Result<PathBuf, Failed> {
    let file = target().tmp(name);
    archive.write(&file)?;
    Ok(file)
}

/// A file with `text` as `tmp/NAME`, as it stands in a list of gen_init_cpio.
pub fn file(name: &str, text: &str) -> Result<String, Failed> {
    let file = target().tmp(name);
    fs::write(&file, text)?;
    Ok(file.display().to_string())
}
