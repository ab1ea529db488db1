/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/zygote -- see zygote.h. Nothing of a tenant is ever in here: what a run is about comes
 * over its own channel, after the fork.
 */
#include "runner/zygote.h"

#include "rpc/frame.h"
#include "runner/bridge.h"
#include "runner/death.h"
#include "runner/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS_MAX 16384 /* alive at one time, more than any server starts */
#define PACKET_MAX (RPC_HEADER_BYTES + 4096)

struct packet {
	struct rpc_header header;
	char bytes[PACKET_MAX];
	int fd; /* that came with it, or -1 */
};

static int children_fd = -1;
static struct {
	pid_t pid;
	uint64_t serial;
} runs[RUNS_MAX];
static size_t runs_count;

void
zygote_prepare(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	children_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (children_fd < 0)
		death("runner lost", "signalfd: %s", strerror(errno));
}

static void
send_packet(enum rpc_type type, char *frame, const char *end)
{
	size_t length = (size_t)(end - frame);

	rpc_header_write(frame, type, (uint32_t)(length - RPC_HEADER_BYTES));
	if (write(RUNNER_FD, frame, length) != (ssize_t)length)
		_exit(RUNNER_EXIT_CHANNEL);
}

/* The server's end closed: nobody waits for this process any more. */
static void
receive_packet(struct packet *packet)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {packet->bytes, sizeof(packet->bytes)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg;
	ssize_t n;

	do {
		n = recvmsg(RUNNER_FD, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < RPC_HEADER_BYTES ||
	    rpc_header_read(packet->bytes, RPC_TO_ZYGOTE, &packet->header) != NULL)
		_exit(RUNNER_EXIT_CHANNEL);
	packet->fd = -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg != NULL && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&packet->fd, CMSG_DATA(cmsg), sizeof(int));
}

int
zygote_receive_load(void)
{
	struct packet packet;
	struct rpc_in in;
	uint32_t version;

	receive_packet(&packet);
	in = rpc_in(packet.bytes + RPC_HEADER_BYTES, packet.header.length);
	version = rpc_in_u32(&in);
	if (packet.header.type != RPC_LOAD || version != RPC_VERSION || packet.fd < 0)
		death("runner lost",
		      "nango-runner speaks protocol %d, the server %u: install both from "
		      "one build",
		      RPC_VERSION, version);
	return packet.fd;
}

void
zygote_ready(const char *layers)
{
	char frame[RPC_HEADER_BYTES + 8 + SANDBOX_LAYERS_MAX];
	char *at = rpc_put_u32(frame + RPC_HEADER_BYTES, RPC_VERSION);

	send_packet(RPC_READY, frame, rpc_put_text(at, layers, strlen(layers)));
}

static void
report_started(uint64_t serial, pid_t pid)
{
	char frame[RPC_HEADER_BYTES + 16];
	char *at = rpc_put_u64(frame + RPC_HEADER_BYTES, serial);

	send_packet(RPC_STARTED, frame, rpc_put_u32(at, pid < 0 ? 0 : (uint32_t)pid));
}

static void
report_exited(uint64_t serial, int status, const struct rusage *usage)
{
	char frame[RPC_HEADER_BYTES + 16 + sizeof(*usage)];
	char *at = rpc_put_u64(frame + RPC_HEADER_BYTES, serial);

	at = rpc_put_u32(at, (uint32_t)status);
	send_packet(RPC_EXITED, frame, rpc_put_text(at, (const char *)usage, sizeof(*usage)));
}

__attribute__((noreturn)) static void
child(const struct nango_plugin *plugin, pid_t parent, int fd, uint64_t memory,
      uint64_t seconds)
{
	sigset_t none;

	/* In the control socket's place, so that neither it nor a second copy stays open. */
	if (dup2(fd, RUNNER_FD) < 0)
		_exit(RUNNER_EXIT_CHANNEL);
	close(fd);
	close(children_fd);
	death_in_run();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sandbox_run(parent, memory, seconds);
	bridge_run(plugin);
}

static void
on_fork(const struct nango_plugin *plugin, struct packet *packet)
{
	struct rpc_in in = rpc_in(packet->bytes + RPC_HEADER_BYTES, packet->header.length);
	uint64_t serial = rpc_in_u64(&in), memory = rpc_in_u64(&in), seconds = rpc_in_u64(&in);
	pid_t self = getpid(), pid = -1;

	if (packet->header.type != RPC_FORK || !rpc_in_is_over(&in) || packet->fd < 0)
		_exit(RUNNER_EXIT_CHANNEL);
	if (runs_count < RUNS_MAX)
		pid = sandbox_fork();
	if (pid == 0)
		child(plugin, self, packet->fd, memory, seconds);
	close(packet->fd);
	if (pid > 0) {
		runs[runs_count].pid = pid;
		runs[runs_count++].serial = serial;
	}
	report_started(serial, pid);
}

static void
reap(void)
{
	struct signalfd_siginfo info[16];
	struct rusage usage;
	int status;
	pid_t pid;

	while (read(children_fd, info, sizeof(info)) > 0)
		;
	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		for (size_t i = 0; i < runs_count; i++) {
			if (runs[i].pid != pid)
				continue;
			report_exited(runs[i].serial, status, &usage);
			runs[i] = runs[--runs_count];
			break;
		}
	}
}

void
zygote_serve(const struct nango_plugin *plugin)
{
	struct pollfd fds[2] = {{RUNNER_FD, POLLIN, 0}, {children_fd, POLLIN, 0}};
	struct packet packet;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			_exit(RUNNER_EXIT_CHANNEL);
		if (fds[1].revents != 0)
			reap();
		if (fds[0].revents == 0)
			continue;
		receive_packet(&packet);
		on_fork(plugin, &packet);
	}
}
