// SPDX-License-Identifier: GPL-2.0

//! Suites that others wrote, in machines that differ in nothing but where the root is.

use crate::{host, verdict::*, Case};
use boot_tests::{project_dir, target, Archive, Machine};
use libtest_mimic::Failed;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    time::Duration,
};

/// Name, and what boots it besides.
const MACHINES: [(&str, &str); 4] = [
    ("the initramfs, stock", OFF),
    ("the initramfs", ""),
    (
        "a disk, stock",
        "root=/dev/vda rw init=/init empty_rootfs=0",
    ),
    ("a disk", "root=/dev/vda rw init=/init"),
];

/// A test, and what came of it.
type Results = BTreeMap<String, String>;

/// What the guest printed after `peer: `: the suite and the test, and a line of the test's TAP.
fn results(console: &str) -> Results {
    let parse = |line: &str| {
        let (test, said) = line.strip_prefix("peer: ")?.split_once(": ")?;
        let (result, rest) = match said.strip_prefix("not ok ") {
            Some(rest) => ("fails", rest),
            None => match said.strip_prefix("ok ") {
                Some(rest) => ("passes", rest),
                None => {
                    let result = match said.strip_prefix("status ")? {
                        "0" => "passes",
                        "4" => "is skipped",
                        _ => "fails",
                    };
                    return Some((test.into(), result.into()));
                }
            },
        };
        let name = rest.trim_start_matches(|c: char| c.is_ascii_digit() || " -".contains(c));
        let (name, result) = match name.split_once('#') {
            Some((name, why)) if why.trim_start().starts_with("SKIP") => (name, "is skipped"),
            _ => (name, result),
        };
        Some((format!("{test}: {}", name.trim()), result.into()))
    };
    console.lines().filter_map(parse).collect()
}

/// What may differ: the tests, what comes of each on each of [`MACHINES`], and why.
const DIFFERENCES: [(&str, [&str; 4], &str); 6] = [
    (
        "statmount/statmount_test_ns: test listmount ns id",
        ["fails", "passes", "passes", "fails"],
        "`listmount()` of another mount namespace begins at what lies over rootfs: on a stock initramfs \
         there is nothing, and with `root=` it is the tmpfs below the disk",
    ),
    (
        "statmount/statmount_test_ns",
        ["fails", "passes", "passes", "fails"],
        "the one before",
    ),
    (
        "landlock/fs_test: layout1.rule_inside_mount_ns",
        ["fails", "passes", "passes", "passes"],
        "it calls `pivot_root()`",
    ),
    (
        "landlock/fs_test: layout1.topology_changes_with_net_only",
        ["fails", "passes", "passes", "passes"],
        "it calls `pivot_root()`",
    ),
    (
        "landlock/fs_test",
        ["fails", "passes", "passes", "passes"],
        "the two before",
    ),
    (
        "crun/*",
        ["fails", "passes", "passes", "passes"],
        "the container needs `pivot_root()`",
    ),
];

/// The page that has the results.
const PAGE: &str = "tools/testing/boot-tests/PEERS.md";

/// Boots a suite on each machine; all must give the same but for [`DIFFERENCES`].
fn agree(suite: &'static str, version: &str, list: &str) -> Outcome {
    let mut machine = Machine::new("peers", "");
    machine.kernel = "distro";
    machine.memory = 1024;
    machine.cpus = 2;
    machine.deadline = Duration::from_secs(3000);
    let initrd = host::archive(
        &format!("peers.{suite}"),
        Archive::of(list).after(target().out.join("peers.cpio")),
    )?;
    let disk = host::make(
        &format!("peers.{suite}.disk"),
        &format!(
            "d=$1.d; rm -rf $d $1; mkdir -p $d/dev
             (cd $d; cpio -idu --quiet --nonmatching 'dev/*' <{})
             truncate -s 900M $1; mke2fs -q -t ext4 -d $d $1; rm -rf $d",
            initrd.display()
        ),
    )?;
    let mut all: Vec<Results> = Vec::new();
    for (name, params) in MACHINES {
        let mut machine = machine.clone();
        machine.params = params.into();
        match params.contains("root=/") {
            true => (machine.initrd, machine.disk) = (None, Some(disk.clone())),
            false => machine.initrd = Some(initrd.clone()),
        }
        let console = machine.boot()?;
        let results = results(&console);
        if !has(&console, "SCENARIO-END peers") || results.is_empty() {
            return Err(format!(
                "{console}\n{suite} did not end on {name}\n{}",
                machine.again()
            )
            .into());
        }
        all.push(results);
    }
    record(suite, version, &all)?;
    let tests: BTreeSet<&String> = all.iter().flat_map(|results| results.keys()).collect();
    let mut unexpected = String::new();
    for test in tests {
        let seen: Vec<&str> = all
            .iter()
            .map(|results| results.get(test).map_or("is not there", String::as_str))
            .collect();
        let same = seen.iter().all(|result| *result == seen[0]);
        let expected = DIFFERENCES.iter().find(|(tests, ..)| is(test, tests));
        // Of many some may be the same everywhere.
        let fine = expected.map_or(same, |(tests, each, _)| {
            seen == each || (same && tests.contains('*'))
        });
        if !fine {
            unexpected += &format!("{test}: {}\n", seen.join(", "));
        }
    }
    match unexpected.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{unexpected}on {}",
            MACHINES.map(|(name, _)| name).join(", ")
        )
        .into()),
    }
}

/// The suite's row is written with `UPDATE=1`, as of then; what stands around the rows has to be so.
fn record(suite: &str, version: &str, all: &[Results]) -> Outcome {
    let file = project_dir().join(PAGE);
    let page = fs::read_to_string(&file).unwrap_or_default();
    let own = format!("| {suite} |");
    let mut rows: Vec<String> = (page
        .lines()
        .skip_while(|line| !line.starts_with("| ---"))
        .skip(1))
    .take_while(|line| line.starts_with('|'))
    .map(String::from)
    .collect();
    if env::var_os("UPDATE").is_some() {
        let passed = |results: &Results| {
            let passes = |result: &&String| *result == "passes";
            results.values().filter(passes).count().to_string()
        };
        rows.retain(|row| !row.starts_with(&own));
        let passed: Vec<String> = all.iter().map(passed).collect();
        let tests = all[0].len();
        rows.push(format!(
            "{own} {version} | {tests} | {} |",
            passed.join(" | ")
        ));
        rows.sort();
        fs::write(&file, page_of(&rows))?;
    }
    match fs::read_to_string(&file)? == page_of(&rows) {
        true => Ok(()),
        false => Err("PEERS.md is not up to date; UPDATE=1 make peers writes it".into()),
    }
}

fn page_of(rows: &[String]) -> String {
    let head = MACHINES.map(|(name, _)| name).join(" | ");
    let differences: Vec<String> = DIFFERENCES
        .iter()
        .map(|(tests, each, why)| format!("| `{tests}` | {} | {why} |", each.join(" | ")))
        .collect();
    format!(
        "# Suites that others wrote\n\n\
         `make peers` runs each suite in four machines that differ in nothing but where the root is: the initramfs or\n\
         an ext4 disk, each with `empty_rootfs=0` (stock) and with the feature. The numbers are the tests that pass, and\n\
         the programs that end with success. Those that fail everywhere want more than these machines have.\n\
         `UPDATE=1 make peers` writes this page.\n\n\
         | suite | version | tests | {head} |\n| --- | --- | --- | --- | --- | --- | --- |\n{}\n\n\
         ## What differs\n\n\
         Any other difference between the machines is a failure.\n\n\
         | tests | {head} | why |\n| --- | --- | --- | --- | --- | --- |\n{}\n",
        rows.join("\n"),
        differences.join("\n")
    )
}

/// The kernel's own, of the tree that is tested, but for those that measure time, which an emulator has too
/// little of. openat2's sanitizers would want a dynamic program.
fn kernel_selftests() -> Outcome {
    let script = r#"list=$1; make -s -C linux O=$PWD/headers headers >&2
        echo 'dir /peers 755 0 0' >$list
        for t in cgroup clone3 filesystems filesystems/statmount landlock mount mount_setattr \
                move_mount_set_group nsfs openat2 pidfd proc; do
            d=$list.d/$t; mkdir -p $d; set --
            case $t in
            cgroup) set -- TEST_GEN_FILES= 'TEST_GEN_PROGS=test_core test_kill test_pids' ;;
            filesystems) set -- TEST_GEN_PROGS_EXTENDED= ;;
            openat2) set -- 'TEST_GEN_PROGS=openat2_test resolve_test' 'CFLAGS=-O2 -static' ;;
            esac
            make -s -C linux/tools/testing/selftests/$t OUTPUT=$d LDFLAGS=-static \
                KHDR_INCLUDES="-isystem $PWD/headers/usr/include" "$@" >$d.log 2>&1 || { cat $d.log >&2; exit 1; }
            echo "dir /peers/${t##*/} 755 0 0" >>$list
            find $d -maxdepth 1 -type f -perm -1 -printf "file /peers/${t##*/}/%f $d/%f 755 0 0\n" >>$list
        done"#;
    let list = fs::read_to_string(host::make("peers.kernel.list", script)?)?;
    agree("kernel selftests", &crate::release(), &list)
}

/// What a Debian source package calls its version.
fn version_of(package: &str) -> Result<String, Failed> {
    let dir = project_dir().join("build/sources").join(package);
    let names = fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let version = |name: String| {
        let version = name.strip_suffix(".dsc")?.split_once('_')?.1;
        Some(version.into())
    };
    let version = names.filter_map(version).next();
    Ok(version.ok_or(format!("no version of {package}"))?)
}

/// crun's own, in Python, with the program that they run in their containers.
fn crun() -> Outcome {
    // Not each system has its programs in /bin.
    let script = r#"list=$1; s=$PWD/sources/crun/tests; mkdir -p $list.d; : >$list.d/config.h
        gcc -static -O2 -I $list.d -o $list.d/init $s/init.c
        { echo 'dir /peers 755 0 0'; echo 'dir /peers/crun 755 0 0'
          echo "file /peers.init $list.d/init 755 0 0"
          echo "file /peers/crun/tests_utils.py $s/tests_utils.py 644 0 0"
          for f in $s/test_*.py; do
              sed '1s|#!/bin/env|#!/usr/bin/env|' $f >$list.d/${f##*/}
              echo "file /peers/crun/${f##*/} $list.d/${f##*/} 755 0 0"
          done; } >$list"#;
    let list = fs::read_to_string(host::make("peers.crun.list", script)?)?;
    agree("crun", &version_of("crun")?, &list)
}

/// bubblewrap's own, in shell.
fn bubblewrap() -> Outcome {
    let script = r#"list=$1; s=$PWD/sources/bubblewrap/tests; mkdir -p $list.d
        gcc -static -O2 -o $list.d/try-syscall $s/try-syscall.c
        { echo 'dir /peers 755 0 0'; echo 'dir /peers/bubblewrap 755 0 0'
          echo "file /peers/bubblewrap/try-syscall $list.d/try-syscall 644 0 0"
          for f in $s/libtest*.sh; do echo "file /peers/bubblewrap/${f##*/} $f 644 0 0"; done
          for f in $s/test-*.sh $s/test-*.py; do echo "file /peers/bubblewrap/${f##*/} $f 755 0 0"; done; } >$list"#;
    let list = fs::read_to_string(host::make("peers.bubblewrap.list", script)?)?;
    agree("bubblewrap", &version_of("bubblewrap")?, &list)
}

pub fn cases() -> Vec<Case> {
    let case = |name, shows, run: fn() -> Outcome, needs: &str| {
        Case::new(name, shows, run)
            .needs([
                "kernel distro",
                "initramfs peers",
                "setup cpio e2fsprogs libcap-dev",
            ])
            .needs((!needs.is_empty()).then_some(needs))
            .x86_only("the same code, in hours of emulation")
    };
    vec![
        case(
            "kernel_selftests",
            "the kernel's own selftests of mounts, namespaces, clone3, pidfd, /proc, cgroups and Landlock give on the initramfs what they give on a disk",
            kernel_selftests,
            "",
        ),
        case(
            "crun_tests",
            "so do crun's own tests, most of which fail on a stock initramfs",
            crun,
            "sources crun",
        ),
        case(
            "bubblewrap_tests",
            "so do bubblewrap's",
            bubblewrap,
            "sources bubblewrap",
        ),
    ]
}
