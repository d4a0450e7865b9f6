// SPDX-License-Identifier: GPL-2.0

//! Up to 200 containers at once, with pivot_root and without.

use crate::{boots::number, commas, each, table, Result};
use boot_tests::{fact, Machine};
use std::time::Duration;

const COUNTS: [u64; 5] = [10, 50, 100, 180, 200];
const SIDES: [(&str, &str); 2] = [("--no-pivot", "empty_rootfs=0 no_pivot=1"), ("pivot", "")];
const HOSTS: [u64; 2] = [50, 500];

pub fn run() -> Result<String> {
    let jobs: Vec<_> = HOSTS
        .iter()
        .flat_map(|host| SIDES.map(|side| (*host, side)))
        .collect();
    let seen = each(&jobs, |(host, (_, params))| {
        let mut machine = Machine::new("many", &format!("quiet slab_nomerge host={host} {params}"));
        machine.kernel = "slab";
        machine.memory = 2048;
        machine.deadline = Duration::from_secs(3600);
        let console = machine.boot_counting_instructions()?;
        match fact(&console, "running") {
            Some("200") => Ok(console),
            _ => Err(format!("{console}\n200 containers did not start").into()),
        }
    })?;
    let value = |job: usize, name: String| number(&seen[job], fact(&seen[job], &name));
    let mut rows = Vec::new();
    for (job, (host, (side, _))) in jobs.iter().enumerate() {
        let none = value(job, "kernel with 0".into())?;
        for n in COUNTS {
            let one = value(job, format!("instructions with {n}"))?
                - value(job, format!("instructions before {n}"))?;
            rows.push(format!(
                "{host} | {side} | {n} | {} | {} | {}",
                commas(value(job, format!("mounts with {n}"))?),
                commas(value(job, format!("kernel with {n}"))?.saturating_sub(none)),
                commas(one)
            ));
        }
    }
    Ok(format!(
        "crun's containers, all running at once. Mounts are those of all namespaces together; KiB are slab, \
         per-CPU memory, page tables and kernel stacks, less what they were without containers; instructions \
         are those of the whole system while one more is started.\n\n{}",
        table("mounts on the host | way | containers | mounts in all | KiB in the kernel | instructions for one more", &rows)
    ))
}
