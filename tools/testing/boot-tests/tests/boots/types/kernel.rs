// SPDX-License-Identifier: GPL-2.0

//! As much of the `kernel` crate as our modules take to be type-checked on the host; `RUST_KERNEL` stands
//! for their directory.

#![no_std]
#![allow(dead_code)]

#[path = "RUST_KERNEL/init_context.rs"]
pub mod init_context;
#[path = "RUST_KERNEL/init_syscalls.rs"]
pub mod init_syscalls;
#[path = "RUST_KERNEL/path.rs"]
pub mod path;

pub mod prelude {
    pub use crate::{
        error::{code::*, Error, Result},
        str::CStr,
    };
}

pub mod page {
    pub const PAGE_SIZE: usize = 4096;
}

pub mod error {
    #[derive(Debug)]
    pub struct Error(i32);
    pub type Result<T = (), E = Error> = core::result::Result<T, E>;

    impl Error {
        pub fn from_errno(errno: i32) -> Self {
            Self(errno)
        }
    }

    pub fn to_result(errno: i32) -> Result {
        (errno >= 0).then_some(()).ok_or(Error(errno))
    }

    pub mod code {
        use super::Error;

        pub const E2BIG: Error = Error(-7);
        pub const EBUSY: Error = Error(-16);
        pub const ENOMEM: Error = Error(-12);
    }
}

pub mod str {
    pub struct CStr([u8]);

    impl CStr {
        pub const fn from_bytes_with_nul(bytes: &[u8]) -> Result<&Self, ()> {
            match core::ffi::CStr::from_bytes_with_nul(bytes) {
                // SAFETY: The bytes have been checked.
                Ok(_) => Ok(unsafe { Self::from_bytes_with_nul_unchecked(bytes) }),
                Err(_) => Err(()),
            }
        }

        /// # Safety
        ///
        /// `bytes` must end in a NUL byte and hold no other.
        pub const unsafe fn from_bytes_with_nul_unchecked(bytes: &[u8]) -> &Self {
            // SAFETY: The type is one of bytes.
            unsafe { &*(bytes as *const [u8] as *const Self) }
        }

        pub const fn as_bytes_with_nul(&self) -> &[u8] {
            &self.0
        }

        pub const fn as_char_ptr(&self) -> *const core::ffi::c_char {
            self.0.as_ptr().cast()
        }
    }
}

#[macro_export]
macro_rules! c_str {
    ($str:expr) => {{
        const S: &str = concat!($str, "\0");
        const C: &$crate::str::CStr = match $crate::str::CStr::from_bytes_with_nul(S.as_bytes()) {
            Ok(v) => v,
            Err(_) => panic!("string contains interior NUL"),
        };
        C
    }};
}

/// What bindgen makes of the C headers, as far as it is used, with the types of 6.12.0, which has no
/// `kernel::ffi`. Later kernels have others.
#[allow(non_camel_case_types)]
pub mod bindings {
    use core::ffi::{c_char, c_int, c_ulong, c_void};

    pub type __kernel_ulong_t = c_ulong;

    #[derive(Clone, Copy)]
    pub struct path {
        pub mnt: *mut vfsmount,
        pub dentry: *mut dentry,
    }
    pub struct vfsmount {
        pub mnt_sb: *mut super_block,
        pub mnt_flags: c_int,
    }
    pub struct super_block {
        pub s_magic: c_ulong,
    }
    pub struct dentry {
        pub d_inode: *mut inode,
    }
    pub struct inode {
        pub i_flags: u32,
        pub i_lock: spinlock_t,
        pub i_rwsem: rw_semaphore,
    }
    pub struct rw_semaphore;
    pub struct spinlock_t;
    pub struct task_struct {
        pub fs: *mut fs_struct,
    }
    pub struct fs_struct;
    pub struct page;

    pub const ENOTEMPTY: u32 = 39;
    pub const GFP_KERNEL: u32 = 0;
    pub const __GFP_ZERO: u32 = 0x100;
    pub const LOOKUP_DIRECTORY: u32 = 2;
    pub const LOOKUP_FOLLOW: u32 = 1;
    pub const MNT_LOCKED: u32 = 0x80_0000;
    pub const MS_STRICTATIME: u32 = 1 << 24;
    pub const S_IMMUTABLE: u32 = 8;
    pub const S_NOATIME: u32 = 2;
    pub const TMPFS_MAGIC: u32 = 0x0102_1994;

    #[allow(improper_ctypes)]
    extern "C" {
        pub fn down_write(semaphore: *mut rw_semaphore);
        pub fn follow_down_one(path: *mut path) -> c_int;
        pub fn __free_pages(page: *mut page, order: u32);
        pub fn alloc_pages(flags: u32, order: u32) -> *mut page;
        pub fn get_current() -> *mut task_struct;
        pub fn init_mount(
            source: *const c_char,
            dir: *const c_char,
            fs_type: *const c_char,
            flags: c_ulong,
            page: *mut c_void,
        ) -> c_int;
        pub fn inode_set_flags(inode: *mut inode, flags: u32, mask: u32);
        pub fn kmap_local_page(page: *mut page) -> *mut c_void;
        pub fn kunmap_local(address: *const c_void);
        pub fn kern_path(name: *const c_char, flags: u32, path: *mut path) -> c_int;
        pub fn make_empty_dir_inode(inode: *mut inode);
        pub fn path_get(path: *const path);
        pub fn path_put(path: *const path);
        pub fn set_fs_pwd(fs: *mut fs_struct, path: *const path);
        pub fn set_fs_root(fs: *mut fs_struct, path: *const path);
        pub fn simple_empty(dentry: *mut dentry) -> c_int;
        pub fn spin_lock(lock: *mut spinlock_t);
        pub fn spin_unlock(lock: *mut spinlock_t);
        pub fn up_write(semaphore: *mut rw_semaphore);
    }
}
