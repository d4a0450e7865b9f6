// SPDX-License-Identifier: GPL-2.0

//! The pages that stand beside this program. Their tables are compared with what is seen.

use crate::project_dir;
use std::{fs, path::PathBuf};

pub fn path(name: &str) -> PathBuf {
    project_dir().join("tools/testing/boot-tests").join(name)
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(path(name)).map_err(|e| format!("{name}: {e}"))
}

/// The rows of the table below a heading, each as its cells, of which it has so many.
pub fn rows<const N: usize>(name: &str, heading: &str) -> Result<Vec<[String; N]>, String> {
    let text = read(name)?;
    let section = text
        .lines()
        .skip_while(|line| line.trim_start_matches('#').trim() != heading);
    let section = section.skip(1).take_while(|line| !line.starts_with('#'));
    let table = section
        .skip_while(|line| !line.starts_with("| ---"))
        .skip(1);
    let row = |line: &str| {
        let line = line.strip_prefix('|')?.strip_suffix('|')?;
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().into()).collect();
        cells.try_into().ok()
    };
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        row(line).ok_or(format!(
            "{name}: a row of \"{heading}\" has not {N} cells: {line}"
        ))
    });
    rows.collect()
}

/// A row as it stands on a page.
pub fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// A figure of COSTS.md, where it is a row of a table with its name first: "| `NAME` | 1,234 |".
pub fn figure(name: &str) -> Result<u64, String> {
    let row = format!("| `{name}` | ");
    let value = read("COSTS.md")?.lines().find_map(|line| {
        let (value, _) = line.strip_prefix(&row)?.split_once(" |")?;
        value.replace(',', "").parse().ok()
    });
    value.ok_or_else(|| format!("COSTS.md has no {name}; make bench writes it"))
}
