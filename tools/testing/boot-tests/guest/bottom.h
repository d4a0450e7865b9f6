/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way below the root. What lies there cannot be uncovered from above, where the root is locked. But
 * kdevtmpfs has had a mount namespace of its own since before that root was mounted: there devtmpfs alone
 * lies over the lowest mount.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Takes off what can be taken off the caller's mount namespace; `proc` is /proc. */
static int uncover(int proc)
{
	int ns = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int uncovered = -1;

	/* Who joins a namespace, also its own, stands on the topmost root. */
	while (!umount2("/", 2 /* MNT_DETACH */) && !setns(ns, CLONE_NEWNS))
		uncovered = 0;
	close(ns);
	return uncovered;
}

/* The mount namespace of kdevtmpfs. */
static int kdevtmpfs(int proc)
{
	DIR *dir = fdopendir(openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	int error = ENOENT;
	int ns = -1;

	while (ns < 0 && (entry = readdir(dir))) {
		char path[300], name[16] = "";
		int comm;

		snprintf(path, sizeof(path), "%s/comm", entry->d_name);
		comm = openat(proc, path, O_RDONLY | O_CLOEXEC);
		if (comm >= 0 && read(comm, name, sizeof(name) - 1) > 0 && !strcmp(name, "kdevtmpfs\n")) {
			snprintf(path, sizeof(path), "%s/ns/mnt", entry->d_name);
			ns = openat(proc, path, O_RDONLY | O_CLOEXEC);
			error = errno;
		}
		close(comm);
	}
	closedir(dir);
	errno = error;
	return ns;
}

/* Goes below the root in a mount namespace of the caller's own. */
static int go_below(int proc)
{
	int ns = kdevtmpfs(proc);

	return ns < 0 || setns(ns, CLONE_NEWNS) || unshare(CLONE_NEWNS) ? -1 : uncover(proc);
}
