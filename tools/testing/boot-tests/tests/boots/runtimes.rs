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
               charliecloud-runtime firejail rootlesskit uidmap virtiofsd flatpak strace",
    report: include_str!("../../guest/runtimes.sh"),
};

/// It moves another mount over the root first, of which the page tells.
const MOVES_FIRST: &str = "ch-run ";

/// The page that has the results.
const PAGE: &str = "tools/testing/boot-tests/RUNTIMES.md";

/// A runtime and its version, and what comes of it.
type Row = (String, String);

/// The rows of one boot; its script has to come to its end.
fn rows(params: &str, expected: &[&str]) -> Result<Vec<Row>, Failed> {
    let mut machine = machine(&RUNTIMES, &PARTITION_ALONE, params, false)?;
    machine.memory = 4096;
    machine.cpus = 2;
    machine.deadline = Duration::from_secs(3600);
    let console = expect(&machine, &[expected, &["SCENARIO-END"]].concat())?;
    let row = |line: &str| {
        let (name, result) = line.strip_prefix("runtime: ")?.split_once(": ")?;
        Some((name.to_string(), result.trim_end().to_string()))
    };
    let rows: Vec<Row> = console.lines().filter_map(row).collect();
    match rows.len() == RUNTIMES.report.matches("\nruntime ").count() {
        true => Ok(rows),
        false => Err(format!("{console}\nof some runtime nothing is said").into()),
    }
}

/// Each starts with the feature; on a stock boot none that pivots with it does so.
fn each_starts() -> Outcome {
    let on = rows("", &[IS_ON, "root: tmpfs"])?;
    let off = rows(OFF, &["root: rootfs"])?;
    let mut wrong = String::new();
    for ((name, with), (_, without)) in on.iter().zip(&off) {
        let pivots = with == "starts, by pivot_root";
        let starts = with.starts_with("starts, ");
        let same = with == without;
        if !starts || same == pivots && !name.starts_with(MOVES_FIRST) {
            wrong += &format!("{name}: {with}; with {OFF}: {without}\n");
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    count(on.len() as u64);
    record(&on, &off)
}

/// The page is written with `UPDATE=1`. What it says of a runtime in this version is compared.
fn record(on: &[Row], off: &[Row]) -> Outcome {
    let row =
        |((name, with), (_, without)): (&Row, &Row)| format!("| {name} | {with} | {without} |");
    let rows: Vec<String> = on.iter().zip(off).map(row).collect();
    let file = project_dir().join(PAGE);
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, page(&rows))?;
    }
    let old = fs::read_to_string(&file).unwrap_or_default();
    let of = |name: &str| {
        old.lines()
            .find(|line| line.starts_with(&format!("| {name} |")))
    };
    let stale = |(row, (name, _)): &(&String, &Row)| of(name).is_some_and(|old| old != *row);
    match rows.iter().zip(on).find(stale) {
        Some((row, _)) => Err(format!(
            "RUNTIMES.md is not up to date; UPDATE=1 make test T=runtimes writes it: {row}"
        )
        .into()),
        None => Ok(()),
    }
}

fn page(rows: &[String]) -> String {
    format!(
        "# Container runtimes\n\n\
         Debian 13's, on a machine that runs from its initramfs, with the feature and with `empty_rootfs=0`. Each runs\n\
         `busybox echo` once by itself, and once under strace, which tells by which call the root changes.\n\
         `make test T=runtimes` runs them, and with `UPDATE=1` writes this page.\n\n\
         | runtime | with the feature | with `empty_rootfs=0` |\n| --- | --- | --- |\n{}\n\n\
         ch-run moves another mount over the root before it pivots. That works on a stock boot as well, and leaves the\n\
         old root below. youki, which Debian does not have, has a case of its own: `make test T=youki`. snap-confine was\n\
         not tried: it wants a base snap from the network.\n",
        rows.join("\n")
    )
}

pub fn cases() -> Vec<Case> {
    vec![Case::new(
        "each_starts",
        "each container runtime of Debian 13 starts a container, most by pivot_root; on a stock boot those do not, or move the root instead",
        each_starts,
    )
    .needs(crate::appliance::NEEDS)
    .counting("container runtimes of Debian 13")
    .x86_only("the firmware is a PC's")]
}
