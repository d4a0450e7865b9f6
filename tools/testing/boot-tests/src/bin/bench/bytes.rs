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

/// How long the strings in `object` are that name its sources. They depend on where it was built.
fn names_of_sources(object: &Path) -> Result<u64> {
    let mut size = 0;
    for section in [".rodata.str", ".rodata.str1.1", ".rodata.str1.8"] {
        let out = tool("objcopy")
            .args(["-O", "binary", "--only-section", section])
            .arg(object)
            .arg("/dev/stdout")
            .output()?;
        let strings = out.stdout.split(|byte| *byte == 0);
        let names = strings.filter(|string| string.starts_with(b"../"));
        size += names.map(|name| name.len() as u64 + 1).sum::<u64>();
    }
    Ok(size)
}

/// What a section ends up in, if it is loaded.
fn place(section: &str) -> Option<usize> {
    let begins = |starts: &[&str]| starts.iter().any(|start| section.starts_with(start));
    match section {
        _ if begins(&[
            ".debug",
            ".discard",
            ".comment",
            ".note",
            ".export_symbol",
            ".llvm_addrsig",
            "Total",
        ]) =>
        {
            None
        }
        _ if begins(&[".init", ".con_initcall", ".exit"]) => Some(4),
        _ if section.contains("text") => Some(0),
        _ if begins(&[".data", ".ref.data"]) => Some(2),
        _ if begins(&[".bss"]) => Some(3),
        _ => Some(1),
    }
}

pub fn run() -> Result<String> {
    let kernels = [
        ("stock", "off", "not there"),
        ("rust", "on", "off"),
        ("kernel", "on", "on"),
    ];
    let mut rows = Vec::new();
    let mut before: Vec<u64> = Vec::new();
    for (name, rust, option) in kernels {
        // In vmlinux, code is filled up to 2 MiB.
        let object = kernel_dir(name)?.join("vmlinux.o");
        let mut sizes = vec![0; 5];
        for (section, size) in sections(&object)? {
            if let Some(place) = place(&section) {
                sizes[place] += size;
            }
        }
        sizes[1] -= names_of_sources(&object)?;
        sizes.insert(0, fs::metadata(image(name))?.len());
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
        "{}, in bytes, each row with the difference from the one above. The image is the file that is \
         booted; the rest is what vmlinux is linked from, less the names of source files, which depend on \
         where it is built. `.init` is freed after boot.\n\n{}\nThe feature's own object, `init/overmount_rootfs.o`, holds\n\n{}",
        arch().name,
        table(
            "CONFIG_RUST | EMPTY_ROOTFS | image | text | read-only data | data | bss | .init",
            &rows
        ),
        table("section | bytes", &own)
    ))
}
