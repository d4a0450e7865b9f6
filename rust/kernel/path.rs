// SPDX-License-Identifier: GPL-2.0

//! Paths: a dentry on a mount.
//!
//! C headers: [`include/linux/path.h`](srctree/include/linux/path.h),
//! [`include/linux/namei.h`](srctree/include/linux/namei.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/fs_struct.h`](srctree/include/linux/fs_struct.h),
//! [`include/linux/mount.h`](srctree/include/linux/mount.h)

use crate::{
    bindings,
    error::to_result,
    init_context::InitContext,
    prelude::*, //
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::{addr_of, addr_of_mut}, //
};

// Each function here is inlined, so that it is in its caller's init section; modpost looks.

/// A directory in the mount tree. Dropping it may sleep.
///
/// # Invariants
///
/// Holds a reference to the mount and one to the dentry, which is on that mount, positive, and a
/// directory's. It stays positive, as one that is used by others is only unhashed.
///
/// # Examples
///
/// ```
/// use kernel::{c_str, init_context::InitContext, path::Path};
///
/// # use kernel::bindings::{system_state, system_states_SYSTEM_SCHEDULING};
/// # // SAFETY: PID 1 writes it, and waits for KUnit; which can run this again, much later.
/// # if unsafe { system_state } > system_states_SYSTEM_SCHEDULING { return Ok(()); }
/// # // SAFETY: PID 1 waits for KUnit's kernel thread, which shares `init_fs` with it.
/// # let init = unsafe { InitContext::assume() };
/// let root = Path::lookup_dir(&init, c_str!("/"))?;
/// assert!(root.covering_mount().is_none());
/// # Ok::<(), Error>(())
/// ```
pub struct Path(bindings::path);

impl Path {
    /// Looks up the directory `name` by `kern_path()` in `fs/namei.c`, following symbolic links and
    /// mounts. `/` alone gives the root itself, even if something is mounted on it. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `ENOTDIR`, `ENOMEM`, and whatever else a path walk gives.
    #[inline(always)]
    pub fn lookup_dir(_init: &InitContext, name: &CStr) -> Result<Self> {
        let mut path = MaybeUninit::uninit();

        // SAFETY: `name` and `path` are valid, and `_init` proves that the current task has an
        // `fs_struct` and an `nsproxy`.
        to_result(unsafe {
            bindings::kern_path(
                name.as_char_ptr(),
                bindings::LOOKUP_FOLLOW | bindings::LOOKUP_DIRECTORY,
                path.as_mut_ptr(),
            )
        })?;
        // SAFETY: `kern_path()` succeeded, so it has filled in `path`.
        // INVARIANT: And taken both references, to a directory.
        Ok(Self(unsafe { path.assume_init() }))
    }

    /// Returns the root of the mount on this path, if there is one, by `follow_down_one()` in
    /// `fs/namei.c`: of several, one on the other, the lowest. Needs no memory, and may sleep.
    #[inline(always)]
    pub fn covering_mount(&self) -> Option<Self> {
        // SAFETY: By the type invariants, `self.0` is valid.
        unsafe { bindings::path_get(&self.0) };
        // INVARIANT: `path_get()` took both references.
        let mut path = Self(self.0);

        // SAFETY: `path` is valid.
        // INVARIANT: It is left as it is, or both references are given up for those to a mount and
        // its root, which is a directory as what it is mounted on.
        (unsafe { bindings::follow_down_one(&mut path.0) } != 0).then_some(path)
    }

    /// Locks the mount of this path in its place, by `MNT_LOCKED` of `include/linux/mount.h`: alone
    /// it can be neither unmounted nor moved. `pivot_root(2)` hands the lock of a root on to the
    /// next.
    ///
    /// # Safety
    ///
    /// Nobody else may change the flags of this mount meanwhile; `mount_lock` is not taken.
    #[inline(always)]
    pub unsafe fn set_locked(&self) {
        // SAFETY: By the type invariants the mount is valid.
        let flags = unsafe { addr_of_mut!((*self.0.mnt).mnt_flags) };
        // SAFETY: By the safety requirements nobody else writes.
        let value = unsafe { flags.read() } | bindings::MNT_LOCKED as i32;

        // SAFETY: As above. Volatile, so that it is one store: who reads without `mount_lock` sees
        // the old word or the new one, which differ by one bit.
        unsafe { flags.write_volatile(value) };
    }

    /// Makes this path the root and working directory of the current task and of all tasks that
    /// share its `fs_struct`, PID 1 among them, by functions of `fs/fs_struct.c`. May sleep.
    #[inline(always)]
    pub fn enter(&self, _init: &InitContext) {
        // SAFETY: There is always a current task.
        let current = unsafe { bindings::get_current() };
        // SAFETY: It is valid.
        let fs = unsafe { (*current).fs };

        // SAFETY: `_init` proves that `current` has an `fs_struct`, and the function takes
        // references of its own to the path, which is valid by the type invariants.
        unsafe { bindings::set_fs_pwd(fs, &self.0) };
        // SAFETY: As above.
        unsafe { bindings::set_fs_root(fs, &self.0) };
    }

    /// Returns whether this path is on a tmpfs, or on a devtmpfs that is one.
    #[inline(always)]
    pub fn is_tmpfs(&self) -> bool {
        const MAGIC: bindings::__kernel_ulong_t =
            bindings::TMPFS_MAGIC as bindings::__kernel_ulong_t;

        // SAFETY: By the type invariants, mount and superblock are valid.
        unsafe { (*(*self.0.mnt).mnt_sb).s_magic == MAGIC }
    }

    /// Makes this directory, if it is empty, immutable until the result is dropped, by
    /// `simple_empty()` in `fs/libfs.c` and `inode_set_flags()` in `fs/inode.c`. May sleep, and so
    /// may dropping the result.
    ///
    /// # Errors
    ///
    /// `ENOTEMPTY` if there is something in the directory, `EBUSY` if it is immutable already.
    ///
    /// # Safety
    ///
    /// The directory must be on a tmpfs or ramfs, which keep all entries in the dentry cache. Until
    /// the result is dropped or sealed, or for good if it is forgotten, nobody else may
    ///
    /// * have it open, make a file without a name in it (`O_TMPFILE`), or ask for its flags
    ///   (`vfs_fileattr_get()`), which take no lock of the inode;
    /// * set its flags (`vfs_fileattr_set()`): tmpfs has a copy of them, by which it would then
    ///   clear this one.
    #[inline(always)]
    pub unsafe fn make_immutable(&self) -> Result<ImmutableDir<'_>> {
        let inode = LockedInode::new(self);

        // SAFETY: By the type invariants the dentry is valid.
        if unsafe { bindings::simple_empty(self.0.dentry) } == 0 {
            return Err(Error::from_errno(-(bindings::ENOTEMPTY as i32)));
        }
        // SAFETY: The inode is valid.
        let flags = unsafe { addr_of!((*inode.0).i_flags) };
        // SAFETY: As above. Volatile, as the READ_ONCE() of `inode_set_flags()`, which does not
        // count on the lock either.
        if unsafe { flags.read_volatile() } & bindings::S_IMMUTABLE != 0 {
            return Err(EBUSY);
        }
        // SAFETY: The inode is valid and locked.
        unsafe { bindings::inode_set_flags(inode.0, bindings::S_IMMUTABLE, bindings::S_IMMUTABLE) };
        // INVARIANT: By the safety requirements, and it has become immutable just now.
        Ok(ImmutableDir(self))
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
/// The inode is valid during `'a`, and this value holds its `i_rwsem` for writing.
struct LockedInode<'a>(*mut bindings::inode, PhantomData<&'a Path>);

impl<'a> LockedInode<'a> {
    #[inline(always)]
    fn new(path: &'a Path) -> Self {
        // SAFETY: By the type invariants of `Path` the dentry is valid, and stays positive.
        let inode = unsafe { (*path.0.dentry).d_inode };

        // SAFETY: The inode is valid. This is what `inode_lock()` does.
        unsafe { bindings::down_write(addr_of_mut!((*inode).i_rwsem)) };
        // INVARIANT: Locked just now, and `path` keeps the inode in place.
        Self(inode, PhantomData)
    }
}

impl Drop for LockedInode<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariants. This is what `inode_unlock()` does.
        unsafe { bindings::up_write(addr_of_mut!((*self.0).i_rwsem)) };
    }
}

/// An empty directory that is immutable for as long as this value lives.
///
/// # Invariants
///
/// It is as [`Path::make_immutable()`] demands, with an `S_IMMUTABLE` that this value has set.
#[must_use = "the directory is mutable again when this is dropped"]
pub struct ImmutableDir<'a>(&'a Path);

impl ImmutableDir<'_> {
    /// Makes the directory empty and immutable for good, by `make_empty_dir_inode()` in
    /// `fs/libfs.c`: it can be walked, read and mounted on, and has no operation left that changes
    /// anything. Reading it leaves its times alone as well. May sleep.
    #[inline(always)]
    pub fn seal(self) {
        let inode = LockedInode::new(self.0);

        // SAFETY: The inode is valid.
        let i_lock = unsafe { addr_of_mut!((*inode.0).i_lock) };

        // SAFETY: The lock is valid. A path walk that sets IOP_FASTPERM holds it.
        unsafe { bindings::spin_lock(i_lock) };
        // SAFETY: The inode is valid and locked. Others may be walking through it. What is taken
        // away is called under the lock, refused for an immutable directory, ruled out by the type
        // invariants, or reads xattrs, which stay. What is replaced is never null meanwhile, and
        // the old one may still answer. `permission` is null before, which means the same.
        unsafe { bindings::make_empty_dir_inode(inode.0) };
        // SAFETY: It was locked above.
        unsafe { bindings::spin_unlock(i_lock) };
        // SAFETY: The inode is valid and locked.
        unsafe { bindings::inode_set_flags(inode.0, bindings::S_NOATIME, bindings::S_NOATIME) };
        core::mem::forget(self);
    }
}

impl Drop for ImmutableDir<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        let inode = LockedInode::new(self.0);

        // SAFETY: The inode is valid and locked.
        unsafe { bindings::inode_set_flags(inode.0, 0, bindings::S_IMMUTABLE) };
    }
}
