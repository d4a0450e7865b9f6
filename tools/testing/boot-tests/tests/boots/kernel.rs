// SPDX-License-Identifier: GPL-2.0

//! What the option adds to the kernel.

use crate::{verdict::*, Case};
use boot_tests::{
    elf::{self, PLACES},
    pages, project_dir, target, Machine,
};
use libtest_mimic::Failed;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What an object defines, by name and by place: the section, and the offset there.
#[derive(Default)]
struct Symbols {
    places: HashMap<String, (String, i64)>,
    names: BTreeMap<(String, i64), String>,
}

impl Symbols {
    fn of(object: &Path) -> Result<Self, Failed> {
        let mut symbols = Self::default();
        for symbol in elf::symbols(object)? {
            let place = (symbol.section, symbol.address as i64);
            let known = symbols.names.entry(place.clone());
            let known = known.or_insert(symbol.name.clone());
            if symbol.name < *known {
                known.clone_from(&symbol.name);
            }
            symbols.places.insert(symbol.name, place);
        }
        Ok(symbols)
    }

    /// The name that lies nearest below a place, and how far: the order of variables is the compiler's.
    fn named(&self, section: &str, offset: i64) -> String {
        let below = self.names.range(..=(section.to_owned(), offset));
        match below.last() {
            Some(((same, start), name)) if same == section => format!("{name}{:+}", offset - start),
            _ => format!("{section}{offset:+}"),
        }
    }

    /// A relocation, whether the place that it means has a name that other objects know or not; `next` is the
    /// address of the next instruction, from which x86 counts.
    fn resolved(&self, line: &str, next: Option<i64>) -> Option<String> {
        let (at, rest) = line.trim().split_once(": R_")?;
        let (kind, target) = rest.split_once('\t')?;
        let sign = target.rfind("+0x").or(target.rfind("-0x"));
        let (name, addend) = target.split_at(sign.unwrap_or(target.len()));
        let addend = match addend.get(3..) {
            Some(digits) => i64::from_str_radix(&format!("{}{digits}", &addend[..1]), 16).ok()?,
            None => 0,
        };
        let from = match kind {
            "X86_64_PC32" | "X86_64_PLT32" => next? - i64::from_str_radix(at, 16).ok()?,
            _ => 0,
        };
        let (section, offset) = match self.places.get(name) {
            Some((section, offset)) => (&**section, *offset),
            // A relocation may name a section instead.
            None => (Some(name).filter(|name| name.starts_with('.'))?, 0),
        };
        Some(format!(
            "{kind} {}",
            self.named(section, offset + addend + from)
        ))
    }
}

/// The address in the line of an instruction.
fn address(line: &str) -> Option<i64> {
    i64::from_str_radix(line.split_once(":\t")?.0.trim(), 16).ok()
}

/// All sections of `object` that hold code, as instructions with their relocations.
fn disassembly(object: &Path) -> Result<String, Failed> {
    let symbols = Symbols::of(object)?;
    let out = target().tool("objdump").arg("-dr").arg(object).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() {
        return Err(format!("objdump of {}: {}", object.display(), out.status).into());
    }
    // The first lines name the file. What defines nothing but data has no code.
    let (_, code) = text.split_once("\nDisassembly of ").unwrap_or_default();
    let lines: Vec<_> = code.lines().collect();
    let line = |(i, line): (usize, &&str)| {
        let next = lines[i + 1..].iter().find_map(|line| address(line));
        symbols.resolved(line, next).unwrap_or((*line).into())
    };
    Ok((lines.iter().enumerate().map(line).collect::<Vec<_>>()).join("\n"))
}

/// The objects of `init/` and `fs/` below `dir`, relative to it.
fn objects(dir: &Path) -> Result<Vec<PathBuf>, Failed> {
    // Not what an earlier configuration has left there.
    let script = "for dir in init fs; do ar t $dir/built-in.a; done | sort";
    let out = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    Ok(text.lines().map(PathBuf::from).collect())
}

/// Without CONFIG_EMPTY_ROOTFS `init/` and `fs/` are the stock kernel's; with it they are not.
fn option_off_leaves_the_stock_disassembly() -> Outcome {
    let (stock, off) = (target().kernel("stock"), target().kernel("off"));
    let names = objects(&stock)?;
    if names.len() < 50 || names != objects(&off)? {
        return Err(format!("not the same objects: {names:?}").into());
    }
    let mut lines = 0;
    for name in &names {
        let code = disassembly(&stock.join(name))?;
        if code != disassembly(&off.join(name))? {
            return Err(format!("{} differs from the stock one", name.display()).into());
        }
        lines += code.lines().count();
    }
    if lines < 100_000 {
        return Err(format!("{lines} lines of code only").into());
    }
    let name = "init/initramfs.o";
    match disassembly(&stock.join(name))? != disassembly(&target().kernel("test").join(name))? {
        true => Ok(()),
        false => Err(format!("{name} is the stock one with the option on").into()),
    }
}

/// Other compilers than those of COSTS.md may differ from it by so much.
const MARGIN_IN_PERCENT: u64 = 10;

/// Whoever makes it more on purpose measures again.
fn as_committed(what: &str, here: u64, name: &str) -> Outcome {
    let committed = pages::figure(name)?;
    println!("{here} {what}");
    match here > 0 && here.abs_diff(committed) * 100 <= committed * MARGIN_IN_PERCENT {
        true => Ok(()),
        false => Err(format!(
            "{here} {what}; COSTS.md has {committed}, give or take \
             {MARGIN_IN_PERCENT} %. If that is meant, make bench writes the new figure."
        )
        .into()),
    }
}

/// Of the feature's own object, but for what ARM keeps of each `__init` function: 8 bytes that say how to
/// unwind it.
fn own_object_is_freed_after_boot() -> Outcome {
    let object = target().kernel("test").join("init/overmount_rootfs.o");
    let sections = elf::sections(&object)?;
    let stays = |(name, (place, size)): &(&String, &(usize, u64))| {
        *size > 0 && *name != ".ARM.exidx.init.text" && PLACES[*place] != ".init"
    };
    let resident: Vec<_> = sections.iter().filter(stays).collect();
    if !resident.is_empty() {
        return Err(format!("{resident:?} of {} stay", object.display()).into());
    }
    let bytes = sections.get(".init.text").map_or(0, |(_, size)| *size);
    match bytes {
        _ if target().arch.name == "x86_64" => {
            as_committed("bytes of .init.text in overmount_rootfs.o", bytes, "BYTES")
        }
        1..=1024 => Ok(()),
        _ => Err(format!("{bytes} bytes of .init.text").into()),
    }
}

/// All that the series adds to what vmlinux is linked from: with the option on against the stock kernel
/// with CONFIG_RUST.
fn nothing_is_resident() -> Outcome {
    let of = |kernel| -> Result<_, Failed> {
        Ok(elf::places(&target().kernel(kernel).join("vmlinux.o"))?)
    };
    let (on, stock) = (of("test")?, of("rust")?);
    let mut freed = 0;
    for (n, place) in PLACES.iter().enumerate() {
        // What is freed must be more: the comparison sees what there is.
        if (on[n] > stock[n]) != (*place == ".init") {
            let both = format!("{stock:?} bytes without the series, {on:?} with it");
            return Err(format!("{place}: {both}").into());
        }
        freed = on[n].saturating_sub(stock[n]);
    }
    match target().arch.name.as_str() {
        "x86_64" => as_committed("bytes that are freed after boot", freed, "FREED"),
        _ => Ok(()),
    }
}

/// Instructions from entry to return; the same each time.
fn overmounting_takes_as_many_instructions_as_committed() -> Outcome {
    let machine = Machine::new("facts", "quiet");
    let count = machine.count_instructions("overmount_rootfs")?;
    let again = machine.count_instructions("overmount_rootfs")?;
    if again != count {
        return Err(format!("{count} instructions, then {again}").into());
    }
    as_committed(
        "guest instructions in overmount_rootfs()",
        count,
        "INSTRUCTIONS",
    )
}

/// Whether the complaint that begins with `line` is the stock kernel's own.
fn is_of_stock(line: &str, touched: &str) -> bool {
    // Newer linkers drop the name of a weak function that is overridden, such as free_initmem(), and
    // objtool then wonders who calls it. Nothing of ours is in .text.
    let nameless = is(
        line,
        "vmlinux.o: warning: objtool: .text+0x*: unreachable instruction",
    );
    let file = line
        .split_once("build/linux/")
        .and_then(|(_, rest)| rest.split(':').next());
    nameless || file.is_some_and(|file| !touched.lines().any(|own| own == file))
}

/// But for what the stock kernel has in files that the series does not touch.
fn kernel_builds_without_warning() -> Outcome {
    let text = fs::read_to_string(target().kernel("test").join("warnings"))?;
    let touched = fs::read_to_string(project_dir().join("build/linux.files"))?;
    // What is indented belongs to the line above.
    let complaints = text.lines().filter(|line| !line.starts_with(' '));
    let ours: Vec<_> = complaints
        .filter(|line| !is_of_stock(line, &touched))
        .collect();
    match ours.is_empty() {
        true => Ok(()),
        false => Err(format!("{text}\n{ours:#?}").into()),
    }
}

/// The examples in the documentation of our modules, which KUnit runs while the kernel boots.
fn examples_hold() -> Outcome {
    let mut machine = Machine::new("facts", "");
    machine.kernel = "doctests";
    let console = expect(&machine, &[IS_ON])?;
    for module in ["init_context", "init_syscalls", "path"] {
        let passed = format!("*ok * rust_doctest_kernel_{module}_rs_0");
        check(&machine, &console, &[&passed])?;
    }
    match has(&console, "*not ok *") {
        true => Err(format!("{console}\nan example failed").into()),
        false => Ok(()),
    }
}

fn stock_kernel_cannot_pivot() -> Outcome {
    let mut machine = Machine::new("containers", "");
    for (kernel, seen) in [
        ("test", "runc: hello from a container"),
        ("stock", "runc: *pivot_root .: invalid argument*"),
    ] {
        machine.kernel = kernel;
        expect(&machine, &[seen])?;
    }
    Ok(())
}

pub fn cases() -> Vec<Case> {
    vec![
        case!(option_off_leaves_the_stock_disassembly).needs(["kernel stock", "kernel off"]),
        case!(stock_kernel_cannot_pivot).needs(["kernel stock"]),
        case!(own_object_is_freed_after_boot).quick(),
        case!(nothing_is_resident).needs(["kernel rust"]),
        case!(overmounting_takes_as_many_instructions_as_committed)
            .with_gdb()
            .x86_only("the figure is x86_64's"),
        case!(examples_hold).needs(["kernel doctests"]),
        case!(kernel_builds_without_warning).quick().bare(),
    ]
}
