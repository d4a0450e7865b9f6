// SPDX-License-Identifier: GPL-2.0

//! Lets `pivot_root(2)` work for a system that runs from its initramfs: mounts a tmpfs (or ramfs)
//! over rootfs, which can never be unmounted, makes it the root of PID 1, and seals rootfs below.

use kernel::{
    bindings,
    init_c_str,
    init_context::InitContext,
    init_syscalls,
    path::Path,
    prelude::*, //
};

/// Mounts a new root over rootfs, enters it and seals rootfs. `options` are the mount options of
/// the new root, or null.
///
/// On failure one line tells the step and the error, everything is as it was before, and the
/// initramfs can be unpacked into rootfs.
///
/// # Safety
///
/// * The caller must be PID 1, before it frees init memory, and be able to sleep.
/// * `/` must be rootfs, and nothing may be mounted on it.
/// * Nobody may meanwhile open `/`, ask for its flags or set them, make files without a name in it,
///   or change the flags of a mount on it.
/// * `options` must be null or a C string that nobody changes meanwhile.
// Not by #[export], which Linux 6.12 does not have.
#[no_mangle]
#[link_section = ".init.text"]
pub unsafe extern "C" fn overmount_rootfs(options: *const u8) {
    // SAFETY: By the safety requirements. It lives until this returns.
    let init = &unsafe { InitContext::assume() };
    let options = if options.is_null() {
        &[]
    } else {
        // Not by `CStr::as_bytes()`, whose check of bounds would leave its message in memory.
        // SAFETY: By the safety requirements it is a C string.
        let len = unsafe { bindings::strlen(options.cast()) };
        // SAFETY: So many bytes come before its NUL, and nobody changes them until this returns.
        unsafe { core::slice::from_raw_parts(options, len as usize) }
    };

    // SAFETY: By the safety requirements.
    report(init, unsafe { overmount(init, options) });
}

/// What could not be done, and why.
type Failure<'a> = (&'a CStr, Error);

/// Returns the type of the new root. What can fail comes first, and is undone by leaving early.
///
/// # Safety
///
/// As for [`overmount_rootfs()`].
#[inline(always)]
unsafe fn overmount<'a>(init: &'a InitContext, options: &[u8]) -> Result<&'a CStr, Failure<'a>> {
    let root = init_c_str!(init, "/");
    let rootfs = Path::lookup_dir(init, root)
        .map_err(|error| (init_c_str!(init, "cannot look up /"), error))?;
    let fs_type = if rootfs.is_tmpfs() {
        init_c_str!(init, "tmpfs")
    } else {
        init_c_str!(init, "ramfs")
    };

    // From here on nobody can put anything into rootfs that would then be out of reach.
    // SAFETY: rootfs is a tmpfs or a ramfs. By the safety requirements nobody else opens it, makes
    // files in it, or asks for its flags or sets them, and what is called below mounts on it
    // without doing any of that.
    let immutable = unsafe { rootfs.make_immutable() }
        .map_err(|error| (init_c_str!(init, "rootfs is in use"), error))?;
    // rootfs itself has no relatime either.
    let flags = init_syscalls::MS_STRICTATIME;
    let source = init_c_str!(init, "rootfs");
    init_syscalls::mount(init, source, root, fs_type, flags, options)
        .map_err(|error| (init_c_str!(init, "cannot mount the new root"), error))?;
    // It is there, as nobody else unmounts it; without it there would be nothing to undo.
    let new_root = rootfs
        .covering_mount()
        .ok_or((init_c_str!(init, "cannot enter the new root"), ENOENT))?;

    // The point of commitment: rootfs cannot be unmounted, so its successor must not be either.
    // SAFETY: By the safety requirements nobody else changes its flags, and nothing here does.
    unsafe { new_root.set_locked() };
    new_root.enter(init);
    immutable.seal();
    Ok(fs_type)
}

/// Tells the outcome in one line, by formats that are freed after boot; those of `pr_info!` and
/// `pr_err!` would stay, with up to 170 bytes.
#[inline(always)]
#[cfg_attr(not(CONFIG_PRINTK), allow(unused_variables))]
fn report(init: &InitContext, outcome: Result<&CStr, Failure<'_>>) {
    #[cfg(CONFIG_PRINTK)]
    match outcome {
        Ok(fs_type) => {
            let fmt = init_c_str!(init, "\x016empty_rootfs: on, root is %s\n");
            // SAFETY: The format takes a C string, and gets one.
            unsafe { bindings::_printk(fmt.as_char_ptr(), fs_type.as_char_ptr()) };
        }
        Err((step, error)) => {
            let fmt = init_c_str!(init, "\x013empty_rootfs: off, %s: error %d\n");
            // SAFETY: The format takes a C string and an integer, and gets them.
            unsafe { bindings::_printk(fmt.as_char_ptr(), step.as_char_ptr(), error.to_errno()) };
        }
    }
}
