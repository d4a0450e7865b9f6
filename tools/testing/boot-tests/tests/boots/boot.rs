// SPDX-License-Identifier: GPL-2.0

//! How the initramfs comes and how the root goes on.

use crate::{verdict::*, Case};
use boot_tests::{build_dir, Machine};
use libtest_mimic::Failed;
use std::{path::PathBuf, process::Command};

fn switches_root(scenario: &'static str) -> Outcome {
    let switched = "switched: pid 1";
    expect(&Machine::new(scenario, ""), &[IS_ON, switched])?;
    expect(&Machine::new(scenario, OFF), &[switched])?;
    Ok(())
}

/// A disk with the same userland as the initramfs has.
fn disk() -> Result<PathBuf, Failed> {
    // busybox is in /bin or, since Debian 13, in /usr/bin.
    let script = "d=tmp/disk; rm -rf $d $d.ext4; mkdir -p $d/sbin $d/bin $d/proc $d/sys $d/dev
        for f in userland/bin/busybox userland/usr/bin/busybox; do [ ! -e $f ] || cp $f $d/bin/; done
        cp \"$1/init.sh\" $d/sbin/init; cp \"$1/scenarios.sh\" $d/; chmod 755 $d/sbin/init
        truncate -s 16M $d.ext4; PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -d $d $d.ext4";
    let guest = concat!(env!("CARGO_MANIFEST_DIR"), "/guest");
    let out = Command::new("sh")
        .args(["-ec", script, "sh", guest])
        .current_dir(build_dir())
        .output()?;
    match out.status.success() {
        true => Ok(build_dir().join("tmp/disk.ext4")),
        false => Err(String::from_utf8_lossy(&out.stderr).into_owned().into()),
    }
}

fn root_on_a_disk_boots() -> Outcome {
    let disk = disk()?;
    // Without an initramfs, and with one that has no init.
    for (more, initramfs) in [("", false), ("rdinit=/none", true)] {
        let mut machine = Machine::new("facts", &format!("root=/dev/vda rw {more}"));
        machine.disk = Some(disk.clone());
        machine.initramfs = initramfs;
        let seen = ["root: /dev/root ext4 rw", "write: ok"];
        expect(&machine, &[IS_ON, seen[0], seen[1]])?;
        machine.params += " empty_rootfs=0";
        expect(&machine, &seen)?;
    }
    // An initramfs with an init of its own wins over root=, as in a stock boot.
    let mut machine = Machine::new("facts", "root=/dev/vda rw");
    machine.disk = Some(disk);
    expect(&machine, &[IS_ON, "root: rootfs ramfs rw", "write: ok"])?;
    machine.params += " empty_rootfs=0";
    expect(&machine, &STOCK)?;
    Ok(())
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "switch_root_of_busybox_works",
            "busybox's switch_root goes on to a second tmpfs",
            || switches_root("switch_root_busybox"),
        ),
        Case::new(
            "switch_root_of_util_linux_works",
            "util-linux's switch_root goes on to a second tmpfs",
            || switches_root("switch_root_util_linux"),
        ),
        Case::new(
            "root_on_a_disk_boots",
            "root=/dev/vda boots from ext4, with an initramfs and without",
            root_on_a_disk_boots,
        ),
    ]
}
