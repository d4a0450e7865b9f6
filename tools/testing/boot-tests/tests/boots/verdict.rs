// SPDX-License-Identifier: GPL-2.0

//! How a boot is judged.

use boot_tests::{fact, Machine};
use libtest_mimic::Failed;

pub type Outcome = Result<(), Failed>;

pub const OFF: &str = "empty_rootfs=0";

/// What is expected is a line, whole; in it `*` stands for anything.
pub fn is(line: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => line == pattern,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            let mut ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.any(|at| is(&line[at..], rest))
        }),
    }
}

/// How many lines are `pattern`.
pub fn lines(text: &str, pattern: &str) -> usize {
    text.lines().filter(|line| is(line, pattern)).count()
}

pub fn has(text: &str, pattern: &str) -> bool {
    lines(text, pattern) > 0
}

/// What the log says with the feature.
pub const IS_ON: &str = "empty_rootfs: on, root is *";

/// What a stock boot looks like from inside.
pub const STOCK: [&str; 4] = [
    "root: rootfs rootfs rw*",
    "mounts: 1",
    "pid 1: init in /",
    "write: ok",
];
pub const ON: [&str; 5] = [
    "empty_rootfs: on, root is tmpfs",
    "root: rootfs tmpfs rw,size=*",
    "mounts: 1",
    "pid 1: init in /",
    "write: ok",
];

/// What the scenario `containers` says where they start.
pub const HELLO: [&str; 4] = [
    "runc: hello from a container",
    "crun: hello from a container",
    "bubblewrap: hello from a container",
    "bubblewrap_user: hello from a container",
];

/// Boots `machine`; the console must have each of `expected`, or the test fails with the console
/// and the command that repeats the boot.
pub fn expect(machine: &Machine, expected: &[&str]) -> Result<String, Failed> {
    let console = machine.boot()?;
    check(machine, &console, expected)?;
    Ok(console)
}

/// Boots `machine` with the feature and without it, and returns both consoles, each of which must
/// have each of `expected`.
pub fn pair(machine: &Machine, expected: &[&str]) -> Result<[String; 2], Failed> {
    let on = expect(machine, &[&[IS_ON], expected].concat())?;
    let mut stock = machine.clone();
    stock.params += " empty_rootfs=0";
    let off = expect(&stock, expected)?;
    match has(&off, IS_ON) {
        true => wrong(&stock, &off, "not the stock boot").map(|()| [on, off]),
        false => Ok([on, off]),
    }
}

/// The same where the consoles are of no further interest.
pub fn both(machine: &Machine, expected: &[&str]) -> Outcome {
    pair(machine, expected).map(|_| ())
}

/// The number that the guest printed first after `name: `.
pub fn number(console: &str, name: &str) -> Result<u64, Failed> {
    let word = fact(console, name).and_then(|text| text.split_whitespace().next());
    let number = word.and_then(|word| word.parse().ok());
    number.ok_or_else(|| format!("{console}\nno number: {name}").into())
}

/// How a line begins in which a kernel finds fault with itself.
const SPLATS: [&str; 12] = [
    "------------[ cut here ]",
    "WARNING: ",
    "BUG",
    "[ BUG",
    "kernel BUG",
    "UBSAN: ",
    "INFO: ",
    "Oops",
    "Internal error: ",
    "rust_kernel: panicked",
    "unreferenced object",
    "VFS: Busy inodes",
];

pub fn splat(console: &str) -> Option<&str> {
    let tells = |line: &&str| SPLATS.iter().any(|splat| line.starts_with(splat));
    console.lines().find(tells)
}

/// What is wrong with a console, and how to see it again.
fn wrong(machine: &Machine, console: &str, what: &str) -> Outcome {
    Err(format!("{console}\n{what}\n{}", machine.again()).into())
}

/// The console must have each of `expected`, and no complaint of the kernel's about itself.
pub fn check(machine: &Machine, console: &str, expected: &[&str]) -> Outcome {
    for text in expected {
        if !has(console, text) {
            return wrong(machine, console, &format!("not on the console: {text}"));
        }
    }
    // Where the kernel tells how many CPUs it has.
    let plural = if machine.cpus == 1 { "" } else { "s" };
    let all = format!("smp: Brought up 1 node, {} CPU{plural}", machine.cpus);
    if has(console, "smp: Brought up *") && !has(console, &all) {
        return wrong(machine, console, &format!("not on the console: {all}"));
    }
    match splat(console) {
        Some(line) => wrong(machine, console, &format!("the kernel complains: {line}")),
        None => Ok(()),
    }
}

/// The feature's messages must be this one, once.
pub fn told_once(machine: &Machine, console: &str, message: &str) -> Outcome {
    check(machine, console, &[message])?;
    match lines(console, "empty_rootfs: *") {
        1 => Ok(()),
        n => wrong(machine, console, &format!("{n} messages, not one")),
    }
}
