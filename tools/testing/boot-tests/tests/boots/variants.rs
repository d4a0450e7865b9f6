// SPDX-License-Identifier: GPL-2.0

//! Kernels that are built another way than the test kernel, as people build theirs.

use crate::{host, selftest, verdict::*, Case};
use boot_tests::{
    elf::{self, Symbol},
    target, Machine,
};
use libtest_mimic::Failed;

/// The feature's symbols in vmlinux that are not in what is freed after boot, of how many.
fn resident(kernel: &str) -> Result<(Vec<String>, usize), Failed> {
    let vmlinux = target().kernel(kernel).join("vmlinux");
    let symbols = elf::symbols(&vmlinux)?;
    let address = |name: &str| {
        let found = symbols.iter().find(|symbol| symbol.name == name);
        let missing = || format!("{name} is not in {}", vmlinux.display());
        found.map(|symbol| symbol.address).ok_or_else(missing)
    };
    let freed = address("__init_begin")?..address("__init_end")?;
    let own = ["overmount_rootfs", "empty_rootfs"];
    let ours = |symbol: &&Symbol| own.iter().any(|own| symbol.name.contains(own));
    let ours: Vec<_> = symbols.iter().filter(ours).collect();
    let stay = ours
        .iter()
        .filter(|symbol| !freed.contains(&symbol.address));
    Ok((stay.map(|symbol| symbol.name.clone()).collect(), ours.len()))
}

/// The feature is on, containers start, the selftest passes, and nothing stays in memory.
fn holds_on(kernel: &'static str, on: &[&str], skipped: &[&str]) -> Outcome {
    let mut machine = Machine::new("facts", "");
    machine.kernel = kernel;
    machine.cpus = 2;
    expect(&machine, on)?;
    machine.params = OFF.into();
    expect(&machine, &STOCK)?;
    machine.scenario = "containers";
    expect(
        &machine,
        &[
            "runc: *pivot_root .: invalid argument*",
            "crun: pivot_root: Invalid argument",
        ],
    )?;
    machine.params.clear();
    expect(&machine, &HELLO)?;
    if target().arch.name == "x86_64" {
        selftest::passes_on(kernel, skipped)?;
    }
    match resident(kernel)? {
        // The function, and the parameter with its string.
        (stay, all) if stay.is_empty() && all >= 3 => {}
        (stay, all) => return Err(format!("of {all} symbols these stay: {stay:?}").into()),
    }
    host::record(&target().kernel(kernel), "its own case")
}

pub fn cases() -> Vec<Case> {
    // Without tmpfs and without a log.
    let ramfs = [
        "root: rootfs ramfs rw",
        "mounts: 1",
        "pid 1: init in /",
        "write: ok",
    ];
    let unknown_to_ramfs = [
        "change.xattr.is_refused",
        "change.flags.is_refused",
        "machine.gets_the_memory_of_the_initramfs_back",
    ];
    let case = |name, kernel, on: &[&'static str], skipped: &[&'static str]| {
        let (on, skipped) = (on.to_vec(), skipped.to_vec());
        Case::new(name, move || holds_on(kernel, &on, &skipped)).needs([format!("kernel {kernel}")])
    };
    vec![
        case("real_time", "rt", &ON, &[]),
        case("least", "least", &ramfs, &unknown_to_ramfs)
            .x86_only("on ARM the same kernel in C alone says nothing either"),
        case("hardened", "hardened", &ON, &[]),
        case("rust_of_6_18", "6.18", &ON, &[]).where_stock_has(
            "kernel/module/Kconfig",
            "config GENDWARFKSYMS",
            "this kernel has no GENDWARFKSYMS",
        ),
    ]
}
