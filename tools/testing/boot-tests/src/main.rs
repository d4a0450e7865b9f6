// SPDX-License-Identifier: GPL-2.0

//! Shows containers starting on a machine that runs from its initramfs, with and without the
//! feature; with `shell`, starts that machine with a shell on the terminal.

use boot_tests::{fact, target, Machine};
use std::{
    env,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    let result = match env::args().nth(1).as_deref() {
        None => demo(),
        Some("shell") => shell(),
        Some(other) => Err(format!("unknown command {other}; there is only: shell")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("boot-tests: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrated(scenario: &'static str, params: &str) -> Machine {
    let mut machine = Machine::new(scenario, params);
    machine.initrd = Some(target().demo());
    machine
}

fn demo() -> Result<(), String> {
    for (params, expect) in [
        ("", "hello from a container"),
        ("empty_rootfs=0", "nvalid argument"),
    ] {
        let machine = demonstrated("containers", &format!("quiet {params}"));
        println!(
            "\nBooting with \"{}\":",
            if params.is_empty() {
                "(the default)"
            } else {
                params
            }
        );
        let console = machine.boot()?;
        for runtime in ["runc", "crun", "bubblewrap", "bubblewrap_user"] {
            let seen = fact(&console, runtime)
                .ok_or_else(|| format!("{console}\n{runtime} was not run"))?;
            println!("  {runtime:16} {seen}");
            if !seen.contains(expect) {
                return Err(format!("{runtime}: expected \"{expect}\""));
            }
        }
    }
    Ok(())
}

fn shell() -> Result<(), String> {
    let command = demonstrated("shell", "quiet").command_with_a_shell();
    Err(Command::new(&command[0])
        .args(&command[1..])
        .exec()
        .to_string())
}
