// SPDX-License-Identifier: GPL-2.0

//! What the root is, what lies below it, and how it is asked for.

use crate::{verdict::*, Case};
use boot_tests::{fact, Machine};
use libtest_mimic::Failed;
use std::collections::BTreeMap;

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

/// What came of unmounting the root: who tried it, by which command, and the answer.
type Answers = BTreeMap<String, String>;

fn umounts(params: &str) -> Result<Answers, Failed> {
    let console = expect(&Machine::new("umounts", params), &["copies: gone"])?;
    if fact(&console, "copy of the root") != Some("")
        || !fact(&console, "move the root").is_some_and(|said| said.ends_with("Invalid argument"))
    {
        return Err(format!("{console}\nthe root was moved, or a copy of it not unmounted").into());
    }
    let answer = |line: &str| {
        let (asked, answer) = line.split_once(": ")?;
        let (who, _) = asked.split_once(", ")?;
        let one_of_three = ["container", "namespace", "root"].contains(&who);
        one_of_three.then(|| (asked.into(), answer.into()))
    };
    Ok(console.lines().filter_map(answer).collect())
}

/// Shutdown scripts unmount all that they find. On a stock boot of 6.12 rootfs is locked, and so is the
/// root over it; a container's is locked by pivot_root. The one difference is that the root is a tmpfs.
fn root_cannot_be_unmounted() -> Outcome {
    let (on, off) = (umounts("")?, umounts(OFF)?);
    let mut wrong = Vec::new();
    for (asked, answer) in &on {
        let refused = match asked.contains("busybox") {
            true => "umount: can't unmount /: Invalid argument, writable",
            false => "umount: /: not mounted., writable",
        };
        if answer != refused {
            wrong.push(format!("{asked}: {answer}"));
        }
    }
    // Linux 6.18 does not lock rootfs, and makes it read-only instead.
    let rootfs_is_locked = off.get("root, busybox umount /") == on.get("root, busybox umount /");
    for (asked, answer) in &off {
        let as_here = match asked.contains("-t tmpfs") {
            true => answer == "said nothing, writable",
            false => on.get(asked) == Some(answer),
        };
        let made_read_only = !rootfs_is_locked && answer.ends_with(", not writable");
        if !as_here && !made_read_only {
            wrong.push(format!("{asked}, {OFF}: {answer}"));
        }
    }
    // Without the feature the container does not start.
    match wrong.is_empty() && (on.len(), off.len()) == (19, 14) {
        true => Ok(()),
        false => Err(format!("{on:#?}\n{off:#?}\n{wrong:#?}").into()),
    }
}

fn root_is_tmpfs_named_rootfs() -> Outcome {
    let on = expect(&Machine::new("facts", ""), &ON)?;
    let off = expect(&Machine::new("facts", OFF), &STOCK)?;
    // But for its type the root is what it is on a stock boot. Memory may differ by some pages from boot to boot.
    let root = |console: &str| -> String {
        let root = fact(console, "root").unwrap_or_default();
        root.replace(|c: char| c.is_ascii_digit(), "")
    };
    let (here, there) = (root(&on), root(&off).replacen(" rootfs ", " tmpfs ", 1));
    if here != there {
        return Err(format!(
            "{on}\nroot: {here}, but for its type not as on a stock boot: {there}"
        )
        .into());
    }
    // A stock boot's root is its own parent, by an ID that depends on the release; here it is that one's child.
    let mount = |console: &str| -> Option<(String, String)> {
        let (own, parent) = fact(console, "mount")?.split_once(", parent ")?;
        Some((own.into(), parent.into()))
    };
    match (mount(&on), mount(&off)) {
        (Some((here, below)), Some((root, itself)))
            if here != below && below == root && root == itself =>
        {
            Ok(())
        }
        mounts => Err(format!("mounts and parents: {mounts:?}").into()),
    }
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
    for (off, fs_type) in [("", "tmpfs"), (OFF, "rootfs")] {
        let seen = format!("root: rootfs {fs_type} rw,size=409600k,nr_inodes=5000,mode=711");
        expect(
            &Machine::new("facts", &format!("{options} {off}")),
            &[&seen],
        )?;
    }
    Ok(())
}

fn empty_rootfs_takes_booleans_only() -> Outcome {
    expect(&Machine::new("facts", "empty_rootfs=off"), &STOCK)?;
    expect(&Machine::new("facts", "empty_rootfs=y"), &ON)?;
    let console = expect(&Machine::new("facts", "empty_rootfs=banana"), &ON)?;
    match lines(&console, "empty_rootfs: ignoring \"banana\", not a boolean") {
        1 => Ok(()),
        n => Err(format!("{console}\n{n} warnings").into()),
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

pub fn cases() -> Vec<Case> {
    vec![
        case!(rootfs_is_empty_and_sealed).quick(),
        case!(root_cannot_be_unmounted).quick(),
        case!(root_is_tmpfs_named_rootfs).quick(),
        case!(rootfstype_ramfs_gives_ramfs).quick(),
        case!(initramfs_options_arrive).about_options().quick(),
        case!(empty_rootfs_takes_booleans_only).quick(),
        case!(initramfs_async_makes_no_difference),
    ]
}
