// SPDX-License-Identifier: GPL-2.0

//! What the option adds to the kernel.

use crate::{verdict::*, Case};
use boot_tests::{image, kernel_dir, tool, Machine};
use libtest_mimic::Failed;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// All sections of `object` that hold code, as instructions with their relocations.
fn disassembly(object: &Path) -> Result<String, Failed> {
    let out = tool("objdump").arg("-dr").arg(object).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    // The first lines name the file.
    match text.split_once("\nDisassembly of ") {
        Some((_, code)) => Ok(code.into()),
        None => Ok(String::new()),
    }
}

/// The objects below `dir`, relative to it.
fn objects(dir: &Path) -> Result<Vec<PathBuf>, Failed> {
    // version-timestamp.o is made when a kernel is linked.
    let script = "find init fs -name '*.o' ! -name '.*' ! -name version-timestamp.o | sort";
    let out = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    Ok(text.lines().map(PathBuf::from).collect())
}

/// Without CONFIG_EMPTY_ROOTFS `init/` and `fs/` are the stock kernel's; with it they are not.
fn option_off_leaves_the_stock_disassembly() -> Outcome {
    let (stock, off) = (kernel_dir("stock")?, kernel_dir("off")?);
    let names = objects(&stock)?;
    if names.len() < 50 || names != objects(&off)? {
        return Err(format!("not the same objects: {names:?}").into());
    }
    for name in &names {
        if disassembly(&stock.join(name))? != disassembly(&off.join(name))? {
            return Err(format!("{} differs from the stock one", name.display()).into());
        }
    }
    let name = "init/initramfs.o";
    match disassembly(&stock.join(name))? != disassembly(&kernel_dir("kernel")?.join(name))? {
        true => Ok(()),
        false => Err(format!("{name} is the stock one with the option on").into()),
    }
}

fn nothing_is_resident_and_little_is_there() -> Outcome {
    let object = kernel_dir("kernel")?.join("init/overmount_rootfs.o");
    let out = tool("size").arg("-A").arg(&object).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let size = |name: &str| -> u64 {
        let line = text
            .lines()
            .find(|l| l.split_whitespace().next() == Some(name));
        line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    let resident = text
        .lines()
        .filter(|l| {
            [".text", ".data", ".rodata", ".bss"]
                .iter()
                .any(|s| l.starts_with(s))
        })
        .any(|l| l.split_whitespace().nth(1) != Some("0"));
    match size(".init.text") {
        1..=1024 if !resident => Ok(()),
        _ => Err(text.into()),
    }
}

/// Instructions from entry to return; the same each time.
fn overmounting_takes_at_most_45000_instructions() -> Outcome {
    let machine = Machine::new("facts", "nokaslr quiet");
    let count = machine.count_instructions("overmount_rootfs")?;
    println!("overmount_rootfs(): {count} instructions");
    let again = machine.count_instructions("overmount_rootfs")?;
    match (1..=45_000).contains(&count) && count == again {
        true => Ok(()),
        false => Err(format!("{count} instructions, then {again}").into()),
    }
}

fn kernel_builds_without_warning() -> Outcome {
    let text = fs::read_to_string(kernel_dir("kernel")?.join("warnings"))?;
    // The stock kernel's own: newer linkers drop the name of a weak function that is overridden,
    // such as free_initmem(), and objtool then wonders who calls it. Nothing of ours is in .text.
    let nameless = |line: &str| {
        line.starts_with("vmlinux.o: warning: objtool: .text+0x")
            && line.ends_with(": unreachable instruction")
    };
    match text.lines().all(nameless) {
        true => Ok(()),
        false => Err(text.into()),
    }
}

/// A stock kernel with the same configuration: what the feature adds to the image, and what lacks
/// without it.
fn stock_kernel_cannot_pivot() -> Outcome {
    let mut machine = Machine::new("containers", "");
    let mut sizes = Vec::new();
    for (kernel, seen) in [
        ("kernel", "runc: hello from a container"),
        ("stock", "pivot_root .: invalid argument"),
    ] {
        machine.kernel = kernel;
        expect(&machine, &[seen])?;
        sizes.push(fs::metadata(image(kernel))?.len());
    }
    println!(
        "image: {} bytes, stock without CONFIG_RUST {}",
        sizes[0], sizes[1]
    );
    Ok(())
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "option_off_leaves_the_stock_disassembly",
            "without the option init/ and fs/ are the stock kernel's, instruction by instruction",
            option_off_leaves_the_stock_disassembly,
        ),
        Case::new(
            "stock_kernel_cannot_pivot",
            "a stock kernel of the same configuration fails where this one pivots",
            stock_kernel_cannot_pivot,
        ),
        Case::new(
            "nothing_is_resident_and_little_is_there",
            "at most 1 KiB of .init.text, and nothing that stays",
            nothing_is_resident_and_little_is_there,
        ).quick(),
        Case::new(
            "overmounting_takes_at_most_45000_instructions",
            "overmount_rootfs() takes the same number of guest instructions each time, at most 45,000",
            overmounting_takes_at_most_45000_instructions,
        ),
        Case::new(
            "kernel_builds_without_warning",
            "compilers, objtool and modpost have nothing to say",
            kernel_builds_without_warning,
        ).quick(),
    ]
}
