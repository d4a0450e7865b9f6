// SPDX-License-Identifier: GPL-2.0

//! What is tested: an architecture, and what was built for it.

use crate::Arch;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

pub struct Target {
    pub arch: Arch,
    /// Everything that is generated for this architecture and compiler.
    pub out: PathBuf,
    /// Another test kernel than that in `out`.
    test_kernel: Option<PathBuf>,
    cross_compile: String,
}

impl Target {
    fn from_env() -> Result<Self, String> {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/arches/x86_64.config");
        let arch = env::var("ARCH_FILE").unwrap_or(default.into());
        Ok(Target {
            arch: Arch::read(Path::new(&arch))?,
            out: env::var_os("OUT").map_or(project_dir().join("build"), PathBuf::from),
            test_kernel: env::var_os("KERNEL").map(PathBuf::from),
            cross_compile: env::var("CROSS_COMPILE").unwrap_or_default(),
        })
    }

    /// Where the kernel `name` is built, which is a file in `kernels/`.
    pub fn kernel(&self, name: &str) -> PathBuf {
        match &self.test_kernel {
            Some(dir) if name == "test" => dir.clone(),
            _ => self.out.join("kernels").join(name),
        }
    }

    /// The image of the kernel `name`.
    pub fn image(&self, name: &str) -> PathBuf {
        self.kernel(name).join(&self.arch.image)
    }

    /// The initramfs that has real packages.
    pub fn guest(&self) -> PathBuf {
        self.out.join("guest.cpio")
    }

    /// The one of the demonstration, which has the container runtimes alone, where nothing else has been made.
    pub fn demo(&self) -> PathBuf {
        let guest = self.guest();
        match guest.exists() {
            true => guest,
            false => self.out.join("demo.cpio"),
        }
    }

    /// The one that has busybox alone.
    pub fn base(&self) -> PathBuf {
        self.out.join("base.cpio")
    }

    /// The one that has the selftest of the series alone.
    pub fn selftest(&self) -> PathBuf {
        self.out.join("selftest.cpio")
    }

    /// A file or a directory of a case's own.
    pub fn tmp(&self, name: &str) -> PathBuf {
        self.out.join("tmp").join(name)
    }

    /// A tool of the compilers' for files of this architecture.
    pub fn tool(&self, name: &str) -> Command {
        Command::new(self.cross_compile.clone() + name)
    }
}

/// The one that the environment names.
pub fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| Target::from_env().unwrap_or_else(|e| panic!("{e}")))
}

/// The directory of this project.
pub fn project_dir() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors()
        .nth(3)
        .expect("tools/testing/boot-tests")
        .into()
}
