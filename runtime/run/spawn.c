/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/spawn -- see spawn.h.
 */
#include "run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL_FD 3
#define PROBE_MS 5000

static int
spawn_actions(posix_spawn_file_actions_t *actions, int control_fd, int output_fd)
{
	int rc = posix_spawn_file_actions_init(actions);

	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);
	if (rc == 0)
		rc =
		    posix_spawn_file_actions_adddup2(actions, output_fd > 0 ? output_fd : 0, 1);
	if (rc == 0)
		rc =
		    posix_spawn_file_actions_adddup2(actions, output_fd > 0 ? output_fd : 0, 2);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, control_fd, CONTROL_FD);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(actions, CONTROL_FD + 1);
	return rc;
}

static void
spawn_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(attributes);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						 POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(attributes, 0);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
}

/* exec, never a plain fork: the runner must not inherit the server's memory, with its keys. */
int
spawn_runner(const struct zygote_config *config, const char *mode, int control_fd, pid_t *pid,
	     struct error *err)
{
	char parent[16], mask[16];
	char *argv[] = {(char *)"nango-runner", (char *)(uintptr_t)mode, parent, mask, NULL};
	char *environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int rc;

	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	snprintf(mask, sizeof(mask), "%u", config->mask);
	rc = spawn_actions(&actions, control_fd, config->output_fd);
	spawn_attributes(&attributes);
	if (rc == 0)
		rc = posix_spawn(pid, config->runner_path, &actions, &attributes, argv,
				 environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (rc == 0)
		return 0;
	return error_set(err, ERR_SYSTEM, "cannot start %s: %s", config->runner_path,
			 strerror(rc));
}

/* Both ends above the numbers that spawn_actions fills, so that no dup2 hits the other. */
int
spawn_control(int fds[2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return error_set_errno(err, ERR_SYSTEM, "cannot make a control socket");
	for (int i = 0; i < 2; i++) {
		int high = fds[i] > CONTROL_FD ? fds[i] : fcntl(fds[i], F_DUPFD_CLOEXEC, 4);

		if (high != fds[i])
			close(fds[i]);
		fds[i] = high;
	}
	return 0;
}

static int
probe_read(const char *bytes, size_t length, char **layers, struct error *err)
{
	struct rpc_header header;
	struct rpc_in in;
	size_t text_length;
	const char *text;
	uint32_t version;

	if (length < RPC_HEADER_BYTES ||
	    rpc_header_read(bytes, RPC_FROM_ZYGOTE, &header) != NULL)
		return error_set(err, ERR_SYSTEM,
				 "nango-runner does not answer as one of this build");
	in = rpc_in(bytes + RPC_HEADER_BYTES, length - RPC_HEADER_BYTES);
	version = rpc_in_u32(&in);
	if (version != RPC_VERSION)
		return error_set(err, ERR_SYSTEM,
				 "nango-runner speaks protocol %u, this server %d: "
				 "install both from one build",
				 version, RPC_VERSION);
	text = rpc_in_text(&in, &text_length);
	if (header.type == RPC_REFUSED) {
		text = rpc_in_text(&in, &text_length);
		return error_set(err, ERR_SYSTEM, "nango-runner refuses to run plugins: %.*s",
				 (int)text_length, text == NULL ? "" : text);
	}
	*layers = strndup(text == NULL ? "{}" : text, text == NULL ? 2 : text_length);
	return 0;
}

int
zygote_probe(const struct zygote_config *config, char **layers, struct error *err)
{
	struct pollfd wait = {.events = POLLIN};
	char bytes[SPAWN_PACKET_MAX];
	int fds[2], rc;
	ssize_t n = 0;
	pid_t pid;

	if (spawn_control(fds, err) < 0)
		return -1;
	rc = spawn_runner(config, "probe", fds[1], &pid, err);
	close(fds[1]);
	if (rc == 0) {
		wait.fd = fds[0];
		if (poll(&wait, 1, PROBE_MS) > 0)
			n = recv(fds[0], bytes, sizeof(bytes), 0);
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		rc = probe_read(bytes, n < 0 ? 0 : (size_t)n, layers, err);
	}
	close(fds[0]);
	return rc;
}
