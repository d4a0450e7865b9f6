// SPDX-License-Identifier: GPL-2.0
/*
 * Standing where the mount tree ends, makes random system calls that have to do with mounts and paths,
 * the same for the same seed: fuzz SEED CALLS, or fuzz SEED CALLS here to stand on "/".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* <sys/mount.h> has these, and cannot be had together with <linux/mount.h>. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);

#include "bottom.h"

/* After so many calls a new process starts at the bottom again, in a mount namespace of its own. */
#define ROUND 250

static unsigned long long state;
static long fds[8];
static struct { unsigned long calls, succeeded; unsigned long long digest; } *seen;

static unsigned int any(unsigned int n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (state >> 33) % n;
}

#define ONE_OF(array) ((array)[any(sizeof(array) / sizeof((array)[0]))])

static const char *path(void)
{
	static const char *const paths[] = { ".", ".", "/", "..", "x", "y", "x/y", "/x", "../y", "", "self/cwd/x", "self/root" };

	return ONE_OF(paths);
}

/* Some that others would see are left out: devtmpfs, proc. */
static const char *type(void)
{
	static const char *const types[] = { "tmpfs", "tmpfs", "ramfs", "rootfs", "overlay", "none", NULL };

	return ONE_OF(types);
}

static const char *option(void)
{
	static const char *const options[] = { "size=1m", "mode=777", "nr_inodes=9", "source=x", "ro", "lowerdir=.", "x", NULL };

	return ONE_OF(options);
}

static unsigned long flags(void)
{
	static const unsigned long some[] = {
		0, MS_BIND, MS_BIND | MS_REC, MS_MOVE, MS_REMOUNT, MS_REMOUNT | MS_BIND, MS_REMOUNT | MS_RDONLY, MS_SHARED,
		MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE, MS_REC | MS_SHARED, AT_EMPTY_PATH, AT_RECURSIVE | OPEN_TREE_CLONE,
	};

	/* For this one the kernel has a warning that looks like one of its own faults. */
	return (any(4) ? ONE_OF(some) : 1UL << any(32) | 1UL << any(32)) & ~(unsigned long)MS_MANDLOCK;
}

static long fd(void)
{
	return any(3) ? ONE_OF(fds) : AT_FDCWD;
}

static long keep(long result)
{
	long *slot = &fds[3 + any(5)];

	if (result < 0)
		return result;
	if (*slot > 2)
		close(*slot);
	return *slot = result;
}

static long call(void)
{
	struct mount_attr attributes = { .attr_set = flags(), .attr_clr = flags(), .propagation = flags() };
	struct timespec times[2] = {};
	int number = flags();

	switch (any(38)) {
	case 0: case 1: case 2: case 3:
		return mount(path(), path(), type(), flags(), option());
	case 4: case 5:
		return umount2(path(), any(16));
	case 6:
		return syscall(SYS_pivot_root, path(), path());
	case 7:
		return keep(syscall(SYS_open_tree, fd(), path(), flags()));
	case 8: case 9:
		return syscall(SYS_move_mount, fd(), path(), fd(), path(), any(2) ? MOVE_MOUNT_F_EMPTY_PATH : any(512));
	case 10:
		return syscall(SYS_mount_setattr, fd(), path(), flags(), &attributes, sizeof(attributes));
	case 11:
		return keep(syscall(SYS_fsopen, type(), any(2)));
	case 12: case 13:
		return syscall(SYS_fsconfig, fd(), any(9), option(), option(), 0);
	case 14:
		return keep(syscall(SYS_fsmount, fd(), any(2), flags()));
	case 15:
		return keep(syscall(SYS_fspick, fd(), path(), any(16)));
	case 16: case 17: case 18:
		return keep(openat(fd(), path(), O_NONBLOCK | (any(2) ? O_CREAT | O_RDWR : any(2) ? O_RDONLY : O_TMPFILE | O_RDWR), 0777));
	case 19:
		return mkdirat(fd(), path(), 0777);
	case 20:
		return mknodat(fd(), path(), S_IFIFO | 0666, 0);
	case 21:
		return symlinkat(path(), fd(), path());
	case 22:
		return linkat(fd(), path(), fd(), path(), any(2) ? AT_EMPTY_PATH : 0);
	case 23:
		return renameat2(fd(), path(), fd(), path(), any(8));
	case 24:
		return unlinkat(fd(), path(), any(2) ? AT_REMOVEDIR : 0);
	case 25:
		return fchmodat(fd(), path(), any(01000), 0);
	case 26:
		return fchownat(fd(), path(), any(9), any(9), any(2) ? AT_EMPTY_PATH : 0);
	case 27:
		return utimensat(fd(), path(), times, 0);
	case 28:
		return setxattr(path(), any(2) ? "trusted.x" : "user.x", "x", 1, any(3));
	case 29:
		return truncate(path(), any(9999));
	case 30: case 31:
		return chdir(path());
	case 32:
		return fchdir(fd());
	case 33:
		return chroot(path());
	case 34:
		return setns(fds[any(3)], CLONE_NEWNS);
	case 35:
		return unshare(CLONE_NEWNS);
	case 36:
		return ioctl(fd(), any(2) ? FS_IOC_SETFLAGS : FS_IOC_FSSETXATTR, &number);
	default:
		return flock(fd(), LOCK_NB | LOCK_EX);
	}
}

static void calls(int bottom, int proc)
{
	if (unshare(CLONE_NEWNS))
		_exit(1);
	fds[0] = bottom;
	fds[1] = proc;
	/* Who joins it stands at its bottom again. */
	fds[2] = openat(proc, "self/ns/mnt", O_RDONLY);
	alarm(60);
	for (int n = 0; n < ROUND; n++) {
		long result = call();

		seen->calls++;
		seen->succeeded += result >= 0;
		seen->digest = seen->digest * 31 + (result < 0 ? errno : 0);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned long long seed = strtoull(argc > 1 ? argv[1] : "1", NULL, 0);
	unsigned long wanted = argc > 2 ? atol(argv[2]) : 10000;
	struct stat before, after;
	struct dirent *entry;
	int bottom, proc;
	int entries = -2;
	int died = 0;
	DIR *dir;

	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unshare(CLONE_NEWNS);
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	proc = open("/proc", O_RDONLY | O_DIRECTORY);
	if (argc > 3)
		chdir("/");
	else if (go_below(proc)) {
		printf("fuzz: cannot get to the bottom: %s\n", strerrorname_np(errno));
		return 1;
	}
	bottom = open(".", O_RDONLY | O_DIRECTORY);
	fstat(bottom, &before);
	for (unsigned long round = 0; round * ROUND < wanted; round++) {
		int status;

		state = seed * 1000003 + round;
		if (!fork())
			calls(bottom, proc);
		wait(&status);
		died += !!status;
	}
	dir = fdopendir(bottom);
	while (dir && (entry = readdir(dir)))
		entries++;
	fstat(bottom, &after);
	printf("calls: %lu\nsucceeded: %lu\ndied: %d\ndigest: %llx\n", seen->calls, seen->succeeded, died, seen->digest);
	printf("entries: %d\n", entries);
	printf("changed: %s\n", before.st_mode != after.st_mode || before.st_uid != after.st_uid ||
	       before.st_ctim.tv_nsec != after.st_ctim.tv_nsec || before.st_mtim.tv_nsec != after.st_mtim.tv_nsec ? "yes" : "no");
	return 0;
}
