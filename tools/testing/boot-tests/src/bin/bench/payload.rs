// SPDX-License-Identifier: GPL-2.0

//! What an initramfs holds besides a busybox: files that are only there to be there.

use crate::{tmp, Result};
use boot_tests::{target, Archive};
use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Files {
    /// Eight, or one for each MiB if that is less.
    Large,
    /// About 5 KiB each, up to 100,000.
    Small,
}

#[derive(Clone, Copy, Debug)]
pub struct Payload {
    pub mib: u64,
    pub files: Files,
    pub compressed: bool,
}

impl Payload {
    pub fn count(&self) -> u64 {
        match self.files {
            Files::Large => self.mib.min(8),
            Files::Small => self.mib * 100_000 / 512,
        }
    }

    pub fn describe(&self) -> String {
        let how = if self.compressed { "zstd" } else { "none" };
        format!("{} MiB | {} | {how}", self.mib, self.count())
    }

    /// The archive that has it after `base.cpio`, which is made if it is not there.
    pub fn initrd(&self) -> Result<PathBuf> {
        let suffix = if self.compressed { ".zst" } else { "" };
        let name = format!("payload-{}-{:?}.cpio{suffix}", self.mib, self.files);
        let path = tmp().join(name);
        if path.exists() {
            return Ok(path);
        }
        let (new, files) = (path.with_extension("new"), path.with_extension("files"));
        let archive = Archive::of(self.list(&files)?);
        if self.compressed {
            let plain = path.with_extension("plain");
            archive.write(&plain)?;
            fs::copy(target().base(), &new)?;
            let zstd = Command::new("zstd")
                .args(["-q", "-1", "-c", "--rm"])
                .arg(&plain)
                .stdout(OpenOptions::new().append(true).open(&new)?)
                .status()?;
            if !zstd.success() {
                return Err("zstd failed; is the disk full?".into());
            }
            fs::remove_file(plain)?;
        } else {
            archive.after(target().base()).write(&new)?;
        }
        fs::remove_dir_all(files)?;
        fs::rename(new, &path)?;
        Ok(path)
    }

    /// Writes the files into `dir`, and lists them for gen_init_cpio.
    fn list(&self, dir: &Path) -> Result<String> {
        fs::create_dir_all(dir)?;
        // Half of what comes is noise: it is compressed to a half.
        let mut noise: u64 = 1;
        let mut chunk = || {
            let mut bytes = [0; 16];
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            for (n, byte) in bytes.iter_mut().enumerate() {
                *byte = b'a' + (noise >> (4 * n) & 15) as u8;
            }
            bytes
        };
        let size = (self.mib << 20) / self.count();
        let mut list = String::from("dir /payload 755 0 0\n");
        for n in 0..self.count() {
            // A thousand in each directory.
            if n % 1000 == 0 {
                list += &format!("dir /payload/{} 755 0 0\n", n / 1000);
            }
            let file = dir.join(n.to_string());
            list += &format!(
                "file /payload/{}/{n} {} 644 0 0\n",
                n / 1000,
                file.display()
            );
            let mut out = BufWriter::new(File::create(file)?);
            for _ in 0..size / 16 {
                out.write_all(&chunk())?;
            }
            out.write_all(&chunk()[..(size % 16) as usize])?;
            out.flush()?;
        }
        // The last one tells that all have come.
        Ok(list + "file /payload/end /dev/null 644 0 0\n")
    }
}
