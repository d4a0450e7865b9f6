// SPDX-License-Identifier: GPL-2.0

//! The page on which "make bench" keeps what it has measured.

use crate::project_dir;
use std::{fs, path::PathBuf};

pub fn costs_page() -> PathBuf {
    project_dir().join("tools/testing/boot-tests/COSTS.md")
}

/// A figure of that page, where it is a row of a table with its name first: "| `NAME` | 1,234 |".
pub fn figure(name: &str) -> Result<u64, String> {
    let page = fs::read_to_string(costs_page()).map_err(|e| format!("COSTS.md: {e}"))?;
    let row = format!("| `{name}` | ");
    let value = page.lines().find_map(|line| {
        let (value, _) = line.strip_prefix(&row)?.split_once(" |")?;
        value.replace(',', "").parse().ok()
    });
    value.ok_or_else(|| format!("COSTS.md has no {name}; make bench writes it"))
}
