// SPDX-License-Identifier: GPL-2.0

//! The same boot many times over.

use crate::{verdict::*, Case};
use boot_tests::{in_parallel, target, Machine};
use libtest_mimic::Failed;
use std::{collections::BTreeMap, env};

/// How many helpers ran in a boot in which each uevent starts one, from the first on.
fn helpers(cpus: u32, params: &str) -> Result<u64, Failed> {
    let mut machine = Machine::new("helpers", params);
    machine.kernel = "helper";
    machine.initrd = Some(target().base());
    machine.cpus = cpus;
    machine.one_thread = cpus > 2;
    let console = expect(&machine, &["SCENARIO-END helpers"])?;
    if has(&console, IS_ON) != params.is_empty() {
        return Err(format!("{console}\non, where it should be off, or off").into());
    }
    match number(&console, "helpers")? {
        0 => Err(format!("{console}\nno helper ran").into()),
        count => Ok(count),
    }
}

/// `N` boots on 1, 2 and 8 CPUs by turns.
fn again_and_again() -> Outcome {
    let boots: usize = env::var("N").map_or(Ok(12), |n| n.parse())?;
    let cpus = [1, 2, 8];
    let mut stock = BTreeMap::new();
    for cpus in cpus {
        stock.insert(cpus, helpers(cpus, OFF)?);
    }
    // They sleep for most of the time.
    let wrong = in_parallel(4, &vec![(); boots], |boot, ()| -> Result<_, Failed> {
        let cpus = cpus[boot % cpus.len()];
        let count = helpers(cpus, "")?;
        let other = count != stock[&cpus];
        Ok(other.then(|| format!("boot {boot}, {cpus} CPUs: {count} helpers")))
    })?;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    println!(
        "{boots} boots; helpers by CPUs: {stock:?}; other counts: {}",
        wrong.len()
    );
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("stock: {stock:?}; {wrong:#?}").into()),
    }
}

/// Guest instructions until PID 1 runs.
fn instructions(params: &str) -> Result<u64, Failed> {
    let mut machine = Machine::new("facts", &format!("quiet rdinit=/tsc {params}"));
    machine.initrd = Some(target().base());
    let console = machine.boot_counting_instructions()?;
    number(&console, "instructions to PID 1")
}

/// It is one number, however often one boots, and hardly more than on a stock boot.
fn instructions_to_pid_1_repeat() -> Outcome {
    let (on, off) = (instructions("")?, instructions(OFF)?);
    for _ in 0..3 {
        let again = instructions("")?;
        if again != on {
            return Err(format!("{on} instructions, then {again}").into());
        }
    }
    println!("instructions to PID 1: {on}, with empty_rootfs=0 {off}");
    match on * 1000 <= off * 1001 {
        true => Ok(()),
        false => Err(format!("{on} instructions to PID 1, with empty_rootfs=0 {off}").into()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case!(again_and_again).needs(["kernel helper"]),
        case!(instructions_to_pid_1_repeat).x86_only("the time stamp counter is read"),
    ]
}
