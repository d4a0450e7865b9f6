// SPDX-License-Identifier: GPL-2.0

//! Measures what the feature costs and what it saves: `bench [--needs] [PART]`. Each part is a section of
//! COSTS.md.

mod boots;
mod bytes;
mod containers;
mod memory;
mod overmount;
mod payload;
mod rust;

use boot_tests::{in_parallel, pages, target};
use std::{collections::BTreeSet, env, fs, path::PathBuf, process::ExitCode, thread};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// `f` of each job, as many at once as there are CPUs.
pub fn each<T: Sync, R: Send>(jobs: &[T], f: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    in_parallel(threads, jobs, |n, job| {
        let result = f(job)?;
        eprintln!("bench: job {} of {} is done", n + 1, jobs.len());
        Ok(result)
    })
}

/// A part's name, the heading of its section, the kernels that it measures besides the test kernel, and what
/// writes its text.
type Part = (
    &'static str,
    &'static str,
    fn() -> Result<Vec<String>>,
    fn() -> Result<String>,
);

const COSTS: &str = "COSTS.md";

/// The heading of a section that more than one architecture writes.
const RUST: &str = "What CONFIG_RUST costs, and with what less";

const PARTS: [Part; 7] = [
    (
        "boots",
        "Instructions to PID 1 and to the first container",
        || names(&["stock", "nullfs"]),
        boots::run,
    ),
    (
        "overmount",
        "`overmount_rootfs()` itself",
        || names(&[]),
        overmount::run,
    ),
    ("memory", "Memory", || names(&[]), memory::run),
    (
        "giving-back",
        "Giving the initramfs back",
        || names(&[]),
        boots::giving_back,
    ),
    (
        "containers",
        "Containers at scale",
        || names(&["slab"]),
        containers::run,
    ),
    ("bytes", "Bytes", || names(&["stock", "rust"]), bytes::run),
    ("rust", RUST, rust::needs, rust::run),
];

fn names(names: &[&str]) -> Result<Vec<String>> {
    Ok(names.iter().map(|name| name.to_string()).collect())
}

/// Where archives are made.
pub fn tmp() -> PathBuf {
    target().tmp("bench")
}

/// A figure that the project's pages and tests know by its name.
pub fn figure(name: &str, value: u64, what: &str) -> String {
    format!("`{name}` | {} | {what}", commas(value))
}

pub fn figures(rows: &[String]) -> String {
    table("figure | value | what it is", rows)
}

/// With commas between the thousands.
pub fn commas(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let mut text = String::from(head);
    for three in rest.as_bytes().chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text += std::str::from_utf8(three).expect("digits");
    }
    text
}

/// A Markdown table whose rows are cells joined by " | ".
pub fn table(head: &str, rows: &[String]) -> String {
    let columns = head.split(" | ").count();
    let mut text = format!("| {head} |\n|{}\n", " --- |".repeat(columns));
    for row in rows {
        text += &format!("| {row} |\n");
    }
    text
}

/// Puts a section into the page, in the place of what was there.
fn put(heading: &str, section: &str) -> Result<()> {
    let old = fs::read_to_string(pages::path(COSTS)).unwrap_or_default();
    let mut text = String::from(
        "# What EMPTY_ROOTFS costs and saves\n\n\
         `make bench` writes this page, in guest instructions that repeat exactly; `T=` names a part, and \
         `SIZES=\"1 8\"` the sizes in MiB. All of it takes about two hours.\n",
    );
    for (_, known, ..) in PARTS {
        let begin = format!("\n## {known}\n");
        let kept = old.split_once(&begin).map(|(_, rest)| {
            let end = rest.find("\n## ").unwrap_or(rest.len());
            &rest[..end]
        });
        let section = if known == heading {
            Some(section)
        } else {
            kept
        };
        text.extend(section.map(|section| begin + section));
    }
    fs::write(pages::path(COSTS), text)?;
    Ok(())
}

/// The kernel and the compilers that are measured.
fn measured() -> Result<String> {
    let dir = target().kernel("test");
    let release = fs::read_to_string(dir.join("include/config/kernel.release"))?;
    let config = fs::read_to_string(dir.join(".config"))?;
    let version = |tool: &str| {
        let key = format!("CONFIG_{tool}_VERSION_TEXT=");
        let line = config.lines().find_map(|line| line.strip_prefix(&key));
        let text = line.unwrap_or("unknown").trim_matches('"');
        text.split(" (built").next().unwrap_or(text).to_string()
    };
    Ok(format!(
        "Linux {}, {}, {}",
        release.trim(),
        version("CC"),
        version("RUSTC")
    ))
}

fn bench() -> Result<()> {
    let (needs, args): (Vec<_>, Vec<_>) = env::args().skip(1).partition(|arg| arg == "--needs");
    let mut parts = Vec::from(PARTS);
    if let [only] = &args[..] {
        parts.retain(|part| part.0 == only);
    }
    if parts.is_empty() {
        let names = PARTS.map(|part| part.0).join(" ");
        return Err(format!("no such part; there are: {names}").into());
    }
    if !needs.is_empty() {
        let mut kernels = BTreeSet::new();
        for part in parts {
            kernels.extend(part.2()?);
        }
        kernels.iter().for_each(|kernel| println!("{kernel}"));
        return Ok(());
    }
    // What an interrupted run has left holds another system.
    let _ = fs::remove_dir_all(tmp());
    fs::create_dir_all(tmp())?;
    let measured = measured()?;
    for (name, heading, _, run) in parts {
        eprintln!("bench: {heading}");
        let text = run()?;
        put(
            heading,
            &format!("\n{text}\n`make bench T={name}`, last on {measured}\n"),
        )?;
    }
    fs::remove_dir_all(tmp())?;
    println!("{}", pages::path(COSTS).display());
    Ok(())
}

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
