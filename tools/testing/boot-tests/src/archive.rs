// SPDX-License-Identifier: GPL-2.0

//! Archives for the kernel to unpack.

use crate::target;
use std::{
    fs,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::Command,
};

/// What the kernel's own gen_init_cpio makes of a list.
pub struct Archive {
    list: String,
    after: Option<PathBuf>,
    checksummed: bool,
}

impl Archive {
    /// A list in the format of gen_init_cpio. Where a location is relative, it is below
    /// [`Target::out`](crate::Target::out).
    pub fn of(list: impl Into<String>) -> Self {
        Archive {
            list: list.into(),
            after: None,
            checksummed: false,
        }
    }

    /// It comes after the archive `file`: the kernel unpacks one after the other.
    pub fn after(mut self, file: PathBuf) -> Self {
        self.after = Some(file);
        self
    }

    /// In the format "crc".
    pub fn checksummed(mut self) -> Self {
        self.checksummed = true;
        self
    }

    pub fn write(&self, file: &Path) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("{}: {e}", file.display());
        match &self.after {
            Some(first) => fs::copy(first, file).map(|_| ()).map_err(failed)?,
            None => File::create(file).map(|_| ()).map_err(failed)?,
        }
        let list = PathBuf::from(format!("{}.list", file.display()));
        fs::write(&list, &self.list).map_err(failed)?;
        let out = OpenOptions::new().append(true).open(file).map_err(failed)?;
        let made = Command::new(target().out.join("kernels/test/usr/gen_init_cpio"))
            .args(["-t", "0"])
            .args(self.checksummed.then_some("-c"))
            .arg(&list)
            .current_dir(&target().out)
            .stdout(out)
            .output()
            .map_err(|e| format!("gen_init_cpio: {e}"))?;
        match made.status.success() {
            true => fs::remove_file(list).map_err(failed),
            false => Err(format!(
                "{}: {}",
                file.display(),
                String::from_utf8_lossy(&made.stderr)
            )),
        }
    }
}
