// SPDX-License-Identifier: GPL-2.0

//! What happens when a step fails.

use crate::{verdict::*, Case};
use boot_tests::{fact, target, Machine};
use libtest_mimic::Failed;
use std::{collections::BTreeSet, error::Error, fs, sync::OnceLock};

/// Where a call is, and of what.
type Call = (String, String);

/// The calls in `overmount_rootfs()`.
fn calls() -> Result<&'static [Call], Failed> {
    static CALLS: OnceLock<Result<Vec<Call>, String>> = OnceLock::new();
    let calls = CALLS.get_or_init(|| read_calls().map_err(|e| e.to_string()));
    Ok(calls.as_ref().map_err(String::as_str)?)
}

fn read_calls() -> Result<Vec<Call>, Box<dyn Error>> {
    // On riscv there are labels where functions begin.
    let without_labels = target().tmp(&format!("calls.{}", std::process::id()));
    let status = target()
        .tool("objcopy")
        .arg("--discard-locals")
        .arg(target().kernel("test").join("vmlinux"))
        .arg(&without_labels)
        .status()?;
    if !status.success() {
        return Err(format!("objcopy of vmlinux: {status}").into());
    }
    let out = target()
        .tool("objdump")
        .args([
            "-dC",
            "--no-show-raw-insn",
            "--disassemble=overmount_rootfs",
        ])
        .arg(&without_labels)
        .output()?;
    let _ = fs::remove_file(without_labels);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let call = |line: &str| {
        let (place, instruction) = line.split_once(':')?;
        let (instruction, operand) = instruction.trim().split_once(char::is_whitespace)?;
        let called = target().arch.calls.iter().any(|call| call == instruction);
        let target = match operand.split_once('<') {
            Some((_, name)) => name.trim_end().strip_suffix('>')?,
            // By a register; riscv returns and jumps so as well.
            None if instruction.starts_with('j') => return None,
            None => operand.trim(),
        };
        // What has an offset is a jump within a function.
        (called && !target.contains('+')).then(|| (place.trim().into(), target.into()))
    };
    Ok(text.lines().filter_map(call).collect())
}

/// Each call of `function` in `overmount_rootfs()` returns `value`, one at a time, and the boot is the
/// stock one with a message. Tells which calls were made: the compiler may have made two of one.
fn fails(
    cpus: u32,
    function: &str,
    value: i32,
    params: &str,
    message: &str,
) -> Result<BTreeSet<String>, Failed> {
    let mut machine = Machine::new("facts", params);
    machine.cpus = cpus;
    let mut made = BTreeSet::new();
    for (place, _) in calls()?.iter().filter(|(_, f)| f == function) {
        // The call instruction is skipped.
        let script = format!(
            "thbreak overmount_rootfs\ncontinue\nthbreak *0x{place}\ncontinue\n\
             printf \"at: %lx\\n\", $pc\nset {} = {value}\nset $pc = $pc + {}",
            target().arch.result,
            target().arch.call_size
        );
        let (console, gdb) = machine.boot_with_gdb(&script)?;
        if fact(&gdb, "at") != Some(place) {
            // With these parameters it is another one that is made.
            check(&machine, &console, &[IS_ON])?;
            continue;
        }
        check(&machine, &console, &STOCK)?;
        told_once(&machine, &console, message)?;
        made.insert(place.clone());
    }
    match made.is_empty() {
        true => Err(format!("overmount_rootfs() does not call {function}()").into()),
        false => Ok(made),
    }
}

/// Each call that gives an error gives each error, for each type of root, on one CPU and on two. What
/// undoes the steps before only calls what gives none.
fn every_error_falls_back_to_rootfs() -> Outcome {
    let mount = "cannot mount the new root";
    let mut made = BTreeSet::new();
    for fs_type in ["", "rootfstype=ramfs"] {
        let options = &format!("initramfs_options=size=400m {fs_type}");
        for (function, value, error, params, step) in [
            ("kern_path", -12, -12, fs_type, "cannot look up /"),
            ("kern_path", -22, -22, fs_type, "cannot look up /"),
            ("rust_helper_alloc_pages", 0, -12, options, mount),
            ("init_mount", -12, -12, fs_type, mount),
            ("init_mount", -22, -22, options, mount),
        ] {
            let message = format!("empty_rootfs: off, {step}: error {error}");
            for cpus in [1, 2] {
                made.append(&mut fails(cpus, function, value, params, &message)?);
            }
        }
    }
    let functions = ["kern_path", "rust_helper_alloc_pages", "init_mount"];
    let missed: Vec<_> = (calls()?.iter())
        .filter(|(place, function)| functions.contains(&&**function) && !made.contains(place))
        .collect();
    match missed.is_empty() {
        true => Ok(()),
        false => Err(format!("calls that were never made: {missed:?}").into()),
    }
}

/// Stops at `place` and calls `function(text, value)` there, as if the kernel did; what `place` was
/// called with is put back.
fn call_at(place: &str, function: &str, text: &str, value: u32) -> String {
    let arguments = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"];
    let saved = arguments.map(|name| format!("set ${name}_was = ${name}\n"));
    let restored = arguments.map(|name| format!("set ${name} = ${name}_was\n"));
    format!(
        "thbreak {place}\ncontinue\nset $pc_was = $pc\n{}\
         set $text = (char *)&boot_command_line + 1500\n\
         set {{char[{}]}}$text = \"{text}\"\n\
         set $rsp = $rsp - 8\nset *(long *)$rsp = $pc_was\n\
         set $rdi = $text\nset $rsi = {value}\nset $pc = {function}\n\
         thbreak *$pc_was\ncontinue\nprintf \"called: %d\\n\", (int)$rax\n{}",
        saved.concat(),
        text.len() + 1,
        restored.concat()
    )
}

/// `function(text, value)`, called at `place`, keeps the new root from coming about: the boot is
/// the stock one, with a message.
fn prevented(place: &str, function: &str, text: &str, value: u32, message: &str) -> Outcome {
    // So the console shows errors, and no warnings.
    let machine = Machine::new("facts", "quiet");
    let script = call_at(place, function, text, value);
    let (console, gdb) = machine.boot_with_gdb(&script)?;
    if fact(&gdb, "called") != Some("0") {
        return Err(format!("{function}() was not called:\n{gdb}").into());
    }
    check(&machine, &console, &STOCK)?;
    told_once(&machine, &console, message)
}

/// The copy of initramfs_options= that rootfs gets cannot be made. The new root gets them all the same;
/// where rootfs is the root, it is seen that it has none.
fn failed_copy_of_the_options_leaves_the_new_root_its_own() -> Outcome {
    let script = "thbreak kstrdup if $rdi == *(long *)&initramfs_options\ncontinue\n\
                  set $rax = 0\nset $pc = *(long *)$rsp\nset $rsp = $rsp + 8\nprintf \"failed: yes\\n\"";
    for (off, root, has_them) in [("", IS_ON, true), (OFF, "root: rootfs rootfs rw*", false)] {
        let params = format!("initramfs_options=size=400m {off}");
        let machine = Machine::new("facts", &params);
        let (console, gdb) = machine.boot_with_gdb(script)?;
        check(&machine, &console, &[root, "write: ok"])?;
        let options = fact(&console, "root").is_some_and(|root| root.contains(",size=409600k,"));
        if fact(&gdb, "failed") != Some("yes") || options != has_them {
            return Err(format!("{console}\n{gdb}\noptions: {options}").into());
        }
    }
    Ok(())
}

/// Somebody else has made rootfs immutable: it is left alone.
fn immutable_rootfs_stays_immutable() -> Outcome {
    let machine = Machine::new("facts", "");
    let flags = "init_fs.root.dentry->d_inode->i_flags";
    let script = format!(
        "thbreak overmount_rootfs\ncontinue\nset $ret = *(long *)$rsp\n\
         set variable {flags} |= 8\nthbreak *$ret\ncontinue\nprintf \"flags: %u\\n\", {flags}\n\
         set variable {flags} &= ~8"
    );
    let (console, gdb) = machine.boot_with_gdb(&script)?;
    if fact(&gdb, "flags") != Some("8") {
        return Err(format!("{console}\n{gdb}\nrootfs is not immutable any more").into());
    }
    check(&machine, &console, &STOCK)?;
    let message = "empty_rootfs: off, rootfs is in use: error -16";
    told_once(&machine, &console, message)
}

/// From the look whether rootfs is empty on nobody can put anything there.
fn nothing_can_be_put_into_rootfs_meanwhile() -> Outcome {
    let machine = Machine::new("facts", "");
    let script = format!(
        "thbreak overmount_rootfs\ncontinue\n{}",
        call_at("init_mount", "init_mkdir", "/leftover", 0o755)
    );
    let (console, gdb) = machine.boot_with_gdb(&script)?;
    match fact(&gdb, "called") {
        Some("-1") => check(&machine, &console, &ON),
        _ => Err(format!("{console}\n{gdb}\ninit_mkdir() did not give -EPERM").into()),
    }
}

/// The calls that `overmount_rootfs()` makes are those whose failure is tested, and some that
/// cannot fail: a new one must be put into one of the two lists.
fn every_call_is_accounted_for() -> Outcome {
    let fallible = "kern_path simple_empty rust_helper_alloc_pages init_mount follow_down_one";
    let infallible = "<kernel::error::Error>::from_errno <kernel::error::Error>::to_errno __free_pages __memcpy \
        _printk down_write inode_set_flags kernel::error::to_result make_empty_dir_inode \
        memcpy path_get path_put rust_helper_get_current rust_helper_kmap_local_page \
        rust_helper_kunmap_local rust_helper_spin_lock rust_helper_spin_unlock set_fs_pwd \
        set_fs_root strlen up_write";
    let among = |list: &str, call: &str| list.split(' ').any(|word| word == call);
    let calls: BTreeSet<&str> = calls()?.iter().map(|(_, called)| &**called).collect();
    let unknown: Vec<_> = calls
        .iter()
        .filter(|call| !among(fallible, call) && !among(infallible, call))
        .collect();
    let gone: Vec<_> = fallible
        .split(' ')
        .filter(|call| !calls.contains(call))
        .collect();
    match unknown.is_empty() && gone.is_empty() {
        true => Ok(()),
        false => Err(format!("not accounted for: {unknown:?}; gone: {gone:?}").into()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("failed_mount_falls_back_to_rootfs", || {
            let message = "empty_rootfs: off, cannot mount the new root: error -12";
            fails(1, "init_mount", -12, "", message).map(|_| ())
        })
        .quick()
        .machine_only("gdb takes part by way of the emulator")
        .with_gdb(),
        case!(every_error_falls_back_to_rootfs)
            .about_options()
            .with_gdb(),
        Case::new("something_in_rootfs_falls_back_to_rootfs", || {
            let message = "empty_rootfs: off, rootfs is in use: error -39";
            prevented(
                "overmount_rootfs",
                "init_mkdir",
                "/leftover",
                0o755,
                message,
            )
        })
        .x86_only("a call is put in by x86_64's registers")
        .with_gdb(),
        Case::new("mount_that_is_gone_again_falls_back_to_rootfs", || {
            let message = "empty_rootfs: off, cannot enter the new root: error -2";
            prevented("follow_down_one", "init_umount", "/..", 2, message)
        })
        .x86_only("a call is put in by x86_64's registers")
        .with_gdb(),
        case!(failed_copy_of_the_options_leaves_the_new_root_its_own)
            .about_options()
            .x86_only("a call is left out by x86_64's registers")
            .with_gdb(),
        case!(immutable_rootfs_stays_immutable)
            .x86_only("the return address is taken from x86_64's stack")
            .with_gdb(),
        case!(nothing_can_be_put_into_rootfs_meanwhile)
            .x86_only("a call is put in by x86_64's registers")
            .with_gdb(),
        case!(every_call_is_accounted_for).quick(),
    ]
}
