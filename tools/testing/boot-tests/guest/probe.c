// SPDX-License-Identifier: GPL-2.0
/* What a shell cannot do: pivot_root(".", "."), and a look at the bottom of the mount namespace. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <unistd.h>
#include "bottom.h"

#ifndef MOVE_MOUNT_BENEATH /* glibc 2.37 */
#define MOVE_MOUNT_BENEATH 0x200
#endif

static void report(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

/*
 * How many instructions it took to get here, if the machine counts them as its time, and how much memory is
 * free, in KiB: also what each CPU keeps for itself, which can be an eighth of all and counts as used.
 */
static void now(const char *where)
{
	unsigned long pages, kept = 0;
	struct sysinfo info;
	char line[80];
	FILE *zones;

#ifdef __x86_64__
	printf("instructions %s: %llu\n", where, __builtin_ia32_rdtsc());
#endif
	if (access("/proc/zoneinfo", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	zones = fopen("/proc/zoneinfo", "r");
	while (zones && fgets(line, sizeof(line), zones))
		if (sscanf(line, " count: %lu", &pages) == 1)
			kept += pages;
	if (zones)
		fclose(zones);
	sysinfo(&info);
	printf("free %s: %lu\n", where, info.freeram * info.mem_unit / 1024 + kept * getpagesize() / 1024);
}

/* What all tmpfs hold, once nothing of the old root is in use any more. */
static void left(void)
{
	char line[80];
	FILE *meminfo;

	mkdir("/proc", 0555);
	report("proc", mount("proc", "/proc", "proc", 0, NULL));
	now("after");
	meminfo = fopen("/proc/meminfo", "r");
	while (meminfo && fgets(line, sizeof(line), meminfo))
		if (!strncmp(line, "Shmem:", 6))
			printf("left: %ld\n", atol(line + 6));
	puts("SCENARIO-END pivot_by_hand");
	reboot(RB_AUTOBOOT);
}

/* With PID 1 goes the old root: unmounted, or deleted file by file. */
static void pivot(const char *fs_type, int by_switch_root, int keeps_console)
{
	int from, to, console;

	mkdir("/new", 0755);
	report("mount", mount("new", "/new", fs_type, 0, NULL));
	mkdir("/new/dev", 0755);
	report("dev", mount("dev", "/new/dev", "devtmpfs", 0, NULL));
	from = open("/probe", O_RDONLY);
	to = open("/new/probe", O_CREAT | O_WRONLY, 0755);
	while (sendfile(to, from, NULL, 1 << 20) > 0)
		;
	close(from);
	close(to);
	now("before");
	if (by_switch_root)
		execl("/bin/busybox", "switch_root", "-c", "/dev/console", "/new", "/probe", "left", NULL);
	report("chdir", chdir("/new"));
	report("pivot_root", syscall(SYS_pivot_root, ".", "."));
	report("umount", umount2(".", MNT_DETACH));
	report("old init", access("/init", F_OK));
	/* The kernel has opened the console in the old root, from where this program runs. */
	console = open("/dev/console", O_RDWR);
	for (int fd = 0; fd < 3 && !keeps_console; fd++)
		dup2(console, fd);
	execl("/probe", "probe", "left", NULL);
	report("exec", -1);
}

static void bottom(void)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY);
	int entries = -2;
	struct dirent *e;
	int uncovered;
	DIR *dir;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		perror("bottom");
		return;
	}
	uncovered = uncover(proc);
	report("uncover", uncovered);
	if (uncovered) {
		uncovered = go_below(proc);
		report("go below", uncovered);
	}
	if (uncovered)
		return;
	dir = opendir(".");
	while (dir && (e = readdir(dir)))
		if (++entries > 0)
			printf("entry: %s\n", e->d_name);
	printf("entries: %d\n", entries);
	report("mkdir", mkdir("x", 0755));
	report("creat", open("x", O_CREAT | O_WRONLY, 0644));
	report("mknod", mknod("x", S_IFIFO | 0644, 0));
	report("symlink", symlink("y", "x"));
	report("link", link("/proc/self/exe", "x"));
	report("rename", rename("x", "y"));
	report("rmdir", rmdir("x"));
	report("chmod", chmod(".", 0777));
	report("chown", chown(".", 1, 1));
	report("utimes", utimensat(AT_FDCWD, ".", NULL, 0));
	report("O_TMPFILE", open(".", O_TMPFILE | O_RDWR, 0600));
	report("flock", flock(open(".", O_RDONLY), LOCK_EX));
	report("remount", mount(NULL, "/", NULL, MS_REMOUNT, NULL));
}

/* Puts a mount beneath another one, from a root that is neither. */
static void beneath(const char *where)
{
	int to = open(where, O_PATH);
	int fs = fsopen("tmpfs", 0);
	int from;

	fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	from = fsmount(fs, 0, 0);
	if (to < 0 || from < 0 || chroot("/sys")) {
		perror("beneath");
		return;
	}
	printf("beneath ");
	report(where, move_mount(from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH |
						    MOVE_MOUNT_BENEATH));
}

/* As PID 1. */
static void count(void)
{
	now("to PID 1");
	execl("/init", "/init", NULL);
}

/* As PID 1: when could a container start? */
static void ready(int copied)
{
	now("to PID 1");
	printf("payload: %s\n", access("/payload/end", F_OK) ? "not whole" : "whole");
	if (!fork()) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("/tmp", "/tmp", NULL, MS_BIND, NULL) || chdir("/tmp"))
			perror("ready");
		report("pivot", syscall(SYS_pivot_root, ".", "."));
		_exit(0);
	}
	wait(NULL);
	now("to pivot");
	/* The kernel hands its unknown parameters on. */
	if (getenv("copy") && !copied)
		execl("/init", "/init", NULL);
	puts("SCENARIO-END ready");
	reboot(RB_AUTOBOOT);
}

/* Prints a file's SELinux label, or sets it. */
static void label(const char *file, const char *value)
{
	char text[256];
	ssize_t size;

	if (value) {
		report("label", setxattr(file, "security.selinux", value, strlen(value) + 1, 0));
		return;
	}
	size = getxattr(file, "security.selinux", text, sizeof(text) - 1);
	text[size < 0 ? 0 : size] = 0;
	printf("label of %s: %s\n", file, text);
}

/* One byte for each call. */
static void helper(void)
{
	int fd = open("/helpers", O_CREAT | O_WRONLY | O_APPEND, 0644);

	if (write(fd, "x", 1) != 1)
		_exit(1);
}

int main(int argc, char **argv)
{
	char c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "hold")) {
		puts("hello from a container");
		while (read(0, &c, 1) > 0)
			;
	} else if (strstr(argv[0], "hello"))
		puts("hello from a container");
	else if (strstr(argv[0], "helper") || strstr(argv[0], "modprobe"))
		helper();
	else if (argc > 1 && !strcmp(argv[1], "pivot"))
		pivot(argc > 2 ? argv[2] : "tmpfs", 0, argc > 3);
	else if (argc > 1 && !strcmp(argv[1], "switch_root"))
		pivot("tmpfs", 1, 0);
	else if (argc > 1 && !strcmp(argv[1], "bottom"))
		bottom();
	else if (argc > 2 && !strcmp(argv[1], "beneath"))
		beneath(argv[2]);
	else if (strstr(argv[0], "tsc"))
		count();
	else if (strstr(argv[0], "ready"))
		ready(argc > 1);
	else if (argc > 2 && !strcmp(argv[1], "now"))
		now(argv[2]);
	else if (argc > 1 && !strcmp(argv[1], "left"))
		left();
	else if (argc > 2 && !strcmp(argv[1], "label"))
		label(argv[2], argv[3]);
	else if (argc > 2 && !strcmp(argv[1], "read"))
		report("read", open(argv[2], O_RDONLY));
	else
		return 2;
	return 0;
}
