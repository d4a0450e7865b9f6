// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of vmtest.sh. Moves itself and the test out of the initramfs, so that
 * nothing but the mounts keeps that in memory, runs the test, and powers off.
 */
#ifndef NOLIBC
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#endif

#define PROGRAM "/run/empty_rootfs_test"

static void check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	printf("Bail out! init: %s failed\n", what);
	reboot(RB_POWER_OFF);
}

static void copy(const char *from, const char *to)
{
	static char buffer[65536];
	int in = open(from, O_RDONLY);
	int out = open(to, O_CREAT | O_WRONLY, 0755);
	ssize_t n;

	check(in, from);
	check(out, to);
	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		check(write(out, buffer, n) == n ? 0 : -1, to);
	close(in);
	close(out);
}

static int run_test(char **envp)
{
	char *const argv[] = { PROGRAM, NULL };
	int status = 0;
	pid_t pid;

	pid = fork();
	if (!pid) {
		execve(PROGRAM, argv, envp);
		exit(127);
	}
	check(pid, "fork");
	check(waitpid(pid, &status, 0), "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv, char **envp)
{
	char *const again[] = { "/run/init", "again", NULL };
	int console;

	if (argc < 2 || strcmp(argv[1], "again")) {
		check(mount("proc", "/proc", "proc", 0, NULL), "mount /proc");
		check(mount("run", "/run", "tmpfs", 0, NULL), "mount /run");
		check(mkdir("/run/dev", 0755), "mkdir /run/dev");
		check(mount("dev", "/run/dev", "devtmpfs", 0, NULL), "mount /run/dev");
		copy("/init", again[0]);
		copy("/empty_rootfs_test", PROGRAM);
		/* The console that the kernel has opened is in the initramfs. */
		console = open("/run/dev/console", O_RDWR);
		check(console, "open /run/dev/console");
		dup2(console, 0);
		dup2(console, 1);
		dup2(console, 2);
		close(console);
		check(execve(again[0], again, envp), "execve");
	}
	printf("# exit status: %d\n", run_test(envp));
	reboot(RB_POWER_OFF);
	return 1;
}
