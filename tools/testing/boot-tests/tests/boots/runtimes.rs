// SPDX-License-Identifier: GPL-2.0

//! The container runtimes of Debian 13, and by which call each changes its root.

use crate::{
    appliance::{machine, System, PARTITION_ALONE},
    verdict::*,
    Case,
};
use boot_tests::project_dir;
use libtest_mimic::Failed;
use std::{env, fs, time::Duration};

const RUNTIMES: System = System {
    name: "runtimes",
    packages:
        "runc crun runsc buildah containerd docker.io docker-cli systemd-container lxc bubblewrap \
               charliecloud-runtime firejail rootlesskit uidmap virtiofsd flatpak snapd strace",
    report: include_str!("../../guest/runtimes.sh"),
};

/// It moves another mount over the root first, of which the page tells.
const MOVES_FIRST: &str = "ch-run";

/// What comes of a runtime that pivots, of one that cannot, and of one that has no need to.
const PIVOTS: &str = "starts, by pivot_root";
const EINVAL: &str = "does not start: pivot_root gives EINVAL";
const KEEPS: &str = "starts, and keeps the root";

/// The page that has the results.
const PAGE: &str = "tools/testing/boot-tests/RUNTIMES.md";

/// A runtime, its version, and what comes of it.
type Row = [String; 3];

/// The rows of one boot; its script has to come to its end.
fn rows(params: &str, expected: &[&str]) -> Result<Vec<Row>, Failed> {
    let mut machine = machine(&RUNTIMES, &PARTITION_ALONE, params, false)?;
    machine.memory = 4096;
    machine.cpus = 2;
    machine.deadline = Duration::from_secs(3600);
    let console = expect(&machine, &[expected, &["SCENARIO-END"]].concat())?;
    let row = |line: &str| {
        let mut parts = line
            .strip_prefix("runtime: ")?
            .splitn(3, ": ")
            .map(String::from);
        Some([parts.next()?, parts.next()?, parts.next()?])
    };
    let rows: Vec<Row> = console.lines().filter_map(row).collect();
    match rows.len() == RUNTIMES.report.matches("\nruntime ").count() {
        true => Ok(rows),
        false => Err(format!("{console}\nof some runtime nothing is said").into()),
    }
}

/// Each starts with the feature; on a stock boot none that pivots with it does so, and what does not start there is
/// refused by that call.
fn each_starts() -> Outcome {
    let on = rows("", &[IS_ON, "root: tmpfs"])?;
    let off = rows(OFF, &["root: rootfs"])?;
    let mut wrong = String::new();
    for ([name, _, with], [_, _, without]) in on.iter().zip(&off) {
        let expected = match with.as_str() {
            PIVOTS if name == MOVES_FIRST => without == PIVOTS,
            PIVOTS => without == EINVAL || is(without, "starts, by *") && without != PIVOTS,
            _ => with == KEEPS && without == KEEPS,
        };
        if !expected {
            wrong += &format!("{name}: {with}; with {OFF}: {without}\n");
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    record(&on, &off)
}

/// The page is written with `UPDATE=1`, and compared but for the versions.
fn record(on: &[Row], off: &[Row]) -> Outcome {
    let row = |([name, version, with], [_, _, without]): (&Row, &Row)| {
        format!("| {name} | {version} | {with} | {without} |")
    };
    let rows: Vec<String> = on.iter().zip(off).map(row).collect();
    let file = project_dir().join(PAGE);
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, page(&rows))?;
    }
    let result = |line: &str| {
        line.split('|')
            .enumerate()
            .filter(|(n, _)| *n != 2)
            .map(|(_, cell)| cell.to_string())
            .collect::<String>()
    };
    let results = |page: &str| page.lines().map(result).collect::<Vec<_>>();
    match results(&fs::read_to_string(&file)?) == results(&page(&rows)) {
        true => Ok(()),
        false => Err(format!(
            "RUNTIMES.md is not up to date; UPDATE=1 make test T=runtimes writes it:\n{}",
            rows.join("\n")
        )
        .into()),
    }
}

fn page(rows: &[String]) -> String {
    format!(
        "# Container runtimes\n\n\
         Debian 13's, on a machine that runs from its initramfs, with the feature and with `empty_rootfs=0`. Each runs\n\
         `busybox echo` once by itself, and once under strace, which tells by which call the root changes.\n\
         `make test T=runtimes` runs them, and with `UPDATE=1` writes this page.\n\n\
         | runtime | version | with the feature | with `empty_rootfs=0` |\n| --- | --- | --- | --- |\n{}\n\n\
         ch-run moves another mount over the root before it pivots. That works on a stock boot as well, and leaves the\n\
         old root below. youki, which Debian does not have, has a case of its own: `make test T=youki`.\n",
        rows.join("\n")
    )
}

pub fn cases() -> Vec<Case> {
    vec![case!(each_starts)
        .needs(crate::appliance::needs())
        .x86_only("it is tried on x86_64 alone")]
}
