// SPDX-License-Identifier: GPL-2.0

//! A kernel that checks itself: locks, lists, leaks, undefined behaviour, Rust's assertions.

use crate::{verdict::*, Case};
use boot_tests::{build_dir, Machine};

fn debug_kernel_finds_no_fault() -> Outcome {
    for (scenario, params, cpus, seen) in [
        ("facts", "", 1, "write: ok"),
        ("facts", "rootfstype=ramfs", 8, "write: ok"),
        (
            "facts",
            "initramfs_async=0 initramfs_options=size=400m",
            2,
            "write: ok",
        ),
        ("bottom", "", 2, "entries: 0"),
        ("pivot_by_hand", "", 2, "pivot_root: ok"),
        ("containers", "", 2, "runc: hello from a container"),
        ("switch_root_busybox", "", 2, "switched: pid 1"),
        ("leaks", "", 2, "scanned: 3"),
    ] {
        let mut machine = Machine::new(scenario, params);
        machine.kernel = "debug";
        machine.cpus = cpus;
        machine.memory = 1536;
        expect(&machine, &[IS_ON, seen, "reboot: Restarting system"])?;
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
