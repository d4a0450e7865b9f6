// SPDX-License-Identifier: GPL-2.0

//! What of an object is loaded, and what of that stays.

use crate::target;
use std::{collections::BTreeMap, path::Path, process::Command};

type Result<T> = std::result::Result<T, String>;

fn stdout_of(command: &mut Command) -> Result<Vec<u8>> {
    let out = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    Ok(out.stdout)
}

/// The sections of an object, in bytes.
pub fn sections(object: &Path) -> Result<BTreeMap<String, u64>> {
    let out = stdout_of(target().tool("size").arg("-A").arg(object))?;
    let text = String::from_utf8_lossy(&out);
    let section = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.into(), words.next()?.parse().ok()?))
    };
    let sections: BTreeMap<String, u64> = text.lines().filter_map(section).collect();
    match sections.is_empty() {
        true => Err(format!("size says nothing of {}", object.display())),
        false => Ok(sections),
    }
}

/// How long the strings in `object` are that name its sources. They depend on where it was built.
fn names_of_sources(object: &Path) -> Result<u64> {
    let mut size = 0;
    for section in [".rodata.str", ".rodata.str1.1", ".rodata.str1.8"] {
        let mut objcopy = target().tool("objcopy");
        objcopy.args(["-O", "binary", "--only-section", section]);
        let out = stdout_of(objcopy.arg(object).arg("/dev/stdout"))?;
        let strings = out.split(|byte| *byte == 0);
        let names = strings.filter(|string| string.starts_with(b"../"));
        size += names.map(|name| name.len() as u64 + 1).sum::<u64>();
    }
    Ok(size)
}

/// What [`places()`] are called; the last one is freed after boot.
pub const PLACES: [&str; 5] = ["text", "read-only data", "data", "bss", ".init"];

/// Which of [`PLACES`] a section ends up in, if it is loaded.
pub fn place(section: &str) -> Option<usize> {
    let begins = |starts: &[&str]| starts.iter().any(|start| section.starts_with(start));
    match section {
        _ if begins(&[
            ".debug",
            ".discard",
            ".comment",
            ".note",
            ".export_symbol",
            ".llvm_addrsig",
            ".ARM.attributes",
            ".riscv.attributes",
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

/// How many bytes of `object` end up in each of [`PLACES`], less the names of source files.
pub fn places(object: &Path) -> Result<[u64; PLACES.len()]> {
    let mut sizes = [0; PLACES.len()];
    for (section, size) in sections(object)? {
        if let Some(place) = place(&section) {
            sizes[place] += size;
        }
    }
    sizes[1] -= names_of_sources(object)?;
    Ok(sizes)
}
