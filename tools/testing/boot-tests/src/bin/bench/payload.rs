// SPDX-License-Identifier: GPL-2.0

//! What an initramfs holds besides a busybox: files that are only there to be there.

use crate::Result;
use boot_tests::build_dir;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::{Command, Stdio},
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
        let path = build_dir().join("bench/tmp").join(name);
        if path.exists() {
            return Ok(path);
        }
        let new = path.with_extension("new");
        let mut out = File::create(&new)?;
        io::copy(&mut File::open(build_dir().join("base.cpio"))?, &mut out)?;
        if self.compressed {
            let mut zstd = Command::new("zstd")
                .args(["-q", "-1", "-c"])
                .stdin(Stdio::piped())
                .stdout(out)
                .spawn()?;
            self.archive(zstd.stdin.take().expect("piped"))?;
            if !zstd.wait()?.success() {
                return Err("zstd failed; is the disk full?".into());
            }
        } else {
            self.archive(out)?;
        }
        fs::rename(new, &path)?;
        Ok(path)
    }

    fn archive(&self, out: impl Write) -> Result<()> {
        let mut out = BufWriter::new(out);
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
        entry(&mut out, "payload", 0o040755, 0)?;
        for n in 0..self.count() {
            // A thousand in each directory.
            if n % 1000 == 0 {
                entry(&mut out, &format!("payload/{}", n / 1000), 0o040755, 0)?;
            }
            let name = format!("payload/{}/{n}", n / 1000);
            entry(&mut out, &name, 0o100644, size)?;
            for _ in 0..size / 16 {
                out.write_all(&chunk())?;
            }
            let rest = (size % 16) as usize;
            out.write_all(&chunk()[..rest])?;
            pad(&mut out, size)?;
        }
        // The last one tells that all have come.
        entry(&mut out, "payload/end", 0o100644, 0)?;
        entry(&mut out, "TRAILER!!!", 0, 0)?;
        out.flush()?;
        Ok(())
    }
}

fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    out.write_all(&[0; 3][..(size.wrapping_neg() % 4) as usize])
}

/// The header of a file; see Documentation/driver-api/early-userspace/buffer-format.rst.
fn entry(out: &mut impl Write, name: &str, mode: u32, size: u64) -> io::Result<()> {
    let name_size = name.len() as u64 + 1;
    let links = 1;
    write!(
        out,
        "070701{:08x}{mode:08x}{:08x}{:08x}{links:08x}{:08x}{size:08x}{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}",
        0, 0, 0, 0, 0, 0, 0, 0, 0
    )?;
    write!(out, "{name}\0")?;
    // The header has 110 bytes.
    pad(out, 110 + name_size)
}
