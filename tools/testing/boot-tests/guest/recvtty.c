// SPDX-License-Identifier: GPL-2.0
/*
 * Reads from the terminals of containers, as runc's program of this name does for its tests:
 * recvtty --pid-file FILE --mode null SOCKET
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The terminal is a file descriptor that comes with a message. */
static int terminal_from(int connection)
{
	char name[4096], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { name, sizeof(name) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
				  .msg_control = control, .msg_controllen = sizeof(control) };
	int terminal = -1;

	if (recvmsg(connection, &message, 0) > 0 && CMSG_FIRSTHDR(&message))
		memcpy(&terminal, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(terminal));
	return terminal;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int connection, listening = socket(AF_UNIX, SOCK_STREAM, 0);
	char bytes[4096];
	FILE *file;

	if (argc != 6)
		return 1;
	strncpy(address.sun_path, argv[5], sizeof(address.sun_path) - 1);
	if (bind(listening, (struct sockaddr *)&address, sizeof(address)) || listen(listening, 10))
		return 1;
	file = fopen(argv[2], "w");
	if (!file || fprintf(file, "%d", getpid()) < 0 || fclose(file))
		return 1;
	signal(SIGCHLD, SIG_IGN);
	while ((connection = accept(listening, NULL, NULL)) >= 0) {
		if (!fork()) {
			int terminal = terminal_from(connection);

			while (read(terminal, bytes, sizeof(bytes)) > 0)
				;
			_exit(0);
		}
		close(connection);
	}
	return 1;
}
