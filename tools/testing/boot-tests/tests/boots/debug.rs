// SPDX-License-Identifier: GPL-2.0

//! A kernel that checks itself: locks, lists, leaks, undefined behaviour, Rust's assertions.

use crate::{verdict::*, Case};
use boot_tests::{build_dir, Machine};

/// What a kernel says when it finds fault with itself.
const SPLATS: [&str; 7] = [
    "WARNING: ",
    "BUG: ",
    "UBSAN: ",
    "INFO: ",
    "Oops",
    "rust_kernel: panicked",
    "unreferenced object",
];

fn splat(console: &str) -> Option<&str> {
    console
        .lines()
        .find(|line| SPLATS.iter().any(|splat| line.contains(splat)))
}

fn debug_kernel_finds_no_fault() -> Outcome {
    for (scenario, params, cpus) in [
        ("facts", "", 1),
        ("facts", "rootfstype=ramfs", 8),
        ("facts", "initramfs_async=0 initramfs_options=size=400m", 2),
        ("bottom", "", 2),
        ("pivot_by_hand", "", 2),
        ("containers", "", 2),
        ("switch_root_busybox", "", 2),
        ("leaks", "", 2),
    ] {
        let mut machine = Machine::new(scenario, params);
        machine.kernel = "debug";
        machine.cpus = cpus;
        machine.memory = 1536;
        let console = expect(&machine, &[IS_ON])?;
        if let Some(line) = splat(&console) {
            return Err(format!("{console}\n{line}").into());
        }
    }
    // They are seen.
    let mut machine = Machine::new("provoked", "");
    machine.kernel = "debug";
    machine.initrd = Some(build_dir().join("base.cpio"));
    let console = machine.boot()?;
    match splat(&console) {
        Some(_) => Ok(()),
        None => Err(format!("{console}\na provoked warning was not seen").into()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![Case::new(
        "debug_kernel_finds_no_fault",
        "lockdep, DEBUG_ATOMIC_SLEEP, DEBUG_VM, DEBUG_LIST, UBSAN, kmemleak, SLUB's checks and Rust's assertions and overflow checks have nothing to say",
        debug_kernel_finds_no_fault,
    )]
}
