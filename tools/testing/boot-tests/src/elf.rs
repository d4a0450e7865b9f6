// SPDX-License-Identifier: GPL-2.0

//! Object files: what of them is loaded, what of that stays, and their symbols.

use object::{elf::SHF_ALLOC, File, Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind};
use std::{collections::BTreeMap, fmt::Display, fs, path::Path};

/// What `look` finds in the file.
fn read<T>(path: &Path, look: impl FnOnce(&File) -> object::Result<T>) -> Result<T, String> {
    let failed = |e: &dyn Display| format!("{}: {e}", path.display());
    let bytes = fs::read(path).map_err(|e| failed(&e))?;
    let found = File::parse(&*bytes).and_then(|file| look(&file));
    found.map_err(|e| failed(&e))
}

/// What [`places()`] are called; the last one is freed after boot.
pub const PLACES: [&str; 5] = ["text", "read-only data", "data", "bss", ".init"];

/// Which of [`PLACES`] a section ends up in, if it is loaded.
fn place(section: &str, flags: SectionFlags) -> Option<usize> {
    let begins = |starts: &[&str]| starts.iter().any(|start| section.starts_with(start));
    let SectionFlags::Elf { sh_flags } = flags else {
        return None;
    };
    match section {
        // These the linker drops, or puts elsewhere.
        _ if begins(&[".discard", ".export_symbol", ".note"]) => None,
        _ if sh_flags & u64::from(SHF_ALLOC) == 0 => None,
        _ if begins(&[".init", ".con_initcall", ".exit"]) => Some(4),
        _ if section.contains("text") => Some(0),
        _ if begins(&[".data", ".ref.data"]) => Some(2),
        _ if begins(&[".bss"]) => Some(3),
        _ => Some(1),
    }
}

/// The sections that are loaded, each with its place in [`PLACES`] and its bytes.
pub fn sections(object: &Path) -> Result<BTreeMap<String, (usize, u64)>, String> {
    read(object, |file| {
        let mut sections = BTreeMap::new();
        for section in file.sections() {
            let name = section.name()?;
            if let Some(place) = place(name, section.flags()) {
                let known = sections.entry(name.to_owned()).or_insert((place, 0));
                known.1 += section.size();
            }
        }
        Ok(sections)
    })
}

/// How many bytes of `object` end up in each of [`PLACES`], less the strings that name source files: they depend on
/// where it was built.
pub fn places(object: &Path) -> Result<[u64; PLACES.len()], String> {
    let mut sizes = [0; PLACES.len()];
    for (place, size) in sections(object)?.into_values() {
        sizes[place] += size;
    }
    sizes[1] -= read(object, |file| {
        let mut names = 0;
        for section in file.sections() {
            if section.name()?.starts_with(".rodata.str") {
                let strings = section.data()?.split(|byte| *byte == 0);
                let sources = strings.filter(|string| string.starts_with(b"../"));
                names += sources.map(|name| name.len() as u64 + 1).sum::<u64>();
            }
        }
        Ok(names)
    })?;
    Ok(sizes)
}

/// What a file defines at a place of its own.
pub struct Symbol {
    pub name: String,
    pub section: String,
    pub address: u64,
}

/// But for sections, source files, and what assemblers leave in passing: binutils show none of these either.
pub fn symbols(object: &Path) -> Result<Vec<Symbol>, String> {
    read(object, |file| {
        let mut symbols = Vec::new();
        for symbol in file.symbols() {
            let name = symbol.name()?;
            let passing = name.is_empty() || name.starts_with('$') || name.starts_with(".L");
            let named =
                !passing && !matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File);
            if let (true, Some(section)) = (named, symbol.section_index()) {
                symbols.push(Symbol {
                    name: name.into(),
                    section: file.section_by_index(section)?.name()?.into(),
                    address: symbol.address(),
                });
            }
        }
        Ok(symbols)
    })
}
