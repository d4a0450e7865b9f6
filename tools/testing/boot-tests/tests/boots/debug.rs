// SPDX-License-Identifier: GPL-2.0

//! Kernels that check themselves: locks, lists, memory, leaks, undefined behaviour, Rust's
//! assertions. What `check()` judges must be free of complaints; here the quick cases are run on such
//! a kernel.

use crate::{verdict::*, Case};
use boot_tests::{fact, in_parallel, target, Machine};
use libtest_mimic::Failed;
use std::{env, process::Command};

/// What looks at how the kernel was built, and not at what it does.
const NOT_OF_A_BOOT: [&str; 6] = [
    "every_call_is_accounted_for",
    "own_object_is_freed_after_boot",
    "kernel_builds_without_warning",
    "safe_code_can_do_no_harm",
    "page_tells_of_each_case",
    "full_disk_is_named",
];

/// KASAN of x86's Linux 6.18 is wrong in an interrupt that comes while the CPU is identified: with five levels of
/// page tables it takes a good address for a wild one. Kernels without five levels have no use for the word.
const FOUR_LEVELS: &str = "no5lvl";

fn quick_set_on(kernel: &str) -> Outcome {
    // Nothing is left out for want of time.
    let out = Command::new(env::current_exe()?)
        .env("KERNEL", target().kernel(kernel))
        .env("PARAMS", FOUR_LEVELS)
        .env_remove("UNTIL")
        .env_remove("MADE")
        .args(NOT_OF_A_BOOT.iter().flat_map(|name| ["--skip", name]))
        .args(["--test-threads", "2"])
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let numbers = |middle: &str, end: &str| {
        text.lines().find_map(|line| {
            let line = line.strip_prefix("boot-tests: ")?.strip_suffix(end)?;
            let (first, second) = line.split_once(middle)?;
            Some((first.parse().ok()?, second.parse().ok()?))
        })
    };
    // What is not run has a reason, and has been counted.
    let all: Option<(usize, usize)> = numbers(" of ", " cases");
    let ran: Option<(usize, usize)> = numbers(" passed, 0 failed, ", " skipped");
    let complete = all.zip(ran).is_some_and(|((quick, _), (passed, skipped))| {
        passed > skipped && passed + skipped + NOT_OF_A_BOOT.len() == quick
    });
    match out.status.success() && complete {
        true => Ok(()),
        false => Err(format!("{text}\n{}", String::from_utf8_lossy(&out.stderr)).into()),
    }
}

fn debug_kernel_finds_no_fault() -> Outcome {
    quick_set_on("debug")?;
    for cpus in [2, 8] {
        let mut machine = Machine::new("leaks", "");
        machine.kernel = "debug";
        machine.cpus = cpus;
        machine.initrd = Some(target().base());
        expect(&machine, &[IS_ON, "scanned: 3"])?;
    }
    // They are seen.
    let mut machine = Machine::new("provoked", "");
    machine.kernel = "debug";
    machine.initrd = Some(target().base());
    let console = machine.boot()?;
    match splat(&console) {
        Some(_) => Ok(()),
        None => Err(format!("{console}\na provoked warning was not seen").into()),
    }
}

/// Divides a console into KCSAN's reports on `overmount_rootfs()` and what it calls, its reports on the
/// stock kernel's own data races, and the rest.
fn races(console: &str) -> (Vec<&str>, Vec<&str>, String) {
    let line = format!("{}\n", "=".repeat(66));
    let (reports, rest): (Vec<_>, Vec<_>) = console
        .split(&line)
        .partition(|part| part.starts_with("BUG: KCSAN: "));
    let (ours, stock) = reports
        .into_iter()
        .partition(|report| report.contains(" overmount_rootfs+0x"));
    (ours, stock, rest.concat())
}

/// Boots in which each uevent starts a helper while rootfs is overmounted, on a kernel that looks for
/// data races.
fn kcsan_finds_no_race() -> Outcome {
    // A report of ours would be seen.
    let line = "=".repeat(66);
    let report =
        format!("{line}\nBUG: KCSAN: data-race in a / b\n\n overmount_rootfs+0x1/0x2\n{line}\n");
    if races(&report).0.len() != 1 {
        return Err(format!("not taken for a report: {report}").into());
    }
    let mut of_the_stock_kernel = 0;
    for cpus in [2, 2, 8, 8] {
        let mut machine = Machine::new("helpers", "");
        machine.kernel = "races";
        machine.cpus = cpus;
        machine.initrd = Some(target().base());
        let console = machine.boot()?;
        let (ours, stock, rest) = races(&console);
        check(
            &machine,
            &rest,
            &[IS_ON, "kcsan: selftest: 3/3 tests passed", "helpers: *"],
        )?;
        if !ours.is_empty() {
            return Err(format!("{console}\n{} data races", ours.len()).into());
        }
        of_the_stock_kernel += stock.len();
    }
    println!("data races of the stock kernel, elsewhere: {of_the_stock_kernel}");
    Ok(())
}

/// Boots `machine` with its `nth` allocation in `overmount_rootfs()` failing, if there are so many.
fn out_of_memory(machine: &Machine, nth: u64) -> Result<Option<String>, Failed> {
    // The task is PID 1, the first one after the idle task. By default the kernel fails no allocation that
    // may wait, which only debugfs could change.
    let script = format!(
        "thbreak overmount_rootfs\ncontinue\nset $ret = *(long *)$rsp\n\
         set $tasks = (long)&((struct task_struct *)0)->tasks\n\
         set $task = (struct task_struct *)((char *)init_task.tasks.next - $tasks)\n\
         set variable failslab.ignore_gfp_reclaim = 0\n\
         set variable fail_page_alloc.ignore_gfp_reclaim = 0\n\
         set variable fail_page_alloc.min_order = 0\n\
         set variable $task->fail_nth = {nth}\n\
         thbreak *$ret\ncontinue\nprintf \"left: %u\\n\", $task->fail_nth\n\
         set variable $task->fail_nth = 0"
    );
    let (console, gdb) = machine.boot_with_gdb(&script)?;
    check(machine, &console, &[])?;
    Ok((number(&gdb, "left")? == 0).then_some(console))
}

/// The first allocation in `overmount_rootfs()` fails, in the next boot the second, and so on. The boot
/// is the stock one, or the feature can do without; in either case nothing is left over.
fn every_allocation_fails(params: &str) -> Outcome {
    let mut machine = Machine::new("objects", &format!("slab_nomerge {params}"));
    machine.kernel = "faults";
    machine.initrd = Some(target().base());
    let [on, off] = pair(&machine, &[])?;
    let mut fallen_back = 0;
    for nth in 1.. {
        // Looking for leaks takes long.
        machine.scenario = if nth % 10 == 5 { "leaks" } else { "objects" };
        let Some(console) = out_of_memory(&machine, nth)? else {
            return match fallen_back {
                0 => Err(format!("{params}: no allocation failed").into()),
                _ => Ok(()),
            };
        };
        let like = match has(&console, IS_ON) {
            true => &on,
            false => {
                check(&machine, &console, &STOCK)?;
                // tmpfs gives -ENOSPC for want of an inode.
                let told = [12, 28].map(|e| {
                    lines(
                        &console,
                        &format!("empty_rootfs: off, cannot *: error -{e}"),
                    )
                });
                if told[0] + told[1] != 1 {
                    return Err(format!("{console}\n{nth}: not one warning").into());
                }
                fallen_back += 1;
                &off
            }
        };
        for name in ["root", "mounts", "objects"] {
            let (here, there) = (fact(&console, name), fact(like, name));
            if here.is_none() || here != there {
                return Err(format!("{console}\n{nth}: {name}: {here:?}, not {there:?}").into());
            }
        }
    }
    unreachable!()
}

fn every_allocation_may_fail() -> Outcome {
    let params = ["initramfs_options=size=400m", "rootfstype=ramfs"];
    in_parallel(2, &params, |_, params| every_allocation_fails(params)).map(|_| ())
}

pub fn cases() -> Vec<Case> {
    vec![
        case!(every_allocation_may_fail)
            .with_gdb()
            .needs(["kernel faults"])
            .x86_only("the address that a function returns to is found by x86_64's registers"),
        case!(debug_kernel_finds_no_fault).needs(["kernel debug"]),
        case!(kcsan_finds_no_race).needs(["kernel races"]),
    ]
}
