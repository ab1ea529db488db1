/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/zygote -- see zygote.h.
 *
 * What a zygote says is not to be trusted either: the plugin's constructors ran in it. It can
 * lie about its own runs only: a process is killed by the number it gave if that process is of
 * its group, and a frame that breaks the protocol kills the group.
 */
#include "run/zygote.h"

#include "rpc/frame.h"
#include "run/cause.h"
#include "run/spawn.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct packet { /* on its way to the zygote */
	struct packet *next;
	char bytes[RPC_HEADER_BYTES + 24];
	size_t length;
	int fd;		 /* travels with it */
	bool is_fd_ours; /* to be closed once sent */
};

struct zygote {
	struct loop *loop;
	pid_t pid;
	int control_fd, pid_fd;
	struct event *readable, *writable, *dead;
	struct loop_timer *load_timer;
	struct zygote_events events;
	void *owner;
	bool is_ready;
	struct packet *first, **last;
	char cause[64], message[1024]; /* why it ends, once that is known */
};

/* ---- its messages ----------------------------------------------------------------------- */

static void
copy(char *out, size_t size, const char *text, size_t length)
{
	snprintf(out, size, "%.*s", (int)(length < size ? length : size - 1),
		 text == NULL ? "" : text);
}

static bool
on_ready(struct zygote *z, struct rpc_in *in)
{
	uint32_t version = rpc_in_u32(in);
	size_t length;

	if (rpc_in_text(in, &length) == NULL || !rpc_in_is_over(in) || version != RPC_VERSION ||
	    z->is_ready)
		return false;
	z->is_ready = true;
	loop_timer_cancel(z->load_timer);
	z->events.ready(z->owner);
	return true;
}

static bool
on_refused(struct zygote *z, struct rpc_in *in)
{
	uint32_t version = rpc_in_u32(in);
	size_t cause_length, message_length;
	const char *cause = rpc_in_text(in, &cause_length);
	const char *message = rpc_in_text(in, &message_length);

	(void)version;
	if (cause == NULL || message == NULL || !rpc_in_is_over(in))
		return false;
	if (z->cause[0] != '\0')
		return true;
	copy(z->cause, sizeof(z->cause), cause, cause_length);
	copy(z->message, sizeof(z->message), message, message_length);
	if (!cause_is_known(z->cause) || cause_fits(z->cause, CAUSE_DONE) ||
	    cause_fits(z->cause, CAUSE_LOST_LEASE) || cause_fits(z->cause, CAUSE_CANCELLED))
		snprintf(z->cause, sizeof(z->cause), "%s", cause_text(CAUSE_PROTOCOL));
	return true;
}

static bool
on_started(struct zygote *z, struct rpc_in *in)
{
	uint64_t serial = rpc_in_u64(in);
	pid_t pid = (pid_t)rpc_in_u32(in);

	if (!rpc_in_is_over(in) || pid < 0)
		return false;
	z->events.started(z->owner, serial, pid);
	return true;
}

static bool
on_exited(struct zygote *z, struct rpc_in *in)
{
	uint64_t serial = rpc_in_u64(in);
	int status = (int)rpc_in_u32(in);
	struct rusage usage;
	size_t length;
	const char *bytes = rpc_in_text(in, &length);

	if (!rpc_in_is_over(in) || bytes == NULL || length != sizeof(usage))
		return false;
	memcpy(&usage, bytes, sizeof(usage));
	z->events.exited(z->owner, serial, status, &usage);
	return true;
}

static bool (*const handlers[RPC_COUNT])(struct zygote *, struct rpc_in *) = {
    [RPC_READY] = on_ready,
    [RPC_REFUSED] = on_refused,
    [RPC_STARTED] = on_started,
    [RPC_EXITED] = on_exited,
};

static bool
handle_packet(struct zygote *z, const char *bytes, size_t length)
{
	struct rpc_header header;
	struct rpc_in in;

	if (length < RPC_HEADER_BYTES ||
	    rpc_header_read(bytes, RPC_FROM_ZYGOTE, &header) != NULL ||
	    header.length != length - RPC_HEADER_BYTES)
		return false;
	in = rpc_in(bytes + RPC_HEADER_BYTES, header.length);
	return handlers[header.type](z, &in);
}

void
zygote_kill(struct zygote *z, const char *cause, const char *message)
{
	if (z->cause[0] == '\0') {
		copy(z->cause, sizeof(z->cause), cause, strlen(cause));
		copy(z->message, sizeof(z->message), message, strlen(message));
	}
	/* Its own number is not given away again before it is reaped, hence this is no race. */
	kill(-z->pid, SIGKILL);
	kill(z->pid, SIGKILL);
}

static void
zygote_read(struct zygote *z)
{
	char bytes[SPAWN_PACKET_MAX];
	ssize_t n;

	while ((n = recv(z->control_fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		if (handle_packet(z, bytes, (size_t)n))
			continue;
		zygote_kill(z, cause_text(CAUSE_PROTOCOL),
			    "the process that forks the runs broke its protocol");
		break;
	}
	if (n == 0)
		zygote_kill(z, "",
			    ""); /* its end of the socket is closed: it is of no more use */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		event_del(z->readable);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	zygote_read(arg);
}

/* ---- its end ---------------------------------------------------------------------------- */

static void
explain_end(struct zygote *z, int status)
{
	if (z->cause[0] != '\0')
		return;
	if (!z->is_ready && WIFSIGNALED(status)) {
		snprintf(z->cause, sizeof(z->cause), "signal %d", WTERMSIG(status));
		snprintf(z->message, sizeof(z->message),
			 "a constructor of the plugin was killed by "
			 "signal %d",
			 WTERMSIG(status));
		return;
	}
	snprintf(z->cause, sizeof(z->cause), "%s", cause_text(CAUSE_RUNNER));
	snprintf(z->message, sizeof(z->message),
		 "the process that forks the plugin's runs ended (%s %d)",
		 WIFSIGNALED(status) ? "signal" : "exit code",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void
on_dead(evutil_socket_t fd, short what, void *arg)
{
	struct zygote *z = arg;
	int status = 0;

	(void)fd;
	(void)what;
	zygote_read(z); /* its last words */
	event_del(z->readable);
	event_del(z->dead);
	kill(-z->pid, SIGKILL); /* what is left of its group, before its number is free again */
	while (waitpid(z->pid, &status, 0) < 0 && errno == EINTR)
		;
	z->pid = 0;
	explain_end(z, status);
	z->events.gone(z->owner, z->cause, z->message);
}

static void
on_load_timeout(void *arg)
{
	zygote_kill(arg, cause_text(CAUSE_DEADLINE),
		    "the plugin's constructors took longer than 10 s");
}

/* ---- to it ------------------------------------------------------------------------------ */

static int
send_packet(int control_fd, const struct packet *packet)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)packet->bytes, packet->length};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &packet->fd, sizeof(int));
	return sendmsg(control_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

static void
packet_free(struct packet *packet)
{
	if (packet->is_fd_ours)
		close(packet->fd);
	free(packet);
}

/* Never blocks: with both sides blocked on each other nothing would move again. */
static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct zygote *z = arg;

	(void)what;
	while (z->first != NULL) {
		struct packet *packet = z->first;

		if (send_packet(fd, packet) < 0 &&
		    (errno == EAGAIN || errno == EINTR || errno == ETOOMANYREFS)) {
			event_add(z->writable, NULL);
			return;
		}
		z->first = packet->next;
		if (z->first == NULL)
			z->last = &z->first;
		packet_free(packet);
	}
}

static struct packet *
packet_new(int fd, bool is_fd_ours)
{
	struct packet *packet = calloc(1, sizeof(*packet));

	if (packet == NULL)
		abort();
	packet->fd = fd;
	packet->is_fd_ours = is_fd_ours;
	return packet;
}

static void
packet_queue(struct zygote *z, struct packet *packet, enum rpc_type type, const char *end)
{
	packet->length = (size_t)(end - packet->bytes);
	rpc_header_write(packet->bytes, type, (uint32_t)(packet->length - RPC_HEADER_BYTES));
	*z->last = packet;
	z->last = &packet->next;
	if (z->first == packet)
		on_writable(z->control_fd, EV_WRITE, z);
}

void
zygote_fork(struct zygote *z, uint64_t serial, uint64_t memory_bytes, uint64_t cpu_seconds,
	    int channel_fd)
{
	struct packet *packet = packet_new(channel_fd, true);
	char *at = rpc_put_u64(packet->bytes + RPC_HEADER_BYTES, serial);

	at = rpc_put_u64(at, memory_bytes);
	packet_queue(z, packet, RPC_FORK, rpc_put_u64(at, cpu_seconds));
}

void
zygote_kill_run(struct zygote *z, pid_t pid)
{
	if (pid > 0 && z->pid > 0 && getpgid(pid) == z->pid)
		kill(pid, SIGKILL);
}

void
zygote_yield_run(struct zygote *z, pid_t pid)
{
	if (pid > 0 && z->pid > 0 && getpgid(pid) == z->pid)
		setpriority(PRIO_PROCESS, (id_t)pid, ZYGOTE_RUN_NICE);
}

/* ---- life ------------------------------------------------------------------------------- */

static void
zygote_listen(struct zygote *z)
{
	struct event_base *base = loop_base(z->loop);

	z->readable = event_new(base, z->control_fd, EV_READ | EV_PERSIST, on_readable, z);
	z->writable = event_new(base, z->control_fd, EV_WRITE, on_writable, z);
	z->dead = event_new(base, z->pid_fd, EV_READ, on_dead, z);
	if (z->readable == NULL || z->writable == NULL || z->dead == NULL)
		abort();
	event_add(z->readable, NULL);
	event_add(z->dead, NULL);
	z->load_timer = loop_timer_new(z->loop, on_load_timeout, z);
	loop_timer_set(z->load_timer, ZYGOTE_LOAD_MS);
}

int
zygote_new(struct zygote **out, const struct zygote_config *config, int plugin_fd,
	   const struct zygote_events *events, void *owner, struct error *err)
{
	struct zygote *z;
	struct packet *load;
	int fds[2], rc;
	pid_t pid;

	if (spawn_control(fds, err) < 0)
		return -1;
	rc = spawn_runner(config, "zygote", fds[1], &pid, err);
	close(fds[1]);
	if (rc < 0) {
		close(fds[0]);
		return -1;
	}
	z = calloc(1, sizeof(*z));
	if (z == NULL)
		abort();
	*z = (struct zygote){.loop = config->loop,
			     .pid = pid,
			     .control_fd = fds[0],
			     .events = *events,
			     .owner = owner};
	z->last = &z->first;
	z->pid_fd = pidfd_open(pid, 0);
	if (z->pid_fd < 0) {
		error_set_errno(err, ERR_SYSTEM, "pidfd_open");
		zygote_free(z);
		return -1;
	}
	zygote_listen(z);
	load = packet_new(plugin_fd, false);
	packet_queue(z, load, RPC_LOAD,
		     rpc_put_u32(load->bytes + RPC_HEADER_BYTES, RPC_VERSION));
	*out = z;
	return 0;
}

void
zygote_free(struct zygote *z)
{
	struct packet *packet, *next;

	if (z == NULL)
		return;
	if (z->pid > 0) {
		kill(-z->pid, SIGKILL);
		kill(z->pid, SIGKILL);
		while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	for (packet = z->first; packet != NULL; packet = next) {
		next = packet->next;
		packet_free(packet);
	}
	loop_timer_free(z->load_timer);
	if (z->readable != NULL)
		event_free(z->readable);
	if (z->writable != NULL)
		event_free(z->writable);
	if (z->dead != NULL)
		event_free(z->dead);
	if (z->pid_fd >= 0)
		close(z->pid_fd);
	close(z->control_fd);
	free(z);
}
