// SPDX-License-Identifier: GPL-2.0

//! Each case boots machines and judges by what a program in the guest saw, with the feature and,
//! as its control, without it.

/// A function as the case of that name.
macro_rules! case {
    ($run:ident) => {
        crate::Case::new(stringify!($run), $run)
    };
}

mod again;
mod appliance;
mod archive;
mod attack;
mod boot;
mod containers;
mod debug;
mod faults;
mod harness;
mod host;
mod input;
mod kernel;
mod peers;
mod root;
mod runtimes;
mod security;
mod selftest;
mod types;
mod usermode_helpers;
mod variants;
mod verdict;

use boot_tests::{config_word, pages, project_dir, target};
use libtest_mimic::{Arguments, Completion, Trial};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use verdict::Outcome;

/// A test; CASES.md says what it shows.
struct Case {
    name: &'static str,
    run: Box<dyn FnOnce() -> Outcome + Send>,
    /// In the quick set, which is for our kernel alone and takes a few minutes.
    quick: bool,
    /// It needs no packages in the guest.
    bare: bool,
    /// Why it is not run.
    left_out: Option<String>,
    /// What has to be made first: scripts, each with its arguments.
    needs: Vec<String>,
}

impl Case {
    fn new(name: &'static str, run: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Case {
            name,
            run: Box::new(run),
            quick: false,
            bare: false,
            left_out: None,
            needs: Vec::new(),
        }
    }

    fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// scripts/prove runs these scripts first, as `kernel debug`.
    fn needs<T: Into<String>>(mut self, scripts: impl IntoIterator<Item = T>) -> Self {
        self.needs.extend(scripts.into_iter().map(T::into));
        self
    }

    /// The machine runs under the debugger.
    fn with_gdb(self) -> Self {
        self.needs([format!("setup {}", target().arch.gdb)])
    }

    /// It is left out for the reason given, unless it can be run.
    fn skip_unless(mut self, can: bool, why: &str) -> Self {
        if !can {
            self.left_out = Some(why.into());
        }
        self
    }

    fn only_on(self, arches: &[&str], why: &str) -> Self {
        self.skip_unless(arches.contains(&&*target().arch.name), why)
    }

    fn x86_only(self, why: &str) -> Self {
        self.only_on(&["x86_64"], why)
    }

    /// It is not run where the kernel is a program.
    fn machine_only(self, why: &str) -> Self {
        self.skip_unless(!target().arch.is_um(), why)
    }

    /// It is run where a file of the stock kernel has this text.
    fn where_stock_has(self, file: &str, text: &str, why: &str) -> Self {
        let file = fs::read_to_string(project_dir().join("build/stock").join(file));
        self.skip_unless(file.is_ok_and(|all| all.contains(text)), why)
    }

    /// It is not run where the kernel has no `initramfs_options=`, as before 6.12.54.
    fn about_options(self) -> Self {
        self.where_stock_has(
            "fs/namespace.c",
            "initramfs_options",
            "this kernel has no initramfs_options=",
        )
    }
}

/// Groups of cases. The group's name is the first part of theirs, as `root` of `root::initramfs_options_arrive`.
fn groups() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("containers", containers::cases()),
        ("root", root::cases()),
        ("archive", archive::cases()),
        ("boot", boot::cases()),
        ("faults", faults::cases()),
        ("selftest", selftest::cases()),
        ("kernel", kernel::cases()),
        ("types", types::cases()),
        ("variants", variants::cases()),
        ("usermode_helpers", usermode_helpers::cases()),
        ("security", security::cases()),
        ("input", input::cases()),
        ("appliance", appliance::cases()),
        ("runtimes", runtimes::cases()),
        ("peers", peers::cases()),
        ("again", again::cases()),
        ("attack", attack::cases()),
        ("debug", debug::cases()),
        ("harness", harness::cases()),
    ]
}

/// Whether all words of `filter` stand in `name`, in that order and with none in between. Where they are the
/// name of a group, it is that group. The suites of others take hours: who wants one names their group.
fn matches(name: &str, filter: &str, groups: &[&str]) -> bool {
    if groups.contains(&filter) {
        return name.split("::").next() == Some(filter);
    }
    let words = |text: &str| -> Vec<String> {
        text.split([':', '_', ' '])
            .filter(|word| !word.is_empty())
            .map(String::from)
            .collect()
    };
    let (name, filter) = (words(name), words(filter));
    if name[0] == "peers" && filter.first() != Some(&name[0]) {
        return filter.is_empty();
    }
    filter.is_empty() || name.windows(filter.len()).any(|part| part == filter)
}

/// `UNTIL`, in seconds since the epoch: what has not begun by then is left out.
fn until() -> Option<SystemTime> {
    let seconds = env::var("UNTIL").ok()?.parse().ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Says when a case was last run: a file of its own, as several may end at once.
fn ran(name: &str) -> PathBuf {
    target().out.join("ran").join(name.replace("::", "."))
}

/// Where not all may get their turn: what has not been run for longest comes first; where that is not
/// known, another group comes first for each number of `START`.
fn order(cases: &mut [(String, Case)], groups: usize) {
    let start: usize = env::var("START").map_or(0, |text| text.parse().unwrap_or(0));
    let group = |name: &str| name.split("::").next().map(String::from);
    let mut seen = Vec::new();
    for (name, _) in cases.iter() {
        if !seen.contains(&group(name)) {
            seen.push(group(name));
        }
    }
    cases.sort_by_key(|(name, _)| {
        let last = fs::metadata(ran(name)).and_then(|file| file.modified());
        let at = seen.iter().position(|other| *other == group(name));
        let turn = (at.unwrap_or(0) + groups - start % groups) % groups;
        (last.unwrap_or(UNIX_EPOCH), turn)
    });
}

/// What was made for this run, if scripts/prove has begun it.
fn made() -> Option<Vec<String>> {
    let made = env::var("MADE").ok()?;
    Some(made.lines().map(String::from).collect())
}

/// The architectures that a kernel is for, if this is none of them.
fn for_others(need: &str) -> Option<String> {
    let kernel = need.strip_prefix("kernel ")?;
    let file = pages::path("kernels").join(format!("{kernel}.config"));
    let arches = config_word(&fs::read_to_string(file).ok()?, "arches");
    (!target().arch.is_among(&arches)).then_some(arches)
}

/// Prints what these cases need, once each.
fn print_needs(cases: &[(String, Case)]) {
    let mut printed = BTreeSet::new();
    for need in cases.iter().flat_map(|(_, case)| &case.needs) {
        if printed.insert(need) {
            println!("{need}");
        }
    }
}

fn main() {
    let (needs, args): (Vec<_>, Vec<_>) = env::args().partition(|arg| arg == "--needs");
    let mut arguments = Arguments::from_iter(args);
    // Machines that take turns on the CPUs only get slower; of programs four are a little faster than two.
    let threads = if target().arch.is_um() { 4 } else { 2 };
    arguments.test_threads.get_or_insert(threads);
    let groups = groups();
    let group_names: Vec<&str> = groups.iter().map(|group| group.0).collect();
    let named = |(group, cases): (&'static str, Vec<Case>)| {
        let name = move |case: Case| (format!("{group}::{}", case.name), case);
        cases.into_iter().map(name)
    };
    let mut cases: Vec<(String, Case)> = groups.into_iter().flat_map(named).collect();
    let all = cases.len();
    let (filter, exact) = (arguments.filter.take(), arguments.exact);
    cases.retain(|(name, case)| {
        let chosen = arguments.include_ignored || case.quick != arguments.ignored;
        let named = filter.as_ref().is_none_or(|filter| match exact {
            true => name == filter,
            false => matches(name, filter, &group_names),
        });
        chosen && named
    });
    arguments.ignored = false;
    arguments.include_ignored = false;
    arguments.exact = false;
    if cases.is_empty() {
        let filter = filter.unwrap_or_default();
        let page = "tools/testing/boot-tests/CASES.md";
        eprintln!("boot-tests: no case has the words \"{filter}\" in its name; {page} lists them");
        std::process::exit(1);
    }
    if until().is_some() {
        order(&mut cases, group_names.len());
    }
    let arch = &target().arch;
    for (_, case) in &mut cases {
        let why = if arch.is_um() && !case.quick {
            "User-Mode Linux runs the quick set".into()
        } else if arch.debian.is_empty() && !case.bare {
            "Debian has no packages for this architecture".into()
        } else if let Some(arches) = case.needs.iter().find_map(|need| for_others(need)) {
            format!("its kernel is for {arches} alone")
        } else {
            continue;
        };
        case.left_out.get_or_insert(why);
    }
    if !needs.is_empty() {
        cases.retain(|(_, case)| case.left_out.is_none());
        return print_needs(&cases);
    }
    println!("boot-tests: {} of {all} cases", cases.len());

    // What was left out, by the reason.
    static SKIPPED: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());
    let skip = |why: &str, name: String| {
        let mut skipped = SKIPPED.lock().expect("nobody panics with it");
        skipped.entry(why.into()).or_default().push(name);
    };
    let made = made();
    let mut trials = Vec::new();
    for (name, case) in cases {
        if let Some(why) = &case.left_out {
            skip(why, name);
            continue;
        }
        let lacks = |need: &&String| made.as_ref().is_some_and(|made| !made.contains(need));
        if let Some(need) = case.needs.iter().find(lacks) {
            skip(&format!("not made: {need}"), name);
            continue;
        }
        let own = name.clone();
        trials.push(Trial::ignorable_test(name, move || {
            if until().is_some_and(|until| SystemTime::now() > until) {
                skip("no time left", own);
                return Ok(Completion::ignored());
            }
            let outcome = (case.run)();
            let _ = fs::create_dir_all(target().out.join("ran"));
            let _ = fs::write(ran(&own), "");
            outcome.map(|()| Completion::Completed)
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if arguments.list {
        return;
    }
    let skipped = SKIPPED.lock().expect("nobody panics with it");
    for (why, names) in skipped.iter() {
        println!("left out ({}), {why}: {}", names.len(), names.join(", "));
    }
    println!(
        "boot-tests: {} passed, {} failed, {} skipped",
        conclusion.num_passed,
        conclusion.num_failed,
        skipped.values().map(Vec::len).sum::<usize>()
    );
    if filter.is_some() && conclusion.num_passed + conclusion.num_failed == 0 {
        eprintln!("boot-tests: what was asked for was not run");
        std::process::exit(1);
    }
    conclusion.exit();
}
