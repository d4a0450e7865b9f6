// SPDX-License-Identifier: GPL-2.0

//! Each case boots machines and judges by what a program in the guest saw, with the feature and,
//! as its control, without it.

mod again;
mod archive;
mod attack;
mod boot;
mod containers;
mod debug;
mod faults;
mod helpers;
mod host;
mod input;
mod kernel;
mod root;
mod security;
mod selftest;
mod verdict;

use boot_tests::{arch, build_dir, kernel_dir};
use libtest_mimic::{Arguments, Completion, Trial};
use std::{
    env, fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use verdict::{Outcome, COUNT};

/// A test and what it shows.
struct Case {
    name: &'static str,
    shows: &'static str,
    run: Box<dyn FnOnce() -> Outcome + Send>,
    /// In the quick set, which is for our kernel alone and takes a few minutes.
    quick: bool,
    /// What it counts, for the table of `make counts`.
    counts: Option<&'static str>,
    /// Why it is run on x86_64 only.
    x86_only: Option<&'static str>,
    /// Why it is not run where the kernel is a program.
    machine_only: Option<&'static str>,
    /// Whether it is about Linux 6.18, for which there is no package.
    linux_6_18: bool,
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
            counts: None,
            x86_only: None,
            machine_only: None,
            linux_6_18: false,
        }
    }

    fn linux_6_18(self) -> Self {
        Case {
            linux_6_18: true,
            ..self
        }
    }

    /// It is left out, for the reason given, where the kernel is a program.
    fn machine_only(self, why: &'static str) -> Self {
        Case {
            machine_only: Some(why),
            ..self
        }
    }

    /// Why it is left out here.
    fn left_out(&self) -> Option<&'static str> {
        match (self.x86_only, self.machine_only) {
            (Some(why), _) if arch().name != "x86_64" => Some(why),
            (_, Some(why)) if arch().is_program() => Some(why),
            _ if arch().is_program() && !self.quick => {
                Some("where the kernel is a program the quick set is run")
            }
            _ if self.linux_6_18 && !release().starts_with("6.18.") => {
                Some("SKIP: KSRC= does not name a tree of Linux 6.18")
            }
            _ => late().then_some("no time left"),
        }
    }

    /// It is left out on other architectures, for the reason given, and does not count as passed.
    fn x86_only(self, why: &'static str) -> Self {
        Case {
            x86_only: Some(why),
            ..self
        }
    }

    fn quick(self) -> Self {
        Case {
            quick: true,
            ..self
        }
    }

    fn counting(self, what: &'static str) -> Self {
        Case {
            counts: Some(what),
            ..self
        }
    }

    /// Runs the case; if it passes, what it has counted is kept in `build/counts`.
    fn prove(self) -> Outcome {
        let Some(what) = self.counts else {
            return (self.run)();
        };
        let dir = build_dir().join("counts");
        let file = dir.join(self.name);
        fs::create_dir_all(dir)?;
        let _ = fs::remove_file(&file);
        COUNT.set(0);
        (self.run)()?;
        fs::write(file, format!("{} {what}\n", COUNT.take()))?;
        Ok(())
    }
}

/// What would belong here, and why it is not run.
const NOT_RUN: [(&str, &str); 2] = [
    (
        "Microcode that takes effect",
        "the emulated CPU takes none; that an archive may begin with it is run (`concatenated_archives`)",
    ),
    (
        "Boot loaders and their ways to hand over the archive",
        "QEMU does it in their place, by the same boot protocol; the kernel reads the archive in one way",
    ),
];

/// The page that lists the cases.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/CASES.md");

fn page(groups: &[(&str, Vec<Case>)]) -> String {
    let mut page = String::from(
        "# What the boots show\n\n\
         Where a case shows something working with the feature, it also shows what happens with\n\
         `empty_rootfs=0` or on a stock kernel. `make test` runs those with a star, `make test-all` all,\n\
         and `make test T=NAME` those that have NAME in their names. `UPDATE=1 make test T=page` writes\n\
         this page anew.\n",
    );
    for (title, cases) in groups {
        page += &format!("\n## {title}\n\n");
        for case in cases {
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
    if env::var_os("UPDATE").is_some() {
        fs::write(PAGE, page)?;
    }
    match fs::read_to_string(PAGE)? == page {
        true => Ok(()),
        false => Err("CASES.md is not up to date; UPDATE=1 make test T=page writes it".into()),
    }
}

/// What our kernel calls itself.
fn release() -> String {
    let file = kernel_dir("kernel").map(|dir| dir.join("include/config/kernel.release"));
    file.ok()
        .and_then(|file| fs::read_to_string(file).ok())
        .unwrap_or_default()
}

/// Whether it is past `UNTIL`, in seconds since the epoch. What has not begun by then is left out.
fn late() -> bool {
    let until = env::var("UNTIL").ok().and_then(|text| text.parse().ok());
    until.is_some_and(|seconds| SystemTime::now() > UNIX_EPOCH + Duration::from_secs(seconds))
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Machines that take turns on the CPUs only get slower; of programs four are a little faster than two.
    let threads = if arch().is_program() { 4 } else { 2 };
    arguments.test_threads.get_or_insert(threads);
    // What is slow comes late.
    let groups = [
        ("Who pivots", containers::cases()),
        ("The root and what lies below", root::cases()),
        ("How the archive comes", archive::cases()),
        ("How the root goes on", boot::cases()),
        ("Faults", faults::cases()),
        ("The kernel's selftest", selftest::cases()),
        ("The kernel", kernel::cases()),
        ("Usermode helpers", helpers::cases()),
        ("Security modules", security::cases()),
        (
            "Bad input, which has the stock kernel's outcome",
            input::cases(),
        ),
        ("Again and again", again::cases()),
        ("Attacks", attack::cases()),
        ("Kernels that check themselves", debug::cases()),
    ];
    let page = page(&groups);
    let mut trials: Vec<Trial> = groups
        .into_iter()
        .flat_map(|(_, cases)| cases)
        .map(|case| {
            let (name, quick) = (case.name, case.quick);
            let run = move || match case.left_out() {
                Some(why) => Ok(Completion::ignored_with(why)),
                None => case.prove().map(|()| Completion::Completed),
            };
            Trial::ignorable_test(name, run).with_ignored_flag(!quick)
        })
        .chain([Trial::test("page_is_up_to_date", move || {
            page_is_up_to_date(&page)
        })])
        .collect();
    // Not a line for each that is left out.
    if !arguments.include_ignored && !arguments.ignored {
        let all = trials.len();
        trials.retain(|trial| !trial.has_ignored_flag());
        println!(
            "boot-tests: {} of {all}; make test-rest runs the others",
            trials.len()
        );
    }
    libtest_mimic::run(&arguments, trials).exit();
}
