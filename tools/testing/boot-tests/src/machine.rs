// SPDX-License-Identifier: GPL-2.0

//! A machine: a kernel, an initramfs, a command line, and what QEMU needs to know.

use crate::{accelerator, target};
use std::{
    env,
    io::Read,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// For [`Machine::deadline`] where nothing else is asked for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);

/// A machine that can be booted.
#[derive(Clone)]
pub struct Machine {
    pub scenario: &'static str,
    /// Kernel parameters besides those that every machine gets.
    pub params: String,
    pub cpus: u32,
    /// For [`Target::kernel`](crate::Target::kernel).
    pub kernel: &'static str,
    /// Another image than that kernel's.
    pub image: Option<PathBuf>,
    /// An archive, or an image for a ram disk.
    pub initrd: Option<PathBuf>,
    /// In MiB.
    pub memory: u32,
    /// QEMU's arguments for a machine whose firmware finds a kernel: it is given none, and no parameters.
    pub firmware: Vec<String>,
    /// A disk image, seen as `/dev/vda`.
    pub disk: Option<PathBuf>,
    /// All CPUs take turns in one thread of the host: with many, that takes a quarter of the time.
    pub one_thread: bool,
    /// The longest time that it may take: far more than it needs, so that only a hang meets it.
    pub deadline: Duration,
    /// A machine that does not end is stopped, and what it has printed is its console.
    pub may_hang: bool,
}

impl Machine {
    pub fn new(scenario: &'static str, params: &str) -> Self {
        Machine {
            scenario,
            params: params.into(),
            cpus: 1,
            kernel: "test",
            image: None,
            initrd: Some(target().guest()),
            memory: 768,
            firmware: Vec::new(),
            disk: None,
            one_thread: false,
            deadline: DEADLINE,
            may_hang: false,
        }
    }

    /// The QEMU command line that boots this machine.
    pub fn command(&self) -> Vec<String> {
        self.command_with(accelerator())
    }

    fn image(&self) -> PathBuf {
        let own = || target().image(self.kernel);
        self.image.clone().unwrap_or_else(own)
    }

    fn command_with(&self, accelerator: &str) -> Vec<String> {
        // Silence RCU stall warnings: a busy host starves the guest.
        let params = format!(
            "panic=-1 rcupdate.rcu_cpu_stall_suppress=1 {} scenario={} {}",
            env::var("PARAMS").unwrap_or_default(),
            self.scenario,
            self.params
        );
        let image = self.image().display().to_string();
        let arch = &target().arch;
        if arch.is_um() {
            // Processes in it do not have the memory where glibc would have the host's kernel write.
            let mut args: Vec<String> = vec![
                "env".into(),
                "GLIBC_TUNABLES=glibc.pthread.rseq=0".into(),
                image,
                format!("mem={}M", self.memory),
                format!("uml_dir={}", env::temp_dir().display()),
            ];
            if let Some(initrd) = &self.initrd {
                args.push(format!("initrd={}", initrd.display()));
            }
            args.extend(arch.params.split(' ').map(String::from));
            args.push(params);
            return args;
        }
        let accelerator = match accelerator {
            "tcg" if self.one_thread => "tcg,thread=single",
            other => other,
        };
        let machine = [
            "-accel",
            accelerator,
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
            "-serial",
            "stdio",
        ];
        let mut args = arch.qemu.clone();
        args.extend(machine.map(String::from));
        args.extend([
            "-m".into(),
            self.memory.to_string(),
            "-smp".into(),
            // Without ACPI a kernel sees the first core of each socket alone.
            format!("{0},sockets={0}", self.cpus),
        ]);
        if let Some(disk) = &self.disk {
            let drive = format!("file={},format=raw,if=virtio,snapshot=on", disk.display());
            args.extend(["-drive".into(), drive]);
        }
        if !self.firmware.is_empty() {
            args.extend(self.firmware.iter().cloned());
            return args;
        }
        args.extend(["-kernel".into(), image]);
        if let Some(initrd) = &self.initrd {
            args.extend(["-initrd".into(), initrd.display().to_string()]);
        }
        args.extend(["-append".into(), format!("{} {params}", arch.params)]);
        args
    }

    /// The command that boots this machine with a shell on the terminal.
    pub fn command_with_a_shell(&self) -> Vec<String> {
        let mut machine = self.clone();
        machine.scenario = "shell";
        let mut command = machine.command();
        // Ctrl-C is for the guest, and Ctrl-A X for QEMU.
        for arg in &mut command {
            match &**arg {
                "stdio" => *arg = "mon:stdio".into(),
                "con0=null,fd:1" => *arg = "con0=fd:0,fd:1".into(),
                _ => {}
            }
        }
        command
    }

    /// How to boot this machine again, and how to get a shell there.
    pub fn again(&self) -> String {
        format!(
            "repeat: {}\nwith a shell: {}",
            quoted(&self.command()),
            quoted(&self.command_with_a_shell())
        )
    }

    /// Boots the machine and returns its console.
    pub fn boot(&self) -> Result<String, String> {
        self.run(accelerator(), &[], || Ok(String::new()))
            .map(|(console, _)| console)
    }

    /// Boots the machine with time being the count of the guest's instructions, which its time stamp
    /// counter then gives. Nothing from outside reaches it, neither the date nor random numbers.
    pub fn boot_counting_instructions(&self) -> Result<String, String> {
        let alone = "-icount shift=0,sleep=off -rtc base=2020-01-01,clock=vm -seed 1";
        let alone: Vec<&str> = alone.split(' ').collect();
        self.run("tcg", &alone, || Ok(String::new()))
            .map(|(console, _)| console)
    }

    pub(crate) fn start(&self, accelerator: &str, more: &[&str]) -> Result<Child, String> {
        let command = self.command_with(accelerator);
        if env::var("V").is_ok_and(|v| !v.is_empty()) {
            eprintln!("{}", quoted(&command));
        }
        Command::new(&command[0])
            .args(&command[1..])
            .args(more)
            .current_dir(env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", command[0]))
    }

    pub(crate) fn run(
        &self,
        accelerator: &str,
        more: &[&str],
        meanwhile: impl FnOnce() -> Result<String, String>,
    ) -> Result<(String, String), String> {
        if !self.image().exists() {
            let name = self.kernel;
            return Err(format!(
                "the kernel {name} is not built; make kernel K={name} does it"
            ));
        }
        let mut qemu = self.start(accelerator, more)?;
        let mut stdout = qemu.stdout.take().expect("piped");
        let mut stderr = qemu.stderr.take().expect("piped");
        let console = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stdout.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).replace('\r', "")
        });
        let errors = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let side = meanwhile();
        let start = Instant::now();
        let mut late = side.is_err();
        while qemu.try_wait().map_err(|e| e.to_string())?.is_none() {
            if late || start.elapsed() > self.deadline {
                late = true;
                let _ = qemu.kill();
            }
            thread::sleep(Duration::from_millis(20));
        }
        let console = console.join().expect("reader") + &errors.join().expect("reader");
        let side = side?;
        if late && !self.may_hang {
            return Err(format!(
                "{console}\nthe machine did not end in {:?}\n{side}\n{}",
                self.deadline,
                self.again()
            ));
        }
        Ok((console, side))
    }
}

/// `command` as one would type it into a shell.
fn quoted(command: &[String]) -> String {
    let quote = |arg: &String| match arg.contains(' ') {
        true => format!("'{arg}'"),
        false => arg.clone(),
    };
    command.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Tells this call from all others, in all processes.
pub(crate) fn serial() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}.{next}", std::process::id())
}
