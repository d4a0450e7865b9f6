// SPDX-License-Identifier: GPL-2.0

//! What CONFIG_RUST and the option add to the kernel.

use crate::{commas, table, Result};
use boot_tests::{
    arch, image, kernel_dir,
    sections::{place, places, sections},
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
    let mut before: Vec<u64> = Vec::new();
    for (name, rust, option) in kernels {
        // In vmlinux, code is filled up to 2 MiB.
        let mut sizes = places(&kernel_dir(name)?.join("vmlinux.o"))?.to_vec();
        sizes.insert(0, fs::metadata(image(name))?.len());
        let cells = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| match before.get(n) {
                Some(less) => format!("{} ({:+})", commas(*size), *size as i64 - *less as i64),
                None => commas(*size),
            });
        rows.push(format!(
            "{rust} | {option} | {}",
            cells.collect::<Vec<_>>().join(" | ")
        ));
        before = sizes;
    }
    let object = sections(&kernel_dir("test")?.join("init/overmount_rootfs.o"))?;
    let own: Vec<_> = object
        .iter()
        .filter(|(name, size)| **size > 0 && place(name).is_some())
        .map(|(name, size)| format!("`{name}` | {}", commas(*size)))
        .collect();
    Ok(format!(
        "{}, in bytes, each row with the difference from the one above. The image is the file that is \
         booted; the rest is what vmlinux is linked from, less the names of source files, which depend on \
         where it is built. `.init` is freed after boot.\n\n{}\nThe feature's own object, `init/overmount_rootfs.o`, holds\n\n{}",
        arch().name,
        table(
            "CONFIG_RUST | EMPTY_ROOTFS | image | text | read-only data | data | bss | .init",
            &rows
        ),
        table("section | bytes", &own)
    ))
}
