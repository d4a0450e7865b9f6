// SPDX-License-Identifier: GPL-2.0

//! Boots a kernel with an initramfs and a command line in QEMU, and collects its console.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Mutex, OnceLock, RwLock,
    },
    thread,
    time::{Duration, Instant},
};

/// For [`Machine::deadline`] where nothing else is asked for.
const DEADLINE: Duration = Duration::from_secs(240);

/// How long a machine may take to show that KVM works here.
const KVM_PROBE: Duration = Duration::from_secs(15);

/// What differs between architectures.
pub struct Arch {
    /// What the kernel calls it.
    pub name: &'static str,
    /// The emulator and its machine; none if the kernel is a program.
    qemu: &'static [&'static str],
    /// Kernel parameters.
    params: &'static str,
    /// For gdb: what holds a function's result, and at its first instruction the return address.
    pub result: &'static str,
    pub return_address: &'static str,
    /// The instructions that call, and their size in bytes.
    pub calls: &'static [&'static str],
    pub call_size: u32,
}

const ARCHES: [Arch; 4] = [
    Arch {
        name: "x86_64",
        qemu: &["qemu-system-x86_64", "-cpu", "max"],
        // An emulated timer on a busy host may be late, which the kernel takes for a broken one.
        params: "console=ttyS0 reboot=t no_timer_check",
        result: "$rax",
        return_address: "*(long *)$rsp",
        calls: &["call", "jmp"],
        call_size: 5,
    },
    Arch {
        name: "arm64",
        // "max" signs pointers, which takes most of the time.
        qemu: &[
            "qemu-system-aarch64",
            "-machine",
            "virt",
            "-cpu",
            "cortex-a76",
        ],
        params: "console=ttyAMA0",
        result: "$x0",
        return_address: "$x30",
        calls: &["bl", "b"],
        call_size: 4,
    },
    Arch {
        name: "riscv",
        qemu: &["qemu-system-riscv64", "-machine", "virt"],
        params: "console=ttyS0",
        result: "$a0",
        return_address: "$ra",
        // The second half of a call to somewhere far.
        calls: &["jal", "jalr", "j", "jr"],
        call_size: 4,
    },
    Arch {
        name: "um",
        qemu: &[],
        // Its only console writes to standard output. It would name a root, which makes rootfs a ramfs.
        params: "con0=null,fd:1 con=null noreboot rootfstype=tmpfs",
        result: "$rax",
        return_address: "*(long *)$rsp",
        calls: &["call", "jmp"],
        call_size: 5,
    },
];

impl Arch {
    /// Whether the kernel is a program that runs as it is, not a machine's.
    pub fn is_program(&self) -> bool {
        self.qemu.is_empty()
    }
}

/// The architecture that `ARCH` names.
pub fn arch() -> &'static Arch {
    let name = env::var("ARCH").unwrap_or("x86_64".into());
    let arch = ARCHES.iter().find(|arch| arch.name == name);
    arch.unwrap_or_else(|| panic!("no machine with ARCH={name} is known"))
}

/// A tool of the compilers' for files of the guest's architecture.
pub fn tool(name: &str) -> Command {
    Command::new(env::var("CROSS_COMPILE").unwrap_or_default() + name)
}

/// The directory of this project.
pub fn project_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// The directory of everything that is generated for this architecture and compiler.
pub fn build_dir() -> PathBuf {
    env::var_os("OUT").map_or(project_dir().join("build"), PathBuf::from)
}

/// Where the kernel `name` was built: ours is "kernel", for which `KERNEL` may name another
/// directory. Any other kernel is built when it is first asked for, while no machine runs, and is up
/// to date then.
pub fn kernel_dir(name: &str) -> Result<PathBuf, String> {
    static BUILT: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
    let build = || {
        let _alone = RUNNING.write().expect("nobody panics with it");
        let script = project_dir().join("scripts/controls");
        let status = Command::new(script).arg(name).status();
        status.is_ok_and(|status| status.success())
    };
    let mut built = BUILT.lock().expect("nobody panics with it");
    match name == "kernel" || *built.entry(name.into()).or_insert_with(build) {
        true => Ok(path_of(name)),
        false => Err(format!("the kernel {name} could not be built")),
    }
}

fn path_of(name: &str) -> PathBuf {
    match name {
        "kernel" => env::var_os("KERNEL").map_or(build_dir().join(name), PathBuf::from),
        other => build_dir().join("controls").join(other),
    }
}

/// The image of the kernel `name`, whether it is there or not.
pub fn image(name: &str) -> PathBuf {
    path_of(name).join(env::var("IMAGE").unwrap_or("arch/x86/boot/bzImage".into()))
}

/// Held for reading while a machine runs.
static RUNNING: RwLock<()> = RwLock::new(());

/// A machine that can be booted.
#[derive(Clone)]
pub struct Machine {
    pub scenario: &'static str,
    /// Kernel parameters besides those that every machine gets.
    pub params: String,
    pub cpus: u32,
    /// For [`kernel_dir`].
    pub kernel: &'static str,
    /// An archive, or an image for a ram disk.
    pub initrd: Option<PathBuf>,
    /// In MiB.
    pub memory: u32,
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
            kernel: "kernel",
            initrd: Some(build_dir().join("guest.cpio")),
            memory: 768,
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

    fn command_with(&self, accelerator: &str) -> Vec<String> {
        // A CPU for which the host has no time now is not one that hangs.
        let params = format!(
            "panic=-1 rcupdate.rcu_cpu_stall_suppress=1 scenario={} {}",
            self.scenario, self.params
        );
        let image = image(self.kernel).display().to_string();
        if arch().is_program() {
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
            args.extend(arch().params.split(' ').map(String::from));
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
        let mut args: Vec<String> = arch()
            .qemu
            .iter()
            .chain(&machine)
            .map(|arg| arg.to_string())
            .collect();
        args.extend([
            "-m".into(),
            self.memory.to_string(),
            "-smp".into(),
            self.cpus.to_string(),
            "-kernel".into(),
            image,
        ]);
        if let Some(initrd) = &self.initrd {
            args.extend(["-initrd".into(), initrd.display().to_string()]);
        }
        if let Some(disk) = &self.disk {
            let drive = format!("file={},format=raw,if=virtio,snapshot=on", disk.display());
            args.extend(["-drive".into(), drive]);
        }
        args.extend(["-append".into(), format!("{} {params}", arch().params)]);
        args
    }

    /// The same for a shell.
    pub fn shell_command(&self) -> String {
        quoted(&self.command())
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
            arch().return_address
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
            let gdb = match arch().name {
                "x86_64" => "gdb",
                _ => "gdb-multiarch",
            };
            let out = Command::new("timeout")
                .args(["200", gdb, "-batch", "-nx", "-x"])
                .arg(&commands)
                .arg(path_of(self.kernel).join("vmlinux"))
                .current_dir(&dir)
                .output()
                .map_err(|e| format!("gdb: {e}"))?;
            Ok(String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
        });
        let _ = fs::remove_file(commands);
        let _ = fs::remove_file(dir.join(socket));
        result
    }

    fn start(&self, accelerator: &str, more: &[&str]) -> Result<Child, String> {
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

    fn run(
        &self,
        accelerator: &str,
        more: &[&str],
        meanwhile: impl FnOnce() -> Result<String, String>,
    ) -> Result<(String, String), String> {
        kernel_dir(self.kernel)?;
        let _running = RUNNING.read().expect("nobody panics with it");
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
                "{console}\nthe machine did not end in {:?}\n{side}",
                self.deadline
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
fn serial() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}.{next}", std::process::id())
}

/// `kvm` if it has been seen to boot a machine since this host was started, otherwise `tcg`, as for
/// any other architecture.
///
/// That `/dev/kvm` can be opened proves little: QEMU may still hang with it.
pub fn accelerator() -> &'static str {
    static ACCELERATOR: OnceLock<&str> = OnceLock::new();
    ACCELERATOR.get_or_init(|| {
        let kvm = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm");
        if kvm.is_err() || arch().name != "x86_64" {
            return "tcg";
        }
        let cache = project_dir().join("build/accelerator");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let known = fs::read_to_string(&cache).unwrap_or_default();
        match known.strip_suffix(&boot) {
            Some("kvm ") => return "kvm",
            Some("tcg ") => return "tcg",
            _ => {}
        }
        let accelerator = match kvm_boots() {
            true => "kvm",
            false => "tcg",
        };
        // Not kept, it is only found out again.
        let _ = fs::write(cache, format!("{accelerator} {boot}"));
        accelerator
    })
}

/// Boots a machine with KVM, and gives up on it if that takes too long.
fn kvm_boots() -> bool {
    eprintln!(
        "boot-tests: trying KVM, for {} s at most",
        KVM_PROBE.as_secs()
    );
    let Ok(mut qemu) = Machine::new("facts", "quiet").start("kvm", &[]) else {
        return false;
    };
    let mut stdout = qemu.stdout.take().expect("piped");
    let console = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).contains("SCENARIO-END")
    });
    let start = Instant::now();
    while start.elapsed() < KVM_PROBE {
        if let Ok(Some(_)) = qemu.try_wait() {
            return console.join().unwrap_or(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
    // Not waited for: what hangs in the kernel does not die either.
    let _ = qemu.kill();
    false
}

/// What the guest printed as `name: value`.
pub fn fact<'a>(console: &'a str, name: &str) -> Option<&'a str> {
    console
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
