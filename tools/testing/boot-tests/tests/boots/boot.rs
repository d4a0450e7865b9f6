// SPDX-License-Identifier: GPL-2.0

//! How the initramfs comes and how the root goes on.

use crate::{host, verdict::*, Case};
use boot_tests::Machine;
use libtest_mimic::Failed;
use std::path::PathBuf;

fn switches_root(scenario: &'static str) -> Outcome {
    both(&Machine::new(scenario, ""), &["switched: pid 1"])
}

/// The script that makes `$1.d`, a small system, of what the initramfs has.
const SYSTEM: &str = "
    d=$1.d; rm -rf $d $1; mkdir -p $d/sbin $d/bin $d/proc $d/sys $d/dev
    for f in userland/bin/busybox userland/usr/bin/busybox; do [ ! -e $f ] || cp $f $d/bin/; done
    guest=../tools/testing/boot-tests/guest
    cp $guest/init.sh $d/sbin/init; cp $guest/scenarios.sh $d/; chmod 755 $d/sbin/init
    ";

const EXT4: &str = "truncate -s 16M $1; mke2fs -q -t ext4 -d $d $1";
const EXT2: &str = "truncate -s 8M $1; mke2fs -q -t ext2 -d $d $1";
const SQUASHFS: &str = "mksquashfs $d $1 -quiet -no-progress -noappend -comp gzip";
const EROFS: &str = "mkfs.erofs --quiet $1 $d";

fn image(name: &str, make: &str) -> Result<PathBuf, Failed> {
    host::make(name, &format!("{SYSTEM}{make}"))
}

fn root_on_a_disk_boots() -> Outcome {
    let mut machine = Machine::new("facts", "root=/dev/vda rw");
    machine.disk = Some(image("disk.ext4", EXT4)?);
    // An initramfs with an init of its own wins over root=, as in a stock boot.
    expect(&machine, &[IS_ON, "root: rootfs ramfs rw", "write: ok"])?;
    machine.params += " empty_rootfs=0";
    expect(&machine, &STOCK)?;
    // One without an init does not.
    let from_disk = ["root: /dev/root ext4 rw", "write: ok"];
    machine.params = "root=/dev/vda rw rdinit=/none".into();
    both(&machine, &from_disk)?;
    machine.initrd = None;
    both(&machine, &from_disk)
}

/// Without an initramfs.
fn boots_from(disk: PathBuf, params: &str, expected: &[&str]) -> Outcome {
    let mut machine = Machine::new("facts", params);
    machine.initrd = None;
    machine.disk = Some(disk);
    both(&machine, expected)
}

fn root_on_other_file_systems_boots() -> Outcome {
    let squashfs = image("disk.squashfs", SQUASHFS)?;
    boots_from(squashfs, "root=/dev/vda", &["root: /dev/root squashfs ro"])?;
    let erofs = image("disk.erofs", EROFS)?;
    boots_from(erofs, "root=/dev/vda", &["root: /dev/root erofs ro"])?;
    let partitioned = format!(
        "{EXT4}; mv $1 $1.part; truncate -s 20M $1
        printf 'label: gpt\nstart=2048, size=32768, type=L, uuid=11111111-2222-4333-8444-555555555555\n' | sfdisk -q $1
        dd if=$1.part of=$1 bs=1M seek=1 conv=notrunc status=none"
    );
    boots_from(
        image("disk.gpt", &partitioned)?,
        "rw root=PARTUUID=11111111-2222-4333-8444-555555555555",
        &["root: /dev/root ext4 rw", "write: ok"],
    )
}

/// The image of a file system, for /dev/ram0.
fn initrd_image_boots() -> Outcome {
    for (name, make, root) in [
        ("initrd.ext2", EXT2, "root: /dev/root ext2 rw"),
        ("initrd.squashfs", SQUASHFS, "root: /dev/root squashfs ro"),
    ] {
        let mut machine = Machine::new("facts", "root=/dev/ram0 rw ramdisk_size=16384");
        machine.initrd = Some(image(name, make)?);
        both(&machine, &[root])?;
    }
    Ok(())
}

/// The image has a /linuxrc, after which the root on the disk is mounted.
fn linuxrc_of_an_initrd_image_runs() -> Outcome {
    let linuxrc =
        "printf '#!/bin/busybox sh\necho linuxrc ran\n' >$d/linuxrc; chmod 755 $d/linuxrc; ";
    let mut machine = Machine::new("facts", "root=/dev/vda rw ramdisk_size=16384");
    machine.initrd = Some(image("initrd.linuxrc", &format!("{linuxrc}{EXT2}"))?);
    machine.disk = Some(image("disk.old", EXT4)?);
    both(
        &machine,
        &["linuxrc ran", "root: /dev/root ext4 rw", "write: ok"],
    )
}

/// A kernel without CONFIG_TMPFS has a ramfs.
fn kernel_without_tmpfs_boots() -> Outcome {
    let mut machine = Machine::new("pivot_by_hand_on_ramfs", "");
    machine.kernel = "controls/ramfs";
    let on = "empty_rootfs: on, root is ramfs";
    expect(&machine, &[on, "root: rootfs ramfs rw", "pivot_root: ok"])?;
    machine.params += OFF;
    expect(&machine, &["root: rootfs rootfs rw", "pivot_root: EINVAL"])?;
    Ok(())
}

/// A machine whose initramfs also has its kernel.
fn machine_with_its_kernel(scenario: &'static str, params: &str) -> Result<Machine, Failed> {
    let script = "echo file /bzImage kernel/arch/x86/boot/bzImage 644 0 0 >$1.list
        cp guest.cpio $1; kernel/usr/gen_init_cpio $1.list >>$1";
    let mut machine = Machine::new(scenario, &format!("retain_initrd {params}"));
    machine.initrd = Some(host::make(scenario, script)?);
    machine.memory = 2048;
    Ok(machine)
}

fn kexec_three_times() -> Outcome {
    let mut machine = machine_with_its_kernel("kexecs", "")?;
    for root in ["root: rootfs tmpfs rw", "root: rootfs rootfs rw"] {
        let console = expect(&machine, &["boot: 3"])?;
        if console.matches(root).count() != 4 {
            return Err(format!("{console}\nnot four times: {root}").into());
        }
        machine.params += OFF;
    }
    Ok(())
}

fn crash_kernel_boots() -> Outcome {
    let mut machine = machine_with_its_kernel("crash", "crashkernel=768M ")?;
    let dump = "dump: ELF";
    let root = |fs_type| format!("root: rootfs {fs_type} rw,size=");
    let console = expect(&machine, &[&root("tmpfs"), dump])?;
    if console.matches(IS_ON).count() != 2 {
        return Err(format!("{console}\nnot on in both").into());
    }
    machine.params += OFF;
    expect(&machine, &[&root("rootfs"), dump])?;
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
            "run_init_of_klibc_works",
            "klibc's run-init goes on to a second tmpfs",
            || switches_root("run_init"),
        ),
        Case::new(
            "kexec_three_times",
            "kexec into the same kernel and archive, three times in a row",
            kexec_three_times,
        ),
        Case::new(
            "crash_kernel_boots",
            "a crash kernel with initramfs_options=size=90%",
            crash_kernel_boots,
        ),
        Case::new(
            "root_on_a_disk_boots",
            "root=/dev/vda boots from ext4, with an initramfs and without",
            root_on_a_disk_boots,
        ),
        Case::new(
            "root_on_other_file_systems_boots",
            "root= boots from squashfs, from erofs, and from a partition by its PARTUUID",
            root_on_other_file_systems_boots,
        ),
        Case::new(
            "initrd_image_boots",
            "root=/dev/ram0 boots from an initrd image, ext2 and squashfs",
            initrd_image_boots,
        ),
        Case::new(
            "linuxrc_of_an_initrd_image_runs",
            "an initrd image's /linuxrc runs, and then root= boots from the disk",
            linuxrc_of_an_initrd_image_runs,
        ),
        Case::new(
            "kernel_without_tmpfs_boots",
            "a kernel without CONFIG_TMPFS has a ramfs, and pivots",
            kernel_without_tmpfs_boots,
        ),
    ]
}
