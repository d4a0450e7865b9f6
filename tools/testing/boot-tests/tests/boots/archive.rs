// SPDX-License-Identifier: GPL-2.0

//! How the initramfs comes, and what is in it. Each boot gives what the stock boot gives.

use crate::{host, verdict::*, Case};
use boot_tests::{fact, target, Archive, Machine};
use libtest_mimic::Failed;
use std::{fs, path::PathBuf, process::Command};

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

fn compressed(name: &'static str, command: &'static str) -> Case {
    Case::new(name, move || {
        let initrd = host::make(name, &format!("{command} <base.cpio >$1"))?;
        boots(initrd, "", &["release: base"])
    })
}

/// An archive that replaces a file of the base.
fn other_release(name: &str) -> Result<Archive, Failed> {
    let file = host::file(&format!("{name}.release"), "other\n")?;
    Ok(Archive::of(format!("file /release {file} 644 0 0\n")))
}

fn concatenated_archives() -> Outcome {
    let both = other_release("concatenated")?.after(target().base());
    let initrd = host::archive("concatenated", both)?;
    boots(initrd, "", &["release: other"])?;
    // Each with a compression of its own, as early microcode comes before an initrd.
    let none = host::file("early.none", "none\n")?;
    let microcode = format!(
        "dir /kernel 755 0 0\ndir /kernel/x86 755 0 0\ndir /kernel/x86/microcode 755 0 0\n\
         file /kernel/x86/microcode/GenuineIntel.bin {none} 644 0 0\n"
    );
    host::archive("early.first", Archive::of(microcode))?;
    host::archive("early.second", other_release("early")?)?;
    let early =
        "{ cat tmp/early.first; gzip -c base.cpio; xz --check=crc32 -c tmp/early.second; } >$1";
    let initrd = host::make("early", early)?;
    boots(initrd, "", &["release: other", "microcode: none"])
}

fn checksummed_archive() -> Outcome {
    let file = host::file("crc.release", "crc\n")?;
    let list = format!("file /release {file} 644 0 0\n");
    let archive = Archive::of(list).checksummed().after(target().base());
    let initrd = host::archive("crc", archive)?;
    let base = fs::read(target().base())?.len();
    if !fs::read(&initrd)?[base..].starts_with(b"070702") {
        return Err("the archive is not of the format \"crc\"".into());
    }
    boots(initrd, "", &["release: crc"])
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
    let initrd = host::archive("rich", Archive::of(list).after(target().base()))?;
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
    let mut list = String::from("dir /many 755 0 0\n");
    for d in 0..100 {
        list += &format!("dir /many/{d} 755 0 0\n");
        list.extend((0..1000).map(|f| format!("file /many/{d}/{f} release 644 0 0\n")));
    }
    let mut machine = Machine::new("names", "");
    machine.initrd = Some(target().base());
    let before = number(&expect(&machine, &[])?, "files")?;
    machine.initrd = Some(host::archive(
        "many",
        Archive::of(list).after(target().base()),
    )?);
    machine.memory = 1536;
    // A directory with a hundred more.
    let files = format!("files: {} *", before + 100_000 + 101);
    same_as_stock(&machine, &[&files])
}

fn one_large_file() -> Outcome {
    let script = "truncate -s 512M $1; for at in 0 255 511; do
            echo $at | dd of=$1 bs=1M seek=$at conv=notrunc status=none; done";
    let file = host::make("large.file", script)?;
    let list = format!("file /large {} 644 0 0\n", file.display());
    let initrd = host::archive("large", Archive::of(list).after(target().base()))?;
    let mut machine = Machine::new("large", "");
    machine.initrd = Some(initrd.clone());
    machine.memory = 2048;
    same_as_stock(&machine, &["large: 536870912 0 255 511"])?;
    fs::remove_file(file)?;
    Ok(fs::remove_file(initrd)?)
}

fn retained_initrd() -> Outcome {
    let sum = Command::new("md5sum").arg(target().base()).output()?.stdout;
    let sum = String::from_utf8_lossy(&sum);
    let sum = sum.split_whitespace().next().unwrap_or("no sum");
    let retained = format!("retained: {sum}  -");
    boots(target().base(), "retain_initrd", &[&retained])?;
    boots(target().base(), "", &["retained: none"])
}

fn init_is_chosen_by_rdinit() -> Outcome {
    let other = Archive::of("slink /other /init 777 0 0\n").after(target().base());
    let initrd = host::archive("rdinit", other)?;
    boots(initrd.clone(), "rdinit=/other", &["init: /other"])?;
    boots(initrd, "", &["init: /init"])
}

fn built_in() -> Outcome {
    let external = host::archive("external", other_release("external")?)?;
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
        compressed("not_compressed", "cat"),
        compressed("gzip", "gzip -c").quick(),
        compressed("bzip2", "bzip2 -c").needs(["setup bzip2"]),
        compressed("lzma", "xz --format=lzma -c"),
        compressed("xz", "xz --check=crc32 -c"),
        compressed("lzo", "lzop -c").needs(["setup lzop"]),
        compressed("lz4", "lz4 -q -l -c").needs(["setup lz4"]),
        compressed("zstd", "zstd -q -c").quick(),
        case!(concatenated_archives).quick(),
        case!(checksummed_archive),
        case!(special_files).quick(),
        case!(hundred_thousand_files),
        case!(one_large_file),
        case!(retained_initrd).quick(),
        Case::new("noinitrd", || {
            boots(target().base(), "noinitrd", &["release: base"])
        }),
        case!(init_is_chosen_by_rdinit).quick(),
        case!(built_in).needs(["kernel builtin", "kernel force"]),
    ]
}
