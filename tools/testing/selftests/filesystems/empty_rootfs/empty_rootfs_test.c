// SPDX-License-Identifier: GPL-2.0
/*
 * What a system that runs from its initramfs may rely on where the initramfs
 * lies over an empty directory that nobody can change. The kernel either has
 * CONFIG_EMPTY_ROOTFS, and a sealed rootfs is at the bottom of the mount tree,
 * or it is Linux 7.0 or later, and nullfs is there.
 *
 * Run it as root. The tests of pivot_root() need a root that is the initramfs.
 * Without either of the two all tests are skipped, or fail if REQUIRE is set.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../kselftest_harness.h"

#ifndef FSCONFIG_CMD_CREATE
#define FSCONFIG_CMD_CREATE 6
#endif
#ifndef NULL_FS_MAGIC
#define NULL_FS_MAGIC 0x4E554C4C
#endif
#ifndef __NR_statmount
#define __NR_statmount 457
#endif

static int pivot_root(const char *new_root, const char *put_old)
{
	return syscall(__NR_pivot_root, new_root, put_old);
}

static int new_mount_namespace(void)
{
	if (unshare(CLONE_NEWNS))
		return -1;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* A tmpfs that is mounted nowhere. */
static int new_tmpfs(void)
{
	int fs, mnt;

	fs = syscall(__NR_fsopen, "tmpfs", 0);
	if (fs < 0)
		return -1;
	mnt = syscall(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (!mnt)
		mnt = syscall(__NR_fsmount, fs, 0, 0);
	close(fs);
	return mnt;
}

static bool root_is_named_rootfs(void)
{
	char line[4096], point[4096], source[256];
	bool is_named_rootfs = false;
	FILE *mounts;

	mounts = fopen("/proc/self/mounts", "r");
	if (!mounts)
		return false;
	while (fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%255s %4095s", source, point) == 2 &&
		    !strcmp(point, "/"))
			is_named_rootfs = !strcmp(source, "rootfs");
	fclose(mounts);
	return is_named_rootfs;
}

/*
 * What statmount() tells of a mount, as far as it is of interest here; the
 * headers of older systems have neither.
 */
struct mount_basics {
	__u32 size, options;
	__u64 mask;
	__u32 dev_major, dev_minor;
	__u64 magic;
	__u32 flags, fs_type;
	__u64 id, parent;
};

static int stat_mount(__u64 id, struct mount_basics *basics)
{
	struct {
		__u32 size, spare;
		__u64 id, param;
	} request = { .size = 24, .id = id, .param = 3 /* SB_BASIC, MNT_BASIC */ };

	return syscall(__NR_statmount, &request, basics, sizeof(*basics), 0);
}

/* How many mounts lie below the root; tells of the root and of the lowest. */
static int mounts_below(struct mount_basics *root, struct mount_basics *lowest)
{
	struct statx stx;
	int depth = 0;

	if (statx(AT_FDCWD, "/", 0, 0x4000 /* MNT_ID_UNIQUE */, &stx) ||
	    stat_mount(stx.stx_mnt_id, root))
		return -1;
	for (*lowest = *root; lowest->parent != lowest->id; depth++)
		if (stat_mount(lowest->parent, lowest))
			return -1;
	return depth;
}

static bool at_the_bottom(void)
{
	struct mount_basics root, lowest;

	return mounts_below(&root, &lowest) == 0;
}

static bool bottom_is_nullfs(void)
{
	struct mount_basics root, lowest;

	return mounts_below(&root, &lowest) >= 0 &&
	       lowest.magic == NULL_FS_MAGIC;
}

/*
 * The initramfs is what is mounted on "/" from the source "rootfs", with just
 * one mount below that is of another file system. Without either feature there
 * is none below, unless somebody has mounted it a second time.
 */
static bool root_is_initramfs(void)
{
	struct mount_basics root, lowest;

	return root_is_named_rootfs() && mounts_below(&root, &lowest) == 1 &&
	       (root.dev_major != lowest.dev_major ||
		root.dev_minor != lowest.dev_minor);
}

/* Opens the mount namespace of kdevtmpfs. */
static int open_namespace_of_kdevtmpfs(void)
{
	struct dirent *entry;
	char path[280], name[16];
	int ns = -1;
	FILE *comm;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc)
		return -1;
	while (ns < 0 && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		comm = fopen(path, "r");
		if (!comm)
			continue;
		if (fscanf(comm, "%15s", name) == 1 && !strcmp(name, "kdevtmpfs")) {
			snprintf(path, sizeof(path), "/proc/%s/ns/mnt", entry->d_name);
			ns = open(path, O_RDONLY | O_CLOEXEC);
		}
		fclose(comm);
	}
	closedir(proc);
	return ns;
}

/* Takes off all that can be taken off the caller's own mount namespace. */
static int uncover(int proc)
{
	int ns;

	ns = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return -1;
	/* Entering a namespace, also one's own, leads to its topmost root. */
	while (!umount2("/", MNT_DETACH))
		if (setns(ns, CLONE_NEWNS))
			return -1;
	return close(ns);
}

/*
 * Over nullfs, the initramfs can be taken off. Over a sealed rootfs it is
 * locked, but kdevtmpfs has had a mount namespace of its own since before it
 * was mounted, where just its devtmpfs lies over rootfs. Without kdevtmpfs
 * nobody gets there.
 */
static int go_to_the_bottom(void)
{
	int proc, kdevtmpfs;

	proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	kdevtmpfs = open_namespace_of_kdevtmpfs();
	if (proc < 0 || new_mount_namespace() || uncover(proc))
		return -1;
	if (at_the_bottom())
		return 0;
	if (kdevtmpfs < 0 || setns(kdevtmpfs, CLONE_NEWNS) ||
	    new_mount_namespace() || uncover(proc) || !at_the_bottom())
		return -1;
	return 0;
}

static bool is_empty(void)
{
	struct dirent *entry;
	bool empty = true;
	DIR *dir;

	dir = opendir(".");
	if (!dir)
		return false;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			empty = false;
	closedir(dir);
	return empty;
}

/*
 * Whether what lies at the bottom is nullfs, or looks like a sealed rootfs:
 * only then may the test try to change it.
 */
enum bottom { SEALED, NOT_SEALED, OUT_OF_REACH };

static enum bottom look_at_the_bottom(void)
{
	struct stat st;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (go_to_the_bottom())
			_exit(OUT_OF_REACH);
		if (bottom_is_nullfs() ||
		    (!stat(".", &st) && st.st_mode == (S_IFDIR | 0555) &&
		     !st.st_size && is_empty()))
			_exit(SEALED);
		_exit(NOT_SEALED);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return NOT_SEALED;
	return WEXITSTATUS(status);
}

static bool required(void)
{
	const char *value = getenv("REQUIRE");

	return value && *value && strcmp(value, "0");
}

static const char *reason_to_skip(void)
{
	enum bottom bottom;

	if (geteuid())
		return "must be run as root";
	if (access("/proc/self/mounts", R_OK))
		return "needs /proc";
	bottom = look_at_the_bottom();
	if (bottom == NOT_SEALED || (bottom == OUT_OF_REACH && !root_is_initramfs()))
		return "neither EMPTY_ROOTFS nor nullfs: nothing lies below the initramfs";
	return NULL;
}

FIXTURE(bottom)
{
	struct stat stat;
};

FIXTURE_SETUP(bottom)
{
	const char *reason = reason_to_skip();

	if (reason) {
		ASSERT_FALSE(required());
		SKIP(return, "%s", reason);
	}
	/* That this is so is tested where the root is unmounted. */
	if (look_at_the_bottom() == OUT_OF_REACH)
		SKIP(return, "without kdevtmpfs nobody gets to the bottom");
	ASSERT_EQ(0, go_to_the_bottom());
	ASSERT_EQ(0, stat(".", &self->stat));
}

FIXTURE_TEARDOWN(bottom)
{
}

TEST_F(bottom, is_an_empty_directory)
{
	EXPECT_TRUE(is_empty());
	EXPECT_EQ(-1, access("proc", F_OK));
	EXPECT_EQ(ENOENT, errno);
}

TEST_F(bottom, cannot_be_unmounted)
{
	EXPECT_EQ(-1, umount2("/", MNT_DETACH));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(bottom, can_be_mounted_over)
{
	struct stat st;

	ASSERT_EQ(0, mount("over", "/", "tmpfs", 0, NULL));
	ASSERT_EQ(0, chdir("/.."));
	ASSERT_EQ(0, stat(".", &st));
	EXPECT_NE(self->stat.st_dev, st.st_dev);
	EXPECT_EQ(0, mkdir("x", 0700));
}

TEST_F(bottom, is_the_same_in_another_namespace)
{
	struct stat st;

	ASSERT_EQ(0, new_mount_namespace());
	EXPECT_EQ(-1, umount2("/", MNT_DETACH));
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, stat(".", &st));
	EXPECT_EQ(self->stat.st_dev, st.st_dev);
	EXPECT_EQ(self->stat.st_ino, st.st_ino);
}

FIXTURE(user)
{
};

FIXTURE_SETUP(user)
{
	const char *reason = reason_to_skip();

	if (reason) {
		ASSERT_FALSE(required());
		SKIP(return, "%s", reason);
	}
	ASSERT_EQ(0, setresgid(65534, 65534, 65534));
	ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		SKIP(return, "needs user namespaces");
}

FIXTURE_TEARDOWN(user)
{
}

TEST_F(user, cannot_uncover_the_bottom)
{
	EXPECT_EQ(-1, umount2("/", MNT_DETACH));
	EXPECT_EQ(EINVAL, errno);
}

/*
 * Each change is tried on an ordinary tmpfs, where it must work, and then at
 * the bottom.
 */
FIXTURE(change)
{
	int bottom;
	int tmpfs;
};

FIXTURE_VARIANT(change)
{
	int (*make)(void);
	int error;
};

FIXTURE_SETUP(change)
{
	const char *reason = reason_to_skip();

	if (reason) {
		ASSERT_FALSE(required());
		SKIP(return, "%s", reason);
	}
	/* That this is so is tested where the root is unmounted. */
	if (look_at_the_bottom() == OUT_OF_REACH)
		SKIP(return, "without kdevtmpfs nobody gets to the bottom");
	self->tmpfs = new_tmpfs();
	ASSERT_LE(0, self->tmpfs);
	ASSERT_EQ(0, go_to_the_bottom());
	self->bottom = open(".", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, self->bottom);
}

FIXTURE_TEARDOWN(change)
{
}

TEST_F(change, is_refused)
{
	int made;

	ASSERT_EQ(0, fchdir(self->tmpfs));
	made = variant->make();
	/* Without CONFIG_SHMEM it is a ramfs. */
	if (made < 0 && (errno == EOPNOTSUPP || errno == ENOTTY))
		SKIP(return, "this kernel's tmpfs cannot do it");
	EXPECT_EQ(0, made);

	ASSERT_EQ(0, fchdir(self->bottom));
	ASSERT_EQ(-1, variant->make());
	EXPECT_EQ(variant->error, errno);
}

static int close_or_fail(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static int make_dir(void)
{
	return mkdir("x", 0700);
}

static int make_file(void)
{
	return close_or_fail(open("x", O_CREAT | O_EXCL | O_WRONLY, 0600));
}

static int make_fifo(void)
{
	return mknod("x", S_IFIFO | 0600, 0);
}

static int make_symlink(void)
{
	return symlink("y", "x");
}

static int make_chmod(void)
{
	return chmod(".", 0700);
}

static int make_chown(void)
{
	return chown(".", 1, 1);
}

static int make_utimes(void)
{
	return utimensat(AT_FDCWD, ".", NULL, 0);
}

static int make_xattr(void)
{
	return setxattr(".", "trusted.x", "y", 1, 0);
}

static int make_tmpfile(void)
{
	return close_or_fail(open(".", O_TMPFILE | O_RDWR, 0600));
}

static int make_flags(void)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	int flags = FS_NODUMP_FL;
	int ret = ioctl(dir, FS_IOC_SETFLAGS, &flags);
	int error = errno;

	close(dir);
	errno = error;
	return ret;
}

FIXTURE_VARIANT_ADD(change, dir) { .make = make_dir, .error = ENOENT };
FIXTURE_VARIANT_ADD(change, file) { .make = make_file, .error = ENOENT };
FIXTURE_VARIANT_ADD(change, fifo) { .make = make_fifo, .error = ENOENT };
FIXTURE_VARIANT_ADD(change, symlink) { .make = make_symlink, .error = ENOENT };
FIXTURE_VARIANT_ADD(change, chmod) { .make = make_chmod, .error = EPERM };
FIXTURE_VARIANT_ADD(change, chown) { .make = make_chown, .error = EPERM };
FIXTURE_VARIANT_ADD(change, utimes) { .make = make_utimes, .error = EPERM };
FIXTURE_VARIANT_ADD(change, xattr) { .make = make_xattr, .error = EPERM };
FIXTURE_VARIANT_ADD(change, tmpfile) { .make = make_tmpfile, .error = EPERM };
FIXTURE_VARIANT_ADD(change, flags) { .make = make_flags, .error = ENOTTY };

/* A mount namespace of its own, whose root is the initramfs, and a new root. */
FIXTURE(initramfs)
{
	int old_root;
};

FIXTURE_SETUP(initramfs)
{
	const char *reason = reason_to_skip();

	if (reason) {
		ASSERT_FALSE(required());
		SKIP(return, "%s", reason);
	}
	ASSERT_EQ(0, new_mount_namespace());
	if (!root_is_initramfs())
		SKIP(return, "the root is not the initramfs");
	self->old_root = open("/", O_PATH | O_DIRECTORY);
	ASSERT_LE(0, self->old_root);
	mkdir("/new_root", 0700);
	ASSERT_EQ(0, mount("new_root", "/new_root", "tmpfs", 0, NULL));
	ASSERT_EQ(0, chdir("/new_root"));
}

FIXTURE_TEARDOWN(initramfs)
{
	if (self->old_root <= 0)
		return;
	umount2("/new_root", MNT_DETACH);
	unlinkat(self->old_root, "new_root", AT_REMOVEDIR);
}

/*
 * Over a sealed rootfs the root is locked, as rootfs itself is on a stock
 * boot, and pivot_root() hands the lock on. Over nullfs it can be taken off,
 * and leads to the bottom.
 */
static bool root_is_locked_or_on_nullfs(void)
{
	int ns;

	if (bottom_is_nullfs()) {
		ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
		return !umount2("/", MNT_DETACH) && !setns(ns, CLONE_NEWNS) &&
		       at_the_bottom();
	}
	return umount2("/", MNT_DETACH) && errno == EINVAL &&
	       umount2("/", 0) && errno == EINVAL &&
	       !mkdir("/still_writable", 0700) && !rmdir("/still_writable");
}

TEST_F(initramfs, cannot_be_unmounted)
{
	EXPECT_TRUE(root_is_locked_or_on_nullfs());
}

TEST_F(initramfs, hands_its_lock_on)
{
	ASSERT_EQ(0, mkdir("proc", 0700));
	ASSERT_EQ(0, mount("/proc", "proc", NULL, MS_BIND, NULL));
	ASSERT_EQ(0, pivot_root(".", "."));
	ASSERT_EQ(0, umount2(".", MNT_DETACH));
	ASSERT_EQ(0, chdir("/"));
	EXPECT_TRUE(root_is_locked_or_on_nullfs());
}

TEST_F(initramfs, can_be_pivoted_away)
{
	ASSERT_EQ(0, mkdir("put_old", 0700));
	ASSERT_EQ(0, pivot_root(".", "put_old"));
	EXPECT_EQ(0, access("/put_old/new_root", F_OK));
	EXPECT_EQ(0, umount2("/put_old", MNT_DETACH));
	EXPECT_EQ(0, rmdir("/put_old"));
}

TEST_F(initramfs, leaves_just_the_new_root)
{
	int mounts = 0;
	FILE *file;
	int c;

	ASSERT_EQ(0, pivot_root(".", "."));
	ASSERT_EQ(0, umount2(".", MNT_DETACH));
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, mkdir("proc", 0700));
	ASSERT_EQ(0, mount("proc", "/proc", "proc", 0, NULL));
	file = fopen("/proc/self/mountinfo", "r");
	ASSERT_NE(NULL, file);
	while ((c = fgetc(file)) != EOF)
		mounts += c == '\n';
	fclose(file);
	/* The new root and /proc. */
	EXPECT_EQ(2, mounts);
}

TEST_F(initramfs, stays_usable_by_file_descriptor)
{
	ASSERT_EQ(0, pivot_root(".", "."));
	ASSERT_EQ(0, umount2(".", MNT_DETACH));
	EXPECT_EQ(0, faccessat(self->old_root, "new_root", F_OK, 0));
	EXPECT_EQ(-1, access("/new_root", F_OK));
}

TEST_F(initramfs, stays_usable_by_working_directory)
{
	ASSERT_EQ(0, pivot_root(".", "."));
	ASSERT_EQ(0, fchdir(self->old_root));
	ASSERT_EQ(0, umount2(".", MNT_DETACH));
	EXPECT_EQ(0, access("new_root", F_OK));
}

static long shmem_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *file;

	file = fopen("/proc/meminfo", "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Shmem: %ld", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

/*
 * The last one: it takes the initramfs away from all tasks. Whoever runs it
 * must see to it that nobody holds a file there, and say so.
 */
FIXTURE(machine)
{
};

FIXTURE_SETUP(machine)
{
}

FIXTURE_TEARDOWN(machine)
{
}

TEST_F(machine, gets_the_memory_of_the_initramfs_back)
{
	static const char zeroes[1 << 20];
	const char *reason = reason_to_skip();
	const int mib = 16;
	long before, after;
	struct statfs fs;
	int file, i;

	if (reason) {
		ASSERT_FALSE(required());
		SKIP(return, "%s", reason);
	}
	if (!getenv("PIVOT_FOR_GOOD"))
		SKIP(return, "needs a machine of its own, and PIVOT_FOR_GOOD=1");
	ASSERT_EQ(0, statfs("/", &fs));
	if (fs.f_type == RAMFS_MAGIC)
		SKIP(return, "nothing tells how much memory a ramfs has");

	file = open("/ballast", O_CREAT | O_WRONLY, 0600);
	ASSERT_LE(0, file);
	for (i = 0; i < mib; i++)
		ASSERT_EQ(sizeof(zeroes), write(file, zeroes, sizeof(zeroes)));
	close(file);
	before = shmem_kib();

	mkdir("/new_root", 0700);
	ASSERT_EQ(0, mount("new_root", "/new_root", "tmpfs", 0, NULL));
	ASSERT_EQ(0, chdir("/new_root"));
	ASSERT_EQ(0, mkdir("proc", 0700));
	ASSERT_EQ(0, mount("proc", "proc", "proc", 0, NULL));
	ASSERT_EQ(0, pivot_root(".", "."));
	ASSERT_EQ(0, umount2(".", MNT_DETACH));
	ASSERT_EQ(0, chdir("/"));

	/* The last reference goes asynchronously. */
	for (i = 0; i < 100; i++) {
		after = shmem_kib();
		if (after <= before - mib * 1024)
			break;
		usleep(100000);
	}
	EXPECT_LE(after, before - mib * 1024);
}

TEST_HARNESS_MAIN
