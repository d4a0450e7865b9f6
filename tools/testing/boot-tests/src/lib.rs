// SPDX-License-Identifier: GPL-2.0

//! Boots a kernel with an initramfs and a command line in QEMU, and collects its console.

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The longest time that a machine may take: far more than any needs, so that only a hang meets it.
const DEADLINE: Duration = Duration::from_secs(240);

/// The directory of everything that is generated.
pub fn build_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../build")
}

/// A machine that can be booted.
#[derive(Clone)]
pub struct Machine {
    pub scenario: &'static str,
    /// Kernel parameters besides those that every machine gets.
    pub params: String,
    pub cpus: u32,
    pub initramfs: bool,
    /// A disk image, seen as `/dev/vda`.
    pub disk: Option<PathBuf>,
}

impl Machine {
    pub fn new(scenario: &'static str, params: &str) -> Self {
        Machine {
            scenario,
            params: params.into(),
            cpus: 1,
            initramfs: true,
            disk: None,
        }
    }

    /// The QEMU command line that boots this machine.
    pub fn command(&self) -> Vec<String> {
        let build = build_dir();
        let file = |name: &str| build.join(name).display().to_string();
        let append = format!(
            "console=ttyS0 panic=-1 reboot=t scenario={} {}",
            self.scenario, self.params
        );
        let mut args: Vec<String> = [
            "qemu-system-x86_64",
            "-accel",
            "tcg",
            "-cpu",
            "max",
            "-m",
            "768",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
            "-serial",
            "stdio",
        ]
        .map(String::from)
        .into();
        args.extend(["-smp".into(), self.cpus.to_string()]);
        args.extend(["-kernel".into(), file("kernel/arch/x86/boot/bzImage")]);
        if self.initramfs {
            args.extend(["-initrd".into(), file("guest.cpio")]);
        }
        if let Some(disk) = &self.disk {
            let drive = format!("file={},format=raw,if=virtio,snapshot=on", disk.display());
            args.extend(["-drive".into(), drive]);
        }
        args.extend(["-append".into(), append]);
        args
    }

    /// The same for a shell.
    pub fn shell_command(&self) -> String {
        let quote = |arg: &String| match arg.contains(' ') {
            true => format!("'{arg}'"),
            false => arg.clone(),
        };
        self.command()
            .iter()
            .map(quote)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Boots the machine and returns its console.
    pub fn boot(&self) -> Result<String, String> {
        self.run(&[], || Ok(String::new()))
            .map(|(console, _)| console)
    }

    /// Boots the machine under gdb, which runs `script` from the first instruction on; returns the
    /// console and what gdb printed. The machine runs on when the script has ended.
    pub fn boot_with_gdb(&self, script: &str) -> Result<(String, String), String> {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let dir = env::temp_dir();
        let name = format!(
            "gdb{}.{}",
            std::process::id(),
            SERIAL.fetch_add(1, Ordering::Relaxed)
        );
        // Relative to `dir`: a socket's path may have 107 bytes only.
        let (socket, commands) = (name.clone() + ".sock", dir.join(name + ".gdb"));
        let chardev = format!("socket,path={socket},server=on,wait=off,id=gdb");
        let text = format!(
            "set pagination off\nset confirm off\ntarget remote {socket}\n{script}\ndelete\ndetach\n"
        );
        fs::write(&commands, text).map_err(|e| format!("{}: {e}", commands.display()))?;
        let result = self.run(&["-S", "-chardev", &chardev, "-gdb", "chardev:gdb"], || {
            let start = Instant::now();
            while !dir.join(&socket).exists() {
                if start.elapsed() > DEADLINE {
                    return Err("QEMU opened no socket for gdb".into());
                }
                thread::sleep(Duration::from_millis(20));
            }
            let out = Command::new("timeout")
                .args(["200", "gdb", "-batch", "-nx", "-x"])
                .arg(&commands)
                .arg(build_dir().join("kernel/vmlinux"))
                .current_dir(&dir)
                .output()
                .map_err(|e| format!("gdb: {e}"))?;
            Ok(String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
        });
        let _ = fs::remove_file(commands);
        let _ = fs::remove_file(dir.join(socket));
        result
    }

    fn run(
        &self,
        more: &[&str],
        meanwhile: impl FnOnce() -> Result<String, String>,
    ) -> Result<(String, String), String> {
        let command = self.command();
        let mut qemu = Command::new(&command[0])
            .args(&command[1..])
            .args(more)
            .current_dir(env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", command[0]))?;
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
            if late || start.elapsed() > DEADLINE {
                late = true;
                let _ = qemu.kill();
            }
            thread::sleep(Duration::from_millis(20));
        }
        let console = console.join().expect("reader") + &errors.join().expect("reader");
        let side = side?;
        if late {
            return Err(format!(
                "{console}\nthe machine did not end in {DEADLINE:?}\n{side}"
            ));
        }
        Ok((console, side))
    }
}

/// What the guest printed as `name: value`.
pub fn fact<'a>(console: &'a str, name: &str) -> Option<&'a str> {
    console
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
