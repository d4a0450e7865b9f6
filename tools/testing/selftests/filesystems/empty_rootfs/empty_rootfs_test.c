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
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../kselftest_harness.h"

#ifndef FSCONFIG_CMD_CREATE
#define FSCONFIG_CMD_CREATE 6
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

/* The initramfs is what is mounted on "/" from the source "rootfs". */
static bool root_is_initramfs(void)
{
	char line[4096], point[4096], source[256];
	bool is_initramfs = false;
	FILE *mounts;

	mounts = fopen("/proc/self/mounts", "r");
	if (!mounts)
		return false;
	while (fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%255s %4095s", source, point) == 2 &&
		    !strcmp(point, "/"))
			is_initramfs = !strcmp(source, "rootfs");
	fclose(mounts);
	return is_initramfs;
}

/*
 * Takes off all that is mounted on the bottom of the caller's own mount
 * namespace, and goes there. Returns how many mounts that were.
 */
static int go_to_the_bottom(void)
{
	int depth = 0, ns;

	ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return -1;
	/* Entering a namespace, also one's own, leads to its topmost root. */
	while (!umount2("/", MNT_DETACH)) {
		if (setns(ns, CLONE_NEWNS))
			return -1;
		depth++;
	}
	close(ns);
	return depth;
}

/* Without the feature the initramfs itself is at the bottom. */
static bool initramfs_is_at_the_bottom(void)
{
	int others = root_is_initramfs() ? 0 : 1;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (new_mount_namespace())
			_exit(255);
		_exit(go_to_the_bottom());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return false;
	return WEXITSTATUS(status) <= others;
}

static bool required(void)
{
	const char *value = getenv("REQUIRE");

	return value && *value && strcmp(value, "0");
}

static const char *reason_to_skip(void)
{
	if (geteuid())
		return "must be run as root";
	if (access("/proc/self/mounts", R_OK))
		return "needs /proc";
	if (initramfs_is_at_the_bottom())
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
	ASSERT_EQ(0, new_mount_namespace());
	ASSERT_LT(0, go_to_the_bottom());
	ASSERT_EQ(0, stat(".", &self->stat));
}

FIXTURE_TEARDOWN(bottom)
{
}

TEST_F(bottom, is_an_empty_directory)
{
	struct dirent *entry;
	int entries = 0;
	DIR *dir;

	dir = opendir(".");
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			entries++;
	closedir(dir);
	EXPECT_EQ(0, entries);
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
	ASSERT_EQ(0, unshare(CLONE_NEWUSER | CLONE_NEWNS));
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
	ASSERT_EQ(0, new_mount_namespace());
	self->tmpfs = new_tmpfs();
	ASSERT_LE(0, self->tmpfs);
	ASSERT_LT(0, go_to_the_bottom());
	self->bottom = open(".", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, self->bottom);
}

FIXTURE_TEARDOWN(change)
{
}

TEST_F(change, is_refused)
{
	ASSERT_EQ(0, fchdir(self->tmpfs));
	EXPECT_EQ(0, variant->make());

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

static int make_link(void)
{
	make_file();
	return link("x", "y");
}

static int make_rename(void)
{
	make_file();
	return rename("x", "y");
}

static int make_rmdir(void)
{
	make_dir();
	return rmdir("x");
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
FIXTURE_VARIANT_ADD(change, link) { .make = make_link, .error = ENOENT };
FIXTURE_VARIANT_ADD(change, rename) { .make = make_rename, .error = ENOENT };
FIXTURE_VARIANT_ADD(change, rmdir) { .make = make_rmdir, .error = ENOENT };
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
	int file, i;

	if (reason) {
		ASSERT_FALSE(required());
		SKIP(return, "%s", reason);
	}
	if (!getenv("PIVOT_FOR_GOOD"))
		SKIP(return, "needs a machine of its own, and PIVOT_FOR_GOOD=1");

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
