// SPDX-License-Identifier: GPL-2.0

//! Attempts to change what lies below, and Linux 7's answers to them.

use crate::{verdict::*, Case};
use boot_tests::{fact, target, Machine};
use libtest_mimic::Failed;
use std::{collections::BTreeMap, env};

/// Who tried what, and the answer.
type Answers = BTreeMap<(String, String), String>;

fn answers(console: &str) -> Answers {
    let mut answers = Answers::new();
    let mut who = String::new();
    for line in console.lines() {
        if let Some(attacker) = line
            .strip_prefix("by ")
            .and_then(|rest| rest.strip_suffix(':'))
        {
            who = attacker.into();
        } else if let Some((what, answer)) = line
            .strip_prefix("try ")
            .and_then(|rest| rest.rsplit_once(": "))
        {
            answers.insert((who.clone(), what.into()), answer.into());
        }
    }
    answers
}

fn attacked(kernel: &'static str) -> Result<String, Failed> {
    let mut machine = Machine::new("attack", "");
    machine.kernel = kernel;
    expect(
        &machine,
        &[
            "by root:",
            "by a container with every capability:",
            "by a user namespace:",
            "SCENARIO-END attack",
        ],
    )
}

/// What has another answer here than on nullfs. The documentation tells why.
const DIFFERENCES: [(&str, &str, &str); 9] = [
    ("file handle", "ok", "EOPNOTSUPP"),
    ("flock", "ok", "ENOLCK"),
    ("inotify", "ok", "EINVAL"),
    ("reconfigure", "ok", "EINVAL"),
    ("record lock", "ok", "ENOLCK"),
    ("remount", "ok", "EINVAL"),
    ("remount read-only", "ok", "EINVAL"),
    ("remount with options", "ok", "EINVAL"),
    ("uncover the bottom", "EINVAL", "ok"), // what is asked first: here the root is locked
];

fn attacks_get_the_answers_of_nullfs() -> Outcome {
    let (on, nullfs) = (attacked("test")?, attacked("nullfs")?);
    let (here, there) = (answers(&on), answers(&nullfs));
    let off = expect(&Machine::new("attack_here", OFF), &["entries: *"])?;
    let mut wrong = Vec::new();
    for ((who, what), answer) in &here {
        let peer = there.get(&(who.clone(), what.clone()));
        let peer = peer.map_or("not asked", String::as_str);
        let as_expected = match (who.as_str(), what.as_str()) {
            // By the mount namespace of kdevtmpfs, where unmounting does not do; to root alone.
            (_, "go below") => (answer == "ok") == (who == "root"),
            ("a user namespace", _) => answer == peer,
            // As rootfs answers on a stock boot. Linux 6.12 locks it; 6.18 makes it read-only, if nobody writes there.
            (_, "pivot_root") => has(&off, &format!("try pivot_root: {answer}")),
            (_, "umount") => (answer == "EINVAL") == has(&off, "try umount: EINVAL"),
            (_, what) => match DIFFERENCES.iter().find(|known| known.0 == what) {
                Some((_, here, there)) => answer == here && peer == *there,
                None => answer == peer,
            },
        };
        if !as_expected {
            wrong.push(format!("{who}: {what}: {answer}, on nullfs {peer}"));
        }
    }
    let asked = |answers: &Answers, who| answers.keys().filter(|key| key.0 == who).count();
    let container = "a container with every capability";
    // On nullfs root has no need to go below by another way. Here the container tries both in vain, and can
    // try nothing more; no user namespace can.
    let user = "a user namespace";
    if asked(&here, "root") < 60
        || asked(&here, "root") != asked(&there, "root") + 1
        || (asked(&here, container), asked(&there, container) < 60) != (4, false)
        || (asked(&here, user), asked(&there, user)) != (4, 4)
    {
        return Err(format!("{on}\nnullfs:\n{nullfs}").into());
    }
    // Who gets to the bottom leaves it as it was, and so finds it who looks there last.
    for (console, attackers) in [(&on, 1), (&nullfs, 2)] {
        let found = (lines(console, "entries: 0"), lines(console, "changed: no"));
        if found != (attackers + 1, attackers) {
            return Err(console.clone().into());
        }
    }
    // Where nothing is sealed the same attempts succeed.
    for done in ["creat", "chmod", "setxattr trusted", "bind a socket"] {
        if !has(&off, &format!("try {done}: ok")) {
            return Err(format!("{off}\n{done} failed without the feature").into());
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("{wrong:#?}").into()),
    }
}

/// Random system calls, repeated by their seed.
fn fuzz(
    kernel: &'static str,
    calls: u64,
    params: &str,
    expected: &[&str],
) -> Result<String, Failed> {
    let seed = env::var("SEED").unwrap_or("1".into());
    let mut machine = Machine::new("fuzz", &format!("seed={seed} calls={calls} {params}"));
    machine.kernel = kernel;
    machine.initrd = Some(target().base());
    machine.cpus = 2;
    expect(&machine, expected)
}

fn fuzzing_leaves_rootfs_empty() -> Outcome {
    for (kernel, calls) in [("test", 100_000), ("debug", 20_000)] {
        let console = fuzz(kernel, calls, "", &[IS_ON, "entries: 0", "changed: no"])?;
        let made = number(&console, "calls")?;
        // Most processes come to the end of their calls, and not all of these are refused.
        if made < calls / 2 || number(&console, "succeeded")? < made / 100 {
            return Err(format!("{console}\ntoo few").into());
        }
    }
    // They are the same each time.
    let digest = || -> Result<Option<String>, Failed> {
        let console = fuzz("test", 20_000, "", &[IS_ON])?;
        Ok(fact(&console, "digest").map(String::from))
    };
    let (first, second) = (digest()?, digest()?);
    if first.is_none() || first != second {
        return Err(format!("digests of the answers: {first:?}, {second:?}").into());
    }
    // Where nothing is sealed they leave something.
    let off = format!("where=here {OFF}");
    let before = number(&fuzz("test", 0, &off, &["changed: no"])?, "entries")?;
    let console = fuzz("test", 20_000, &off, &["changed: yes"])?;
    match number(&console, "entries")? > before {
        true => Ok(()),
        false => Err(format!("{console}\nnothing was left without the feature").into()),
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        case!(attacks_get_the_answers_of_nullfs).needs(["kernel nullfs"]),
        case!(fuzzing_leaves_rootfs_empty).needs(["kernel debug"]),
    ]
}
