// SPDX-License-Identifier: GPL-2.0

//! The kernel's own selftest, unmodified, on four kernels. Linux 7.3 is the judge: its nullfs was
//! not written here.

use crate::{verdict::*, Case};
use boot_tests::{build_dir, Machine};
use libtest_mimic::Failed;
use std::{collections::BTreeMap, fs, process::Command};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Result {
    Pass,
    Fail,
    Skip,
}

/// The results in a console that holds TAP, by name.
fn results(console: &str) -> BTreeMap<String, Result> {
    let parse = |line: &str| {
        let (result, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (Result::Fail, rest),
            None => (Result::Pass, line.strip_prefix("ok ")?),
        };
        let name = rest.split_whitespace().nth(1)?.to_string();
        match rest.contains("# SKIP") {
            true => Some((name, Result::Skip)),
            false => Some((name, result)),
        }
    };
    console.lines().filter_map(parse).collect()
}

fn run(
    kernel: &'static str,
    scenario: &'static str,
    params: &str,
) -> std::result::Result<String, Failed> {
    let mut machine = Machine::new(scenario, &format!("quiet {params}"));
    machine.kernel = kernel;
    expect(&machine, &["TAP version 13", "# Totals: "])
}

fn selftest_agrees_with_nullfs() -> Outcome {
    let skip = "# SKIP neither EMPTY_ROOTFS nor nullfs";
    let columns = [
        ("6.12+series", "kernel", "", Result::Pass),
        ("empty_rootfs=0", "kernel", OFF, Result::Skip),
        ("6.12 stock", "objects/stock", "", Result::Skip),
        ("7.3 nullfs", "objects/nullfs", "", Result::Pass),
    ];
    let mut table: BTreeMap<String, Vec<Result>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (title, kernel, params, expected) in columns {
        let console = run(kernel, "selftest", params)?;
        let results = results(&console);
        let reasons = console.matches(skip).count();
        if results.len() < 20 || (expected == Result::Skip && reasons != results.len()) {
            return Err(format!("{console}\n{title}: {} tests ran", results.len()).into());
        }
        for (name, result) in results {
            if result != expected {
                wrong.push(format!("{title}: {name}: {result:?}, not {expected:?}"));
            }
            table.entry(name).or_default().push(result);
        }
    }
    print!("{:46}", "");
    columns.iter().for_each(|(title, ..)| print!(" {title:14}"));
    println!();
    for (name, row) in &table {
        print!("{name:46}");
        row.iter()
            .for_each(|result| print!(" {:14}", format!("{result:?}").to_lowercase()));
        println!();
    }
    match wrong.is_empty() && table.values().all(|row| row.len() == columns.len()) {
        true => Ok(()),
        false => Err(format!("{wrong:#?}").into()),
    }
}

/// A caller that needs the feature is told so.
fn selftest_fails_where_the_feature_is_required() -> Outcome {
    let console = run("kernel", "selftest_required", OFF)?;
    let results = results(&console);
    match results.len() >= 20 && results.values().all(|&result| result == Result::Fail) {
        true => Ok(()),
        false => Err(console.into()),
    }
}

/// What it prints is understood by the kernel's own parser and by Perl's.
fn selftest_prints_valid_tap() -> Outcome {
    let console = run("kernel", "selftest", "")?;
    let file = build_dir().join("tmp/selftest.tap");
    fs::write(&file, &console)?;
    let kunit = build_dir().join("linux/tools/testing/kunit/kunit.py");
    let tap = "use TAP::Parser; my $p = TAP::Parser->new({source => $ARGV[0]}); $p->run; \
               die join(qq{\\n}, $p->parse_errors) if $p->parse_errors; \
               die 'failed' if $p->has_problems; print 'passed ', scalar($p->passed), qq{\\n};";
    let expected = results(&console).len();
    for (command, seen) in [
        (
            vec!["python3", &kunit.display().to_string(), "parse"],
            format!("passed: {expected}"),
        ),
        (vec!["perl", "-e", tap], format!("passed {expected}")),
    ] {
        let out = Command::new(command[0])
            .args(&command[1..])
            .arg(&file)
            .output()?;
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        if !out.status.success() || !text.contains(&seen) {
            return Err(format!("{text}\n{} does not say: {seen}", command[0]).into());
        }
    }
    Ok(())
}

/// Containers start on Linux 7.3 as they do here.
fn containers_start_on_nullfs_too() -> Outcome {
    let mut machine = Machine::new("containers", "");
    machine.kernel = "objects/nullfs";
    let hello =
        ["runc", "crun", "bubblewrap"].map(|name| format!("{name}: hello from a container"));
    expect(&machine, &hello.each_ref().map(String::as_str))?;
    Ok(())
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "selftest_agrees_with_nullfs",
            "all facts hold here and on Linux 7.3, and are skipped without either feature",
            selftest_agrees_with_nullfs,
        ),
        Case::new(
            "selftest_fails_where_the_feature_is_required",
            "REQUIRE=1 turns the skips into failures",
            selftest_fails_where_the_feature_is_required,
        ),
        Case::new(
            "selftest_prints_valid_tap",
            "kunit.py and Perl's TAP::Parser understand what it prints",
            selftest_prints_valid_tap,
        ),
        Case::new(
            "containers_start_on_nullfs_too",
            "runc, crun and bubblewrap start on Linux 7.3 as they do here",
            containers_start_on_nullfs_too,
        ),
    ]
}
