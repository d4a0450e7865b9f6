// SPDX-License-Identifier: GPL-2.0

//! System calls for the kernel's own boot code.
//!
//! C header: [`include/linux/init_syscalls.h`](srctree/include/linux/init_syscalls.h)

use crate::{
    bindings,
    error::to_result,
    init_context::InitContext,
    page::PAGE_SIZE,
    prelude::*, //
};
use core::ptr;

/// Mount flag: update access times on every access. Without it, and without `MS_NOATIME`, a new
/// mount has `relatime`; rootfs, which is not made by `mount(2)`, has not.
pub const MS_STRICTATIME: u32 = bindings::MS_STRICTATIME;

/// Does what `mount(2)` does, by `init_mount()` in `fs/init.c`: without any of `MS_BIND`, `MS_MOVE`
/// and the like in `flags`, mounts a new instance of `fs_type` on the directory `dir`. `source` is
/// what `/proc/mounts` shows as the device, `options` are those of `fs_type`, separated by commas,
/// up to a NUL if there is one. May sleep.
///
/// # Errors
///
/// `E2BIG` if `options` do not fit into a page, `ENODEV` if `fs_type` is not registered, `ENOMEM`,
/// and whatever else `mount(2)` gives.
///
/// # Examples
///
/// ```
/// use kernel::{error::code::ENODEV, init_c_str, init_context::InitContext, init_syscalls};
///
/// # #[inline(never)] #[link_section = ".ref.text"] // What C calls `__ref`.
/// fn mount_nosuchfs(init: &InitContext) -> Result {
///     let (root, nosuchfs) = (init_c_str!(init, "/"), init_c_str!(init, "nosuchfs"));
///     init_syscalls::mount(init, nosuchfs, root, nosuchfs, 0, &[])
/// }
///
/// # use kernel::bindings::{system_state, system_states_SYSTEM_SCHEDULING};
/// # // SAFETY: PID 1 writes it, and waits for KUnit; which can run this again, much later.
/// # if unsafe { system_state } > system_states_SYSTEM_SCHEDULING { return; }
/// # // SAFETY: PID 1 waits for KUnit's kernel thread, which shares `init_fs` with it.
/// # let init = unsafe { InitContext::assume() };
/// assert_eq!(mount_nosuchfs(&init), Err(ENODEV));
/// ```
#[inline(always)]
pub fn mount(
    _init: &InitContext,
    source: &CStr,
    dir: &CStr,
    fs_type: &CStr,
    flags: u32,
    options: &[u8],
) -> Result {
    let (mut page, mut data) = (ptr::null_mut(), ptr::null_mut::<u8>());
    if options.len() >= PAGE_SIZE {
        return Err(E2BIG);
    }
    if !options.is_empty() {
        // SAFETY: Any flags and order may be given.
        page = unsafe { bindings::alloc_pages(bindings::GFP_KERNEL | bindings::__GFP_ZERO, 0) };
        if page.is_null() {
            return Err(ENOMEM);
        }
        // `path_mount()` wants a whole page of its own: it writes to the last byte, and parsing
        // takes the options apart.
        // SAFETY: The page was allocated just now.
        data = unsafe { bindings::kmap_local_page(page) }.cast();
        // SAFETY: The page is nobody else's, and longer than the options.
        unsafe { ptr::copy_nonoverlapping(options.as_ptr(), data, options.len()) };
    }

    // SAFETY: The strings are NUL-terminated, `data` is null or a page of our own with a NUL after
    // the options, and `_init` proves that this `__init` function is still there and that the
    // current task has an `fs_struct` and an `nsproxy`. It keeps none of these.
    let result = unsafe {
        bindings::init_mount(
            source.as_char_ptr(),
            dir.as_char_ptr(),
            fs_type.as_char_ptr(),
            flags as bindings::__kernel_ulong_t, // As `unsigned long` is called in each version.
            data.cast(),
        )
    };
    if !page.is_null() {
        // SAFETY: It is what was mapped last: `init_mount()` has unmapped what it mapped.
        unsafe { bindings::kunmap_local(data.cast()) };
        // SAFETY: It was allocated above, and nobody uses it any more.
        unsafe { bindings::__free_pages(page, 0) };
    }
    to_result(result)
}
