// SPDX-License-Identifier: GPL-2.0

//! The smallest machine that still boots.

use crate::{
    boots::{sizes, Side},
    commas, each,
    payload::{Files, Payload},
    table, Result,
};
use std::{fs, time::Duration};

/// tmpfs holds half of memory by default.
const LIMITS: [(&str, &str); 2] = [
    ("half of memory", ""),
    ("95 %", "initramfs_options=size=95% size=95%"),
];

fn boots(side: Side, payload: &Payload, options: &str, mib: u64) -> Result<bool> {
    let mut machine = side.machine(payload, mib, options)?;
    // With next to no memory some stop early in the boot.
    machine.may_hang = true;
    machine.deadline = Duration::from_secs(60 + payload.mib);
    Ok(side.is_ready(&machine.boot()?))
}

/// The least number of MiB for which `works` holds, which is somewhere below `enough`.
fn least(guess: u64, enough: u64, works: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    let (mut fails, mut holds) = (0, enough);
    let mut next = guess;
    let mut step = 1;
    // Away from the guess in growing steps, until both sides are known.
    loop {
        if works(next)? {
            holds = next;
            next = next.saturating_sub(step).max(1);
        } else {
            fails = next;
            next += step;
        }
        if fails > 0 && holds < enough {
            break;
        }
        if next >= enough {
            return Err(format!("not even {enough} MiB are enough").into());
        }
        step *= 2;
    }
    while holds - fails > 1 {
        let middle = (holds + fails) / 2;
        match works(middle)? {
            true => holds = middle,
            false => fails = middle,
        }
    }
    Ok(holds)
}

pub fn run() -> Result<String> {
    let mut payloads = Vec::new();
    for mib in sizes()? {
        for compressed in [false, true] {
            payloads.push(Payload {
                mib,
                files: Files::Large,
                compressed,
            });
        }
    }
    for compressed in [false, true] {
        payloads.push(Payload {
            mib: 64,
            files: Files::Small,
            compressed,
        });
    }
    for payload in &payloads {
        payload.initrd()?;
    }
    let mut jobs = Vec::new();
    for payload in &payloads {
        for (limit, options) in LIMITS {
            jobs.push((payload, limit, options));
        }
    }
    let found = each(&jobs, |(payload, limit, options)| {
        let archive = fs::metadata(payload.initrd()?)?.len() >> 20;
        let enough = 4 * payload.mib + 512;
        // tmpfs counts as memory what does not hold the archive when it is mounted.
        let guess = match *limit {
            "95 %" => payload.mib + archive + 27,
            _ => 2 * payload.mib + archive + 24,
        };
        let off = least(guess, enough, |mib| boots(Side::Off, payload, options, mib))?;
        let on = least(off, enough, |mib| boots(Side::On, payload, options, mib))?;
        let cp = least((2 * payload.mib + 40).max(off), enough, |mib| {
            boots(Side::Cp, payload, options, mib)
        })?;
        Ok([off, on, cp])
    })?;

    let mut rows = Vec::new();
    let mut apart = 0;
    for ((payload, limit, _), [off, on, cp]) in jobs.iter().zip(&found) {
        apart = apart.max(on.abs_diff(*off));
        rows.push(format!(
            "{} | {limit} | {} | {} | {} | {}",
            payload.describe(),
            commas(*off),
            commas(*on),
            commas(*cp),
            commas(cp.saturating_sub(*on))
        ));
    }
    Ok(format!(
        "The smallest `-m` of QEMU, in MiB, with which all files arrive and PID 1 runs; with the copy, with \
         which it is complete as well. It is the same with the option and without, within {apart} MiB. \
         tmpfs takes at most half of memory, unless `initramfs_options=size=95%` says otherwise (for the \
         copy, its own option). While the kernel unpacks, the archive is there as well as the files.\n\n{}",
        table(
            "payload | files | compression | tmpfs takes | empty_rootfs=0 | on | cp -a | more than on",
            &rows
        )
    ))
}
