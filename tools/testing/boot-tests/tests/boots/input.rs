// SPDX-License-Identifier: GPL-2.0

//! Bad archives and bad parameters: what the stock kernel says and does, this one says and does.

use crate::{host, verdict::*, Case};
use boot_tests::{target, Archive, Machine};
use libtest_mimic::Failed;
use std::fs;

/// What the kernel says of the archive, of init and of giving up, and what init sees.
fn outcome(console: &str) -> Vec<String> {
    let tells = "nitramfs|rootfs|initrd|Run /|Failed to execute|Kernel panic|VFS: |\
                 Warning: unable|release: |files: |write: | /rich/";
    console
        .lines()
        .filter(|line| !is(line, IS_ON) && !line.contains("ommand line"))
        .filter(|line| !line.starts_with("Freeing "))
        .filter(|line| tells.split('|').any(|tell| line.contains(tell)))
        .map(|line| line.replace("root: rootfs tmpfs", "root: rootfs rootfs"))
        .collect()
}

/// What the kernel says of an archive that it cannot read.
const UNREADABLE: &str = "rootfs image is not initramfs (*";

/// Boots this kernel and the stock one. They say and do the same, and `expected` is part of it. Tells whether
/// the archive was unreadable.
fn same(machine: &Machine, expected: &str) -> Result<bool, Failed> {
    let on = expect(machine, &[IS_ON])?;
    let mut stock = machine.clone();
    stock.kernel = "stock";
    let off = stock.boot()?;
    let (here, there) = (outcome(&on), outcome(&off));
    match here == there && here.iter().any(|line| is(line, expected)) {
        true => Ok(has(&on, UNREADABLE)),
        false => Err(format!(
            "{here:#?}\nstock:\n{there:#?}\nnot the same, or not: {expected}\n{}",
            machine.again()
        )
        .into()),
    }
}

/// `bytes` as an archive for the scenario `files`.
fn with_archive(name: &str, bytes: &[u8], expected: &str) -> Result<bool, Failed> {
    let file = target().tmp(name);
    fs::write(&file, bytes)?;
    let mut machine = Machine::new("files", "");
    machine.initrd = Some(file.clone());
    let unreadable = same(&machine, expected)?;
    fs::remove_file(file)?;
    Ok(unreadable)
}

/// So many archives cannot be read: what is damaged is not just taken.
fn at_least(least: usize, unreadable: usize) -> Outcome {
    match unreadable {
        n if n >= least => Ok(()),
        n => Err(format!("{n} archives were unreadable, less than {least}").into()),
    }
}

fn gzipped() -> Result<Vec<u8>, Failed> {
    Ok(fs::read(host::make("bad.gz", "gzip -c base.cpio >$1")?)?)
}

/// At 20 places of an archive, and of a compressed one.
fn truncated_archives() -> Outcome {
    let plain = fs::read(target().base())?;
    let mut unreadable = 0;
    for n in 0..10 {
        let end = plain.len() * n / 10 + 57 * n;
        unreadable += usize::from(with_archive("truncated", &plain[..end], "*")?);
    }
    let gzip = gzipped()?;
    for n in 0..10 {
        let end = gzip.len() * n / 10 + n;
        unreadable += usize::from(with_archive("truncated", &gzip[..end], "*")?);
    }
    at_least(9, unreadable)
}

/// One bit in 50 places: half of them in the archive's headers, half in a compressed archive.
fn flipped_bits() -> Outcome {
    let plain = fs::read(target().base())?;
    let mut unreadable = 0;
    let flip = |bytes: &[u8], at: usize, bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << bit;
        with_archive("flipped", &bytes, "*")
    };
    for n in 0..25 {
        unreadable += usize::from(flip(&plain, 31 * n, n % 8)?);
    }
    let gzip = gzipped()?;
    for n in 0..25 {
        unreadable += usize::from(flip(&gzip, gzip.len() / 25 * n, n % 8)?);
    }
    at_least(10, unreadable)
}

fn archives_that_are_none() -> Outcome {
    let plain = fs::read(target().base())?;
    let mut magic = plain.clone();
    magic[..6].copy_from_slice(b"070709");
    with_archive(
        "magic",
        &magic,
        "rootfs image is not initramfs (no cpio magic); *",
    )?;
    let garbage: Vec<u8> = (0..100_000u32)
        .map(|n| (n.wrapping_mul(n) >> 7) as u8)
        .collect();
    with_archive(
        "garbage",
        &garbage,
        "rootfs image is not initramfs (invalid magic at start of compressed archive); *",
    )?;
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &garbage[..]].concat();
    with_archive("garbage.gz", &gzip, UNREADABLE)?;
    with_archive("nothing", b"", "*")?;
    Ok(())
}

/// An archive with one file, whose name is longer than gen_init_cpio makes one.
fn with_a_long_name() -> Result<Vec<u8>, Failed> {
    let long = format!("file {} release 644 0 0\n", "x/".repeat(2000));
    let mut bytes = fs::read(host::archive("long", Archive::of(long))?)?;
    // The header has 110 bytes, the last field but one of which is the length of the name.
    let length = u32::from_str_radix(std::str::from_utf8(&bytes[94..102])?, 16)?;
    bytes[94..102].copy_from_slice(format!("{:08x}", length + 1000).as_bytes());
    bytes.splice(110..110, "x/".repeat(500).into_bytes());
    Ok(bytes)
}

fn names_that_lead_astray() -> Outcome {
    let astray = "file ../../escaped release 644 0 0
        dir rich 755 0 0
        slink rich/link /rich/../../tmp/there 777 0 0
        dir tmp/there 755 0 0
        file rich/link/file release 644 0 0
        file dev/../rich/dots release 644 0 0
        file //rich/absolute release 644 0 0
        file rich/file/below release 644 0 0\n"
        .replace("        ", "");
    let astray = fs::read(host::archive("astray.second", Archive::of(astray))?)?;
    let bytes = [fs::read(target().base())?, with_a_long_name()?, astray].concat();
    with_archive("astray", &bytes, "* /rich/absolute")?;
    Ok(())
}

/// More than the root may hold, or the machine has.
fn archives_that_are_too_large() -> Outcome {
    let file = host::make("toolarge.file", "truncate -s 300M $1")?;
    let list = format!("file /large {} 644 0 0\n", file.display());
    let initrd = host::archive("toolarge", Archive::of(list).after(target().base()))?;
    let full = "rootfs image is not initramfs (write error); *";
    let mut machine = Machine::new("files", "initramfs_options=size=1m");
    same(&machine, full)?;
    machine.params = "initramfs_options=nr_inodes=20".into();
    same(&machine, "*")?;
    machine.params = String::new();
    machine.initrd = Some(initrd.clone());
    machine.memory = 512;
    same(&machine, full)?;
    machine.memory = 384;
    same(&machine, "*")?;
    fs::remove_file(file)?;
    Ok(fs::remove_file(initrd)?)
}

/// tmpfs refuses them for rootfs already, long before the feature.
fn options_that_do_not_parse() -> Outcome {
    for options in ["size=banana", "nosuchoption", "size=1m,,=,", "mode=99999"] {
        let mut machine = Machine::new("facts", &format!("initramfs_options={options}"));
        machine.initrd = Some(target().base());
        let mut stock = machine.clone();
        stock.kernel = "stock";
        let (here, there) = (outcome(&expect(&machine, &[])?), outcome(&stock.boot()?));
        if here != there || here.is_empty() {
            return Err(format!("{here:#?}\nstock:\n{there:#?}\nnot the same: {options}").into());
        }
    }
    Ok(())
}

/// What kstrtobool() takes is taken, and anything else is warned of and ignored.
fn odd_values_of_empty_rootfs() -> Outcome {
    let long = "x".repeat(500);
    let on = |value: &str| format!("empty_rootfs={value}");
    let ignored = |value: &str| (on(value), IS_ON, true);
    let values = [
        (on("yes"), IS_ON, false),
        (on("True"), IS_ON, false),
        (on("oN"), IS_ON, false),
        (on("1"), IS_ON, false),
        (on("100"), IS_ON, false),
        (on("no"), STOCK[0], false),
        (on("False"), STOCK[0], false),
        (on("oFf"), STOCK[0], false),
        (on("00"), STOCK[0], false),
        (on("0 empty_rootfs=1"), IS_ON, false),
        (on("1 empty_rootfs=0"), STOCK[0], false),
        (on("0 empty_rootfs=banana"), STOCK[0], true),
        ("empty_rootfs".into(), IS_ON, false),
        ignored(""),
        ignored("o"),
        ignored("-1"),
        ignored("2"),
        ignored("\"a b\""),
        ignored("%s%n%p"),
        ignored("\u{e9}\u{1}"),
        ignored(&long),
    ];
    for (params, expected, warned) in values {
        let mut machine = Machine::new("facts", &params);
        machine.initrd = Some(target().base());
        let console = expect(&machine, &[expected, "write: ok"])?;
        let warnings = lines(&console, "empty_rootfs: ignoring \"*\", not a boolean");
        if warnings != usize::from(warned) {
            return Err(format!("{console}\n{params}: to be warned of: {warned}").into());
        }
    }
    Ok(())
}

/// x86 takes 2,047 bytes and drops the rest.
fn longest_command_line() -> Outcome {
    for length in [1900, 2047, 2048, 2500] {
        let mut machine = Machine::new("facts", "");
        machine.initrd = Some(target().base());
        machine.params = "initramfs_options=size=100m end=".into();
        machine.params += &"x".repeat(length - 120);
        same(&machine, "root: rootfs rootfs rw,size=102400k*")?;
    }
    Ok(())
}

pub fn cases() -> Vec<Case> {
    let stock = "kernel stock";
    vec![
        case!(truncated_archives).needs([stock]),
        case!(flipped_bits).needs([stock]),
        case!(archives_that_are_none).needs([stock]),
        case!(names_that_lead_astray).needs([stock]),
        case!(archives_that_are_too_large)
            .needs([stock])
            .about_options(),
        case!(options_that_do_not_parse)
            .needs([stock])
            .about_options(),
        case!(odd_values_of_empty_rootfs).needs([stock]),
        case!(longest_command_line)
            .needs([stock])
            .about_options()
            .x86_only("each architecture has a limit of its own"),
    ]
}
