// SPDX-License-Identifier: GPL-2.0

//! How the initramfs comes and how the root goes on.

use crate::{appliance::PARTITION, host, verdict::*, Case};
use boot_tests::{fact, project_dir, target, Archive, Machine};
use libtest_mimic::Failed;
use std::{fs, path::PathBuf};

/// The second root is there, and as much memory has been given back as on a stock boot.
fn switches_root_of(machine: &Machine) -> Outcome {
    let [on, off] = pair(machine, &["switched: pid 1"])?;
    let (here, there) = (number(&on, "left")?, number(&off, "left")?);
    match here <= there + 64 {
        true => Ok(()),
        false => Err(format!("{here} KiB left in tmpfs, {there} on a stock boot").into()),
    }
}

fn switches_root(scenario: &'static str) -> Outcome {
    switches_root_of(&Machine::new(scenario, ""))
}

/// Debian 12 has util-linux 2.38, and Debian 13 has 2.41, which was rewritten in between.
fn the_other_util_linux() -> String {
    let here = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let other = match here.contains("trixie") {
        true => "bookworm",
        false => "trixie",
    };
    format!("userland other util-linux,libc6 {other}")
}

fn switch_root_of_the_other_util_linux_works() -> Outcome {
    let mut list = String::from("dir /other 755 0 0\n");
    for line in fs::read_to_string(target().out.join("other.list"))?.lines() {
        list += &line.replacen(" /", " /other/", 1);
        list += "\n";
    }
    let mut machine = Machine::new("switch_root_other_util_linux", "");
    machine.initrd = Some(host::archive(
        "other.cpio",
        Archive::of(list).after(target().guest()),
    )?);
    switches_root_of(&machine)
}

// TERM=dumb, here and below: systemd asks another terminal for its size, in the line of what comes next.
const RUNC: &str = "runc: hello from a container";
const NO_RUNC: &str = "runc: time=*pivot_root .: invalid argument*";

/// The init of an initramfs starts an init proper, which stays there and has runc start a container.
fn stays(scenario: &'static str, params: &str, pid_1: &str) -> Outcome {
    let mut machine = Machine::new(
        scenario,
        &format!("TERM=dumb systemd.unit=scenario.service {params}"),
    );
    let pid_1 = format!("pid 1: {pid_1} in *");
    expect(&machine, &[IS_ON, &pid_1, "root: rootfs tmpfs *", RUNC])?;
    machine.params += " empty_rootfs=0";
    let stock = [&pid_1, "root: rootfs rootfs *", NO_RUNC];
    expect(&machine, &stock)?;
    Ok(())
}

fn minikube_needs_no_copy() -> Outcome {
    stays("minikube", "", "systemd")?;
    // What it does without the feature.
    let mut machine = Machine::new(
        "minikube_copying",
        "TERM=dumb systemd.unit=scenario.service empty_rootfs=0",
    );
    machine.memory = 1024;
    expect(
        &machine,
        &["pid 1: systemd in *", "root: tmpfs tmpfs *", RUNC],
    )?;
    Ok(())
}

/// A disk with all that the initramfs has.
const GUEST: &str = "
    d=$1.d; rm -rf $d $1; mkdir -p $d/dev $d/proc $d/sys; guest=$PWD/guest.cpio
    (cd $d; cpio -id --quiet --nonmatching 'dev/*' <$guest)
    truncate -s 400M $1; mke2fs -q -t ext4 -d $d $1; rm -rf $d";

/// From an initramfs with systemd to a disk that has all that the initramfs has.
fn systemd_to_a_disk(scenario: &'static str) -> Result<Machine, Failed> {
    let release = host::file(&format!("{scenario}.release"), "VERSION_ID=1\n")?;
    let list = format!("file /etc/initrd-release {release} 644 0 0\n");
    let initrd = Archive::of(list).after(target().guest());
    let mut machine = Machine::new(
        scenario,
        "rdinit=/lib/systemd/systemd rd.systemd.unit=switch.service TERM=dumb systemd.unit=scenario.service",
    );
    machine.initrd = Some(host::archive(&format!("initrd.{scenario}"), initrd)?);
    machine.disk = Some(host::make(&format!("disk.{scenario}"), GUEST)?);
    Ok(machine)
}

const ON_A_DISK: [&str; 2] = ["pid 1: systemd in *", "root: /dev/vda ext4 rw*"];

fn systemd_switches_to_a_disk() -> Outcome {
    let machine = systemd_to_a_disk("started")?;
    both(&machine, &[&ON_A_DISK[..], &[RUNC]].concat())
}

/// systemd tries pivot_root first, which hands the lock of the root on to the disk: there `umount /`
/// answers as in the initramfs. Without the feature it makes the disk read-only.
fn systemd_comes_back_from_a_disk() -> Outcome {
    let machine = systemd_to_a_disk("exitrd")?;
    let back = [
        "old root: /dev/vda ext4",
        "exitrd: has taken leave",
        "new root: tmpfs tmpfs",
    ];
    let [on, off] = pair(&machine, &[&ON_A_DISK[..], &back].concat())?;
    match (fact(&on, "umount"), fact(&off, "umount")) {
        (Some("umount: can't unmount /: Invalid argument"), Some("")) => Ok(()),
        answers => Err(format!("{on}\n{answers:?}").into()),
    }
}

/// An initrd that a distribution's tool made, in a system of its own, finds the root on a disk.
fn distributions_initrd_boots(tool: &str) -> Outcome {
    let mut machine = Machine::new("facts", "root=/dev/vda rw TERM=dumb");
    machine.initrd = Some(target().out.join("initrds").join(tool));
    machine.disk = Some(image(&format!("{tool}.ext4"), EXT4)?);
    both(&machine, &["root: /dev/vda ext4 rw*", "write: ok"])
}

/// The package of `make deb`, installed on a Debian 13 and booted with the initrd that this has made.
/// QEMU takes both from the disk's `/boot`, as a boot loader would.
fn installed_package_boots_debian() -> Outcome {
    let dir = target().out.join("debian");
    let params = "root=/dev/vda rw TERM=dumb systemd.unit=scenario.service printk.time=0";
    let mut machine = Machine::new("installed", params);
    machine.image = Some(dir.join("kernel"));
    machine.initrd = Some(dir.join("initrd"));
    machine.disk = Some(dir.join("disk"));
    let seen = [
        "pid 1: systemd in *",
        "root: /dev/vda ext4 rw*",
        "PRETTY_NAME=\"Debian GNU/Linux 13 *",
        "kernel: linux-image-*-empty-rootfs install ok installed",
    ];
    both(&machine, &seen)
}

/// The same kernel without a disk, with the security modules that it is configured with.
fn installed_kernel_runs_containers_from_memory() -> Outcome {
    let dir = target().out.join("debian");
    let params =
        "rdinit=/lib/systemd/systemd TERM=dumb systemd.unit=scenario.service printk.time=0";
    let mut machine = Machine::new("distribution", params);
    machine.image = Some(dir.join("kernel"));
    let config = fs::read_to_string(target().out.join("deb/out/.config"))?;
    let mut seen = vec!["pid 1: systemd in *"];
    if config.contains("CONFIG_SECURITY_APPARMOR=y") {
        seen.push("security modules: *,apparmor,*");
    }
    let runs = ["podman: hello from a container"];
    expect(&machine, &[&[IS_ON], &seen[..], &HELLO, &runs].concat())?;
    machine.params += " empty_rootfs=0";
    let fails = [
        NO_RUNC,
        "crun: pivot_root: Invalid argument",
        "bubblewrap: *pivot_root: Invalid argument",
        "podman: *pivot_root: Invalid argument*",
    ];
    expect(&machine, &[&seen[..], &fails].concat())?;
    host::record(&target().out.join("deb/out"), "installed, and from memory")
}

/// The script that makes `$1.d`, a small system, of what the initramfs has.
const SYSTEM: &str = "
    d=$1.d; rm -rf $d $1; mkdir -p $d/sbin $d/bin $d/proc $d/sys $d/dev
    for f in userland/bin/busybox userland/usr/bin/busybox; do [ ! -e $f ] || cp $f $d/bin/; done
    mkdir $d/etc; cp /etc/os-release $d/etc/
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
    let from_disk = ["root: /dev/root ext4 rw*", "write: ok"];
    machine.params = "root=/dev/vda rw rdinit=/none".into();
    both(&machine, &from_disk)?;
    machine.initrd = None;
    both(&machine, &from_disk)
}

/// A known difference: what lies on the lowest mount of all has its place, and that is another mount now.
fn mounts_go_beneath_what_lies_on_the_new_root() -> Outcome {
    let initramfs = Machine::new("beneath", "");
    let mut disk = Machine::new("beneath", "root=/dev/vda rw");
    disk.initrd = None;
    disk.disk = Some(image("beneath.ext4", &format!("cp probe $d/; {EXT4}"))?);
    for (mut machine, proc_on_stock, root) in [(initramfs, "EINVAL", "EINVAL"), (disk, "ok", "ok")]
    {
        let root = format!("beneath /: {root}");
        expect(&machine, &["beneath /proc: ok", &root])?;
        machine.params += " empty_rootfs=0";
        let proc = format!("beneath /proc: {proc_on_stock}");
        expect(&machine, &[&proc, "beneath /: EINVAL"])?;
    }
    Ok(())
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
    boots_from(squashfs, "root=/dev/vda", &["root: /dev/root squashfs ro*"])?;
    let erofs = image("disk.erofs", EROFS)?;
    boots_from(erofs, "root=/dev/vda", &["root: /dev/root erofs ro*"])?;
    let partitioned = format!(
        "{EXT4}; mv $1 $1.part; truncate -s 20M $1
        printf 'label: gpt\nstart=2048, size=32768, type=L, uuid=11111111-2222-4333-8444-555555555555\n' | sfdisk -q $1
        dd if=$1.part of=$1 bs=1M seek=1 conv=notrunc status=none"
    );
    boots_from(
        image("disk.gpt", &partitioned)?,
        "rw root=PARTUUID=11111111-2222-4333-8444-555555555555",
        &["root: /dev/root ext4 rw*", "write: ok"],
    )
}

/// The image of a file system, for /dev/ram0.
fn initrd_image_boots() -> Outcome {
    for (name, make, root) in [
        ("initrd.ext2", EXT2, "root: /dev/root ext2 rw*"),
        ("initrd.squashfs", SQUASHFS, "root: /dev/root squashfs ro*"),
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
        &["linuxrc ran", "root: /dev/root ext4 rw*", "write: ok"],
    )
}

/// A kernel without CONFIG_TMPFS has a ramfs.
fn kernel_without_tmpfs_boots() -> Outcome {
    let mut machine = Machine::new("pivot_by_hand_on_ramfs", "");
    machine.kernel = "ramfs";
    let on = "empty_rootfs: on, root is ramfs";
    expect(&machine, &[on, "root: rootfs ramfs rw", "pivot_root: ok"])?;
    machine.params += OFF;
    expect(&machine, &["root: rootfs rootfs rw*", "pivot_root: EINVAL"])?;
    Ok(())
}

/// A machine whose initramfs also has its kernel.
fn machine_with_its_kernel(scenario: &'static str, params: &str) -> Result<Machine, Failed> {
    let image = target().image("test");
    let list = format!("file /bzImage {} 644 0 0\n", image.display());
    let mut machine = Machine::new(scenario, &format!("retain_initrd {params}"));
    machine.initrd = Some(host::archive(
        scenario,
        Archive::of(list).after(target().guest()),
    )?);
    machine.memory = 2048;
    Ok(machine)
}

fn kexec_three_times() -> Outcome {
    let mut machine = machine_with_its_kernel("kexecs", "")?;
    for root in ["root: rootfs tmpfs rw*", "root: rootfs rootfs rw*"] {
        let console = expect(&machine, &["boot: 3"])?;
        if lines(&console, root) != 4 {
            return Err(format!("{console}\nnot four times: {root}").into());
        }
        machine.params += OFF;
    }
    Ok(())
}

fn crash_kernel_boots() -> Outcome {
    let mut machine = machine_with_its_kernel("crash", "crashkernel=768M ")?;
    let dump = "dump: ELF";
    let root = |fs_type| format!("root: rootfs {fs_type} rw,size=*");
    let console = expect(&machine, &[&root("tmpfs"), dump])?;
    if lines(&console, IS_ON) != 2 {
        return Err(format!("{console}\nnot on in both").into());
    }
    machine.params += OFF;
    expect(&machine, &[&root("rootfs"), dump])?;
    Ok(())
}

/// As on a board: U-Boot finds a FIT image with kernel, initramfs and device tree on the disk.
const FIT: &str = r#"
    image() {
        echo "$1 { type = \"$1\"; data = /incbin/(\"$2\"); arch = \"arm64\"; os = \"linux\"; compression = \"none\";"
        echo "$3 hash { algo = \"crc32\"; }; };"
    }
    PATH=$PATH:$OUT/kernels/test/scripts/dtc
    $qemu
    {
        echo '/dts-v1/; / { description = "boot-tests"; images {'
        image kernel $OUT/kernels/test/$IMAGE 'load = <0x70000000>; entry = <0x70000000>;'
        image ramdisk $OUT/guest.cpio; image flat_dt $1.dtb
        echo '}; configurations { default = "all";'
        echo 'all { kernel = "kernel"; ramdisk = "ramdisk"; fdt = "flat_dt"; }; }; };'
    } >$1.its
    mkimage -q -f $1.its $1.d/fit
    echo 'load ${devtype} ${devnum}:${distro_bootpart} ${kernel_addr_r} fit' >$1.cmd
    echo "setenv bootargs \"$params\"" >>$1.cmd
    echo 'bootm ${kernel_addr_r}' >>$1.cmd
    mkimage -q -A arm64 -T script -C none -d $1.cmd $1.d/boot.scr >&2
    esp $1; rm $1.dtb
    "#;

fn u_boot_starts_a_fit_image() -> Outcome {
    let started = |params, expected: &[&str]| -> Outcome {
        let mut machine = Machine::new("containers", params);
        machine.memory = 1536;
        let u_boot = project_dir().join("build/host/u-boot/usr/lib/u-boot/qemu_arm64/u-boot.bin");
        machine.firmware = vec!["-bios".into(), u_boot.display().to_string()];
        // A machine with firmware has other devices.
        let qemu = [&target().arch.qemu[..], &machine.firmware]
            .concat()
            .join(" ");
        let qemu = qemu.replace("-machine virt", "-machine virt,dumpdtb=$1.dtb");
        let given = format!(
            "qemu=\"{qemu} -m {}\"; params='{} panic=-1 scenario=containers {params}';",
            machine.memory,
            target().arch.params
        );
        let disk = host::make("fit", &format!("{given}{PARTITION}{FIT}"))?;
        machine.disk = Some(disk);
        expect(
            &machine,
            &[&["## Loading kernel from FIT Image at *"], expected].concat(),
        )?;
        Ok(())
    };
    started("", &[&[IS_ON], &HELLO[..]].concat())?;
    started(OFF, &["*pivot_root .: invalid argument*"])
}

pub fn cases() -> Vec<Case> {
    vec![
        case!(u_boot_starts_a_fit_image)
            .needs([
                "setup dosfstools fdisk mtools u-boot-tools",
                "userland host/u-boot u-boot-qemu",
            ])
            .only_on(&["arm64"], "its U-Boot is that of an arm64 board")
            .quick(),
        Case::new("switch_root_of_busybox_works", || {
            switches_root("switch_root_busybox")
        })
        .quick(),
        Case::new("switch_root_of_util_linux_works", || {
            switches_root("switch_root_util_linux")
        })
        .quick(),
        Case::new("run_init_of_klibc_works", || switches_root("run_init")),
        case!(switch_root_of_the_other_util_linux_works).needs([the_other_util_linux()]),
        Case::new("systemd_stays_in_the_initramfs", || {
            stays("started", "rdinit=/lib/systemd/systemd", "systemd")
        }),
        case!(systemd_switches_to_a_disk).needs(["setup cpio e2fsprogs"]),
        case!(systemd_comes_back_from_a_disk).needs(["setup cpio e2fsprogs"]),
        Case::new("initrd_of_initramfs_tools_boots", || {
            distributions_initrd_boots("initramfs-tools")
        })
        .needs(["initrd initramfs-tools", "setup e2fsprogs"])
        .x86_only("the initrd is of amd64"),
        Case::new("initrd_of_dracut_boots", || {
            distributions_initrd_boots("dracut")
        })
        .needs(["initrd dracut", "setup e2fsprogs"])
        .x86_only("the initrd is of amd64"),
        case!(installed_package_boots_debian)
            .needs(["debian"])
            .x86_only("the package is of amd64"),
        case!(installed_kernel_runs_containers_from_memory)
            .needs(["debian"])
            .x86_only("the package is of amd64"),
        Case::new("tinycore_boots", || stays("tinycore", "", "busybox")),
        case!(minikube_needs_no_copy),
        case!(kexec_three_times).x86_only("the kernel is a bzImage"),
        case!(crash_kernel_boots).x86_only("the kernel is a bzImage"),
        case!(root_on_a_disk_boots)
            .needs(["setup e2fsprogs"])
            .quick()
            .machine_only("the disk is QEMU's"),
        case!(mounts_go_beneath_what_lies_on_the_new_root)
            .needs(["setup e2fsprogs"])
            .quick()
            .machine_only("the disk is QEMU's"),
        case!(root_on_other_file_systems_boots)
            .needs(["setup e2fsprogs erofs-utils fdisk squashfs-tools"]),
        case!(initrd_image_boots).needs(["setup e2fsprogs squashfs-tools"]),
        case!(linuxrc_of_an_initrd_image_runs).needs(["setup e2fsprogs"]),
        case!(kernel_without_tmpfs_boots).needs(["kernel ramfs"]),
    ]
}
