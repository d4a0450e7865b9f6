// SPDX-License-Identifier: GPL-2.0

//! Where the instructions of `overmount_rootfs()` go.

use crate::{commas, figure, figures, table, Result};
use boot_tests::{elf, target, Machine};
use std::collections::BTreeMap;

const FUNCTION: &str = "overmount_rootfs";

pub fn run() -> Result<String> {
    let machine = Machine::new("facts", "quiet");
    let counted = machine.count_instructions(FUNCTION)?;
    let vmlinux = target().kernel("test").join("vmlinux");
    let functions = elf::symbols(&vmlinux)?.into_iter();
    let symbols: BTreeMap<u64, String> = functions
        .filter(|symbol| symbol.section.contains("text"))
        .map(|symbol| (symbol.address, symbol.name))
        .collect();
    let trace = machine.trace(FUNCTION)?;

    let mut callees: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut functions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut callee = FUNCTION;
    let mut own = true;
    for address in &trace {
        let name = symbols
            .range(..=address)
            .next_back()
            .map_or("?", |(_, name)| name);
        *functions.entry(name).or_default() += 1;
        if name == FUNCTION {
            own = true;
            callee = FUNCTION;
        } else if own {
            own = false;
            callee = name;
            callees.entry(callee).or_default().1 += 1;
        }
        callees.entry(callee).or_default().0 += 1;
    }
    let total = trace.len() as u64;
    let share = |count: u64| format!("{:.1} %", 100.0 * count as f64 / total as f64);
    let mut by_callee: Vec<_> = callees.iter().collect();
    by_callee.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let mut by_function: Vec<_> = functions.iter().collect();
    by_function.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let called: Vec<_> = by_callee
        .iter()
        .map(|(name, (count, calls))| match **name == FUNCTION {
            true => format!("its own code | | {} | {}", commas(*count), share(*count)),
            false => format!(
                "`{name}` | {calls} | {} | {}",
                commas(*count),
                share(*count)
            ),
        })
        .collect();
    let busiest: Vec<_> = by_function
        .iter()
        .take(15)
        .map(|(name, count)| format!("`{name}` | {} | {}", commas(**count), share(**count)))
        .collect();
    let of = |name: &str| callees.get(name).map_or(0, |(count, _)| *count);
    let (mount, walk, log) = (of("init_mount"), of("kern_path"), of("_printk"));
    if mount == 0 || walk == 0 || log == 0 {
        return Err(format!("not all calls were seen: {called:#?}").into());
    }
    if total.abs_diff(counted) * 100 > counted {
        return Err(format!("{counted} instructions were counted, {total} were traced").into());
    }
    let percent = |count: u64| (100 * count + total / 2) / total;
    Ok(format!(
        "{}\nThey are counted in a recorded boot. All the rest takes {} ({}).\n\nWhat it calls, with what \
         that calls, each instruction looked at:\n\n{}\nThe functions that take most, by themselves:\n\n{}",
        figures(&[
            figure("INSTRUCTIONS", counted, "guest instructions of `overmount_rootfs()`, from entry to return"),
            figure("FLOOR", percent(mount + walk), "percent of them are one mount and one path walk"),
            figure("LOG", percent(log), "percent of them are the line in the log"),
        ]),
        commas(total - mount - walk - log),
        share(total - mount - walk - log),
        table("call | calls | instructions | share", &called),
        table("function | instructions | share", &busiest)
    ))
}
