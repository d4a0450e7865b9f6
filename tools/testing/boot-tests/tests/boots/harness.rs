// SPDX-License-Identifier: GPL-2.0

//! What this suite says of itself.

use crate::{groups, host, verdict::*, Case};
use boot_tests::pages;
use std::fs;

/// CASES.md has a heading for each group and an item for each case, with a star for the quick ones.
fn page_tells_of_each_case() -> Outcome {
    let mut lines = Vec::new();
    for (group, cases) in groups() {
        lines.push(format!("## * (`{group}`)"));
        let item = |case: &Case| match case.quick {
            true => format!("* `{}` \\*: *", case.name),
            false => format!("* `{}`: *", case.name),
        };
        lines.extend(cases.iter().map(item));
    }
    let page = fs::read_to_string(pages::path("CASES.md"))?;
    let group = |line: &str| line.starts_with("## ") && line.ends_with("`)");
    let mut told = page
        .lines()
        .filter(|line| line.starts_with("* `") || group(line));
    for line in &lines {
        let here = told.next().unwrap_or("nothing more");
        // A star of the page's own stands for itself as well.
        if !is(here, line) {
            return Err(format!("CASES.md has\n{here}\nwhere it should have\n{line}").into());
        }
    }
    match told.next() {
        None => Ok(()),
        Some(line) => Err(format!("CASES.md has one more: {line}").into()),
    }
}

/// What a script says that needs more room than the disk has, and that one which has enough goes on.
fn full_disk_is_named() -> Outcome {
    let file = host::make(
        "room",
        "sh -c '. \"${0%/*}/lib.sh\"; room 0; echo goes on; room 1000000; echo and on' \
            $guest/../../../../scripts/setup >$1 2>&1 || :",
    )?;
    let expected = [
        "goes on",
        "setup: the disk of * GB left, and 1000000 are needed; please make room there",
    ];
    let text = fs::read_to_string(file)?;
    let said: Vec<&str> = text.lines().collect();
    match said.len() == expected.len()
        && said.iter().zip(expected).all(|(line, like)| is(line, like))
    {
        true => Ok(()),
        false => Err(text.into()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case!(page_tells_of_each_case).quick(),
        case!(full_disk_is_named).quick(),
    ]
}
