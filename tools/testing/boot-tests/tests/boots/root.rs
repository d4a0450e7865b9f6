// SPDX-License-Identifier: GPL-2.0

//! What the root is, what lies below it, and how it is asked for.

use crate::{verdict::*, Case};
use boot_tests::{fact, Machine};

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

fn root_is_tmpfs_named_rootfs() -> Outcome {
    let on = expect(&Machine::new("facts", ""), &ON)?;
    let off = expect(&Machine::new("facts", OFF), &STOCK)?;
    match (fact(&on, "mount"), fact(&off, "mount")) {
        (Some(here), Some("1, parent 1"))
            if here.ends_with(", parent 1") && here != "1, parent 1" =>
        {
            Ok(())
        }
        mounts => Err(format!("mounts: {mounts:?}").into()),
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

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "rootfs_is_empty_and_sealed",
            "rootfs is empty and refuses every change by root",
            rootfs_is_empty_and_sealed,
        )
        .quick(),
        Case::new(
            "root_is_tmpfs_named_rootfs",
            "/ is a tmpfs named rootfs, with an ID of its own and a parent that is not listed, and the log says so",
            root_is_tmpfs_named_rootfs,
        )
        .quick(),
        Case::new(
            "rootfstype_ramfs_gives_ramfs",
            "/ is a ramfs with rootfstype=ramfs",
            rootfstype_ramfs_gives_ramfs,
        )
        .quick(),
        Case::new(
            "initramfs_options_arrive",
            "/ has the options of initramfs_options=",
            initramfs_options_arrive,
        )
        .quick(),
        Case::new(
            "empty_rootfs_takes_booleans_only",
            "empty_rootfs= takes booleans, and warns of anything else",
            empty_rootfs_takes_booleans_only,
        )
        .quick(),
        Case::new(
            "initramfs_async_makes_no_difference",
            "initramfs_async=0 and 1 do the same, on one CPU and on two",
            initramfs_async_makes_no_difference,
        ),
    ]
}
