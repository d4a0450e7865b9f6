// SPDX-License-Identifier: GPL-2.0

//! What CONFIG_RUST costs, and with which of the kernel's own means it costs less.

use crate::{commas, table, Result};
use boot_tests::{costs_page, target};
use std::{collections::BTreeSet, fs};

/// Kernels, the architectures that can have them, and what they are.
const KERNELS: [(&str, &[&str], &str); 4] = [
    ("test", &ALL, "modules, names of symbols"),
    ("trim", &ALL, "the same, TRIM_UNUSED_KSYMS"),
    ("least", &ALL, "neither modules nor names of symbols"),
    ("lto", &["x86_64", "arm64"], "the same, clang, thin LTO"),
];

const ALL: [&str; 4] = ["x86_64", "arm64", "arm", "riscv64"];

fn kernels() -> impl Iterator<Item = (&'static str, &'static str)> {
    let arch = target().arch.name.as_str();
    let here = KERNELS
        .iter()
        .filter(move |(_, arches, _)| arches.contains(&arch));
    here.map(|(name, _, what)| (*name, *what))
}

/// Each with its twin in C alone.
pub fn needs() -> Vec<String> {
    let both = |(name, _): (&str, _)| [name.into(), format!("{name}-without-rust")];
    kernels().flat_map(both).collect()
}

fn image(kernel: &str) -> Result<u64> {
    Ok(fs::metadata(target().image(kernel))?.len())
}

pub fn run() -> Result<String> {
    let release = fs::read_to_string(
        target()
            .kernel("test")
            .join("include/config/kernel.release"),
    )?;
    let here = format!("{} | {} |", target().arch.name, release.trim());
    // Other architectures and kernels have their own turn.
    let page = fs::read_to_string(costs_page()).unwrap_or_default();
    let (_, section) = page.split_once(super::RUST).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| Some(line.strip_prefix("| ")?.strip_suffix(" |")?.to_string());
    let mut rows: BTreeSet<String> = section
        .lines()
        .filter_map(row)
        .skip_while(|row| !row.starts_with("---"))
        .skip(1)
        .filter(|row| !row.starts_with(&here))
        .collect();
    for (n, (name, what)) in kernels().enumerate() {
        let (with, without) = (image(name)?, image(&format!("{name}-without-rust"))?);
        let sign = if with < without { "-" } else { "" };
        let config = fs::read_to_string(target().kernel(name).join(".config"))?;
        let less = match config.contains("CONFIG_LD_DEAD_CODE_DATA_ELIMINATION=y") {
            true => ", LD_DEAD_CODE_DATA_ELIMINATION",
            false => "",
        };
        rows.insert(format!(
            "{here} {}. {what}{less} | {} | {sign}{}",
            n + 1,
            commas(without),
            commas(with.abs_diff(without))
        ));
    }
    let rows: Vec<_> = rows.into_iter().collect();
    Ok(format!(
        "The file that is booted, with CONFIG_RUST and EMPTY_ROOTFS against the same kernel without both, in bytes; \
         on x86_64 and arm it is compressed; on arm64 its parts are padded to 64 KiB. \
         `ARCH=` and `KSRC=` write other rows.\n\n\
         For a small image, build without modules or with TRIM_UNUSED_KSYMS, since each symbol that is exported for \
         modules is kept; and with LD_DEAD_CODE_DATA_ELIMINATION where the architecture has it, which leaves out what \
         nothing calls.\n\n{}",
        table(
            "ARCH | Linux | configuration | without | added",
            &rows
        )
    ))
}
