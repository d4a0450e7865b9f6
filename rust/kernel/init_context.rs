// SPDX-License-Identifier: GPL-2.0

//! The context of boot code.
//!
//! C header: [`include/linux/init.h`](srctree/include/linux/init.h)

use crate::str::CStr;
use core::marker::PhantomData;

/// Proof that the current task runs boot code.
///
/// What C marks `__init` is gone after boot. Safe functions that need it take `&InitContext`, for
/// which `unsafe` code has to vouch, and strings of [`init_c_str!`](crate::init_c_str) borrow it.
///
/// # Invariants
///
/// As long as a value of this type lives, the kernel's init memory is in place, and the current
/// task is the one that made it, and is not exiting: it has an `nsproxy`, and an `fs_struct` that
/// it shares with PID 1.
// A pointer, so that it is neither `Send` nor `Sync`.
pub struct InitContext(PhantomData<*mut ()>);

impl InitContext {
    /// Vouches that the current task runs boot code. The caller keeps the result, and lends it to
    /// safe code, which cannot have it longer.
    ///
    /// # Safety
    ///
    /// As long as the result lives
    ///
    /// * the kernel's init memory must stay in place: the current task must be PID 1, or PID 1 must
    ///   wait for it;
    /// * the current task must share its `fs_struct` with PID 1, and not be exiting;
    /// * the caller must be built in: a module's init memory is another one.
    #[inline(always)]
    pub unsafe fn assume() -> Self {
        // INVARIANT: By the safety requirements.
        Self(PhantomData)
    }

    /// Makes `text`, which lies in init memory, borrow from this proof.
    #[doc(hidden)]
    #[inline(always)]
    pub fn c_str(&self, text: &'static CStr) -> &CStr {
        text
    }
}

/// Makes a `&CStr` of a string literal, whose bytes are freed with init memory: it borrows from
/// the [`InitContext`](crate::init_context::InitContext) that is given first.
///
/// It is for code that is built in, and that is in an init section itself: modpost complains of
/// others.
///
/// # Examples
///
/// ```
/// use kernel::{init_c_str, init_context::InitContext, str::CStr};
///
/// # #[inline(never)] #[link_section = ".ref.text"] // What C calls `__ref`.
/// fn type_name(init: &InitContext) -> &CStr {
///     init_c_str!(init, "tmpfs")
/// }
///
/// # use kernel::bindings::{system_state, system_states_SYSTEM_SCHEDULING};
/// # // SAFETY: PID 1 writes it, and waits for KUnit; which can run this again, much later.
/// # if unsafe { system_state } > system_states_SYSTEM_SCHEDULING { return; }
/// # // SAFETY: PID 1 waits for KUnit's kernel thread, which shares `init_fs` with it.
/// # let init = unsafe { InitContext::assume() };
/// assert_eq!(type_name(&init).as_bytes_with_nul(), b"tmpfs\0");
/// ```
#[macro_export]
macro_rules! init_c_str {
    ($init:expr, $text:literal) => {{
        #[cfg(MODULE)]
        ::core::compile_error!("a module's init memory is not the kernel's");
        let init: &$crate::init_context::InitContext = $init;
        {
            const TEXT: &[u8] = $crate::c_str!($text).as_bytes_with_nul();
            #[link_section = ".init.rodata"]
            static BYTES: [u8; TEXT.len()] = match TEXT.first_chunk() {
                ::core::option::Option::Some(bytes) => *bytes,
                ::core::option::Option::None => ::core::unreachable!(),
            };
            // SAFETY: `c_str!` has checked the bytes at compile time.
            init.c_str(unsafe { $crate::str::CStr::from_bytes_with_nul_unchecked(&BYTES) })
        }
    }};
}
