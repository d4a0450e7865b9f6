// SPDX-License-Identifier: GPL-2.0

//! Each case boots machines and judges by what a program in the guest saw, with the feature and,
//! as its control, without it.

mod archive;
mod boot;
mod containers;
mod faults;
mod helpers;
mod host;
mod kernel;
mod root;
mod selftest;
mod verdict;

use libtest_mimic::{Arguments, Trial};
use std::{env, fs};
use verdict::Outcome;

/// A test and what it shows.
struct Case {
    name: &'static str,
    shows: &'static str,
    run: Box<dyn FnOnce() -> Outcome + Send>,
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
        }
    }
}

/// The page that lists the cases.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/CASES.md");

fn page(groups: &[(&str, Vec<Case>)]) -> String {
    let mut page = String::from(
        "# What the boots show\n\n\
         Where a case shows something working with the feature, it also shows what happens with\n\
         `empty_rootfs=0` or on a stock kernel. `UPDATE=1 make test T=page` writes this page anew.\n",
    );
    for (title, cases) in groups {
        page += &format!("\n## {title}\n\n");
        for case in cases {
            page += &format!("* `{}`: {}\n", case.name, case.shows);
        }
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

fn main() {
    let mut arguments = Arguments::from_args();
    // Machines that take turns on the CPUs only get slower.
    arguments.test_threads.get_or_insert(2);
    let groups = [
        ("Who pivots", containers::cases()),
        ("The root and what lies below", root::cases()),
        ("The kernel's selftest", selftest::cases()),
        ("How the archive comes", archive::cases()),
        ("How the root goes on", boot::cases()),
        ("Usermode helpers", helpers::cases()),
        ("Faults", faults::cases()),
        ("The kernel", kernel::cases()),
    ];
    let page = page(&groups);
    let trials = groups
        .into_iter()
        .flat_map(|(_, cases)| cases)
        .map(|case| Trial::test(case.name, case.run))
        .chain([Trial::test("page_is_up_to_date", move || {
            page_is_up_to_date(&page)
        })])
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
