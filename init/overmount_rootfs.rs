// SPDX-License-Identifier: GPL-2.0

//! Gives the initramfs a file system of its own on top of rootfs.
//!
//! rootfs can never be unmounted, so `pivot_root(2)` refuses to work for a system that runs from
//! it. This mounts a new tmpfs (or ramfs, if rootfs is one) over rootfs before the initramfs is
//! unpacked, makes it the root of all tasks, and seals the rootfs below, which stays empty.

use core::{mem, slice};
use kernel::{
    bindings,
    error::{code::ENOENT, Error},
    init_c_str,
    init_memory::InitMemory,
    init_pr_info, init_pr_warn,
    init_syscalls::{self, MS_STRICTATIME},
    path::{EntryName, Path},
    str::CStr,
};

/// Mounts a new root over rootfs, enters it and seals rootfs.
///
/// On failure one warning tells the step and the error, everything is as it was before, and the
/// initramfs can be unpacked into rootfs.
///
/// The new root gets the mount options of `initramfs_options=`.
///
/// # Safety
///
/// * Init memory must not have been freed, nor be freed before this returns.
/// * The current task must share its root with PID 1, and rootfs must be that root.
#[no_mangle]
#[link_section = ".init.text"]
pub unsafe extern "C" fn overmount_rootfs() {
    // SAFETY: By the safety requirements init memory outlives this call, and so `init`.
    let init = &unsafe { InitMemory::assume() };
    // SAFETY: `init` proves that this `__initdata` is still there; nothing else uses it any more.
    let options = unsafe { bindings::initramfs_options };
    let options = if options.is_null() {
        &[]
    } else {
        // SAFETY: This is a part of the command line, with so many bytes before the NUL.
        unsafe { slice::from_raw_parts(options.cast(), bindings::strlen(options) as usize) }
    };
    let subject = init_c_str!(init, "empty_rootfs");

    let mut entry = [0; mem::size_of::<EntryName>()];
    match overmount(init, options, &mut entry) {
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
fn overmount<'a>(
    init: &'a InitMemory,
    options: &[u8],
    entry: &'a mut EntryName,
) -> Result<&'a CStr, Failure<'a>> {
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
    let frozen = rootfs.freeze_empty(entry).map_err(|entry| Failure {
        what: init_c_str!(init, "off, rootfs already has"),
        object: entry,
        error: Error::from_errno(-(bindings::ENOTEMPTY as i32)),
    })?;
    // rootfs itself has no relatime either.
    init_syscalls::mount(init, rootfs_name, root, fs_type, MS_STRICTATIME, options)
        .map_err(failure(init_c_str!(init, "off, cannot mount"), fs_type))?;
    // Without one somebody has unmounted it again, and there is nothing to undo.
    let new_root = rootfs
        .covering_mount()
        .ok_or(ENOENT)
        .map_err(failure(init_c_str!(init, "off, cannot enter"), fs_type))?;

    // The point of commitment. What "/.." leads to is now "/".
    new_root.enter();
    frozen.seal();
    Ok(fs_type)
}
