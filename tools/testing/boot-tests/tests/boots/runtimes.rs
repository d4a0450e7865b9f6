// SPDX-License-Identifier: GPL-2.0

//! The container runtimes of Debian 13, and by which call each changes its root.

use crate::{
    appliance::{machine, System, PARTITION_ALONE},
    verdict::*,
    Case,
};
use boot_tests::pages;
use libtest_mimic::Failed;
use std::time::Duration;

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

/// A runtime, its version, and what comes of it.
type Row = [String; 3];

/// What is seen in one boot, and its console; its script has to come to its end.
fn seen(params: &str, expected: &[&str]) -> Result<(Vec<Row>, String), Failed> {
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
        true => Ok((rows, console)),
        false => Err(format!("{console}\nof some runtime nothing is said").into()),
    }
}

/// Each starts with the feature; on a stock boot none that pivots with it does so, and what does not start there is
/// refused by that call.
fn each_starts() -> Outcome {
    let (on, console) = seen("", &[IS_ON, "root: tmpfs"])?;
    let (off, stock) = seen(OFF, &["root: rootfs"])?;
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
        return Err(format!("{console}\nstock:\n{stock}\n{wrong}").into());
    }
    // The versions may be others.
    let told = pages::rows::<4>("RUNTIMES.md", "Container runtimes")?;
    let mut differs = String::new();
    for ([name, version, with], [_, _, without]) in on.iter().zip(&off) {
        let here = [name, version, with, without].map(String::from);
        println!("{}", pages::row(&here));
        if !told
            .iter()
            .any(|row| row[0] == here[0] && row[2..] == here[2..])
        {
            differs += &format!("RUNTIMES.md lacks {}\n", pages::row(&here));
        }
    }
    match differs.is_empty() && told.len() == on.len() {
        true => Ok(()),
        false => Err(format!(
            "{differs}it has {} rows, and here are {}",
            told.len(),
            on.len()
        )
        .into()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![case!(each_starts)
        .needs(crate::appliance::needs())
        .x86_only("it is tried on x86_64 alone")]
}
