// SPDX-License-Identifier: GPL-2.0

//! What this suite says of itself.

use crate::{groups, host, verdict::*, Case};
use boot_tests::project_dir;
use std::fs;

/// CASES.md has a heading for each group and an item for each case, with a star for the quick ones.
fn page_tells_of_each_case() -> Outcome {
    let mut cases = Vec::new();
    for (group, of_group) in groups() {
        cases.push(format!("{group}`)"));
        let star = |case: &Case| if case.quick { " \\*" } else { "" };
        cases.extend(
            of_group
                .iter()
                .map(|case| format!("{}`{}", case.name, star(case))),
        );
    }
    let page = fs::read_to_string(project_dir().join("tools/testing/boot-tests/CASES.md"))?;
    let told = page
        .lines()
        .filter_map(|line| match line.strip_prefix("* `") {
            Some(item) => Some(item.split_once(": ")?.0),
            None => Some(line.strip_prefix("## ")?.split_once("(`")?.1),
        });
    let told: Vec<&str> = told.collect();
    let differs = |at: &usize| cases.get(*at).map(String::as_str) != told.get(*at).copied();
    match (0..cases.len().max(told.len())).find(differs) {
        None => Ok(()),
        Some(at) => Err(format!(
            "CASES.md has {:?}, and the code {:?}",
            told.get(at).unwrap_or(&"no more"),
            cases.get(at).map_or("no more", String::as_str)
        )
        .into()),
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
