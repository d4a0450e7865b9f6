// SPDX-License-Identifier: GPL-2.0

//! Measures what the feature costs and what it saves, on this machine: `bench [PART]`. Each part is
//! written to build/bench, and all that are there make build/bench/report.md.

mod boots;
mod bytes;
mod containers;
mod fleet;
mod memory;
mod overmount;
mod payload;
mod plot;

use boot_tests::build_dir;
use std::{
    collections::BTreeMap,
    env, fs,
    path::PathBuf,
    process::ExitCode,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Mutex,
    },
    thread,
};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A part's name, its heading, and what writes its text.
type Part = (&'static str, &'static str, fn() -> Result<String>);

const PARTS: [Part; 7] = [
    (
        "boots",
        "Instructions to PID 1 and to the first container",
        boots::run,
    ),
    ("overmount", "`overmount_rootfs()` itself", overmount::run),
    ("memory", "Memory", memory::run),
    (
        "giving-back",
        "Giving the initramfs back",
        boots::giving_back,
    ),
    ("containers", "Containers at scale", containers::run),
    ("bytes", "Bytes", bytes::run),
    ("fleet", "A fleet on paper", fleet::run),
];

pub fn dir() -> PathBuf {
    build_dir().join("bench")
}

/// What a part has found and another one wants to know: name and number.
pub fn keep(part: &str, values: &BTreeMap<String, u64>) -> Result<()> {
    let text: String = values
        .iter()
        .map(|(name, value)| format!("{name} {value}\n"))
        .collect();
    fs::write(dir().join(format!("{part}.values")), text)?;
    Ok(())
}

pub fn kept(part: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(dir().join(format!("{part}.values"))).unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    match line {
        Some(value) => Ok(value.parse()?),
        None => Err(format!("\"{name}\" is not known; run make bench T={part} first").into()),
    }
}

/// `f` of each job, in as many threads as there are CPUs, until one fails.
pub fn each<T: Sync, R: Send>(jobs: &[T], f: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let work = || -> Result<()> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(n) else {
                return Ok(());
            };
            let result = f(job).inspect_err(|_| next.store(jobs.len(), Ordering::Relaxed))?;
            let mut done = done.lock().expect("nobody panics with it");
            done.insert(n, result);
            eprintln!("bench: {} of {}", done.len(), jobs.len());
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("no panic"))
    })?;
    Ok(done
        .into_inner()
        .expect("nobody panics with it")
        .into_values()
        .collect())
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

fn report() -> Result<String> {
    let mut text = String::from("# What EMPTY_ROOTFS costs and saves\n\nBy `make bench`.\n");
    for (name, heading, _) in PARTS {
        if let Ok(part) = fs::read_to_string(dir().join(format!("{name}.md"))) {
            text += &format!("\n## {heading}\n\n{part}\nAgain: `make bench T={name}`\n");
        }
    }
    Ok(text)
}

fn bench() -> Result<()> {
    let only = env::args().nth(1);
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if !PARTS.iter().any(|(name, ..)| wanted(name)) {
        let names: Vec<_> = PARTS.iter().map(|part| part.0).collect();
        return Err(format!("no such part; there are: {}", names.join(" ")).into());
    }
    let tmp = dir().join("tmp");
    // What an interrupted run has left holds another system.
    let _ = fs::remove_dir_all(&tmp);
    fs::create_dir_all(&tmp)?;
    for (name, heading, run) in PARTS {
        if wanted(name) {
            eprintln!("bench: {heading}");
            fs::write(dir().join(format!("{name}.md")), run()?)?;
            fs::write(dir().join("report.md"), report()?)?;
        }
    }
    fs::remove_dir_all(&tmp)?;
    println!("{}", dir().join("report.md").display());
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
