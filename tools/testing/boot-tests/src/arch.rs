// SPDX-License-Identifier: GPL-2.0

//! What differs between architectures: a file for each in `arches/`, which the scripts read as well.

use std::{fs, path::Path};

/// An architecture, as its file describes it.
pub struct Arch {
    /// The file's name.
    pub name: String,
    /// What Debian calls it; nothing if it has no packages for it.
    pub debian: String,
    /// The kernel's image in the directory where it is built.
    pub image: String,
    /// The emulator and its machine; nothing if the kernel is a program.
    pub qemu: Vec<String>,
    /// Kernel parameters.
    pub params: String,
    /// What UEFI calls it; nothing if no firmware is known, which is this file of that package.
    pub efi: String,
    pub firmware: String,
    pub firmware_package: String,
    pub gdb: String,
    /// For gdb: what holds a function's result, and at its first instruction the return address.
    pub result: String,
    pub return_address: String,
    /// The instructions that call, and their size in bytes.
    pub calls: Vec<String>,
    pub call_size: u32,
}

/// What a file in `arches/` or `kernels/` says in its first line that begins with `#: ` and this word.
pub fn config_word(text: &str, key: &str) -> String {
    let value = |line: &str| {
        let (name, value) = line.strip_prefix("#: ")?.split_once(' ')?;
        (name == key).then(|| value.to_string())
    };
    text.lines().find_map(value).unwrap_or_default()
}

impl Arch {
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let word = |key: &str| config_word(&text, key);
        let words = |key| {
            word(key)
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(String::from)
                .collect()
        };
        Ok(Arch {
            name: file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into(),
            debian: word("debian"),
            image: word("image"),
            qemu: words("qemu"),
            params: word("params"),
            efi: word("efi"),
            firmware: word("firmware"),
            firmware_package: word("firmware-package"),
            gdb: word("gdb"),
            result: word("gdb-result"),
            return_address: word("gdb-return-address"),
            calls: words("gdb-calls"),
            call_size: word("gdb-call-size").parse().unwrap_or(0),
        })
    }

    /// Whether it is one of those in a list of words. An empty list is of all.
    pub fn is_among(&self, arches: &str) -> bool {
        arches.is_empty() || arches.split(' ').any(|arch| arch == self.name)
    }

    /// Whether it is User-Mode Linux, where the kernel is a program.
    pub fn is_um(&self) -> bool {
        self.qemu.is_empty()
    }
}
