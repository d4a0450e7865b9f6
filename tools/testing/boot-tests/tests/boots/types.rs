// SPDX-License-Identifier: GPL-2.0

//! What safe code can and cannot do with our modules of the `kernel` crate: programs of a few lines that
//! compile, or do not, against a stub of that crate on the host.

use crate::{verdict::*, Case};
use boot_tests::{project_dir, target};
use libtest_mimic::Failed;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What each program begins with.
const PRELUDE: &str = "
    #![allow(dead_code, unused)]
    #![deny(unsafe_code)]
    use kernel::{c_str, init_c_str, init_context::InitContext, init_syscalls::mount};
    use kernel::{path::{ImmutableDir, Path}, str::CStr};
    #[allow(unsafe_code)]
    fn immutable(path: &Path) -> ImmutableDir<'_> {
        // SAFETY: It is compiled, and never run.
        unsafe { path.make_immutable() }.unwrap()
    }
";

/// All compile but for one line, and that has this error.
const REFUSED: [(&str, &str, &str); 12] = [
    (
        "a token made by hand",
        "fn f() { InitContext(core::marker::PhantomData); }",
        "error[E0423]",
    ),
    (
        "a token from safe code",
        "fn f() { InitContext::assume(); }",
        "error[E0133]",
    ),
    (
        "a token in another thread",
        "fn f(init: &InitContext) { std::thread::scope(|s| { s.spawn(|| { let init = init; }); }) }",
        "error[E0277]",
    ),
    (
        "a token that is moved away",
        "fn f(init: &InitContext) -> InitContext { *init }",
        "error[E0507]",
    ),
    (
        "init_mount() without the token",
        "fn f(s: &CStr) { let _ = mount(s, s, s, 0, &[]); }",
        "error[E0061]",
    ),
    (
        "a path walk without the token",
        "fn f(s: &CStr) { let _ = Path::lookup_dir(s); }",
        "error[E0061]",
    ),
    (
        "the root of PID 1 moved without the token",
        "fn f(path: &Path) { path.enter(); }",
        "error[E0061]",
    ),
    (
        "a string that outlives init memory",
        "fn f(init: &InitContext) -> &'static CStr { init_c_str!(init, \"x\") }",
        "error: lifetime may not live long enough",
    ),
    (
        "a string with a NUL byte in it",
        "fn f(init: &InitContext) { init_c_str!(init, \"x\\0y\"); }",
        "error[E0080]",
    ),
    (
        "a directory made immutable by safe code",
        "fn f(path: &Path) { let _ = path.make_immutable(); }",
        "error[E0133]",
    ),
    (
        "a mount locked by safe code",
        "fn f(path: &Path) { path.set_locked(); }",
        "error[E0133]",
    ),
    (
        "a path that goes while its directory is immutable",
        "fn f(path: Path) { let immutable = immutable(&path); drop(path); immutable.seal(); }",
        "error[E0505]",
    ),
];

const ACCEPTED: &str = r#"
    fn all(init: &InitContext) -> kernel::error::Result {
        let root = init_c_str!(init, "/");
        let path = Path::lookup_dir(init, root)?;
        immutable(&path).seal();
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

/// Type-checks a crate; returns what the compiler has to say.
fn compile(dir: &Path, name: &str, source: &Path, more: &[&str]) -> Result<String, Failed> {
    let out = Command::new(env::var("RUSTC").unwrap_or("rustc".into()))
        .args(["--edition=2021", "--crate-type=lib", "--emit=metadata"])
        .args(["--crate-name", name, "--out-dir"])
        .arg(dir)
        .arg("-L")
        .arg(dir)
        .args(more)
        .arg(source)
        .output()?;
    Ok(String::from_utf8_lossy(&out.stderr).into_owned())
}

fn safe_code_can_do_no_harm() -> Outcome {
    let dir: PathBuf = target().tmp("types");
    fs::create_dir_all(&dir)?;
    let modules = project_dir().join("build/linux/rust/kernel");
    let stub =
        include_str!("types/kernel.rs").replace("RUST_KERNEL", &modules.display().to_string());
    fs::write(dir.join("kernel.rs"), stub)?;
    let said = compile(
        &dir,
        "kernel",
        &dir.join("kernel.rs"),
        &["--cap-lints=allow"],
    )?;
    if said.contains("error") {
        return Err(said.into());
    }
    let program = |name: &str, text: &str, more: &str| -> Result<String, Failed> {
        let source = dir.join(name).with_extension("rs");
        fs::write(&source, format!("{PRELUDE}{text}"))?;
        compile(&dir, name, &source, &["--extern=kernel", more])
    };
    let said = program("accepted", ACCEPTED, "--cfg=built_in")?;
    if !said.is_empty() {
        return Err(said.into());
    }
    let string = "fn f(init: &InitContext) { init_c_str!(init, \"x\"); }";
    let said = program("module", string, "--cfg=MODULE")?;
    if !said.starts_with("error: a module's init memory is not the kernel's") {
        return Err(format!("{said}\na module has a string in the kernel's init memory").into());
    }
    for (n, (what, text, error)) in REFUSED.iter().enumerate() {
        let said = program(&format!("refused{n}"), text, "--cfg=built_in")?;
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
