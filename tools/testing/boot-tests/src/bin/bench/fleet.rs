// SPDX-License-Identifier: GPL-2.0

//! What the other parts come to, for many machines.

use crate::{boots::sizes, commas, kept, Result};

const NODES: u64 = 10_000;

pub fn run() -> Result<String> {
    let size = sizes()?.into_iter().max().unwrap_or(0);
    let times = 1024 / size;
    let on = kept("memory", &format!("on {size} true 95 %"))?;
    let cp = kept("memory", &format!("cp {size} true 95 %"))?;
    let fast = kept("boots", &format!("on {size} Small true"))?;
    let slow = kept("boots", &format!("cp {size} Small true"))?;
    let memory = times * (cp - on);
    let boot = times * (slow - fast);
    Ok(format!(
        "{} nodes without a disk, each with an image of {} MiB, {times} times what was measured; both figures \
         grow with the size.\n\n\
         * Memory that a node must have only for copying, with `size=95%` and a compressed archive: \
         {times} × ({} − {}) MiB = {} MiB; all nodes {} GiB.\n\
         * Instructions of each boot that only copy, with many small files and a compressed archive: \
         {times} × ({} − {}) = {}; at 10⁹ instructions a second, and each node booted once, {} hours.\n",
        commas(NODES),
        commas(times * size),
        commas(cp),
        commas(on),
        commas(memory),
        commas(NODES * memory / 1024),
        commas(slow),
        commas(fast),
        commas(boot),
        commas(NODES * boot / 1_000_000_000 / 3600)
    ))
}
