// SPDX-License-Identifier: GPL-2.0
/*
 * Goes to the bottom of its mount namespace and tries there whatever may change, cover, uncover or
 * unmount it, or carry a message through it. Prints the answer to each attempt.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);
#define DETACH 2 /* <sys/mount.h> has it, and cannot be had together with <linux/mount.h> */

#include "bottom.h"

static long try(const char *what, long result)
{
	printf("try %s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
	return result;
}

static int here(void)
{
	return open(".", O_RDONLY | O_DIRECTORY);
}

static long bind_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };

	return bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address));
}

static long set_flags(void)
{
	int flags = 0;

	return ioctl(here(), FS_IOC_SETFLAGS, &flags);
}

static long set_xflags(void)
{
	struct fsxattr attributes = {};

	return ioctl(here(), FS_IOC_FSSETXATTR, &attributes);
}

static long record_lock(void)
{
	struct flock lock = { .l_type = F_RDLCK };

	return fcntl(here(), F_SETLK, &lock);
}

static long by_handle(void)
{
	static struct { struct file_handle handle; char bytes[MAX_HANDLE_SZ]; } h;
	int mount_id;

	h.handle.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(AT_FDCWD, ".", &h.handle, &mount_id, 0))
		return -1;
	return open_by_handle_at(AT_FDCWD, &h.handle, O_RDONLY);
}

static long set_attributes(void)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOSUID };

	return syscall(SYS_mount_setattr, AT_FDCWD, ".", 0, &attributes, sizeof(attributes));
}

static long reconfigure(void)
{
	long fs = syscall(SYS_fspick, AT_FDCWD, ".", FSPICK_NO_AUTOMOUNT);

	if (fs < 0)
		return -1;
	return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

static long fan_mark(unsigned int what, unsigned long mask)
{
	return fanotify_mark(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY), FAN_MARK_ADD | what, mask,
			     AT_FDCWD, ".");
}

/* Makes the same attempt through a ring. */
static long by_uring(int operation)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	long result = io_uring_queue_init(1, &ring, 0);

	if (!result) {
		sqe = io_uring_get_sqe(&ring);
		switch (operation) {
		case IORING_OP_OPENAT:
			io_uring_prep_openat(sqe, AT_FDCWD, "x", O_CREAT | O_WRONLY, 0644);
			break;
		case IORING_OP_MKDIRAT:
			io_uring_prep_mkdirat(sqe, AT_FDCWD, "x", 0755);
			break;
		case IORING_OP_SYMLINKAT:
			io_uring_prep_symlinkat(sqe, "y", AT_FDCWD, "x");
			break;
		case IORING_OP_LINKAT:
			io_uring_prep_linkat(sqe, AT_FDCWD, ".", AT_FDCWD, "x", 0);
			break;
		case IORING_OP_RENAMEAT:
			io_uring_prep_renameat(sqe, AT_FDCWD, "x", AT_FDCWD, "y", 0);
			break;
		case IORING_OP_UNLINKAT:
			io_uring_prep_unlinkat(sqe, AT_FDCWD, "x", 0);
			break;
		case IORING_OP_SETXATTR:
			io_uring_prep_setxattr(sqe, "trusted.x", "x", ".", 0, 1);
			break;
		}
		io_uring_submit_and_wait(&ring, 1);
		result = io_uring_peek_cqe(&ring, &cqe);
		if (!result)
			result = cqe->res;
		io_uring_queue_exit(&ring);
	}
	errno = result < 0 ? -result : 0;
	return result;
}

int main(int argc, char **argv)
{
	struct stat before, after;
	struct dirent *entry;
	int entries = -2;
	long tree;
	int proc;
	DIR *dir;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGIO, SIG_IGN);
	try("unshare", unshare(CLONE_NEWNS));
	try("private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	proc = open("/proc", O_RDONLY | O_DIRECTORY);
	/* Without it everything below hits the initramfs or the container; "here" is for a stock boot. */
	if (argc > 1 && !strcmp(argv[1], "here"))
		chdir("/");
	else if (try("uncover the bottom", uncover(proc)) && try("go below", go_below(proc)))
		return 0;
	stat(".", &before);

	try("creat", open("x", O_CREAT | O_WRONLY, 0644));
	try("mkdir", mkdir("x", 0755));
	try("mknod", mknod("x", S_IFIFO | 0644, 0));
	try("symlink", symlink("y", "x"));
	try("link", link("/proc/self/exe", "x"));
	try("rename", rename("x", "y"));
	try("rename over", rename("/", "."));
	try("exchange", renameat2(AT_FDCWD, ".", AT_FDCWD, "x", RENAME_EXCHANGE));
	try("unlink", unlink("x"));
	try("rmdir", rmdir("x"));
	try("rmdir .", rmdir("."));
	try("O_TMPFILE", open(".", O_TMPFILE | O_RDWR, 0600));
	try("open for writing", open(".", O_WRONLY));
	try("truncate", truncate(".", 0));
	try("bind a socket", bind_socket());
	try("creat by /proc/self/cwd", openat(proc, "self/cwd/x", O_CREAT | O_WRONLY, 0644));
	try("creat by /proc/self/root", openat(proc, "self/root/x", O_CREAT | O_WRONLY, 0644));
	try("mkdir by /proc/self/cwd", mkdirat(proc, "self/cwd/x", 0755));
	try("chmod by /proc/self/cwd", fchmodat(proc, "self/cwd", 0777, 0));
	try("creat by io_uring", by_uring(IORING_OP_OPENAT));
	try("mkdir by io_uring", by_uring(IORING_OP_MKDIRAT));
	try("symlink by io_uring", by_uring(IORING_OP_SYMLINKAT));
	try("link by io_uring", by_uring(IORING_OP_LINKAT));
	try("rename by io_uring", by_uring(IORING_OP_RENAMEAT));
	try("unlink by io_uring", by_uring(IORING_OP_UNLINKAT));
	try("setxattr by io_uring", by_uring(IORING_OP_SETXATTR));
	try("chmod", chmod(".", 0777));
	try("chown", chown(".", 1, 1));
	try("utimensat", utimensat(AT_FDCWD, ".", NULL, 0));
	try("setxattr user", setxattr(".", "user.x", "x", 1, 0));
	try("setxattr trusted", setxattr(".", "trusted.x", "x", 1, 0));
	try("setxattr security", setxattr(".", "security.x", "x", 1, 0));
	try("removexattr", removexattr(".", "user.x"));
	try("FS_IOC_SETFLAGS", set_flags());
	try("FS_IOC_FSSETXATTR", set_xflags());
	try("accounting", acct("x"));
	try("swap", syscall(SYS_swapon, ".", 0));
	try("flock", flock(here(), LOCK_EX | LOCK_NB));
	try("record lock", record_lock());
	try("lease", fcntl(here(), F_SETLEASE, F_RDLCK));
	try("dnotify", fcntl(here(), F_NOTIFY, DN_CREATE));
	try("inotify", inotify_add_watch(inotify_init(), ".", IN_ALL_EVENTS));
	try("fanotify inode", fan_mark(0, FAN_CREATE | FAN_ONDIR));
	try("fanotify file system", fan_mark(FAN_MARK_FILESYSTEM, FAN_CREATE | FAN_ONDIR));
	try("file handle", by_handle());
	try("remount", mount(NULL, ".", NULL, MS_REMOUNT, NULL));
	try("remount read-only", mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	try("remount with options", mount(NULL, ".", NULL, MS_REMOUNT, "size=1m"));
	try("reconfigure", reconfigure());
	try("flags of the mount", mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
	try("mount_setattr", set_attributes());
	try("share", mount(NULL, ".", NULL, MS_SHARED, NULL));
	try("make private", mount(NULL, ".", NULL, MS_PRIVATE, NULL));
	try("umount", umount2(".", 0));
	try("umount detached", umount2(".", DETACH));
	try("pivot_root", syscall(SYS_pivot_root, ".", "."));
	try("move by mount", mount(".", "/", NULL, MS_MOVE, NULL));
	try("open_tree", tree = syscall(SYS_open_tree, AT_FDCWD, ".", OPEN_TREE_CLOEXEC));
	try("move by move_mount", syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
	try("copy by open_tree", syscall(SYS_open_tree, AT_FDCWD, ".", OPEN_TREE_CLONE));
	try("chroot", chroot("."));
	try("mount over", mount("x", ".", "tmpfs", 0, NULL));

	/* The last one has not covered what this stands on. */
	dir = opendir(".");
	while (dir && (entry = readdir(dir)))
		entries++;
	stat(".", &after);
	printf("entries: %d\n", entries);
	printf("changed: %s\n", before.st_mode != after.st_mode || before.st_uid != after.st_uid ||
	       before.st_ctim.tv_nsec != after.st_ctim.tv_nsec || before.st_mtim.tv_nsec != after.st_mtim.tv_nsec ? "yes" : "no");
	return 0;
}
