// SPDX-License-Identifier: GPL-2.0

//! Boots a kernel with an initramfs and a command line in QEMU, and collects its console.
//!
//! What it is told by its environment, as scripts/setup writes it to build/env: `ARCH_FILE` (the architecture),
//! `OUT` (where everything for it is built), `CROSS_COMPILE`, `TMPDIR`; by who calls: `KERNEL` (the directory of
//! another test kernel), `V=1` (print QEMU's command lines).

mod accelerator;
mod arch;
mod console;
mod debugger;
mod kernel;
mod machine;
pub mod sections;

pub use accelerator::accelerator;
pub use arch::{arch, Arch};
pub use console::fact;
pub use kernel::{image, kernel_dir};
pub use machine::Machine;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// A tool of the compilers' for files of the guest's architecture.
pub fn tool(name: &str) -> Command {
    Command::new(env::var("CROSS_COMPILE").unwrap_or_default() + name)
}

/// The directory of this project.
pub fn project_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The directory of everything that is generated for this architecture and compiler.
pub fn build_dir() -> PathBuf {
    env::var_os("OUT").map_or(project_dir().join("build"), PathBuf::from)
}
