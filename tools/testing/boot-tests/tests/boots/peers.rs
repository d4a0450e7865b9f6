// SPDX-License-Identifier: GPL-2.0

//! Suites that others wrote, in machines that differ in nothing but where the root is.

use crate::{host, verdict::*, Case};
use boot_tests::{pages, project_dir, target, Archive, Machine};
use libtest_mimic::Failed;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    time::Duration,
};

/// Name, and kernel parameters.
const MACHINES: [(&str, &str); 4] = [
    ("initramfs, stock", OFF),
    ("initramfs", ""),
    ("disk, stock", "root=/dev/vda rw init=/init empty_rootfs=0"),
    ("disk", "root=/dev/vda rw init=/init"),
];

/// The page that has the results, and what may differ.
const PAGE: &str = "PEERS.md";

/// A test, and what came of it.
type Results = BTreeMap<String, String>;

fn results(console: &str) -> Results {
    let mut results = Results::new();
    let tests = console
        .lines()
        .filter_map(|line| line.strip_prefix("peer: ")?.rsplit_once(": "));
    for (test, result) in tests {
        let seen = results.entry(test.trim().into()).or_insert(result.into());
        // Of several with one name.
        if result == "fails" {
            *seen = result.into();
        }
    }
    results
}

/// Runs a suite on each machine; all must give the same, but for what the page says. The script makes the directory
/// `$d` of the programs, with a file `list` that names those to be run: a directory and a program in it, a line each.
/// `$build` has the tree and the sources, whatever the compiler.
fn agree(suite: &'static str, version: &str, script: &str) -> Outcome {
    let name = |what: &str| format!("peers.{}.{what}", suite.replace(' ', "-"));
    let list = host::make(
        &name("list"),
        &format!(
            "d=$1.d; build={}; rm -rf $d; mkdir -p $d; {script}
            find $d -type d -printf 'dir /peers/%P 755 0 0\\n' -o -printf \"file /peers/%P $d/%P %m 0 0\\n\" |
                sed 's|^dir /peers/ |dir /peers |' >$1",
            project_dir().join("build").display()
        ),
    )?;
    let own = host::archive(&name("cpio"), Archive::of(fs::read_to_string(list)?))?;
    let own = own.display();
    let initrd = host::make(&name("initrd"), &format!("cat peers.cpio {own} >$1"))?;
    let disk = host::make(
        &name("disk"),
        &format!(
            "d=$1.d; rm -rf $d $1; mkdir -p $d/dev
            for f in $PWD/peers.cpio {own}; do (cd $d; cpio -idu --quiet --nonmatching 'dev/*' <$f); done
            truncate -s 1G $1; mke2fs -q -t ext4 -d $d $1; rm -rf $d"
        ),
    )?;
    let mut all: Vec<Results> = Vec::new();
    for (_, params) in MACHINES {
        let mut machine = Machine::new("peers", params);
        machine.kernel = "distro";
        machine.memory = 1536;
        machine.cpus = 2;
        machine.deadline = Duration::from_secs(3600);
        match params.contains("root=/") {
            true => (machine.initrd, machine.disk) = (None, Some(disk.clone())),
            false => machine.initrd = Some(initrd.clone()),
        }
        let console = machine.boot()?;
        let results = results(&console);
        if !has(&console, "SCENARIO-END peers") || results.is_empty() {
            return Err(format!("{console}\nit did not end\n{}", machine.again()).into());
        }
        if has(&console, IS_ON) == params.contains(OFF) {
            return Err(format!("{console}\nthe feature is not as asked for").into());
        }
        all.push(results);
    }
    // A pattern, what comes of it on each machine, and why.
    let differences = pages::rows::<6>(PAGE, "What differs")?;
    let known = |test: &str, seen: &[String]| {
        let same = |row: &[String; 6]| is(test, row[0].trim_matches('`')) && row[1..5] == *seen;
        differences.iter().any(same)
    };
    let mut unexpected = String::new();
    let tests: BTreeSet<&String> = all.iter().flat_map(Results::keys).collect();
    for test in &tests {
        let of = |results: &Results| results.get(*test).cloned().unwrap_or("is not there".into());
        let seen: Vec<String> = all.iter().map(of).collect();
        if seen.iter().any(|result| *result != seen[0]) && !known(test, &seen) {
            unexpected += &format!("{test}: {}\n", seen.join(", "));
        }
    }
    if !unexpected.is_empty() {
        let machines = MACHINES.map(|machine| machine.0).join("; ");
        return Err(format!("{unexpected}on: {machines}").into());
    }
    // They are large, and made anew each time.
    fs::remove_file(initrd)?;
    fs::remove_file(disk)?;

    let passed = |results: &Results| {
        results
            .values()
            .filter(|result| *result == "passes")
            .count()
    };
    let passed: Vec<usize> = all.iter().map(passed).collect();
    let tests = all.iter().map(Results::len).max().unwrap_or(0);
    // What runs nowhere is the same everywhere.
    if passed[passed.len() - 1] * 2 < tests {
        return Err(format!("of {tests} tests pass: {passed:?}").into());
    }
    let mut row = vec![suite.to_string(), version.into(), tests.to_string()];
    row.extend(passed.iter().map(usize::to_string));
    let here = pages::row(&row);
    let told = pages::rows::<7>(PAGE, "Suites that others wrote")?;
    match told.iter().find(|told| told[0] == suite) {
        Some(told) if *told == *row => Ok(()),
        Some(told) if told[1] != version => {
            println!("{PAGE} has {} of {suite}; here is {here}", told[1]);
            Ok(())
        }
        Some(told) => Err(format!("{PAGE} has {}\nhere is  {here}", pages::row(told)).into()),
        None => Err(format!("{PAGE} and README.md lack {here}").into()),
    }
}

/// The kernel's own, of the tree that is tested. Left out is what measures time, of which an emulator has too little,
/// and what is about swap and huge pages. openat2's sanitizers want a dynamic program.
fn kernel_selftests() -> Outcome {
    let script = r#"make -s -C $build/linux O=$d.headers headers >&2
        install() { # install CFLAGS-ARGUMENT TARGET...
            cflags=$1; shift
            make -s -C $build/linux/tools/testing/selftests O=$d.o TARGETS="$*" FORCE_TARGETS=1 INSTALL_PATH=$d \
                KHDR_INCLUDES="-isystem $d.headers/usr/include" LDFLAGS=-static $cflags install >$d.log 2>&1 ||
                { tail -n 20 $d.log >&2; exit 1; }
            sed 's/:/ /' $d/kselftest-list.txt >>$d/list
        }
        # Linux 6.18 has nsfs elsewhere.
        nsfs=$(cd $build/linux/tools/testing/selftests; ls -d nsfs filesystems/nsfs 2>/dev/null) || :
        install '' cgroup clone3 filesystems filesystems/statmount landlock mount mount_setattr \
            move_mount_set_group $nsfs pidfd proc
        install 'CFLAGS=-O2' openat2
        grep -vE ' (test_(cpu|cpuset.*|freezer|hugetlb_memcg|kmem|memcontrol|stress.sh|zswap)|rename_attack_test)$' \
            $d/list >$d/list.new
        mv $d/list.new $d/list"#;
    let release = target()
        .kernel("test")
        .join("include/config/kernel.release");
    agree(
        "kernel selftests",
        fs::read_to_string(release)?.trim(),
        script,
    )
}

/// What a Debian source package calls its version.
fn version_of(package: &str) -> Result<String, Failed> {
    let dir = project_dir().join("build/sources").join(package);
    let names = fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let version = |name: String| Some(name.strip_suffix(".dsc")?.split_once('_')?.1.to_string());
    let version = names.filter_map(version).next();
    Ok(version.ok_or(format!("no version of {package}"))?)
}

/// crun's own, in Python, with the program that they run in their containers. Not each system has `env` in /bin.
fn crun_tests() -> Outcome {
    let script = r#"s=$build/sources/crun/tests; mkdir $d/crun; : >$d/config.h
        gcc -static -O2 -I $d -o $d/init $s/init.c
        cp $s/*.py $d/crun; sed -i '1s|#!/bin/env|#!/usr/bin/env|' $d/crun/*.py; chmod 755 $d/crun/test_*.py
        (cd $d; ls crun | sed -n 's/^test_/crun &/p' >list)"#;
    agree("crun", &version_of("crun")?, script)
}

/// bubblewrap's own, in shell and Python, as a user: root may undo what they try.
fn bubblewrap_tests() -> Outcome {
    let script = r#"s=$build/sources/bubblewrap/tests; cp -r $s $d/tests; mkdir $d/bubblewrap
        gcc -static -O2 -o $d/tests/try-syscall $s/try-syscall.c
        chmod 755 $d/tests/test-*
        (cd $d/tests; ls | grep '^test-.*\.\(sh\|py\)$') | while read -r f; do
            printf '#!/bin/sh\ncd /peers/tests; exec setpriv --reuid=1000 --regid=1000 --clear-groups ./%s\n' $f \
                >$d/bubblewrap/$f
            chmod 755 $d/bubblewrap/$f; echo "bubblewrap $f"
        done >$d/list"#;
    agree("bubblewrap", &version_of("bubblewrap")?, script)
}

/// Those of systemd's unit tests that are about mounts, namespaces and paths, as Debian builds them.
fn systemd_tests() -> Outcome {
    let script = r#"t=usr/lib/systemd/tests; [ ! -d userland.peers/$t/unit-tests ] || t=$t/unit-tests
        for f in userland.peers/$t/test-*; do
            case ${f##*/} in
            *chase*|*-copy|*fs-util|*mount*|*namespace|*path-util|*rm-rf|*tmpfile-util|*-umount) echo "../$t ${f##*/}" ;;
            esac
        done >$d/list"#;
    // The version stands in the name of the library that they share.
    let library = host::make(
        "peers.systemd.library",
        "find userland.peers -name 'libsystemd-shared-*.so' >$1",
    )?;
    let library = fs::read_to_string(library)?;
    let version = library
        .trim()
        .rsplit_once("shared-")
        .and_then(|(_, name)| name.strip_suffix(".so"));
    agree("systemd", version.ok_or("no library of systemd's")?, script)
}

/// Those of runc's own that need neither a compiler, the network, CRIU nor systemd, and are not about limits. They ask
/// for a terminal, gawk, an image of busybox, and a program that reads from the terminals of containers; runc's own
/// wants Go.
fn runc_tests() -> Outcome {
    let script = r#"s=$build/sources/runc/tests/integration; b=userland.peers/bin/busybox
        [ -e $b ] || b=userland.peers/usr/bin/busybox
        to=$d/tests/integration; tty=$d/contrib/cmd/recvtty; i=$d.image
        rm -rf $i; mkdir -p $d/runc $d/bin $to/testdata $tty $i/bin $i/dev $i/etc $i/root $i/tmp
        printf '#!/bin/sh\nexec gawk "$@"\n' >$d/bin/awk
        cp $s/*.bats $s/helpers.bash $to
        cp $b $i/bin; for f in $($b --list); do [ $f = busybox ] || ln -s busybox $i/bin/$f; done
        echo root:x:0:0:root:/root:/bin/sh >$i/etc/passwd; echo root:x:0: >$i/etc/group
        tar -C $i -cf $to/testdata/busybox.tar .
        printf '#!/bin/sh\necho BUSYBOX_IMAGE=/peers/tests/integration/testdata/busybox.tar\n' >$to/get-images.sh
        gcc -static -O2 -o $tty/recvtty $guest/recvtty.c
        chmod 755 $to/*.bats $to/get-images.sh $d/bin/awk
        for f in create cwd debug delete exec help kill list mask mounts mounts_recursive no_pivot pause ps root run \
            start start_detached start_hello state tty umask userns version; do
            printf '#!/bin/sh\nexport PATH=/peers/bin:$PATH RUNC=/usr/sbin/runc; cd /peers/tests/integration\n' >$d/runc/$f
            echo "exec script -qec 'stty -onlcr; bats -t $f.bats' /dev/null" >>$d/runc/$f
            chmod 755 $d/runc/$f; echo "runc $f"
        done >$d/list"#;
    agree("runc", &version_of("runc")?, script)
}

/// Those of util-linux that are about mounts and namespaces. They want some programs that no package has.
fn util_linux_tests() -> Outcome {
    let script = r#"s=$build/sources/util-linux; o=$d.o; to=$d/util-linux; mkdir -p $o $to/tests/ts
        (cd $o
            $s/configure -q --disable-all-programs --enable-libblkid --enable-libmount --enable-libuuid \
                --disable-shared --disable-nls --without-ncurses --without-python --without-selinux --without-tinfo
            programs=$(sed -n 's/^TS_HELPER_\(LIBMOUNT\|SYSINFO\|MD5\).*}\(test_[a-z0-9_]*\)"$/\2/p' $s/tests/commands.sh)
            make -s LDFLAGS=-all-static $(echo "$programs" | grep -v fuzz)) >$d.log 2>&1 || { tail -n 20 $d.log >&2; exit 1; }
        cp $o/test_* $to; cp $s/tests/*.sh $to/tests; cp -r $s/tests/expected $to/tests
        for c in eject findmnt libmount lsns misc mount; do cp -r $s/tests/ts/$c $to/tests/ts; done
        (cd $d; find util-linux/tests/ts -type f -perm /100 ! -name '*-py' | sort |
            grep -v '/misc/' | sed 's|/\([^/]*\)$| \1|'; echo util-linux/tests/ts/misc mountpoint) >$d/list"#;
    agree("util-linux", &version_of("util-linux")?, script)
}

/// LTP's of mounts and namespaces. They make file systems on loop devices. Their word for skipped is 32.
fn ltp_tests() -> Outcome {
    let script = r#"s=$build/sources/ltp; mkdir $d/bin $d/ltp
        find $s/testcases/kernel/syscalls -type f -perm /100 -newer $s/lib/libltp.a -exec cp {} $d/bin \;
        (cd $d/bin; ls | grep -v _child) | while read -r f; do
            printf '#!/bin/sh\nexport PATH=/peers/bin:$PATH LTP_DEV_FS_TYPE=ext4 KCONFIG_SKIP_CHECK=1; cd /peers/bin\n' >$d/ltp/$f
            printf '%s; s=$?; [ $s != 32 ] || s=77; exit $s\n' $f >>$d/ltp/$f
            chmod 755 $d/ltp/$f; echo "ltp $f"
        done >$d/list"#;
    let version = fs::read_to_string(project_dir().join("build/sources/ltp/version"))?;
    agree("LTP", version.trim(), script)
}

pub fn cases() -> Vec<Case> {
    let cases = vec![
        case!(kernel_selftests),
        case!(crun_tests).needs(["package-sources crun"]),
        case!(bubblewrap_tests).needs(["package-sources bubblewrap"]),
        case!(runc_tests).needs(["package-sources runc"]),
        case!(util_linux_tests).needs(["package-sources util-linux"]),
        case!(systemd_tests),
        case!(ltp_tests).needs(["ltp"]).skip_unless(
            env::var("LTP").is_ok_and(|path| !path.is_empty()),
            "LTP= names no source of it, which Debian does not have",
        ),
    ];
    let machines = [
        "kernel distro",
        "initramfs peers",
        "setup cpio e2fsprogs libcap-dev",
    ];
    let each = |case: Case| {
        case.needs(machines)
            .x86_only("the same code, in hours of emulation")
    };
    cases.into_iter().map(each).collect()
}
