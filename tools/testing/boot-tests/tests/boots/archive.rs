// SPDX-License-Identifier: GPL-2.0

//! How the initramfs comes, and what is in it. Each boot gives what the stock boot gives.

use crate::{host, verdict::*, Case};
use boot_tests::{build_dir, fact, Machine};
use libtest_mimic::Failed;
use std::{fs, path::PathBuf, process::Command};

fn base() -> PathBuf {
    build_dir().join("base.cpio")
}

/// Boots with the feature and without it. Both have `expected`, and the same files.
pub fn same_as_stock(machine: &Machine, expected: &[&str]) -> Outcome {
    let [on, off] = pair(machine, expected)?;
    match (fact(&on, "files"), fact(&off, "files")) {
        (Some(here), Some(there)) if here == there => Ok(()),
        files => Err(format!("{on}\nstock:\n{off}\nnot the same files: {files:?}").into()),
    }
}

fn boots(initrd: PathBuf, params: &str, expected: &[&str]) -> Outcome {
    let mut machine = Machine::new("files", params);
    machine.initrd = Some(initrd);
    same_as_stock(&machine, expected)
}

fn compressed(name: &'static str, shows: &'static str, command: &'static str) -> Case {
    Case::new(name, shows, move || {
        let initrd = host::make(name, &format!("{command} <base.cpio >$1"))?;
        boots(initrd, "", &["release: base"])
    })
}

/// An archive that replaces a file of the base.
fn other_release(name: &str) -> Result<PathBuf, Failed> {
    let script = "echo other >$1.release; echo file /release $1.release 644 0 0 >$1.list
        kernels/test/usr/gen_init_cpio $1.list >$1";
    host::make(name, script)
}

fn concatenated_archives() -> Outcome {
    other_release("concatenated.second")?;
    let initrd = host::make("concatenated", "cat base.cpio tmp/concatenated.second >$1")?;
    boots(initrd, "", &["release: other"])?;
    // Each with a compression of its own, as early microcode comes before an initrd.
    let early =
        "mkdir -p $1.d/kernel/x86/microcode; echo none >$1.d/kernel/x86/microcode/GenuineIntel.bin
        (cd $1.d && find . | cpio -o -H newc --quiet) >$1; gzip -c base.cpio >>$1
        xz --check=crc32 -c tmp/concatenated.second >>$1";
    let initrd = host::make("early", early)?;
    boots(initrd, "", &["release: other", "microcode: none"])
}

fn checksummed_archive() -> Outcome {
    let script = "echo crc >$1.release; echo file /release $1.release 644 0 0 >$1.list
        kernels/test/usr/gen_init_cpio -c $1.list >$1.crc; grep -aq ^070702 $1.crc
        cat base.cpio $1.crc >$1";
    boots(host::make("crc", script)?, "", &["release: crc"])
}

fn special_files() -> Outcome {
    let name = "n".repeat(255);
    let deep = (1..=40).map(|n| format!("dir /rich/{} 700 0 0\n", vec!["d"; n].join("/")));
    let list = format!(
        "dir /rich 1777 0 0\nfile /rich/a release 4755 3 4 /rich/b /rich/c\n\
         nod /rich/chr 600 0 0 c 1 3\nnod /rich/blk 600 0 6 b 7 200\npipe /rich/fifo 644 0 0\n\
         sock /rich/sock 600 0 0\nslink /rich/link a 777 0 0\n\
         file /rich/{name} release 644 0 0\ndir /rich/empty 500 7 0\n{}",
        deep.collect::<String>()
    );
    host::archive("rich.second", &list)?;
    let initrd = host::make("rich", "cat base.cpio tmp/rich.second >$1")?;
    let seen = [
        "89ed 3 3 4 /rich/a".into(),
        "2180 1 0 0 1:3 /rich/chr".into(),
        "6180 1 0 6 7:c8 /rich/blk".into(),
        "11a4 1 0 0 /rich/fifo".into(),
        "c180 1 0 0 /rich/sock".into(),
        format!("81a4 1 0 0 /rich/{name}"),
        format!("41c0 2 0 0 /rich/{}", vec!["d"; 40].join("/")),
    ];
    boots(initrd, "", &seen.each_ref().map(String::as_str))
}

fn hundred_thousand_files() -> Outcome {
    let list = "awk 'BEGIN { print \"dir /many 755 0 0\"
        for (d = 0; d < 100; d++) { print \"dir /many/\" d \" 755 0 0\"
            for (f = 0; f < 1000; f++) print \"file /many/\" d \"/\" f \" release 644 0 0\" } }' >$1.list
        cp base.cpio $1; kernels/test/usr/gen_init_cpio $1.list >>$1";
    let mut machine = Machine::new("names", "");
    machine.initrd = Some(base());
    let before = number(&expect(&machine, &[])?, "files")?;
    machine.initrd = Some(host::make("many", list)?);
    machine.memory = 1536;
    // A directory with a hundred more.
    let files = format!("files: {} *", before + 100_000 + 101);
    same_as_stock(&machine, &[&files])
}

fn one_large_file() -> Outcome {
    let script = "truncate -s 512M $1.file; for at in 0 255 511; do
            echo $at | dd of=$1.file bs=1M seek=$at conv=notrunc status=none; done
        echo file /large $1.file 644 0 0 >$1.list; cp base.cpio $1
        kernels/test/usr/gen_init_cpio $1.list >>$1; rm $1.file";
    let mut machine = Machine::new("large", "");
    machine.initrd = Some(host::make("large", script)?);
    machine.memory = 2048;
    let result = same_as_stock(&machine, &["large: 536870912 0 255 511"]);
    let _ = fs::remove_file(machine.initrd.unwrap_or_default());
    result
}

fn retained_initrd() -> Outcome {
    let sum = Command::new("md5sum").arg(base()).output()?.stdout;
    let sum = String::from_utf8_lossy(&sum);
    let sum = sum.split_whitespace().next().unwrap_or("no sum");
    let retained = format!("retained: {sum}  -");
    boots(base(), "retain_initrd", &[&retained])?;
    boots(base(), "", &["retained: none"])
}

fn init_is_chosen_by_rdinit() -> Outcome {
    host::archive("rdinit.second", "slink /other /init 777 0 0")?;
    let initrd = host::make("rdinit", "cat base.cpio tmp/rdinit.second >$1")?;
    boots(initrd.clone(), "rdinit=/other", &["init: /other"])?;
    boots(initrd, "", &["init: /init"])
}

fn built_in() -> Outcome {
    let external = other_release("builtin.external")?;
    for (kernel, initrd, release) in [
        ("builtin", None, "release: base"),
        ("builtin", Some(&external), "release: other"),
        ("force", Some(&external), "release: base"),
    ] {
        let mut machine = Machine::new("files", "");
        machine.kernel = kernel;
        machine.initrd = initrd.cloned();
        same_as_stock(&machine, &[release])?;
    }
    Ok(())
}

pub fn cases() -> Vec<Case> {
    vec![
        compressed("not_compressed", "an archive that is not compressed", "cat"),
        compressed("gzip", "an archive compressed by gzip", "gzip -c").quick(),
        compressed("bzip2", "an archive compressed by bzip2", "bzip2 -c"),
        compressed("lzma", "an archive compressed by lzma", "xz --format=lzma -c"),
        compressed("xz", "an archive compressed by xz", "xz --check=crc32 -c"),
        compressed("lzo", "an archive compressed by lzo", "lzop -c"),
        compressed("lz4", "an archive compressed by lz4", "lz4 -q -l -c"),
        compressed("zstd", "an archive compressed by zstd", "zstd -q -c").quick(),
        Case::new(
            "concatenated_archives",
            "archives one after the other, also with an uncompressed one before compressed ones",
            concatenated_archives,
        ).quick(),
        Case::new(
            "checksummed_archive",
            "an archive of the format \"crc\"",
            checksummed_archive,
        ),
        Case::new(
            "special_files",
            "hard links, device nodes, a fifo, a socket, a set-user-ID bit, a long name, a deep path",
            special_files,
        ).quick(),
        Case::new(
            "hundred_thousand_files",
            "100,000 small files",
            hundred_thousand_files,
        ),
        Case::new("one_large_file", "a file of 512 MiB", one_large_file),
        Case::new(
            "retained_initrd",
            "retain_initrd: /sys/firmware/initrd holds the bytes of the archive",
            retained_initrd,
        ).quick(),
        Case::new(
            "noinitrd",
            "noinitrd, which concerns initrd images alone",
            || boots(base(), "noinitrd", &["release: base"]),
        ),
        Case::new(
            "init_is_chosen_by_rdinit",
            "rdinit= chooses another init",
            init_is_chosen_by_rdinit,
        ).quick(),
        Case::new(
            "built_in",
            "built into the kernel, alone, with an external archive that replaces a file of it, and with CONFIG_INITRAMFS_FORCE, which ignores that",
            built_in,
        ),
    ]
}
