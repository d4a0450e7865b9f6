// SPDX-License-Identifier: GPL-2.0

//! System calls for the kernel's own boot code.
//!
//! C header: [`include/linux/init_syscalls.h`](srctree/include/linux/init_syscalls.h)

use crate::{
    bindings,
    error::{code::*, to_result, Result},
    ffi::c_void,
    init_memory::InitMemory,
    page::PAGE_SIZE,
    str::CStr,
};
use core::ptr::{self, NonNull};

/// Mount flag: update access times on every access, as a mount made by the kernel itself does.
pub const MS_STRICTATIME: usize = bindings::MS_STRICTATIME as usize;

/// Mounts a new instance of file system type `fs_type` on the directory `dir`.
///
/// `source` is what `/proc/mounts` shows as the device, `flags` are `MS_*`, and `options` are the
/// comma-separated options of `fs_type`, or nothing.
///
/// # Errors
///
/// * `E2BIG` if `options` do not fit into a page.
/// * `ENOMEM` if memory runs out.
/// * `ENODEV` if `fs_type` is not registered, and whatever else `mount(2)` gives.
///
/// Wraps `init_mount()` in `fs/init.c`.
#[inline(always)]
pub fn mount(
    _init: &InitMemory,
    source: &CStr,
    dir: &CStr,
    fs_type: &CStr,
    flags: usize,
    options: &[u8],
) -> Result {
    let page = if options.is_empty() {
        None
    } else {
        Some(OptionsPage::new(options)?)
    };
    let data = page
        .as_ref()
        .map_or(ptr::null_mut(), |page| page.0.as_ptr());

    // SAFETY: The strings are NUL-terminated, `data` is null or a page, all live until the call
    // returns, and `_init` proves that this `__init` function is still there.
    to_result(unsafe {
        bindings::init_mount(
            source.as_char_ptr(),
            dir.as_char_ptr(),
            fs_type.as_char_ptr(),
            flags as _,
            data,
        )
    })
}

/// A page with mount options: `path_mount()` ends them at the last byte of the page that they are
/// in, and parsing takes them apart.
///
/// # Invariants
///
/// Points to `PAGE_SIZE` bytes from the slab allocator, which this value owns.
struct OptionsPage(NonNull<c_void>);

impl OptionsPage {
    #[inline(always)]
    fn new(options: &[u8]) -> Result<Self> {
        if options.len() >= PAGE_SIZE {
            return Err(E2BIG);
        }
        // SAFETY: Without an old allocation this is a plain one.
        let page = unsafe {
            bindings::krealloc(
                ptr::null(),
                PAGE_SIZE,
                bindings::GFP_KERNEL | bindings::__GFP_ZERO,
            )
        };
        // INVARIANT: Allocated just now.
        let page = Self(NonNull::new(page).ok_or(ENOMEM)?);

        // SAFETY: The page is new, and longer than the options.
        unsafe {
            ptr::copy_nonoverlapping(options.as_ptr(), page.0.as_ptr().cast(), options.len())
        };
        Ok(page)
    }
}

impl Drop for OptionsPage {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::kfree(self.0.as_ptr()) };
    }
}
