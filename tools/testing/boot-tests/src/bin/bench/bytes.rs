// SPDX-License-Identifier: GPL-2.0

//! What CONFIG_RUST and the option add to the kernel.

use crate::{commas, table, Result};
use boot_tests::{arch, image, kernel_dir, tool};
use std::{collections::BTreeMap, fs, path::Path};

/// The sections of an object, in bytes.
fn sections(object: &Path) -> Result<BTreeMap<String, u64>> {
    let out = tool("size").arg("-A").arg(object).output()?;
    let text = String::from_utf8(out.stdout)?;
    let section = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.into(), words.next()?.parse().ok()?))
    };
    let sections: BTreeMap<String, u64> = text.lines().filter_map(section).collect();
    match sections.is_empty() {
        true => Err(format!("size says nothing of {}", object.display()).into()),
        false => Ok(sections),
    }
}

pub fn run() -> Result<String> {
    let kernels = [
        ("stock", "off", "not there"),
        ("rust", "on", "off"),
        ("kernel", "on", "on"),
    ];
    let columns = [
        ".text",
        ".rodata",
        ".data",
        ".bss",
        ".init.text",
        ".init.data",
    ];
    let mut rows = Vec::new();
    let mut before: Vec<u64> = Vec::new();
    for (name, rust, option) in kernels {
        let sections = sections(&kernel_dir(name)?.join("vmlinux"))?;
        let mut sizes = vec![fs::metadata(image(name))?.len()];
        sizes.extend(columns.map(|section| sections.get(section).copied().unwrap_or(0)));
        let cells = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| match before.get(n) {
                Some(less) => format!("{} ({:+})", commas(*size), *size as i64 - *less as i64),
                None => commas(*size),
            });
        rows.push(format!(
            "{rust} | {option} | {}",
            cells.collect::<Vec<_>>().join(" | ")
        ));
        before = sizes;
    }
    let object = sections(&kernel_dir("kernel")?.join("init/overmount_rootfs.o"))?;
    let own: Vec<_> = object
        .iter()
        .filter(|(name, size)| {
            **size > 0
                && [".text", ".data", ".rodata", ".bss", ".init"]
                    .iter()
                    .any(|s| name.starts_with(s))
        })
        .map(|(name, size)| format!("`{name}` | {}", commas(*size)))
        .collect();
    Ok(format!(
        "{}, in bytes, each row with the difference from the one above. What begins with `.init` is freed \
         after boot.\n\n{}\nThe feature's own object, `init/overmount_rootfs.o`, holds\n\n{}",
        arch().name,
        table(
            &format!("CONFIG_RUST | EMPTY_ROOTFS | image | {}", columns.join(" | ")),
            &rows
        ),
        table("section | bytes", &own)
    ))
}
