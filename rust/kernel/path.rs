// SPDX-License-Identifier: GPL-2.0

//! Paths: a dentry on a mount.
//!
//! C headers: [`include/linux/path.h`](srctree/include/linux/path.h),
//! [`include/linux/namei.h`](srctree/include/linux/namei.h),
//! [`include/linux/fs_struct.h`](srctree/include/linux/fs_struct.h)

use crate::{
    bindings,
    error::{to_result, Result},
    ffi::c_char,
    str::CStr,
};
use core::{
    mem::{self, offset_of, MaybeUninit},
    ptr::addr_of_mut,
    slice,
};

/// Room for the name of a directory entry, as long as most of them are.
pub type EntryName = [c_char; 40];

/// A place in the mount tree.
///
/// # Invariants
///
/// Holds a reference to the mount and one to the dentry, which is positive.
pub struct Path(bindings::path);

impl Path {
    /// Looks up the directory `name`, following symbolic links and mounts.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `ENOTDIR`, `ENOMEM`, and whatever else a path walk gives.
    ///
    /// Wraps `kern_path()` in `fs/namei.c`.
    #[inline(always)]
    pub fn lookup_dir(name: &CStr) -> Result<Self> {
        let mut path = MaybeUninit::uninit();

        // SAFETY: `name` is NUL-terminated and `path` is writable.
        to_result(unsafe {
            bindings::kern_path(
                name.as_char_ptr(),
                bindings::LOOKUP_FOLLOW | bindings::LOOKUP_DIRECTORY,
                path.as_mut_ptr(),
            )
        })?;
        // SAFETY: `kern_path()` succeeded, so it has filled in `path`.
        // INVARIANT: And it took both references, to a positive dentry.
        Ok(Self(unsafe { path.assume_init() }))
    }

    /// Returns the root of the mount that covers this path, if there is one.
    ///
    /// This is how a path walk enters a mount. It needs no memory and cannot fail.
    ///
    /// Wraps `follow_down_one()` in `fs/namei.c`.
    #[inline(always)]
    pub fn covering_mount(&self) -> Option<Self> {
        // SAFETY: By the type invariants, `self.0` is valid.
        unsafe { bindings::path_get(&self.0) };
        // INVARIANT: `path_get()` took both references.
        let mut path = Self(self.0);

        // SAFETY: `path` is valid, and its references go over to the path that replaces it.
        (unsafe { bindings::follow_down_one(&mut path.0) } != 0).then_some(path)
    }

    /// Makes this path the root and working directory of the current task and of all tasks that
    /// share its `fs_struct`. Cannot fail.
    ///
    /// Wraps `set_fs_pwd()` and `set_fs_root()` in `fs/fs_struct.c`.
    #[inline(always)]
    pub fn enter(&self) {
        // SAFETY: `current` is valid, a task that runs has an `fs_struct`, and both functions take
        // references of their own to the path, which is valid by the type invariants.
        unsafe {
            let fs = (*bindings::get_current()).fs;
            bindings::set_fs_pwd(fs, &self.0);
            bindings::set_fs_root(fs, &self.0);
        }
    }

    /// Tells whether this path is on a tmpfs.
    #[inline(always)]
    pub fn is_tmpfs(&self) -> bool {
        // SAFETY: By the type invariants, mount and superblock are valid.
        unsafe { (*(*self.0.mnt).mnt_sb).s_magic as u32 == bindings::TMPFS_MAGIC }
    }

    /// Makes this directory immutable, provided that there is nothing in it.
    ///
    /// It is made mutable again when the result is dropped.
    ///
    /// Only what is in the dentry cache is looked at, which is everything on tmpfs and ramfs.
    ///
    /// # Errors
    ///
    /// If there is something in the directory: the name of one entry, which is put into `name` and
    /// cut off where that ends.
    ///
    /// Wraps `simple_empty()` in `fs/libfs.c` and `inode_set_flags()` in `fs/inode.c`.
    #[inline(always)]
    pub fn freeze_empty<'a>(&self, name: &'a mut EntryName) -> Result<FrozenDir<'_>, &'a CStr> {
        let inode = LockedInode::new(self);

        // SAFETY: By the type invariants the dentry is valid.
        if unsafe { bindings::simple_empty(self.0.dentry) } == 0 {
            return Err(self.first_entry(name));
        }
        // SAFETY: The inode is valid and locked.
        unsafe { bindings::inode_set_flags(inode.0, IMMUTABLE, IMMUTABLE) };
        // INVARIANT: The directory is empty and immutable now.
        Ok(FrozenDir(self))
    }

    /// Returns the name of the first entry of this directory.
    #[inline(always)]
    fn first_entry<'a>(&self, name: &'a mut EntryName) -> &'a CStr {
        // SAFETY: By the type invariants the dentry is valid. While `d_lock` is held its children
        // and their names stay in place. `name` is `name.len()` bytes long.
        unsafe {
            let lock = addr_of_mut!((*self.0.dentry).d_lockref).cast();
            // A `struct lockref` begins with its lock.
            bindings::spin_lock(lock);
            let mut node = (*self.0.dentry).d_children.first;
            while !node.is_null() {
                // Not by container_of!(), part of which is not inlined in every kernel.
                let child = node.cast::<u8>().sub(offset_of!(bindings::dentry, d_sib));
                let child = child.cast::<bindings::dentry>();
                if !(*child).d_inode.is_null() && !(*child).d_hash.pprev.is_null() {
                    // In some kernels it is in a union that has no name.
                    let entry = child.cast::<u8>().add(bindings::DENTRY_NAME);
                    let entry = (*entry.cast::<bindings::qstr>()).name.cast();
                    bindings::sized_strscpy(name.as_mut_ptr(), entry, name.len());
                    break;
                }
                node = (*node).next;
            }
            bindings::spin_unlock(lock);
        }
        // SAFETY: `sized_strscpy()` has put a NUL there, or else it is all zeroes.
        unsafe {
            let len = bindings::strlen(name.as_ptr()) as usize;
            let bytes = slice::from_raw_parts(name.as_ptr().cast(), len.wrapping_add(1));
            CStr::from_bytes_with_nul_unchecked(bytes)
        }
    }
}

impl Drop for Path {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariants both references are ours to give up.
        unsafe { bindings::path_put(&self.0) };
    }
}

/// The inode of a path, locked.
///
/// # Invariants
///
/// The inode is valid, and this value holds `i_rwsem` for writing.
struct LockedInode(*mut bindings::inode);

impl LockedInode {
    /// Locks the inode of `path`, which must live as long as the lock is held.
    #[inline(always)]
    fn new(path: &Path) -> Self {
        // SAFETY: By the type invariants of `Path` the dentry is valid and has an inode.
        let inode = unsafe { (*path.0.dentry).d_inode };
        // SAFETY: The inode is valid. This is what `inode_lock()` does.
        unsafe { bindings::down_write(&mut (*inode).i_rwsem) };
        // INVARIANT: Locked just now.
        Self(inode)
    }
}

impl Drop for LockedInode {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariants. This is what `inode_unlock()` does.
        unsafe { bindings::up_write(&mut (*self.0).i_rwsem) };
    }
}

const IMMUTABLE: u32 = bindings::S_IMMUTABLE;

/// A directory that is empty and, for as long as this value lives, immutable.
///
/// # Invariants
///
/// The directory is empty, and its inode has `S_IMMUTABLE`, which this value owns.
pub struct FrozenDir<'a>(&'a Path);

impl FrozenDir<'_> {
    /// Makes the directory empty and immutable for good. Cannot fail.
    ///
    /// From now on it has no operation that could create, change or delete anything, or look
    /// anything up; mounting on it works.
    ///
    /// Wraps `make_empty_dir_inode()` in `fs/libfs.c`.
    #[inline(always)]
    pub fn seal(self) {
        let inode = LockedInode::new(self.0);

        // SAFETY: The inode is valid and locked, and no operation that is going on can depend on
        // the ones that are taken away: lookups find nothing before and after, and all others are
        // refused for an immutable directory.
        unsafe {
            bindings::make_empty_dir_inode(inode.0);
            bindings::inode_set_flags(inode.0, bindings::S_NOATIME, bindings::S_NOATIME);
        }
        mem::forget(self);
    }
}

impl Drop for FrozenDir<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let inode = LockedInode::new(self.0);

        // SAFETY: The inode is valid and locked.
        unsafe { bindings::inode_set_flags(inode.0, 0, IMMUTABLE) };
    }
}
