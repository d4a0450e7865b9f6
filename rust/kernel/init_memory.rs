// SPDX-License-Identifier: GPL-2.0

//! Init memory: code and data that are freed before PID 1 runs.
//!
//! C header: [`include/linux/init.h`](srctree/include/linux/init.h)

use crate::str::CStr;
use core::marker::PhantomData;

/// Proof that init memory has not been freed yet.
///
/// Functions that C marks `__init` are gone once the kernel has booted. Their safe wrappers take
/// `&InitMemory`, and only code that itself is `__init` can vouch for a value of it. Whatever
/// borrows from init memory, such as the strings of [`init_c_str!`](crate::init_c_str), borrows
/// from this value.
///
/// # Invariants
///
/// Init memory stays in place for as long as a value of this type exists.
pub struct InitMemory(PhantomData<*mut ()>);

impl InitMemory {
    /// Vouches that init memory is still there.
    ///
    /// # Safety
    ///
    /// `free_initmem()` must not run before the returned value is dropped: the caller must be an
    /// `__init` function, or must be waited for by one.
    #[inline(always)]
    pub const unsafe fn assume() -> Self {
        // INVARIANT: By the safety requirements.
        Self(PhantomData)
    }

    /// Returns `bytes`, which lie in init memory, as a string that cannot outlive it.
    ///
    /// Use [`init_c_str!`](crate::init_c_str) instead.
    ///
    /// # Safety
    ///
    /// `bytes` must end in a NUL byte and hold no other.
    #[doc(hidden)]
    #[inline(always)]
    pub unsafe fn c_str(&self, bytes: &'static [u8]) -> &CStr {
        // SAFETY: By the safety requirements.
        unsafe { CStr::from_bytes_with_nul_unchecked(bytes) }
    }
}

/// Copies a NUL-terminated string into an array, at compile time.
#[doc(hidden)]
pub const fn to_array<const N: usize>(text: &str) -> [u8; N] {
    assert!(CStr::from_bytes_with_nul(text.as_bytes()).is_ok());
    let mut array = [0; N];
    let mut i = 0;
    while i < N {
        array[i] = text.as_bytes()[i];
        i += 1;
    }
    array
}

/// Makes a `&CStr` whose bytes are freed with the rest of init memory.
///
/// The result borrows from the [`InitMemory`] that is given as the first argument.
///
/// # Examples
///
/// ```
/// # use kernel::init_memory::InitMemory;
/// fn type_name(init: &InitMemory) -> &kernel::str::CStr {
///     kernel::init_c_str!(init, "tmpfs")
/// }
/// ```
#[macro_export]
macro_rules! init_c_str {
    ($init:expr, $text:expr) => {{
        const TEXT: &str = ::core::concat!($text, "\0");
        #[link_section = ".init.rodata"]
        static BYTES: [u8; TEXT.len()] = $crate::init_memory::to_array(TEXT);
        let init: &$crate::init_memory::InitMemory = $init;
        // SAFETY: `to_array()` has checked `BYTES` at compile time.
        unsafe { init.c_str(&BYTES) }
    }};
}

/// Prints `"{subject}: {what} {object}"` at level `KERN_INFO`; the format is in init memory.
///
/// All arguments after the [`InitMemory`] are `&CStr`.
#[macro_export]
macro_rules! init_pr_info {
    ($init:expr, $subject:expr, $what:expr, $object:expr) => {{
        let format = $crate::init_c_str!($init, "\u{1}6%s: %s %s\n");
        let (subject, what, object): (&CStr, &CStr, &CStr) = ($subject, $what, $object);
        #[cfg(CONFIG_PRINTK)]
        // SAFETY: The format takes three C strings, and gets them.
        unsafe {
            $crate::bindings::_printk(
                format.as_char_ptr(),
                subject.as_char_ptr(),
                what.as_char_ptr(),
                object.as_char_ptr(),
            );
        }
    }};
}

/// Prints `"{subject}: {what} {object}: error {errno}"` at level `KERN_WARNING`; the format is in
/// init memory.
///
/// The arguments after the [`InitMemory`] are three `&CStr` and an
/// [`Error`](crate::error::Error).
#[macro_export]
macro_rules! init_pr_warn {
    ($init:expr, $subject:expr, $what:expr, $object:expr, $error:expr) => {{
        let format = $crate::init_c_str!($init, "\u{1}4%s: %s %s: error %d\n");
        let (subject, what, object): (&CStr, &CStr, &CStr) = ($subject, $what, $object);
        let error: $crate::error::Error = $error;
        #[cfg(CONFIG_PRINTK)]
        // SAFETY: The format takes three C strings and an integer, and gets them.
        unsafe {
            $crate::bindings::_printk(
                format.as_char_ptr(),
                subject.as_char_ptr(),
                what.as_char_ptr(),
                object.as_char_ptr(),
                error.to_errno(),
            );
        }
    }};
}
