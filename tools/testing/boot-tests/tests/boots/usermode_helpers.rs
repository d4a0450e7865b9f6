// SPDX-License-Identifier: GPL-2.0

//! Who looks up paths early.

use crate::{host, verdict::*, Case};
use boot_tests::{fact, target, Archive, Machine};
use libtest_mimic::Failed;

fn preemption_makes_no_difference() -> Outcome {
    for preempt in ["none", "voluntary", "full"] {
        for cpus in [1, 8] {
            let mut machine = Machine::new("modules", &format!("preempt={preempt}"));
            machine.cpus = cpus;
            let mode = format!("Dynamic Preempt: {preempt}");
            both(&machine, &["modprobe: ok", &mode, "smp: Brought up *"])?;
        }
    }
    Ok(())
}

/// At the instant that helpers are enabled the root is the new one.
fn helpers_are_enabled_after_the_root_is_final() -> Outcome {
    let script = "thbreak populate_rootfs\ncontinue\nthbreak __usermodehelper_set_disable_depth\n\
                  continue\nprintf \"root is %s\\n\", init_fs.root.mnt->mnt_sb->s_type->name";
    for (params, root) in [("", "root is tmpfs"), (OFF, "root is rootfs")] {
        let machine = Machine::new("facts", params);
        let (console, gdb) = machine.boot_with_gdb(script)?;
        if !has(&gdb, root) {
            return Err(format!("{console}\n{gdb}\nexpected: {root}").into());
        }
    }
    Ok(())
}

/// One CPU stands still at `place`, half-way, while the other runs on for 300 ticks: helpers are still
/// disabled then, and in the end as many have run as on a stock boot.
fn held_at(place: &str) -> Outcome {
    let script = format!(
        "thbreak populate_rootfs\ncontinue\nthbreak {place}\ncontinue\n\
         set $place = $pc\nset $was = *(short *)$pc\n\
         # A jump to itself.\nset *(short *)$pc = (short)0xfeeb\n\
         hbreak update_process_times\nignore $bpnum 300\ncontinue\n\
         printf \"disabled: %d\\n\", *(int *)&usermodehelper_disabled\n\
         set *(short *)$place = $was"
    );
    let boot = |params: &str, script| -> Result<(String, String), Failed> {
        let mut machine = Machine::new("helpers", params);
        machine.kernel = "helper";
        machine.initrd = Some(target().base());
        machine.cpus = 2;
        Ok(machine.boot_with_gdb(script)?)
    };
    let (on, gdb) = boot("", &script)?;
    let (off, _) = boot(OFF, "")?;
    let disabled = fact(&gdb, "disabled");
    if disabled.is_none_or(|state| state == "0") || !has(&on, IS_ON) {
        return Err(
            format!("{on}\n{gdb}\nhelpers are enabled while {place}() stands still").into(),
        );
    }
    match (fact(&on, "helpers"), fact(&off, "helpers")) {
        (Some(here), Some(there)) if here == there && here != "0" => Ok(()),
        counts => Err(format!("{on}\nstock:\n{off}\n{counts:?}").into()),
    }
}

/// When it begins, and in the middle of it.
fn no_helper_forks_meanwhile() -> Outcome {
    ["overmount_rootfs", "init_mount"]
        .into_iter()
        .try_for_each(held_at)
}

/// A request that comes while the initramfs is being unpacked. `first` is what its driver says before
/// it asks, `then` what comes of it; so many helpers run at least, and as many as on a stock boot.
fn asked_for_early(
    name: &str,
    params: &str,
    list: &str,
    first: &str,
    then: &str,
    least: Option<u64>,
) -> Outcome {
    // Compressed, so that it takes its time, and filled up to where the next may begin.
    let first_part = format!("{name}.first");
    let compressed = host::make(&first_part, "gzip -1 -c guest.cpio >$1; truncate -s %4 $1")?;
    let mut machine = Machine::new("helpers", params);
    machine.kernel = "distro";
    machine.initrd = Some(host::archive(name, Archive::of(list).after(compressed))?);
    for cpus in [1, 2, 8] {
        machine.cpus = cpus;
        let consoles = pair(&machine, &[first, then])?;
        for console in &consoles {
            let at = |pattern| console.lines().position(|line| is(line, pattern));
            let unpacked = at("Freeing initrd memory: *");
            if unpacked.is_none() || at(first) > unpacked {
                return Err(format!("{console}\n{cpus} CPUs: asked too late").into());
            }
        }
        let Some(least) = least else { continue };
        let (on, off) = (
            number(&consoles[0], "helpers")?,
            number(&consoles[1], "helpers")?,
        );
        if on < least || on != off {
            let console = &consoles[0];
            return Err(format!("{console}\n{cpus} CPUs: {on} helpers ran, stock {off}").into());
        }
    }
    Ok(())
}

/// cfg80211 is in the kernel, and wants this file.
fn firmware_is_found_early() -> Outcome {
    asked_for_early(
        "early.firmware",
        "",
        "dir /lib 755 0 0\ndir /lib/firmware 755 0 0\nfile /lib/firmware/regulatory.db release 644 0 0\n",
        "cfg80211: Loading compiled-in X.509 certificates *",
        "cfg80211: loaded regulatory.db is malformed *",
        None,
    )
}

/// IMA is in the kernel, and this hash is not.
fn modules_are_asked_for_early() -> Outcome {
    asked_for_early(
        "early.modules",
        "ima_hash=wp512",
        "slink /sbin/modprobe /helper 777 0 0\n",
        "ima: No TPM chip found*",
        "ima: Allocating wp512 failed*",
        Some(2),
    )
}

pub fn cases() -> Vec<Case> {
    vec![
        case!(preemption_makes_no_difference),
        Case::new("core_dumps_are_written", || {
            both(
                &Machine::new("core_dumps", ""),
                &["core file: ok", "core pipe: ok"],
            )
        }),
        Case::new("firmware_is_found", || {
            both(&Machine::new("firmware", ""), &["firmware: some firmware"])
        })
        .quick(),
        case!(no_helper_forks_meanwhile)
            .needs(["kernel helper"])
            .with_gdb()
            .x86_only("a jump is put in, in x86's code"),
        case!(firmware_is_found_early).needs(["kernel distro"]),
        case!(modules_are_asked_for_early).needs(["kernel distro"]),
        case!(helpers_are_enabled_after_the_root_is_final)
            .with_gdb()
            .quick()
            .machine_only("gdb takes part by way of the emulator"),
    ]
}
