// SPDX-License-Identifier: GPL-2.0

//! How a boot is judged.

use boot_tests::Machine;
use libtest_mimic::Failed;

pub type Outcome = Result<(), Failed>;

pub const OFF: &str = "empty_rootfs=0";

/// What the log says with the feature, before the type of the root.
pub const IS_ON: &str = "empty_rootfs: on, root is ";

/// What a stock boot looks like from inside.
pub const STOCK: [&str; 4] = [
    "root: rootfs rootfs rw",
    "mounts: 1",
    "pid 1: init in /\n",
    "write: ok",
];
pub const ON: [&str; 5] = [
    "empty_rootfs: on, root is tmpfs",
    "root: rootfs tmpfs rw,size=",
    "mounts: 1",
    "pid 1: init in /\n",
    "write: ok",
];

/// Boots `machine`; the console must hold each of `expected`, or the test fails with the console
/// and the command that repeats the boot.
pub fn expect(machine: &Machine, expected: &[&str]) -> Result<String, Failed> {
    let console = machine.boot()?;
    check(machine, &console, expected)?;
    Ok(console)
}

/// Boots `machine` with the feature and without it; both consoles must hold each of `expected`.
pub fn both(machine: &Machine, expected: &[&str]) -> Outcome {
    expect(machine, &[&[IS_ON], expected].concat())?;
    let mut stock = machine.clone();
    stock.params += " empty_rootfs=0";
    expect(&stock, expected)?;
    Ok(())
}

pub fn check(machine: &Machine, console: &str, expected: &[&str]) -> Outcome {
    for text in expected {
        if !console.contains(text) {
            let command = machine.shell_command();
            return Err(format!("{console}\nnot on the console: {text}\nrepeat: {command}").into());
        }
    }
    Ok(())
}
