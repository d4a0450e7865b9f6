// SPDX-License-Identifier: GPL-2.0

//! The kernel's own selftest, unmodified, on four kernels. Linux 7 is the judge: its nullfs was
//! not written here.

use crate::{verdict::*, Case};
use boot_tests::{accelerator, project_dir, target, Machine};
use libtest_mimic::Failed;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

/// So many tests it has, each variant by itself.
const TESTS: usize = 22;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fact {
    Pass,
    Fail,
    Skip,
}

/// The results in a console that holds TAP, by name.
fn results(console: &str) -> BTreeMap<String, Fact> {
    let parse = |line: &str| {
        let (result, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (Fact::Fail, rest),
            None => (Fact::Pass, line.strip_prefix("ok ")?),
        };
        let name = rest.split_whitespace().nth(1)?.to_string();
        match rest.contains("# SKIP") {
            true => Some((name, Fact::Skip)),
            false => Some((name, result)),
        }
    };
    console.lines().filter_map(parse).collect()
}

/// Runs vmtest.sh of the assembled tree; returns its exit status and what it printed.
fn vmtest(arguments: &[&str]) -> Result<(Option<i32>, String), Failed> {
    let selftest = "build/linux/tools/testing/selftests/filesystems/empty_rootfs/vmtest.sh";
    let out = Command::new(project_dir().join(selftest))
        .args(arguments)
        .env("ACCEL", accelerator())
        .output()?;
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    Ok((out.status.code(), text))
}

/// The same with a kernel that the project has built.
fn vmtest_on(kernel: &str, arguments: &[&str]) -> Result<(Option<i32>, String), Failed> {
    let image = target().image(kernel);
    vmtest(&[&["-k", &image.display().to_string()], arguments].concat())
}

/// All its facts hold on a kernel of ours, but for those that cannot be tried there.
pub fn passes_on(kernel: &str, skipped: &[&str]) -> Outcome {
    passed(vmtest_on(kernel, &["-r"])?, skipped)
}

fn passed((code, output): (Option<i32>, String), skipped: &[&str]) -> Outcome {
    let results = results(&output);
    let passed = results.iter().all(|(name, &fact)| {
        let skip = skipped.contains(&name.as_str());
        fact == if skip { Fact::Skip } else { Fact::Pass }
    });
    match code == Some(0) && results.len() == TESTS && passed {
        true => Ok(()),
        false => Err(format!("{output}\nexit status {code:?}").into()),
    }
}

fn selftest_agrees_with_nullfs() -> Outcome {
    let skip = "# SKIP neither EMPTY_ROOTFS nor nullfs";
    let off = ["-a", OFF];
    let mut names = BTreeSet::new();
    for (kernel, arguments, expected, status) in [
        ("test", &[][..], Fact::Pass, 0),
        ("test", &off[..], Fact::Skip, 4),
        ("stock", &[][..], Fact::Skip, 4),
        ("nullfs", &[][..], Fact::Pass, 0),
    ] {
        let (code, output) = vmtest_on(kernel, arguments)?;
        let results = results(&output);
        let skipped = if expected == Fact::Skip { TESTS } else { 0 };
        if code != Some(status)
            || results.len() != TESTS
            || results.values().any(|&result| result != expected)
            || output.matches(skip).count() != skipped
        {
            return Err(format!("{output}\n{kernel}, {arguments:?}: exit status {code:?}").into());
        }
        names.extend(results.into_keys());
    }
    match names.len() {
        TESTS => Ok(()),
        _ => Err(format!("not the same tests on each kernel: {names:#?}").into()),
    }
}

/// The same test in a machine of another architecture.
fn selftest_passes_on_other_architectures() -> Outcome {
    let tried = |params: &str, expected: Fact, status: &str| {
        let mut machine = Machine::new("none", params);
        machine.initrd = Some(target().selftest());
        let console = expect(&machine, &[status])?;
        let results = results(&console);
        match results.len() == TESTS && results.values().all(|&fact| fact == expected) {
            true => Ok(()),
            false => Err(Failed::from(console)),
        }
    };
    let params = "PIVOT_FOR_GOOD=1 REQUIRE=1";
    tried(params, Fact::Pass, "# exit status: 0")?;
    tried(&format!("{params} {OFF}"), Fact::Fail, "# exit status: 1")
}

/// A caller that needs the feature is told so.
fn selftest_fails_where_the_feature_is_required() -> Outcome {
    let (code, output) = vmtest_on("test", &["-r", "-a", OFF])?;
    let results = results(&output);
    let failed = results.values().all(|&result| result == Fact::Fail);
    match code == Some(1) && results.len() == TESTS && failed {
        true => Ok(()),
        false => Err(format!("{output}\nexit status {code:?}").into()),
    }
}

/// In virtme-ng the root is the host's, over 9P: what needs an initramfs is skipped, the rest holds.
fn selftest_runs_in_virtme_ng() -> Outcome {
    vng(&["REQUIRE=1"], 0, |name| match name.split('.').next() {
        Some("initramfs" | "machine") => Fact::Skip,
        _ => Fact::Pass,
    })?;
    vng(&[OFF], 4, |_| Fact::Skip)?;
    vng(&[OFF, "REQUIRE=1"], 1, |_| Fact::Fail)
}

fn vng(arguments: &[&str], status: i32, expected: fn(&str) -> Fact) -> Outcome {
    let out = Command::new(project_dir().join("scripts/vng"))
        .args(arguments)
        .output()?;
    let output = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    let results = results(&output);
    let as_expected = results.iter().all(|(name, &fact)| fact == expected(name));
    match out.status.code() == Some(status) && results.len() == TESTS && as_expected {
        true => Ok(()),
        false => Err(format!("{output}\n{arguments:?}: {}", out.status).into()),
    }
}

/// vmtest.sh builds a kernel from nothing but the tree and the test's own configuration.
fn vmtest_builds_a_kernel() -> Outcome {
    let dir = target().out.join("vmtest").display().to_string();
    passed(vmtest(&["-r", "-b", &dir])?, &[])
}

/// What it prints is understood by the kernel's own parser and by Perl's.
fn selftest_prints_valid_tap() -> Outcome {
    let (_, output) = vmtest_on("test", &[])?;
    let file = target().tmp("selftest.tap");
    fs::write(&file, &output)?;
    let kunit = project_dir().join("build/linux/tools/testing/kunit/kunit.py");
    let tap = "use TAP::Parser; my $p = TAP::Parser->new({source => $ARGV[0]}); $p->run; \
               die join(qq{\\n}, $p->parse_errors) if $p->parse_errors; \
               die 'failed' if $p->has_problems; print 'passed ', scalar($p->passed), qq{\\n};";
    for (command, seen) in [
        (
            vec!["python3", &kunit.display().to_string(), "parse"],
            format!("*passed: {TESTS}"),
        ),
        (vec!["perl", "-e", tap], format!("passed {TESTS}")),
    ] {
        let out = Command::new(command[0])
            .args(&command[1..])
            .arg(&file)
            .output()?;
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        if !out.status.success() || !has(&text, &seen) {
            return Err(format!("{text}\n{} does not say: {seen}", command[0]).into());
        }
    }
    Ok(())
}

/// Containers start on Linux 7 as they do here.
fn containers_start_on_nullfs_too() -> Outcome {
    let mut machine = Machine::new("containers", "");
    machine.kernel = "nullfs";
    expect(&machine, &HELLO)?;
    // Known differences: there a container gets below its root; here the bottom takes locks and can be
    // remounted, by root.
    let bottom = ["entries: 0", "mkdir: ENOENT"];
    machine.scenario = "below_pivot";
    expect(&machine, &[&["uncover: ok"], &bottom[..]].concat())?;
    machine.scenario = "bottom";
    let nullfs = ["uncover: ok", "flock: ENOLCK", "remount: EINVAL"];
    expect(&machine, &[&nullfs[..], &bottom[..]].concat())?;
    machine.kernel = "test";
    let here = ["uncover: EINVAL", "flock: ok", "remount: ok"];
    expect(&machine, &[&here[..], &bottom[..]].concat())?;
    Ok(())
}

pub fn cases() -> Vec<Case> {
    let vmtest = "vmtest.sh starts machines of x86_64 only";
    vec![
        case!(selftest_agrees_with_nullfs)
            .needs(["kernel stock", "kernel nullfs"])
            .x86_only(vmtest),
        case!(selftest_passes_on_other_architectures)
            .quick()
            .bare()
            .skip_unless(target().arch.name != "x86_64", "vmtest.sh does it")
            .machine_only("the selftest was not tried in a kernel that is a program"),
        case!(selftest_fails_where_the_feature_is_required)
            .quick()
            .x86_only(vmtest),
        case!(selftest_runs_in_virtme_ng)
            .needs(["kernel vng"])
            .x86_only("virtme-ng shares the root of this machine, which is x86_64"),
        case!(vmtest_builds_a_kernel).x86_only(vmtest),
        case!(selftest_prints_valid_tap).quick().x86_only(vmtest),
        case!(containers_start_on_nullfs_too).needs(["kernel nullfs"]),
    ]
}
