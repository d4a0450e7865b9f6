// SPDX-License-Identifier: GPL-2.0

//! Machines under gdb, and replayed ones.

use crate::{
    machine::{serial, DEADLINE},
    target, Machine,
};
use std::{
    env, fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

impl Machine {
    /// Boots the machine under gdb, which runs `script` from the first instruction on; returns the
    /// console and what gdb printed. The machine runs on when the script has ended.
    pub fn boot_with_gdb(&self, script: &str) -> Result<(String, String), String> {
        self.run_with_gdb(&[], script)
    }

    /// Records a boot, and runs `script` in gdb on its replay from the entry of `function` on, where
    /// `$ret` is its return address; returns what gdb printed. The debugger cannot disturb a replay.
    fn replay(&self, function: &str, script: &str) -> Result<String, String> {
        let log = env::temp_dir().join(format!("replay.{}", serial()));
        let icount = |mode| format!("shift=0,sleep=off,rr={mode},rrfile={}", log.display());
        let recorded = self.run("tcg", &["-icount", &icount("record")], || Ok(String::new()));
        let script = format!(
            "hbreak *{function}\ncontinue\nset $ret = {}\ndelete\nhbreak *$ret\n{script}\nkill",
            target().arch.return_address
        );
        let replayed =
            recorded.and_then(|_| self.run_with_gdb(&["-icount", &icount("replay")], &script));
        let _ = fs::remove_file(log);
        replayed.map(|(_, gdb)| gdb)
    }

    /// Counts the guest's instructions from the entry of `function` to its return, interrupts
    /// included.
    pub fn count_instructions(&self, function: &str) -> Result<u64, String> {
        let script = "monitor info replay\ncontinue\nmonitor info replay";
        let gdb = self.replay(function, script)?;
        let count = |line: &str| {
            let (_, count) = line.split_once("instruction count = ")?;
            count.trim().parse().ok()
        };
        let counts: Vec<u64> = gdb.lines().filter_map(count).collect();
        match counts[..] {
            [entry, exit] => Ok(exit - entry),
            _ => Err(format!("{gdb}\n{function}() was not seen to start and end")),
        }
    }

    /// The addresses of these instructions, in order.
    pub fn trace(&self, function: &str) -> Result<Vec<u64>, String> {
        let log = env::temp_dir().join(format!("trace.{}", serial()));
        // Newer QEMUs have another name for the first.
        let script = format!(
            "monitor singlestep on\nmonitor one-insn-per-tb on\nmonitor logfile {}\n\
             monitor log exec,nochain\ncontinue\nmonitor log none",
            log.display()
        );
        let gdb = self.replay(function, &script)?;
        let text =
            fs::read_to_string(&log).map_err(|e| format!("{}: {e}\n{gdb}", log.display()))?;
        let _ = fs::remove_file(log);
        // Trace 0: 0x7f... [segment/address/flags/flags] function
        let address = |line: &str| {
            let (_, place) = line.split_once('[')?;
            u64::from_str_radix(place.split('/').nth(1)?, 16).ok()
        };
        Ok(text.lines().filter_map(address).collect())
    }

    fn run_with_gdb(&self, more: &[&str], script: &str) -> Result<(String, String), String> {
        let dir = env::temp_dir();
        let name = format!("gdb{}", serial());
        // Relative to `dir`: a socket's path may have 107 bytes only.
        let (socket, commands) = (name.clone() + ".sock", dir.join(name + ".gdb"));
        let chardev = format!("socket,path={socket},server=on,wait=off,id=gdb");
        let text = format!(
            "set pagination off\nset confirm off\ntarget remote {socket}\n{script}\ndelete\ndetach\n"
        );
        fs::write(&commands, text).map_err(|e| format!("{}: {e}", commands.display()))?;
        let gdb = ["-S", "-chardev", &chardev, "-gdb", "chardev:gdb"];
        // Breakpoints are QEMU's own affair under TCG.
        let result = self.run("tcg", &[&gdb, more].concat(), || {
            let start = Instant::now();
            while !dir.join(&socket).exists() {
                if start.elapsed() > DEADLINE {
                    return Err("QEMU opened no socket for gdb".into());
                }
                thread::sleep(Duration::from_millis(20));
            }
            let out = Command::new("timeout")
                .args(["200", &target().arch.gdb, "-batch", "-nx", "-x"])
                .arg(&commands)
                .arg(target().kernel(self.kernel).join("vmlinux"))
                .current_dir(&dir)
                .output()
                .map_err(|e| format!("gdb: {e}"))?;
            Ok(String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
        });
        let _ = fs::remove_file(commands);
        let _ = fs::remove_file(dir.join(socket));
        result
    }
}
