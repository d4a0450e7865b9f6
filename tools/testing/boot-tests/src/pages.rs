// SPDX-License-Identifier: GPL-2.0

//! The pages that stand beside this program. Their tables are compared with what is seen.

use crate::project_dir;
use std::{fs, path::PathBuf};

pub fn page(name: &str) -> PathBuf {
    project_dir().join("tools/testing/boot-tests").join(name)
}

/// The rows of the page's tables, each as its cells.
pub fn rows(name: &str) -> Result<Vec<Vec<String>>, String> {
    let text = fs::read_to_string(page(name)).map_err(|e| format!("{name}: {e}"))?;
    let cells = |line: &str| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        Some(cells.map(String::from).collect())
    };
    Ok(text.lines().filter_map(cells).collect())
}

/// A figure of COSTS.md, where it is a row with its name first: "| `NAME` | 1,234 |".
pub fn figure(name: &str) -> Result<u64, String> {
    let rows = rows("COSTS.md")?;
    let row = rows.iter().find(|row| row[0] == format!("`{name}`"));
    let value = row.and_then(|row| row.get(1)?.replace(',', "").parse().ok());
    value.ok_or_else(|| format!("COSTS.md has no {name}; make bench writes it"))
}
