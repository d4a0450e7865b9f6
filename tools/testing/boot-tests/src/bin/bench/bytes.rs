// SPDX-License-Identifier: GPL-2.0

//! What CONFIG_RUST and the option add to the kernel.

use crate::{commas, figure, figures, table, Result};
use boot_tests::{
    elf::{places, sections},
    target,
};
use std::fs;

pub fn run() -> Result<String> {
    // The one in the middle is without the series.
    let kernels = [
        ("stock", "off", "not there"),
        ("rust", "on", "not there"),
        ("test", "on", "on"),
    ];
    let mut rows = Vec::new();
    let mut all: Vec<Vec<u64>> = Vec::new();
    for (name, rust, option) in kernels {
        // In vmlinux, code is filled up to 2 MiB.
        let mut sizes = places(&target().kernel(name).join("vmlinux.o"))?.to_vec();
        sizes.insert(0, fs::metadata(target().image(name))?.len());
        let cells =
            sizes
                .iter()
                .enumerate()
                .map(|(n, size)| match all.last().map(|before| before[n]) {
                    Some(less) => format!("{} ({:+})", commas(*size), *size as i64 - less as i64),
                    None => commas(*size),
                });
        let cells = cells.collect::<Vec<_>>().join(" | ");
        rows.push(format!("{rust} | {option} | {cells}"));
        all.push(sizes);
    }
    let object = sections(&target().kernel("test").join("init/overmount_rootfs.o"))?;
    let own: Vec<_> = object
        .iter()
        .filter(|(_, (_, size))| *size > 0)
        .map(|(name, (_, size))| format!("`{name}` | {}", commas(*size)))
        .collect();
    let (image, init) = (0, 5);
    Ok(format!(
        "{}\n{}, in bytes, each row with the difference from the one above. The image is the file that is \
         booted; the rest is what vmlinux is linked from, less the names of source files, which depend on \
         where it is built. `.init` is freed after boot.\n\n{}\nThe feature's own object, `init/overmount_rootfs.o`, holds\n\n{}",
        figures(&[
            figure(
                "BYTES",
                object.get(".init.text").map_or(0, |(_, size)| *size),
                "bytes of `.init.text` of the feature's own object",
            ),
            figure(
                "FREED",
                all[2][init].saturating_sub(all[1][init]),
                "bytes that the series adds, all of which are freed after boot",
            ),
            figure(
                "RUST",
                all[1][image].saturating_sub(all[0][image]),
                "bytes that CONFIG_RUST adds to the image"
            ),
            figure("IMAGE", all[2][image], "bytes of the image"),
        ]),
        target().arch.name,
        table(
            "CONFIG_RUST | EMPTY_ROOTFS | image | text | read-only data | data | bss | .init",
            &rows
        ),
        table("section | bytes", &own)
    ))
}
