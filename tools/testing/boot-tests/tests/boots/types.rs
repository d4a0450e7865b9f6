// SPDX-License-Identifier: GPL-2.0

//! What safe code can and cannot do with our modules of the `kernel` crate: programs of a few lines that compile in
//! the kernel, or do not.

use crate::{host, verdict::*, Case};
use boot_tests::target;
use libtest_mimic::Failed;
use std::{fs, process::Command};

/// What each program begins with.
const PRELUDE: &str = "
    #![allow(dead_code, missing_docs, unused)]
    #![deny(unsafe_code)]
    use kernel::{c_str, init_c_str, init_context::InitContext, init_syscalls::mount};
    use kernel::{path::{ImmutableDir, Path}, str::CStr};
    macro_rules! vouched {
        ($call:expr) => {{
            #[allow(unsafe_code)]
            // SAFETY: It is compiled, and never run.
            let result = unsafe { $call };
            result
        }};
    }
";

/// Each is refused with this error, and no other.
const REFUSED: &str = r#"
    error[E0423] | fn f() { InitContext(core::marker::PhantomData); } | a token made by hand
    error[E0133] | fn f() { InitContext::assume(); } | a token from safe code
    error[E0277] | fn sent<T: Send>(_: T) {} fn f(init: &InitContext) { sent(init); } | a token in another thread
    error[E0277] | fn sent<T: Send>(_: T) {} fn f(init: InitContext) { sent(init); } | a token given to another thread
    error[E0277] | fn f() { let _: InitContext = Default::default(); } | a token by default
    error[E0515] | fn f() -> &'static CStr { let init = vouched!(InitContext::assume()); init_c_str!(&init, "x") } | a string that leaves the function that vouches
    error[E0597] | fn f() { let init = vouched!(InitContext::assume()); let _: &'static CStr = init_c_str!(&init, "x"); } | a string for ever, in the function that vouches
    error[E0507] | fn f(init: &InitContext) -> InitContext { *init } | a token that is moved away
    error[E0308] | fn f(s: &CStr) { let _ = mount(&(), s, s, s, 0, &[]); } | init_mount() without the token
    error[E0308] | fn f(s: &CStr) { let _ = Path::lookup_dir(&(), s); } | a path walk without the token
    error[E0308] | fn f(path: &Path) { path.enter(&()); } | the root of PID 1 moved without the token
    error[E0308] | fn f(path: &Path) -> Path { path.clone() } | a second owner of a path's references
    error[E0423] | fn f(path: kernel::bindings::path) { let _ = Path(path); } | a path made by hand
    error[E0423] | fn f(path: &Path) -> ImmutableDir<'_> { ImmutableDir(path) } | an immutable directory made by hand
    error[E0382] | fn f(path: &Path) { let dir = vouched!(path.make_immutable()).unwrap(); dir.seal(); drop(dir); } | a sealed directory made mutable
    error: lifetime may not live long enough | fn f(init: &InitContext) -> &'static CStr { init_c_str!(init, "x") } | a string that outlives init memory
    error[E0080] | fn f(init: &InitContext) { init_c_str!(init, "x\0y"); } | a string with a NUL byte in it
    error[E0133] | fn f(path: &Path) { let _ = path.make_immutable(); } | a directory made immutable by safe code
    error[E0133] | fn f(path: &Path) { path.set_locked(); } | a mount locked by safe code
    error[E0505] | fn f(path: Path) { let dir = vouched!(path.make_immutable()).unwrap(); drop(path); dir.seal(); } | a path that goes while its directory is immutable
"#;

const ACCEPTED: &str = r#"
    fn all(init: &InitContext) -> kernel::error::Result {
        let root = init_c_str!(init, "/");
        let path = Path::lookup_dir(init, root)?;
        vouched!(path.make_immutable())?.seal();
        mount(init, root, root, root, 0, &[])?;
        path.covering_mount().unwrap().enter(init);
        Ok(())
    }
    // The macro means what it names, whatever its caller means by these words.
    mod caller {
        struct CStr;
        struct InitContext;
        enum Option { Some, None }
        const TEXT: u8 = 0;
        const BYTES: u8 = 0;
        fn f(init: &kernel::init_context::InitContext) -> &kernel::str::CStr {
            kernel::init_c_str!(init, "x")
        }
    }
"#;

/// Compiles a program as the kernel compiles the feature; returns what the compiler has to say.
fn compile(text: &str, more: &str) -> Result<String, Failed> {
    let source = host::file("types.rs", &format!("{PRELUDE}{text}"))?;
    let dir = target().kernel("test");
    let saved = dir.join("init/.overmount_rootfs.o.cmd");
    let text = fs::read_to_string(&saved).map_err(|e| format!("{}: {e}", saved.display()))?;
    // What follows says what is compiled.
    let command = text
        .split_once(":= ")
        .and_then(|(_, all)| all.split_once(" --out-dir "));
    let (command, _) = command.ok_or_else(|| {
        let saved = saved.display();
        format!("{saved} has no command with --out-dir; has Kbuild changed?\n{text}")
    })?;
    let script = format!(
        "{command} {more} --emit=metadata -o {} {source}",
        target().tmp("types.rmeta").display()
    );
    // As Kbuild does, it takes what is not stable.
    let out = Command::new("sh")
        .args(["-c", &script])
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(dir)
        .output()?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    match out.status.success() != said.contains("error") {
        true => Ok(said),
        false => Err(format!("{script}\n{said}\n{}", out.status).into()),
    }
}

fn safe_code_can_do_no_harm() -> Outcome {
    let said = compile(ACCEPTED, "")?;
    if !said.is_empty() {
        return Err(said.into());
    }
    let string = "fn f(init: &InitContext) { init_c_str!(init, \"x\"); }";
    let said = compile(string, "--cfg MODULE")?;
    if !said.starts_with("error: a module's init memory is not the kernel's") {
        return Err(format!("{said}\na module has a string in the kernel's init memory").into());
    }
    let refused = REFUSED.trim().lines();
    if refused.clone().count() < 20 {
        return Err("some of the programs are gone".into());
    }
    for line in refused {
        let parts: Vec<&str> = line.trim().split(" | ").collect();
        let [error, text, what] = parts[..] else {
            return Err(format!("not an error, a program and what it is: {line}").into());
        };
        let said = compile(text, "")?;
        let errors: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("error") && !line.starts_with("error: aborting"))
            .collect();
        match errors[..] {
            [only] if only.starts_with(error) => {}
            _ => return Err(format!("{said}\n{what}: not refused by {error} alone").into()),
        }
    }
    Ok(())
}

pub fn cases() -> Vec<Case> {
    vec![case!(safe_code_can_do_no_harm).quick()]
}
