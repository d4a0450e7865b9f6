// SPDX-License-Identifier: GPL-2.0

//! Security modules decide as they do on a stock boot, on a kernel that has them.

use crate::{archive::same_as_stock, host, verdict::*, Case};
use boot_tests::{target, Archive, Machine};
use libtest_mimic::Failed;
use std::fs;

/// A machine with one security module, and with the files of `list` in the initramfs.
fn machine(scenario: &'static str, params: &str, list: &str) -> Result<Machine, Failed> {
    let mut machine = Machine::new(scenario, params);
    machine.kernel = "distro";
    machine.initrd = Some(host::archive(
        &format!("{scenario}.cpio"),
        Archive::of(list).after(target().guest()),
    )?);
    Ok(machine)
}

/// A tool of the host's, unpacked by scripts/userland, with the libraries that it came with.
fn unpacked(package: &str) -> String {
    format!("root=host/{package}; LD_LIBRARY_PATH=$(echo $root/lib/*-linux-gnu* $root/usr/lib/*-linux-gnu* | tr ' ' :) $root")
}

const LET_IN: [&str; 3] = [
    "by anybody, release: base",
    "confined, release: base",
    "by anybody, secret: secret",
];
const SHUT_OUT: &str = "confined, secret: cat: can't open '/secret': Permission denied";

/// With a policy that treats tmpfs and rootfs alike, and with one that has never heard of tmpfs.
fn selinux_decides_the_same() -> Outcome {
    let policy = |name, edit| -> Result<String, Failed> {
        let checkpolicy = unpacked("checkpolicy");
        let script = format!(
            "sed '{edit}' $guest/selinux.policy >$1.conf
            {checkpolicy}/usr/bin/checkpolicy -U allow -o $1 $1.conf"
        );
        let policy = host::make(name, &script)?;
        Ok(format!("file /policy {} 644 0 0\n", policy.display()))
    };
    let on = "label of /release: system_u:object_r:tmpfs_t";
    let off = "label of /release: system_u:object_r:rootfs_t";
    let mut selinux = machine("selinux", "lsm=selinux ", &policy("policy.aware", "")?)?;
    let decided = [&LET_IN[..], &[SHUT_OUT]].concat();
    expect(&selinux, &[&[IS_ON, on], &decided[..]].concat())?;
    selinux.params += OFF;
    expect(&selinux, &[&[off], &decided[..]].concat())?;

    // The difference that the documentation tells.
    let mut unaware = machine(
        "selinux",
        "lsm=selinux ",
        &policy("policy.unaware", "/^allow confined/s/tmpfs_t//")?,
    )?;
    let denied = "confined, release: setpriv: failed to execute /bin/busybox: Permission denied";
    expect(&unaware, &[IS_ON, on, LET_IN[0], denied])?;
    unaware.params += OFF;
    expect(&unaware, &[&[off], &decided[..]].concat())?;
    Ok(())
}

/// A container's profile; without the feature runc has to do without pivot_root.
fn apparmor_confines_a_container() -> Outcome {
    let parser = unpacked("apparmor");
    let script = format!(
        "{parser}/sbin/apparmor_parser -QK --policy-features $root/etc/apparmor.d/abi/3.0 \
            --config-file /dev/null --base $root/etc/apparmor.d -o $1 $guest/apparmor.profile"
    );
    let profile = host::make("apparmor.binary", &script)?;
    let profile = &format!("file /profile {} 644 0 0\n", profile.display());
    let decided = [
        "by anybody, release: read: ok",
        "by anybody, secret: read: ok",
        "confined, release: read: ok",
        "confined, secret: read: EACCES",
    ];
    let apparmor = machine("apparmor", "lsm=apparmor", profile)?;
    expect(&apparmor, &[&[IS_ON], &decided[..]].concat())?;
    let mut stock = machine("apparmor_no_pivot", "lsm=apparmor ", profile)?;
    stock.params += OFF;
    expect(&stock, &decided)?;
    Ok(())
}

/// The policy, which is built in, lets nothing run but what has come with the initramfs.
fn ipe_knows_the_initramfs() -> Outcome {
    let machine = machine("ipe", "lsm=ipe", "")?;
    let decided = [
        "in the initramfs: hello from a container",
        "elsewhere: sh: exec: line 0: /run/hello: Permission denied",
    ];
    both(&machine, &decided)
}

fn ima_measures_the_same() -> Outcome {
    let mut ima = machine("ima", "ima_policy=tcb", "")?;
    // The policy leaves out what is in a tmpfs; that of Linux 6.18 does not where it is executed.
    same_as_stock(&ima, &["files: *"])?;
    ima.params += " rootfstype=ramfs";
    same_as_stock(&ima, &["measured: /init", "measured: /probe"])?;
    // The difference that the documentation tells: a rule may name the type.
    let measured = "measured: /release";
    for (on, off) in [("tmpfs", "rootfs"), ("rootfs", "tmpfs")] {
        for (fs_type, params) in [(on, ""), (off, OFF)] {
            ima.params = format!("fsname={fs_type} {params}");
            let console = expect(&ima, &["files: *"])?;
            if has(&console, measured) != (on == "tmpfs") {
                return Err(format!("{console}\nunexpected with {}", ima.params).into());
            }
        }
    }
    Ok(())
}

/// Landlock's own selftest, two tests of which pivot.
fn landlock_passes_its_selftest() -> Outcome {
    let script = "make -s -C linux O=$PWD/headers headers >&2
        mkdir -p $1.d; make -s -C linux/tools/testing/selftests/landlock OUTPUT=$1.d LDFLAGS=-static \
            KHDR_INCLUDES=\"-isystem $PWD/headers/usr/include\" >&2
        { echo slink /bin/sh busybox 777 0 0; echo dir /landlock 755 0 0
          find $1.d -type f -perm -1 -printf \"file /landlock/%f $1.d/%f 755 0 0\\n\"; } >$1";
    let list = fs::read_to_string(host::make("landlock.list", script)?)?;
    let machine = machine("landlock", "", &list)?;
    let [on, off] = pair(&machine, &[])?;
    for (test, least, pivot) in [
        ("base_test", 9, 0),
        ("fs_test", 140, 2),
        ("net_test", 100, 0),
        ("ptrace_test", 8, 0),
        ("scoped_abstract_unix_test", 30, 0),
        ("scoped_signal_test", 15, 0),
    ] {
        let (here, there) = (number(&on, test)?, number(&off, test)?);
        if here < least || here != there + pivot {
            return Err(format!("{on}\nstock:\n{off}\n{test}: {here}, stock {there}").into());
        }
    }
    let failed = [
        "layout1.rule_inside_mount_ns",
        "layout1.topology_changes_with_net_only",
    ];
    let failures = |console: &str| lines(console, "not ok *");
    let fails = |name: &&str| lines(&off, &format!("not ok * {name}")) == 1;
    match failures(&on) == 0 && failures(&off) == 2 && failed.iter().all(fails) {
        true => Ok(()),
        false => Err(format!("{on}\nstock:\n{off}").into()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case!(selinux_decides_the_same)
            .needs(["kernel distro", "userland host/checkpolicy checkpolicy"]),
        case!(apparmor_confines_a_container)
            .needs(["kernel distro", "userland host/apparmor apparmor"]),
        case!(ipe_knows_the_initramfs).needs(["kernel distro"]),
        case!(ima_measures_the_same).needs(["kernel distro"]),
        case!(landlock_passes_its_selftest).needs(["kernel distro", "setup libcap-dev"]),
    ]
}
