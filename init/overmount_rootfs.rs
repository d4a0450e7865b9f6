// SPDX-License-Identifier: GPL-2.0

//! Gives the initramfs a file system of its own on top of rootfs.
//!
//! rootfs can never be unmounted, so `pivot_root(2)` refuses to work for a system that runs from
//! it. This mounts a new tmpfs (or ramfs, if rootfs is one) over rootfs before the initramfs is
//! unpacked, makes it the root of all tasks, and seals the rootfs below, which stays empty.

use core::slice;
use kernel::{
    bindings,
    error::{code::ENOENT, Error},
    ffi::c_char,
    init_c_str,
    init_memory::InitMemory,
    init_pr_info, init_pr_warn,
    init_syscalls::{self, MS_STRICTATIME},
    path::Path,
    str::CStr,
};

/// Mounts a new root over rootfs, enters it and seals rootfs.
///
/// On failure one warning tells the step and the error, everything is as it was before, and the
/// initramfs can be unpacked into rootfs.
///
/// `options` are the mount options of the new root, from `initramfs_options=`.
///
/// # Safety
///
/// * Init memory must not have been freed, nor be freed before this returns.
/// * The current task must share its root with PID 1, and rootfs must be that root.
/// * `options` must be null or a C string that does not change before this returns.
#[no_mangle]
#[link_section = ".init.text"]
pub unsafe extern "C" fn overmount_rootfs(options: *const c_char) {
    // SAFETY: By the safety requirements init memory outlives this call, and so `init`.
    let init = &unsafe { InitMemory::assume() };
    let options = if options.is_null() {
        &[]
    } else {
        // SAFETY: By the safety requirements this is a string, with so many bytes before the NUL.
        unsafe { slice::from_raw_parts(options.cast(), bindings::strlen(options) as usize) }
    };
    let subject = init_c_str!(init, "empty_rootfs");

    match overmount(init, options) {
        Ok(fs_type) => init_pr_info!(init, subject, init_c_str!(init, "on, root is"), fs_type),
        Err(Failure {
            what,
            object,
            error,
        }) => init_pr_warn!(init, subject, what, object, error),
    }
}

/// What could not be done, to what, and why.
struct Failure<'a> {
    what: &'a CStr,
    object: &'a CStr,
    error: Error,
}

/// Everything that can fail comes first and is undone by leaving this function.
#[inline(always)]
fn overmount<'a>(init: &'a InitMemory, options: &[u8]) -> Result<&'a CStr, Failure<'a>> {
    let root = init_c_str!(init, "/");
    let rootfs_name = init_c_str!(init, "rootfs");
    let failure = |what, object| {
        move |error| Failure {
            what,
            object,
            error,
        }
    };

    let rootfs =
        Path::lookup_dir(root).map_err(failure(init_c_str!(init, "off, cannot look up"), root))?;
    let fs_type = if rootfs.is_tmpfs() {
        init_c_str!(init, "tmpfs")
    } else {
        init_c_str!(init, "ramfs")
    };

    // From here on nobody can put anything into rootfs that would then be out of reach.
    let frozen = rootfs.freeze_empty().map_err(failure(
        init_c_str!(init, "off, something is in"),
        rootfs_name,
    ))?;
    // rootfs itself has no relatime either.
    init_syscalls::mount(init, rootfs_name, root, fs_type, MS_STRICTATIME, options)
        .map_err(failure(init_c_str!(init, "off, cannot mount"), fs_type))?;
    let new_root = rootfs
        .covering_mount()
        .ok_or(ENOENT)
        .map_err(failure(init_c_str!(init, "off, cannot enter"), fs_type))?;

    // The point of commitment. What "/.." leads to is now "/".
    new_root.enter();
    frozen.seal();
    Ok(fs_type)
}
