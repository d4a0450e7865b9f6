// SPDX-License-Identifier: GPL-2.0

//! Whether KVM can be used here.

use crate::{project_dir, target, Machine};
use std::{
    fs,
    io::Read,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// How long a machine may take to show that KVM works here.
const KVM_PROBE: Duration = Duration::from_secs(15);

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
        if kvm.is_err() || target().arch.name != "x86_64" {
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
        let boots = kvm_boots();
        let accelerator = match boots {
            Some(true) => "kvm",
            _ => "tcg",
        };
        // A kernel that ends too early says nothing of KVM. What is not kept is only found out again.
        if boots != Some(false) {
            let _ = fs::write(cache, format!("{accelerator} {boot}"));
        }
        accelerator
    })
}

/// Boots a machine with KVM, and gives up on it if that takes too long. Tells whether the scenario was run.
fn kvm_boots() -> Option<bool> {
    eprintln!(
        "boot-tests: trying KVM, for {} s at most",
        KVM_PROBE.as_secs()
    );
    let mut machine = Machine::new("facts", "quiet");
    machine.initrd = Some(target().demo());
    let Ok(mut qemu) = machine.start("kvm", &[]) else {
        return Some(false);
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
            return Some(console.join().unwrap_or(false));
        }
        thread::sleep(Duration::from_millis(20));
    }
    // Not waited for: what hangs in the kernel does not die either.
    let _ = qemu.kill();
    None
}
