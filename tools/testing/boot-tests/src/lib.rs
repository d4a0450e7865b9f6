// SPDX-License-Identifier: GPL-2.0

//! Boots a kernel with an initramfs and a command line in QEMU, and collects its console.
//!
//! What its programs are told by the environment:
//!
//! * as scripts/setup writes it to build/env: `ARCH_FILE` (the architecture), `OUT` (where everything for it is
//!   built), `CROSS_COMPILE`, `TMPDIR`, `IMAGE` (the kernel's, for scripts);
//! * by scripts/prove: `MADE` (what was made for the cases, a line each);
//! * by who calls: `KERNEL` (the directory of another test kernel), `PARAMS` (more kernel parameters for each
//!   machine), `V=1` (print QEMU's command lines), `UNTIL` and `START` (what does not begin by that second is left
//!   out; which group comes first), `N` (boots), `SEED` (of random system calls), `SIZES`
//!   (of what is measured), `LTP` (its source).

mod accelerator;
mod arch;
mod archive;
mod console;
mod debugger;
pub mod elf;
mod machine;
pub mod pages;
mod parallel;
mod target;

pub use accelerator::accelerator;
pub use arch::{config_word, Arch};
pub use archive::Archive;
pub use console::fact;
pub use machine::Machine;
pub use parallel::in_parallel;
pub use target::{project_dir, target, Target};
