// SPDX-License-Identifier: GPL-2.0

//! How long it takes, in instructions, until PID 1 runs and until a container can pivot, and how long to
//! get rid of the initramfs.

use crate::{
    commas, each,
    payload::{Files, Payload},
    table, Result,
};
use boot_tests::{fact, Machine};
use std::{env, time::Duration};

pub const SIZES: [u64; 5] = [1, 8, 64, 256, 512];

/// The sizes that `SIZES` names, or all.
pub fn sizes() -> Result<Vec<u64>> {
    let Ok(text) = env::var("SIZES") else {
        return Ok(SIZES.into());
    };
    let sizes: std::result::Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
    match sizes {
        Ok(sizes) if !sizes.is_empty() && sizes.iter().all(|size| (1..=512).contains(size)) => {
            Ok(sizes)
        }
        _ => Err(format!("SIZES=\"{text}\" are not numbers of MiB from 1 to 512").into()),
    }
}

pub fn payloads() -> Result<Vec<Payload>> {
    let mut all = Vec::new();
    for mib in sizes()? {
        for files in [Files::Large, Files::Small] {
            for compressed in [false, true] {
                all.push(Payload {
                    mib,
                    files,
                    compressed,
                });
            }
        }
    }
    Ok(all)
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    /// A kernel without the option and without Rust.
    Stock,
    /// `empty_rootfs=0`
    Off,
    On,
    /// Off, and the system copied into a new tmpfs, in one of two ways.
    Cp,
    Tar,
    /// Linux 7.
    Nullfs,
}

impl Side {
    pub const ALL: [Side; 6] = [
        Side::Stock,
        Side::Off,
        Side::On,
        Side::Cp,
        Side::Tar,
        Side::Nullfs,
    ];

    fn pivots(self) -> bool {
        !matches!(self, Side::Stock | Side::Off)
    }

    pub fn machine(self, payload: &Payload, memory: u64, options: &str) -> Result<Machine> {
        let params = match self {
            Side::Stock | Side::On | Side::Nullfs => "",
            Side::Off => "empty_rootfs=0",
            Side::Cp => "empty_rootfs=0 copy=cp",
            Side::Tar => "empty_rootfs=0 copy=tar",
        };
        let mut machine =
            Machine::new("copied", &format!("quiet rdinit=/ready {params} {options}"));
        machine.kernel = match self {
            Side::Stock => "stock",
            Side::Nullfs => "nullfs",
            _ => "test",
        };
        machine.initrd = Some(payload.initrd()?);
        machine.memory = memory.try_into()?;
        machine.deadline = Duration::from_secs(3600);
        Ok(machine)
    }

    /// Whether all files came, and pivot_root(2) did what it does on this side.
    pub fn is_ready(self, console: &str) -> bool {
        let pivot = if self.pivots() { "ok" } else { "EINVAL" };
        let roots = if matches!(self, Side::Cp | Side::Tar) {
            2
        } else {
            1
        };
        console.matches("payload: whole\n").count() == roots
            && last(console, "pivot") == Some(pivot)
    }
}

/// What the guest printed last as `name: value`.
fn last<'a>(console: &'a str, name: &str) -> Option<&'a str> {
    console
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

pub fn number(console: &str, text: Option<&str>) -> Result<u64> {
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("{console}\na number is missing").into())
}

/// Instructions until PID 1 runs and until pivot_root(2) works, and KiB that are free then.
#[derive(Clone, Copy, PartialEq)]
struct Seen {
    to_pid_1: u64,
    to_pivot: u64,
    free_at_pid_1: u64,
    free_at_pivot: u64,
}

/// In MiB: enough for each side.
fn ample(payload: &Payload) -> u64 {
    payload.mib * 4 + 512
}

fn boot_with(side: Side, payload: &Payload, options: &str) -> Result<Seen> {
    let console = side
        .machine(payload, ample(payload), options)?
        .boot_counting_instructions()?;
    if !side.is_ready(&console) {
        return Err(format!("{console}\n{side:?} with {payload:?} did not get ready").into());
    }
    Ok(Seen {
        to_pid_1: number(&console, fact(&console, "instructions to PID 1"))?,
        to_pivot: number(&console, last(&console, "instructions to pivot"))?,
        free_at_pid_1: number(&console, fact(&console, "free to PID 1"))?,
        free_at_pivot: number(&console, last(&console, "free to pivot"))?,
    })
}

/// A boot; of the two that are compared to a thousandth, the middle one of three, whose command lines have
/// other lengths: where a tick of the timer falls makes as much of a difference.
fn boot(side: Side, payload: &Payload) -> Result<Seen> {
    if !matches!(side, Side::On | Side::Off) {
        return boot_with(side, payload, "");
    }
    let seen: Result<Vec<Seen>> = ["", "length=2", "length=three"]
        .into_iter()
        .map(|options| boot_with(side, payload, options))
        .collect();
    let mut seen = seen?;
    seen.sort_by_key(|seen| seen.to_pid_1);
    Ok(seen[1])
}

fn ratio(a: u64, b: u64) -> String {
    format!("{:.4}", a as f64 / b as f64)
}

pub fn run() -> Result<String> {
    let payloads = payloads()?;
    for payload in &payloads {
        payload.initrd()?;
    }
    let mut jobs = Vec::new();
    for payload in &payloads {
        for side in Side::ALL {
            jobs.push((side, payload));
        }
    }
    let seen = each(&jobs, |(side, payload)| boot(*side, payload))?;
    // The quick ones once more.
    let quick = payloads[0].mib.max(8);
    let again: Vec<_> = (0..jobs.len())
        .filter(|n| jobs[*n].1.mib <= quick)
        .collect();
    let repeated = each(&again, |n| boot(jobs[*n].0, jobs[*n].1))?;
    let same = again
        .iter()
        .zip(&repeated)
        .filter(|(n, boot)| seen[**n] == **boot)
        .count();

    let of = |payload: usize, side: Side| {
        let side = Side::ALL.iter().position(|s| *s == side).expect("in ALL");
        seen[payload * Side::ALL.len() + side]
    };
    let (mut to_pid_1, mut to_pivot, mut free) = (Vec::new(), Vec::new(), Vec::new());
    let mut worst: f64 = 0.0;
    for (n, payload) in payloads.iter().enumerate() {
        let [stock, off, on, cp, tar, nullfs] = Side::ALL.map(|side| of(n, side));
        worst = worst.max(on.to_pid_1 as f64 / off.to_pid_1 as f64);
        to_pid_1.push(format!(
            "{} | {} | {} | {} | {} | {}",
            payload.describe(),
            commas(stock.to_pid_1),
            commas(off.to_pid_1),
            commas(on.to_pid_1),
            ratio(on.to_pid_1, off.to_pid_1),
            commas(nullfs.to_pid_1),
        ));
        to_pivot.push(format!(
            "{} | never | {} | {} | {} | {} | {} | {}",
            payload.describe(),
            commas(on.to_pivot),
            commas(cp.to_pivot),
            ratio(cp.to_pivot, on.to_pivot),
            commas(tar.to_pivot),
            ratio(tar.to_pivot, on.to_pivot),
            commas(nullfs.to_pivot),
        ));
        free.push(format!(
            "{} | {} | {} | {} | {} | {}",
            payload.describe(),
            commas(off.free_at_pid_1),
            commas(on.free_at_pid_1),
            commas(off.free_at_pivot),
            commas(on.free_at_pivot),
            commas(cp.free_at_pivot),
        ));
    }

    let files = "payload | files | compression";
    Ok(format!(
        "Guest instructions, counted by QEMU's `-icount shift=0`. {} were counted twice: {same} of them gave \
         the same numbers. With the option on and with `empty_rootfs=0` they are the middle of three boots.\n\n\
         To PID 1. The kernel with the option on takes at most {worst:.5} times what it takes with \
         `empty_rootfs=0`. The stock kernel is without the option and without Rust; nullfs is Linux 7, \
         another kernel with costs of its own.\n\n{}\n\
         To the first moment at which a container can pivot. Copying is busybox's, into a new tmpfs, with \
         `switch_root`.\n\n{}\n\
         Free memory in KiB, of {} MiB and four times the payload.\n\n{}",
        again.len(),
        table(&format!("{files} | stock | empty_rootfs=0 | on | on / 0 | nullfs"), &to_pid_1),
        table(
            &format!("{files} | empty_rootfs=0 | on | cp -a | / on | tar \\| tar | / on | nullfs"),
            &to_pivot
        ),
        512,
        table(
            &format!("{files} | PID 1, empty_rootfs=0 | PID 1, on | later, empty_rootfs=0 | first container, on | first container, cp -a"),
            &free
        ),
    ))
}

/// Instructions for getting rid of the initramfs, and KiB that came back.
fn given_back(scenario: &'static str, params: &str, payload: &Payload) -> Result<(u64, u64)> {
    let mut machine = Machine::new(scenario, &format!("quiet {params}"));
    machine.initrd = Some(payload.initrd()?);
    machine.memory = ample(payload).try_into()?;
    machine.deadline = Duration::from_secs(3600);
    let console = machine.boot_counting_instructions()?;
    let value = |name: &str| number(&console, fact(&console, name));
    let instructions = value("instructions after")? - value("instructions before")?;
    Ok((
        instructions,
        value("free after")?.saturating_sub(value("free before")?),
    ))
}

pub fn giving_back() -> Result<String> {
    let payloads = [2, 5, 51, 512].map(|mib| Payload {
        mib,
        files: Files::Small,
        compressed: false,
    });
    let large = Payload {
        mib: 512,
        files: Files::Large,
        compressed: false,
    };
    let payloads: Vec<_> = payloads.into_iter().chain([large]).collect();
    for payload in &payloads {
        payload.initrd()?;
    }
    let ways = [
        ("pivot_by_hand", ""),
        ("switch_root_by_hand", ""),
        ("switch_root_by_hand", "empty_rootfs=0"),
    ];
    let jobs: Vec<_> = payloads
        .iter()
        .flat_map(|p| ways.map(|way| (p, way)))
        .collect();
    let seen = each(&jobs, |(payload, (scenario, params))| {
        given_back(scenario, params, payload)
    })?;
    let rows: Vec<_> = payloads
        .iter()
        .zip(seen.chunks(3))
        .map(|(payload, seen)| {
            let cells = seen
                .iter()
                .map(|(count, kib)| format!("{} | {}", commas(*count), commas(*kib)));
            let ratio = seen[2].0 as f64 / seen[0].0 as f64;
            format!(
                "{} | {} | {} | {ratio:.1}",
                payload.mib,
                commas(payload.count()),
                cells.collect::<Vec<_>>().join(" | ")
            )
        })
        .collect();
    Ok(format!(
        "From PID 1's decision to the next one, which has mounted /proc, on a tmpfs of its own: \
         `pivot_root(\".\", \".\")` and `umount2(\".\", MNT_DETACH)`, or busybox's `switch_root`, which deletes \
         file by file. KiB are what came back.\n\n{}",
        table(
            "MiB | files | pivot_root, on | KiB | switch_root, on | KiB | switch_root, empty_rootfs=0 | KiB | switch_root / pivot_root",
            &rows
        )
    ))
}
