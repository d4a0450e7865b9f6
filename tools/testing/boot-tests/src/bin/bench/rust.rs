// SPDX-License-Identifier: GPL-2.0

//! What CONFIG_RUST costs, and with which of the kernel's own means it costs less.

use crate::{commas, table, Result};
use boot_tests::{config_word, pages, target};
use std::{collections::BTreeSet, fs};

/// The kernels whose files say that they are measured, and as what. That begins with a number, which orders them.
fn kernels() -> Result<Vec<(String, String)>> {
    let mut kernels = Vec::new();
    for file in fs::read_dir(pages::path("kernels"))? {
        let file = file?;
        let text = fs::read_to_string(file.path())?;
        let what = config_word(&text, "measured");
        if !what.is_empty() && target().arch.is_among(&config_word(&text, "arches")) {
            let name = file.file_name().to_string_lossy().replace(".config", "");
            if !what.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(
                    format!("kernels/{name}.config: \"measured\" begins with no number").into(),
                );
            }
            kernels.push((what, name));
        }
    }
    kernels.sort();
    Ok(kernels)
}

/// Each with its twin in C alone.
pub fn needs() -> Result<Vec<String>> {
    let both = |(_, name): (String, String)| [format!("{name}-without-rust"), name];
    Ok(kernels()?.into_iter().flat_map(both).collect())
}

fn image(kernel: &str) -> Result<u64> {
    Ok(fs::metadata(target().image(kernel))?.len())
}

pub fn run() -> Result<String> {
    let release = target()
        .kernel("test")
        .join("include/config/kernel.release");
    let release = fs::read_to_string(release)?;
    let here = [&*target().arch.name, release.trim()];
    // Other architectures and kernels have their own turn.
    let mut rows: BTreeSet<[String; 5]> = pages::rows("COSTS.md", super::RUST)?
        .into_iter()
        .filter(|row| row[..2] != here)
        .collect();
    for (what, name) in kernels()? {
        let (with, without) = (image(&name)?, image(&format!("{name}-without-rust"))?);
        let sign = if with < without { "-" } else { "" };
        let config = fs::read_to_string(target().kernel(&name).join(".config"))?;
        let less = match config.contains("CONFIG_LD_DEAD_CODE_DATA_ELIMINATION=y") {
            true => ", LD_DEAD_CODE_DATA_ELIMINATION",
            false => "",
        };
        let added = format!("{sign}{}", commas(with.abs_diff(without)));
        let [arch, release] = here.map(String::from);
        rows.insert([arch, release, what + less, commas(without), added]);
    }
    let rows: Vec<_> = rows.iter().map(|row| row.join(" | ")).collect();
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
