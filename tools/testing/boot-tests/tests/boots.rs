// SPDX-License-Identifier: GPL-2.0

//! Each test boots machines and judges by what a program in the guest saw, with the feature and,
//! as its control, without it.

use boot_tests::{build_dir, fact, Machine};
use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

type Outcome = Result<(), Failed>;

const OFF: &str = "empty_rootfs=0";

/// Boots `machine`; the console must hold each of `expected`, or the test fails with the console
/// and the command that repeats the boot.
fn expect(machine: &Machine, expected: &[&str]) -> Result<String, Failed> {
    let console = machine.boot()?;
    check(machine, &console, expected)?;
    Ok(console)
}

fn check(machine: &Machine, console: &str, expected: &[&str]) -> Outcome {
    for text in expected {
        if !console.contains(text) {
            let command = machine.shell_command();
            return Err(format!("{console}\nnot on the console: {text}\nrepeat: {command}").into());
        }
    }
    Ok(())
}

/// `runtime` starts a container by pivot_root, and does not without the feature.
fn pivots(scenario: &'static str, error: &str) -> Outcome {
    expect(
        &Machine::new(scenario, ""),
        &[&format!("{scenario}: hello from a container")],
    )?;
    let console = expect(&Machine::new(scenario, OFF), &[error])?;
    match console.contains("hello from") {
        true => Err("the control ran a container".into()),
        false => Ok(()),
    }
}

fn pid_1_pivots_by_hand() -> Outcome {
    let done = ["pivot_root: ok", "umount: ok", "old init: ENOENT"];
    expect(&Machine::new("pivot_by_hand", ""), &done)?;
    expect(&Machine::new("pivot_by_hand", OFF), &["pivot_root: EINVAL"])?;
    Ok(())
}

fn rootfs_is_empty_and_sealed() -> Outcome {
    let sealed = [
        "entries: 0",
        "mkdir: ENOENT",
        "creat: ENOENT",
        "mknod: ENOENT",
        "symlink: ENOENT",
        "link: ENOENT",
        "rename: ENOENT",
        "rmdir: ENOENT",
        "chmod: EPERM",
        "chown: EPERM",
        "utimes: EPERM",
        "O_TMPFILE: EPERM",
    ];
    expect(&Machine::new("bottom", ""), &sealed)?;
    // Without the feature the lowest mount is the populated one, and anything goes there.
    expect(
        &Machine::new("bottom", OFF),
        &["entry: init", "mkdir: ok", "chmod: ok"],
    )?;
    Ok(())
}

/// A container that may mount uncovers the host with --no-pivot, and nothing after pivot_root.
fn no_pivot_lets_a_container_see_the_host() -> Outcome {
    let console = expect(&Machine::new("below_pivot", ""), &["entries: 0"])?;
    if console.contains("entry: ") {
        return Err(format!("{console}\nthere is something below the container").into());
    }
    expect(
        &Machine::new("below_no_pivot", OFF),
        &["entry: init", "entry: scenarios.sh"],
    )?;
    Ok(())
}

/// Copying the system into a second tmpfs works on a stock boot, at twice the memory, and leaves a
/// rootfs that can be written to.
fn copying_the_system_takes_twice_the_memory() -> Outcome {
    let machine = Machine::new("copy", OFF);
    let console = expect(&machine, &["runc: hello from a container", "mkdir: ok"])?;
    let kib = |name| fact(&console, name).and_then(|n| n.parse::<u32>().ok());
    match (kib("system"), kib("with the copy")) {
        (Some(once), Some(twice)) if once > 0 && twice * 10 >= once * 19 => Ok(()),
        other => Err(format!("{console}\n{other:?}").into()),
    }
}

/// What a stock boot looks like from inside.
const STOCK: [&str; 3] = ["root: rootfs rootfs rw", "mounts: 1", "write: ok"];
const ON: [&str; 4] = [
    "empty_rootfs: on, root is tmpfs",
    "root: rootfs tmpfs rw",
    "mounts: 1",
    "write: ok",
];

fn root_is_tmpfs_named_rootfs() -> Outcome {
    expect(&Machine::new("facts", ""), &ON)?;
    expect(&Machine::new("facts", OFF), &STOCK)?;
    Ok(())
}

fn rootfstype_ramfs_gives_ramfs() -> Outcome {
    let seen = [
        "empty_rootfs: on, root is ramfs",
        "root: rootfs ramfs rw",
        "write: ok",
    ];
    expect(&Machine::new("facts", "rootfstype=ramfs"), &seen)?;
    expect(
        &Machine::new("facts", "rootfstype=ramfs empty_rootfs=0"),
        &STOCK,
    )?;
    Ok(())
}

fn initramfs_options_arrive() -> Outcome {
    let options = "initramfs_options=size=400m,nr_inodes=5000,mode=711";
    let seen = ["size=409600k,nr_inodes=5000,mode=711"];
    for off in ["", OFF] {
        expect(&Machine::new("facts", &format!("{options} {off}")), &seen)?;
    }
    Ok(())
}

fn empty_rootfs_takes_booleans_only() -> Outcome {
    expect(&Machine::new("facts", "empty_rootfs=off"), &STOCK)?;
    expect(&Machine::new("facts", "empty_rootfs=y"), &ON)?;
    let console = expect(&Machine::new("facts", "empty_rootfs=banana"), &ON)?;
    match console.contains("empty_rootfs: ignoring \"banana\", not a boolean") {
        true => Ok(()),
        false => Err(format!("{console}\nno warning").into()),
    }
}

fn initramfs_async_makes_no_difference() -> Outcome {
    for value in ["initramfs_async=0", "initramfs_async=1"] {
        for cpus in [1, 2] {
            let mut machine = Machine::new("facts", value);
            machine.cpus = cpus;
            expect(&machine, &ON)?;
            machine.params += " empty_rootfs=0";
            expect(&machine, &STOCK)?;
        }
    }
    Ok(())
}

fn switches_root(scenario: &'static str) -> Outcome {
    for params in ["", OFF] {
        expect(&Machine::new(scenario, params), &["switched: pid 1"])?;
    }
    Ok(())
}

/// A disk with the same userland as the initramfs has.
fn disk() -> Result<PathBuf, Failed> {
    let (dir, image) = (
        build_dir().join("tmp/disk"),
        build_dir().join("tmp/disk.ext4"),
    );
    let script = format!(
        "rm -rf {d} {i} && mkdir -p {d}/sbin {d}/bin {d}/proc {d}/sys {d}/dev && \
         cp {b}/userland/bin/busybox {d}/bin/ && cp {g}/init.sh {d}/sbin/init && \
         chmod 755 {d}/sbin/init && cp {g}/scenarios.sh {d}/ && \
         truncate -s 16M {i} && PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -d {d} {i}",
        d = dir.display(),
        i = image.display(),
        b = build_dir().display(),
        g = concat!(env!("CARGO_MANIFEST_DIR"), "/guest"),
    );
    match Command::new("sh").args(["-c", &script]).status() {
        Ok(status) if status.success() => Ok(image),
        other => Err(format!("cannot make the disk: {other:?}").into()),
    }
}

fn root_on_a_disk_boots() -> Outcome {
    let disk = disk()?;
    for (params, initramfs) in [("", false), (OFF, false)] {
        let mut machine = Machine::new("facts", &format!("root=/dev/vda rw {params}"));
        machine.disk = Some(disk.clone());
        machine.initramfs = initramfs;
        expect(&machine, &["root: /dev/root ext4 rw", "write: ok"])?;
    }
    // So it is with an initramfs that has no init.
    for params in ["", OFF] {
        let mut machine = Machine::new("facts", &format!("root=/dev/vda rw rdinit=/none {params}"));
        machine.disk = Some(disk.clone());
        expect(&machine, &["root: /dev/root ext4 rw", "write: ok"])?;
    }
    // An initramfs with an init of its own wins over root=, as in a stock boot.
    let mut machine = Machine::new("facts", "root=/dev/vda rw");
    machine.disk = Some(disk);
    expect(&machine, &["root: rootfs ramfs rw", "write: ok"])?;
    machine.params += " empty_rootfs=0";
    expect(&machine, &STOCK)?;
    Ok(())
}

/// Makes the next call of `function` return `value` at once.
fn make_return(function: &str, value: &str) -> String {
    format!(
        "thbreak {function}\ncontinue\necho hit:{function}\\n\nset $rax = {value}\n\
         set $pc = *(long *)$rsp\nset $rsp = $rsp + 8"
    )
}

/// `function`, called from `overmount_rootfs()`, fails: the boot is the stock one, with a warning.
fn fails(function: &str, value: &str, params: &str, warning: &str) -> Outcome {
    let machine = Machine::new("facts", &format!("nokaslr {params}"));
    let script = format!(
        "thbreak overmount_rootfs\ncontinue\n{}",
        make_return(function, value)
    );
    let (console, gdb) = machine.boot_with_gdb(&script)?;
    if !gdb.contains(&format!("hit:{function}")) {
        return Err(format!("overmount_rootfs() does not call {function}():\n{gdb}").into());
    }
    check(&machine, &console, &STOCK)?;
    check(&machine, &console, &[warning])
}

/// Stops at `place` and calls `function(text, value)` there, as if the kernel did.
fn call_at(place: &str, function: &str, text: &str, value: u32) -> String {
    format!(
        "thbreak {place}\ncontinue\nset $pc_was = $pc\nset $rdi_was = $rdi\n\
         set $text = (char *)&boot_command_line + 1500\n\
         set {{char[{}]}}$text = \"{text}\"\n\
         set $rsp = $rsp - 8\nset *(long *)$rsp = $pc_was\n\
         set $rdi = $text\nset $rsi = {value}\nset $pc = {function}\n\
         thbreak *$pc_was\ncontinue\nprintf \"called: %d\\n\", (int)$rax\nset $rdi = $rdi_was",
        text.len() + 1
    )
}

/// `function(text, value)`, called at `place`, keeps the new root from coming about: the boot is
/// the stock one, with a warning.
fn prevented(place: &str, function: &str, text: &str, value: u32, warning: &str) -> Outcome {
    let machine = Machine::new("facts", "nokaslr");
    let script = call_at(place, function, text, value);
    let (console, gdb) = machine.boot_with_gdb(&script)?;
    if fact(&gdb, "called") != Some("0") {
        return Err(format!("{function}() was not called:\n{gdb}").into());
    }
    check(&machine, &console, &STOCK)?;
    check(&machine, &console, &[warning])
}

/// With two CPUs as many uevent helpers run as on a stock boot, all from the right root.
fn as_many_helpers_run_as_on_a_stock_boot() -> Outcome {
    let script = "thbreak start_kernel\ncontinue\nset {char[8]}&uevent_helper = \"/helper\"";
    let mut counts = Vec::new();
    for params in ["", OFF] {
        let mut machine = Machine::new("helpers", &format!("nokaslr {params}"));
        machine.cpus = 2;
        let (console, gdb) = machine.boot_with_gdb(script)?;
        match fact(&console, "helpers").and_then(|n| n.parse::<u32>().ok()) {
            Some(count) if count > 0 => counts.push(count),
            _ => return Err(format!("{console}\n{gdb}\nno helper ran").into()),
        }
    }
    match counts[0] == counts[1] {
        true => Ok(()),
        false => Err(format!("{} helpers ran, on a stock boot {}", counts[0], counts[1]).into()),
    }
}

/// All sections of `object` that hold code, as instructions with their relocations.
fn disassembly(object: &Path) -> Result<String, Failed> {
    let out = Command::new("objdump").arg("-dr").arg(object).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    // The first lines name the file.
    match text.split_once("\nDisassembly of ") {
        Some((_, code)) => Ok(code.into()),
        None => Ok(String::new()),
    }
}

/// The objects below `dir`, relative to it.
fn objects(dir: &Path) -> Result<Vec<PathBuf>, Failed> {
    let script = "find init fs -name '*.o' ! -name '.*' | sort";
    let out = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    Ok(text.lines().map(PathBuf::from).collect())
}

/// Without CONFIG_EMPTY_ROOTFS `init/` and `fs/` are the stock kernel's; with it they are not.
fn option_off_leaves_the_stock_disassembly() -> Outcome {
    let build = build_dir();
    let (stock, off) = (build.join("objects/stock"), build.join("objects/off"));
    let names = objects(&stock)?;
    if names.len() < 50 || names != objects(&off)? {
        return Err(format!("not the same objects: {names:?}").into());
    }
    for name in &names {
        if disassembly(&stock.join(name))? != disassembly(&off.join(name))? {
            return Err(format!("{} differs from the stock one", name.display()).into());
        }
    }
    let name = "init/initramfs.o";
    match disassembly(&stock.join(name))? != disassembly(&build.join("kernel").join(name))? {
        true => Ok(()),
        false => Err(format!("{name} is the stock one with the option on").into()),
    }
}

/// The calls that `overmount_rootfs()` makes are those whose failure is tested, and some that
/// cannot fail: a new one must be put into one of the two lists.
fn every_call_is_accounted_for() -> Outcome {
    let fallible = [
        "kern_path",
        "simple_empty",
        "rust_helper_krealloc",
        "init_mount",
        "follow_down_one",
    ];
    let infallible = [
        "_printk",
        "down_write",
        "inode_set_flags",
        "kfree",
        "make_empty_dir_inode",
        "memcpy",
        "path_get",
        "path_put",
        "rust_helper_get_current",
        "rust_helper_spin_lock",
        "rust_helper_spin_unlock",
        "set_fs_pwd",
        "set_fs_root",
        "sized_strscpy",
        "strlen",
        "up_write",
    ];
    let object = build_dir().join("kernel/init/overmount_rootfs.o");
    let out = Command::new("objdump").arg("-dr").arg(&object).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut calls: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("R_X86_64_PLT32"))
        .filter_map(|line| line.split_whitespace().last()?.split(['-', '+']).next())
        .filter(|name| !name.starts_with("_R"))
        .collect();
    calls.sort_unstable();
    calls.dedup();
    let unknown: Vec<_> = calls
        .iter()
        .filter(|c| !fallible.contains(c) && !infallible.contains(c))
        .collect();
    let gone: Vec<_> = fallible.iter().filter(|c| !calls.contains(c)).collect();
    match unknown.is_empty() && gone.is_empty() {
        true => Ok(()),
        false => Err(format!("not accounted for: {unknown:?}; gone: {gone:?}").into()),
    }
}

fn nothing_is_resident_and_little_is_there() -> Outcome {
    let object = build_dir().join("kernel/init/overmount_rootfs.o");
    let out = Command::new("size").arg("-A").arg(&object).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let size = |name: &str| -> u64 {
        let line = text
            .lines()
            .find(|l| l.split_whitespace().next() == Some(name));
        line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    let resident = text
        .lines()
        .filter(|l| {
            [".text", ".data", ".rodata", ".bss"]
                .iter()
                .any(|s| l.starts_with(s))
        })
        .any(|l| l.split_whitespace().nth(1) != Some("0"));
    match size(".init.text") {
        1..=1024 if !resident => Ok(()),
        _ => Err(text.into()),
    }
}

/// At the instant that helpers are enabled the root is the new one. With one CPU the worker cannot
/// have been faster by chance.
fn helpers_are_enabled_after_the_root_is_final() -> Outcome {
    let script = "thbreak populate_rootfs\ncontinue\nthbreak __usermodehelper_set_disable_depth\n\
                  continue\nprintf \"root is %s\\n\", init_fs.root.mnt->mnt_sb->s_type->name";
    for (params, root) in [("", "root is tmpfs"), (OFF, "root is rootfs")] {
        let machine = Machine::new("facts", &format!("nokaslr {params}"));
        let (console, gdb) = machine.boot_with_gdb(script)?;
        if !gdb.contains(root) {
            return Err(format!("{console}\n{gdb}\nexpected: {root}").into());
        }
    }
    Ok(())
}

/// Instructions from entry to return; the same each time.
fn overmounting_takes_at_most_45000_instructions() -> Outcome {
    let machine = Machine::new("facts", "nokaslr quiet");
    let count = machine.count_instructions("overmount_rootfs")?;
    println!("overmount_rootfs(): {count} instructions");
    let again = machine.count_instructions("overmount_rootfs")?;
    match (1..=45_000).contains(&count) && count == again {
        true => Ok(()),
        false => Err(format!("{count} instructions, then {again}").into()),
    }
}

fn kernel_builds_without_warning() -> Outcome {
    let text = fs::read_to_string(build_dir().join("tmp/kernel.err"))?;
    match text.is_empty() {
        true => Ok(()),
        false => Err(text.into()),
    }
}

fn main() {
    let trial = |name: &str, test: fn() -> Outcome| Trial::test(name, test);
    let tests = vec![
        trial("pid_1_pivots_by_hand", pid_1_pivots_by_hand),
        trial("runc_pivots_on_initramfs", || {
            pivots("runc", "pivot_root .: invalid argument")
        }),
        trial("crun_pivots_on_initramfs", || {
            pivots("crun", "pivot_root: Invalid argument")
        }),
        trial("bubblewrap_pivots_on_initramfs", || {
            pivots("bubblewrap", "pivot_root: Invalid argument")
        }),
        trial("bubblewrap_pivots_on_initramfs_as_a_user", || {
            pivots("bubblewrap_user", "pivot_root: Invalid argument")
        }),
        trial("rootfs_is_empty_and_sealed", rootfs_is_empty_and_sealed),
        trial(
            "no_pivot_lets_a_container_see_the_host",
            no_pivot_lets_a_container_see_the_host,
        ),
        trial(
            "copying_the_system_takes_twice_the_memory",
            copying_the_system_takes_twice_the_memory,
        ),
        trial("root_is_tmpfs_named_rootfs", root_is_tmpfs_named_rootfs),
        trial("rootfstype_ramfs_gives_ramfs", rootfstype_ramfs_gives_ramfs),
        trial("initramfs_options_arrive", initramfs_options_arrive),
        trial(
            "empty_rootfs_takes_booleans_only",
            empty_rootfs_takes_booleans_only,
        ),
        trial(
            "initramfs_async_makes_no_difference",
            initramfs_async_makes_no_difference,
        ),
        trial("switch_root_of_busybox_works", || {
            switches_root("switch_root_busybox")
        }),
        trial("switch_root_of_util_linux_works", || {
            switches_root("switch_root_util_linux")
        }),
        trial("root_on_a_disk_boots", root_on_a_disk_boots),
        trial("failed_lookup_falls_back_to_rootfs", || {
            fails(
                "kern_path",
                "-12",
                "",
                "empty_rootfs: off, cannot look up /: error -12",
            )
        }),
        trial("failed_mount_falls_back_to_rootfs", || {
            fails(
                "init_mount",
                "-12",
                "",
                "empty_rootfs: off, cannot mount tmpfs: error -12",
            )
        }),
        trial("failed_allocation_of_options_falls_back_to_rootfs", || {
            let options = "initramfs_options=size=400m";
            fails(
                "rust_helper_krealloc",
                "0",
                options,
                "empty_rootfs: off, cannot mount tmpfs: error -12",
            )
        }),
        trial("something_in_rootfs_falls_back_to_rootfs", || {
            prevented(
                "overmount_rootfs",
                "init_mkdir",
                "/leftover",
                0o755,
                "empty_rootfs: off, rootfs already has leftover: error -39",
            )
        }),
        trial("mount_that_is_gone_again_falls_back_to_rootfs", || {
            let warning = "empty_rootfs: off, cannot enter tmpfs: error -2";
            prevented("follow_down_one", "init_umount", "/..", 2, warning)
        }),
        trial(
            "as_many_helpers_run_as_on_a_stock_boot",
            as_many_helpers_run_as_on_a_stock_boot,
        ),
        trial(
            "option_off_leaves_the_stock_disassembly",
            option_off_leaves_the_stock_disassembly,
        ),
        trial("refused_mount_falls_back_to_rootfs", || {
            fails(
                "init_mount",
                "-22",
                "",
                "empty_rootfs: off, cannot mount tmpfs: error -22",
            )
        }),
        trial("every_call_is_accounted_for", every_call_is_accounted_for),
        trial(
            "nothing_is_resident_and_little_is_there",
            nothing_is_resident_and_little_is_there,
        ),
        trial("helpers_are_enabled_after_the_root_is_final", || {
            helpers_are_enabled_after_the_root_is_final()
        }),
        trial("overmounting_takes_at_most_45000_instructions", || {
            overmounting_takes_at_most_45000_instructions()
        }),
        trial(
            "kernel_builds_without_warning",
            kernel_builds_without_warning,
        ),
    ];
    let mut arguments = Arguments::from_args();
    // Machines that take turns on the CPUs only get slower.
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, tests).exit();
}
