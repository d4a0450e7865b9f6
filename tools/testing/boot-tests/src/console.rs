// SPDX-License-Identifier: GPL-2.0

//! What a machine has printed.

/// What the guest printed as `name: value`.
pub fn fact<'a>(console: &'a str, name: &str) -> Option<&'a str> {
    console
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
