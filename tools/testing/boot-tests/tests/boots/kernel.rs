// SPDX-License-Identifier: GPL-2.0

//! What the option adds to the kernel.

use crate::{verdict::*, Case};
use boot_tests::{arch, image, kernel_dir, tool, Machine};
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

/// What overmount_rootfs() takes with Debian 12's compilers on x86_64, in guest instructions and in bytes of
/// `.init.text`. Others may differ from it by so much. Whoever makes it more on purpose puts the new
/// figure here.
const INSTRUCTIONS: u64 = 31_450;
const BYTES: u64 = 856;
const MARGIN_IN_PERCENT: u64 = 10;

fn as_committed(what: &str, here: u64, committed: u64) -> Outcome {
    println!("overmount_rootfs(): {here} {what}");
    match here > 0 && here.abs_diff(committed) * 100 <= committed * MARGIN_IN_PERCENT {
        true => Ok(()),
        false => Err(format!(
            "overmount_rootfs() takes {here} {what}; committed in {} are {committed}, give or take \
             {MARGIN_IN_PERCENT} %. If that is meant, put the new figure there.",
            file!()
        )
        .into()),
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
    let bytes = size(".init.text");
    match bytes {
        _ if arch().name == "x86_64" => as_committed("bytes of .init.text", bytes, BYTES)?,
        1..=1024 => {}
        _ => return Err(text.into()),
    }
    // The stock kernel's messages stay, ours do not.
    let object = object.with_file_name("initramfs.o");
    let out = tool("readelf")
        .args(["-p", ".rodata.str1.1", "-p", ".rodata.str1.8"])
        .arg(object)
        .output()?;
    let strings = String::from_utf8_lossy(&out.stdout);
    if !strings.contains("rootfs image is not initramfs") || strings.contains("empty_rootfs:") {
        return Err(strings.into());
    }
    match resident {
        true => Err(text.into()),
        false => Ok(()),
    }
}

/// Instructions from entry to return; the same each time.
fn overmounting_takes_as_many_instructions_as_committed() -> Outcome {
    let machine = Machine::new("facts", "nokaslr quiet");
    let count = machine.count_instructions("overmount_rootfs")?;
    let again = machine.count_instructions("overmount_rootfs")?;
    if again != count {
        return Err(format!("{count} instructions, then {again}").into());
    }
    as_committed("guest instructions", count, INSTRUCTIONS)
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
            "nothing that stays, and on x86_64 as many bytes of .init.text as committed, give or take 10 %, elsewhere at most 1 KiB",
            nothing_is_resident_and_little_is_there,
        ).quick(),
        Case::new(
            "overmounting_takes_as_many_instructions_as_committed",
            "overmount_rootfs() takes the same number of guest instructions each time, and as many as committed, give or take 10 %",
            overmounting_takes_as_many_instructions_as_committed,
        )
        .x86_only("the figure is x86_64's"),
        Case::new(
            "kernel_builds_without_warning",
            "compilers, objtool and modpost have nothing to say",
            kernel_builds_without_warning,
        ).quick(),
    ]
}
