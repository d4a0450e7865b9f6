// SPDX-License-Identifier: GPL-2.0

//! Each case boots machines and judges by what a program in the guest saw, with the feature and,
//! as its control, without it.

mod again;
mod appliance;
mod archive;
mod attack;
mod boot;

mod containers;
mod debug;
mod faults;
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

use boot_tests::{project_dir, target};
use libtest_mimic::{Arguments, Completion, Trial};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use verdict::{is, Outcome};

/// A test and what it shows.
struct Case {
    name: &'static str,
    shows: &'static str,
    run: Box<dyn FnOnce() -> Outcome + Send>,
    /// In the quick set, which is for our kernel alone and takes a few minutes.
    quick: bool,
    /// It needs no packages in the guest.
    bare: bool,
    /// Why it is not run.
    left_out: Option<&'static str>,
    /// What has to be made first: scripts, each with its arguments.
    needs: Vec<String>,
}

impl Case {
    fn new(
        name: &'static str,
        shows: &'static str,
        run: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Self {
        Case {
            name,
            shows,
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

    /// It is run on x86_64 only, for the reason given.
    fn x86_only(self, why: &'static str) -> Self {
        self.only_on(&["x86_64"], why)
    }

    fn not_on_x86(mut self, why: &'static str) -> Self {
        if target().arch.name == "x86_64" {
            self.left_out = Some(why);
        }
        self
    }

    fn only_on(mut self, arches: &[&str], why: &'static str) -> Self {
        if !arches.contains(&target().arch.name.as_str()) {
            self.left_out = Some(why);
        }
        self
    }

    /// It is run where a firmware is known that starts `make appliance`'s file.
    fn where_there_is_a_firmware(mut self) -> Self {
        if target().arch.efi.is_empty() {
            self.left_out = Some("no firmware is known that starts it");
        }
        self
    }

    /// It is run where a file of the stock kernel has this text, for the reason given.
    fn where_stock_has(mut self, file: &str, text: &str, why: &'static str) -> Self {
        let file = project_dir().join("build/stock").join(file);
        if !fs::read_to_string(file).is_ok_and(|all| all.contains(text)) {
            self.left_out = Some(why);
        }
        self
    }

    /// It is run where the environment has this variable, for the reason given.
    fn where_given(mut self, variable: &str, why: &'static str) -> Self {
        if env::var_os(variable).is_none_or(|value| value.is_empty()) {
            self.left_out = Some(why);
        }
        self
    }

    /// It is not run where the kernel has no `initramfs_options=`, as before 6.12.54.
    fn about_options(self) -> Self {
        self.where_stock_has(
            "fs/namespace.c",
            "initramfs_options",
            "this kernel has no initramfs_options=",
        )
    }

    /// It is not run where the kernel is a program, for the reason given.
    fn machine_only(mut self, why: &'static str) -> Self {
        if target().arch.is_um() {
            self.left_out = Some(why);
        }
        self
    }
}

/// Cases on one thing.
struct Group {
    /// The first part of their names, the second of which is the case's: `root::no_mkdir`.
    name: &'static str,
    title: &'static str,
    cases: Vec<Case>,
}

fn groups() -> Vec<Group> {
    let group = |name, title, cases| Group { name, title, cases };
    vec![
        group("containers", "Who pivots", containers::cases()),
        group("root", "The root and what lies below", root::cases()),
        group("archive", "How the archive comes", archive::cases()),
        group("boot", "How the root goes on", boot::cases()),
        group("faults", "Faults", faults::cases()),
        group("selftest", "The kernel's selftest", selftest::cases()),
        group("kernel", "The kernel", kernel::cases()),
        group("types", "Types", types::cases()),
        group("variants", "Kernels built another way", variants::cases()),
        group(
            "usermode_helpers",
            "Usermode helpers",
            usermode_helpers::cases(),
        ),
        group("security", "Security modules", security::cases()),
        group(
            "input",
            "Bad input, which has the stock kernel's outcome",
            input::cases(),
        ),
        group("appliance", "An appliance", appliance::cases()),
        group(
            "runtimes",
            "The container runtimes of Debian 13",
            runtimes::cases(),
        ),
        group("peers", "Suites that others wrote", peers::cases()),
        group("again", "Again and again", again::cases()),
        group("attack", "Attacks", attack::cases()),
        group("debug", "Kernels that check themselves", debug::cases()),
    ]
}

/// What would belong here, and why it is not run.
const NOT_RUN: [(&str, &str); 2] = [
    (
        "Microcode that takes effect",
        "the emulated CPU takes none; that an archive may begin with it is run (`concatenated_archives`)",
    ),
    (
        "Boot loaders of a BIOS",
        "QEMU does it in their place, by the same boot protocol; those of UEFI are run (`grub_starts_it`)",
    ),
];

/// The page that lists the cases.
const PAGE: &str = "tools/testing/boot-tests/CASES.md";

fn page(groups: &[Group]) -> String {
    let mut page = String::from(
        "# What the boots show\n\n\
         Where a case shows something working with the feature, it also shows what happens with\n\
         `empty_rootfs=0` or on a stock kernel. `make test` runs those with a star, `make test-all` all.\n\
         A case is called `GROUP::NAME`. `make test T=GROUP` runs a group, and `make test T=WORDS` those that\n\
         have these words in their names: `T=xz`, `T=switch_root`. `UPDATE=1 make test T=page` writes this\n\
         page anew.\n",
    );
    for group in groups {
        page += &format!("\n## {} (`{}`)\n\n", group.title, group.name);
        for case in &group.cases {
            let star = if case.quick { " \\*" } else { "" };
            page += &format!("* `{}`{star}: {}\n", case.name, case.shows);
        }
    }
    page += "\n## Not run\n\n";
    for (what, why) in NOT_RUN {
        page += &format!("* {what}: {why}\n");
    }
    page
}

/// The page is written anew with `UPDATE=1`, and compared otherwise.
fn page_is_up_to_date(page: &str) -> Outcome {
    let file = project_dir().join(PAGE);
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, page)?;
    }
    match fs::read_to_string(&file)? == page {
        true => Ok(()),
        false => Err("CASES.md is not up to date; UPDATE=1 make test T=page writes it".into()),
    }
}

/// What a script says that needs more room than the disk has, and that one which has enough goes on.
fn full_disk_is_named() -> Outcome {
    let file = host::make(
        "room",
        "sh -c '. \"${0%/*}/lib.sh\"; room 0; echo goes on; room 1000000; echo and on' \
            $guest/../../../../scripts/setup >$1 2>&1 || :",
    )?;
    let expected = [
        "goes on",
        "setup: the disk of * GB left, and 1000000 are needed; please make room there",
    ];
    let text = fs::read_to_string(file)?;
    let said: Vec<&str> = text.lines().collect();
    match said.len() == expected.len()
        && said.iter().zip(expected).all(|(line, like)| is(line, like))
    {
        true => Ok(()),
        false => Err(text.into()),
    }
}

/// Whether all words of `filter` stand in `name`, in that order and with none in between. Where they are the
/// name of a group, it is that group.
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
    let mut groups = groups();
    let page = page(&groups);
    let page = Case::new("page_is_up_to_date", "", move || page_is_up_to_date(&page)).quick();
    groups.push(Group {
        name: "harness",
        title: "",
        cases: vec![
            page,
            Case::new("full_disk_is_named", "", full_disk_is_named).quick(),
        ],
    });
    let group_names: Vec<&str> = groups.iter().map(|group| group.name).collect();
    let named = |group: Group| {
        let name = move |case: Case| (format!("{}::{}", group.name, case.name), case);
        group.cases.into_iter().map(name)
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
        eprintln!(
            "boot-tests: no case has the words \"{filter}\" in its name; CASES.md lists them"
        );
        std::process::exit(1);
    }
    if until().is_some() {
        order(&mut cases, group_names.len());
    }
    for (_, case) in &mut cases {
        let why = if target().arch.is_um() && !case.quick {
            "User-Mode Linux runs the quick set"
        } else if target().arch.debian.is_empty() && !case.bare {
            "Debian has no packages for this architecture"
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
        if let Some(why) = case.left_out {
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
