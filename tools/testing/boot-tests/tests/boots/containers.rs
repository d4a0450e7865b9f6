// SPDX-License-Identifier: GPL-2.0

//! Who pivots on a machine that runs from its initramfs.

use crate::{host, verdict::*, Case};
use boot_tests::{fact, project_dir, target, Archive, Machine};
use libtest_mimic::Failed;
use std::fs;

/// What a stock boot gives, in runc's words and in others'.
const RUNC: &str = "pivot_root .: invalid argument";
const EINVAL: &str = "pivot_root: Invalid argument";

/// The scenario starts a container by pivot_root, and does not without the feature.
fn pivots_on(mut machine: Machine, error: &str) -> Outcome {
    let hello = format!("{}: hello from a container", machine.scenario);
    expect(&machine, &[IS_ON, &hello])?;
    machine.params = OFF.into();
    let error = format!("{}: *{error}*", machine.scenario);
    match has(&expect(&machine, &[&error])?, "*hello from *") {
        true => Err("the control ran a container".into()),
        false => Ok(()),
    }
}

fn pivots(scenario: &'static str, error: &str) -> Outcome {
    pivots_on(Machine::new(scenario, ""), error)
}

/// The same with more in the initramfs.
fn pivots_with(scenario: &'static str, error: &str, list: &str) -> Outcome {
    let mut machine = Machine::new(scenario, "");
    machine.initrd = Some(host::archive(
        &format!("{scenario}.cpio"),
        Archive::of(list).after(target().guest()),
    )?);
    machine.memory = 1536;
    pivots_on(machine, error)
}

/// An image as `docker save` writes it, with one program, made without a registry.
fn image(name: &str) -> Result<String, Failed> {
    let image = host::make(&format!("{name}.image"), IMAGE)?;
    Ok(format!("file /image.tar {} 644 0 0\n", image.display()))
}

const IMAGE: &str = r#"
    d=$1.d; rm -rf $d; mkdir -p $d/bin; cp probe $d/bin/hello; tar -C $d -cf $1.layer bin; rm -rf $d
    sum=$(sha256sum <$1.layer | cut -d' ' -f1); mkdir $d; mv $1.layer $d/layer.tar
    printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' $sum >$d/config.json
    echo '[{"Config":"config.json","RepoTags":["hello:1"],"Layers":["layer.tar"]}]' >$d/manifest.json
    tar -C $d -cf $1 manifest.json config.json layer.tar
    "#;

fn podman_runs_and_builds_an_image() -> Outcome {
    let image = image("podman")?;
    pivots_with("podman_image", EINVAL, &image)?;
    pivots_with("podman_build", EINVAL, &image)
}

fn containerd_pivots_on_initramfs() -> Outcome {
    let mut list = image("containerd")?;
    let programs = ["containerd", "ctr", "containerd-shim-runc-v2"];
    for line in fs::read_to_string(target().out.join("containerd.list"))?.lines() {
        let name = line
            .split(' ')
            .nth(1)
            .and_then(|path| path.rsplit('/').next());
        if line.starts_with("file ") && name.is_some_and(|name| programs.contains(&name)) {
            list += &format!("{line}\n");
        }
    }
    pivots_with("containerd", RUNC, &list)
}

fn youki_pivots_on_initramfs() -> Outcome {
    let youki = project_dir().join("build/youki/bin/youki");
    let list = format!("file /youki {} 755 0 0\n", youki.display());
    pivots_with("youki", "failed to pivot root to errno=EINVAL", &list)
}

/// The old root is gone then, with the memory that it took, if nothing there is open any more: the kernel
/// has opened PID 1's console there.
fn pid_1_pivots_by_hand() -> Outcome {
    let done = ["pivot_root: ok", "umount: ok", "old init: ENOENT"];
    let left = |scenario, params, expected: &[&str]| -> Result<u64, Failed> {
        let console = expect(&Machine::new(scenario, params), expected)?;
        number(&console, "left")
    };
    let on = left("pivot_by_hand", "", &done)?;
    let open = left("pivot_keeping_the_console", "", &done)?;
    let off = left("pivot_by_hand", OFF, &["pivot_root: EINVAL"])?;
    match on < 2048 && open > 100_000 && off > 100_000 {
        true => Ok(()),
        false => Err(format!(
            "{on} KiB left in tmpfs, {open} with the console open, {off} without the feature"
        )
        .into()),
    }
}

/// What a container finds that tries to get below its root.
const OUT_OF_REACH: [&str; 2] = ["uncover: EINVAL", "go below: ENOENT"];

/// A container that may mount uncovers the host with --no-pivot, and nothing after pivot_root.
fn no_pivot_lets_a_container_see_the_host() -> Outcome {
    expect(&Machine::new("below_pivot", ""), &OUT_OF_REACH)?;
    expect(
        &Machine::new("below_no_pivot", OFF),
        &["entry: init", "entry: scenarios.sh", "mkdir: ok"],
    )?;
    Ok(())
}

/// https://github.com/opencontainers/runc/pull/1962: what of the host stays mounted with --no-pivot lets
/// a container mount the whole /proc. Newer runc unmounts that first.
fn no_pivot_lets_a_container_mount_proc() -> Outcome {
    let (whole, denied) = (
        "reproducer: the whole /proc",
        "reproducer: mount: permission denied*",
    );
    expect(&Machine::new("reproducer_pivot", ""), &[IS_ON, denied])?;
    for params in ["", OFF] {
        expect(&Machine::new("reproducer_no_pivot", params), &[whole])?;
    }
    Ok(())
}

/// LXC looks whether the root is rootfs, and then leaves the host below the container.
fn lxc_leaves_nothing_below() -> Outcome {
    let hello = "hello from a container";
    expect(
        &Machine::new("lxc", ""),
        &[&[hello], &OUT_OF_REACH[..]].concat(),
    )?;
    let host = ["entry: init", "entry: scenarios.sh", "mkdir: ok"];
    expect(&Machine::new("lxc", OFF), &[&[hello], &host[..]].concat())?;
    Ok(())
}

/// Each gets a loopback device with an address, for which the test kernel has no INET.
fn hundred_containers_are_there_at_once() -> Outcome {
    let mut machine = Machine::new("hundred", "");
    machine.kernel = "distro";
    expect(&machine, &["at once: 100"])?;
    machine.params = OFF.into();
    expect(
        &machine,
        &["hundred: bwrap: pivot_root: Invalid argument", "at once: 0"],
    )?;
    Ok(())
}

/// Copying the system into a second tmpfs works on a stock boot, at twice the memory, and leaves the old
/// root below containers. Here and with nullfs it is in memory once, as on a stock boot.
fn copying_the_system_takes_twice_the_memory() -> Outcome {
    let machine = Machine::new("copy", OFF);
    let seen = ["runc: hello from a container", "uncover: ok", "mkdir: ok"];
    let console = expect(&machine, &seen)?;
    let kib = |console: &str, name| fact(console, name).and_then(|n| n.parse::<u32>().ok());
    let once = match (kib(&console, "system"), kib(&console, "with the copy")) {
        (Some(once), Some(twice)) if once > 0 && twice * 10 >= once * 19 => once,
        other => return Err(format!("{console}\n{other:?}").into()),
    };
    for kernel in ["test", "nullfs"] {
        let mut machine = Machine::new("facts", "");
        machine.kernel = kernel;
        let console = expect(&machine, &["write: ok"])?;
        match kib(&console, "system") {
            Some(here) if here.abs_diff(once) * 100 <= once => {}
            other => return Err(format!("{console}\n{other:?}, stock {once}").into()),
        }
    }
    Ok(())
}

pub fn cases() -> Vec<Case> {
    let container = |name, scenario, error| Case::new(name, move || pivots(scenario, error));
    vec![
        case!(pid_1_pivots_by_hand).quick(),
        container("runc_pivots_on_initramfs", "runc", RUNC).quick(),
        container("crun_pivots_on_initramfs", "crun", EINVAL).quick(),
        container("bubblewrap_pivots_on_initramfs", "bubblewrap", EINVAL).quick(),
        container(
            "bubblewrap_pivots_on_initramfs_as_a_user",
            "bubblewrap_user",
            EINVAL,
        )
        .quick(),
        Case::new("nspawn_works", || {
            both(
                &Machine::new("nspawn", ""),
                &["nspawn: hello from a container"],
            )
        }),
        case!(lxc_leaves_nothing_below),
        container("podman_pivots_on_initramfs", "podman", EINVAL),
        case!(podman_runs_and_builds_an_image),
        case!(containerd_pivots_on_initramfs).needs(["userland containerd containerd"]),
        case!(youki_pivots_on_initramfs)
            .needs(["youki"])
            .x86_only("youki is built for this machine"),
        container(
            "util_linux_pivots_on_initramfs",
            "util_linux",
            "pivot_root: failed to change root from `.' to `tmp': Invalid argument",
        ),
        container("container_in_a_container_pivots", "in_a_container", EINVAL),
        case!(hundred_containers_are_there_at_once).needs(["kernel distro"]),
        case!(no_pivot_lets_a_container_see_the_host).quick(),
        case!(no_pivot_lets_a_container_mount_proc),
        case!(copying_the_system_takes_twice_the_memory).needs(["kernel nullfs"]),
    ]
}
