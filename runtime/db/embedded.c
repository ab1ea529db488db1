/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/embedded -- start, watch and stop the child. Making the cluster is in embedded_cluster.c.
 */
#include "db/embedded_cluster.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct embedded {
	struct cluster cluster;
	pid_t pid;
	int pid_fd;
	char *url;
	struct event *exited;
	struct loop_timer *retry;
	loop_fn *gave_up;
	void *arg;
	int restarts;
	int64_t first_restart_ms;
};

/* In the child, between fork and exec: only calls that are safe there. */
static void
child_exec(const struct cluster *cluster, pid_t parent, int log_fd, const char *const argv[])
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0); /* Ctrl-C in the terminal reaches nangod alone */
	if (cluster->must_drop &&
	    (setgroups(0, NULL) < 0 || setgid(cluster->gid) < 0 || setuid(cluster->uid) < 0))
		_exit(126);
	/* After setuid, which clears it; SIGINT is Postgres' fast shutdown. */
	prctl(PR_SET_PDEATHSIG, SIGINT);
	if (getppid() != parent)
		_exit(125);
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static int
spawn(struct embedded *pg, struct error *err)
{
	struct cluster *c = &pg->cluster;
	const char *const argv[] = {c->postgres,
				    "-D",
				    c->data,
				    "-k",
				    c->socket_dir,
				    "-c",
				    "listen_addresses=",
				    "-c",
				    "unix_socket_permissions=0700",
				    "-c",
				    "max_connections=200",
				    "-c",
				    "shared_buffers=256MB",
				    "-c",
				    "max_wal_size=1GB",
				    "-c",
				    "jit=off",
				    "-c",
				    "wal_level=replica",
				    "-c",
				    "dynamic_shared_memory_type=posix",
				    "-c",
				    "logging_collector=off",
				    NULL};
	pid_t parent = getpid();
	int log_fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (log_fd < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot write %s", c->log);
	pg->pid = fork();
	if (pg->pid == 0)
		child_exec(c, parent, log_fd, argv);
	close(log_fd);
	if (pg->pid < 0)
		return error_set_errno(err, ERR_SYSTEM, "cannot fork for Postgres");
	pg->pid_fd = (int)syscall(SYS_pidfd_open, pg->pid, 0);
	if (pg->pid_fd < 0)
		return error_set_errno(err, ERR_SYSTEM, "cannot watch Postgres");
	return 0;
}

static int
has_exited(struct embedded *pg, int wait_ms)
{
	struct pollfd poll_fd = {.fd = pg->pid_fd, .events = POLLIN};

	return poll(&poll_fd, 1, wait_ms) == 1;
}

static void
reap(struct embedded *pg, int *status)
{
	waitpid(pg->pid, status, 0);
	close(pg->pid_fd);
	pg->pid = -1;
	pg->pid_fd = -1;
}

/* Until it answers. A stale postmaster.pid of a killed one ends the child: try again. */
static int
start_and_wait(struct embedded *pg, struct error *err)
{
	int64_t until = clock_monotonic_ms() + EMBEDDED_START_MS;
	int status = 0;

	if (spawn(pg, err) < 0)
		return -1;
	while (PQping(pg->url) != PQPING_OK) {
		if (has_exited(pg, 5)) {
			reap(pg, &status);
			if (clock_monotonic_ms() > until)
				return error_set(
				    err, ERR_UNAVAILABLE,
				    "Postgres ended while starting (status %d): see %s", status,
				    pg->cluster.log);
			poll(NULL, 0, 200);
			if (spawn(pg, err) < 0)
				return -1;
		}
		if (clock_monotonic_ms() > until)
			return error_set(err, ERR_UNAVAILABLE,
					 "Postgres did not answer within %d s: see %s",
					 EMBEDDED_START_MS / 1000, pg->cluster.log);
	}
	return 0;
}

int
embedded_start(TALLOC_CTX *mem, const char *data_dir, const char *bindir, struct embedded **out,
	       struct error *err)
{
	struct embedded *pg = talloc_zero(mem, struct embedded);

	if (pg == NULL)
		abort();
	pg->pid = -1;
	pg->pid_fd = -1;
	if (cluster_prepare(pg, data_dir, bindir, &pg->cluster, err) < 0) {
		talloc_free(pg);
		return -1;
	}
	pg->url =
	    talloc_asprintf(pg, "host=%s user=nango dbname=postgres", pg->cluster.socket_dir);
	if (start_and_wait(pg, err) < 0) {
		embedded_stop(pg);
		return -1;
	}
	*out = pg;
	return 0;
}

const char *
embedded_url(const struct embedded *pg)
{
	return pg->url;
}

int
embedded_pid(const struct embedded *pg)
{
	return pg->pid;
}

static void watch(struct embedded *pg, struct loop *loop);

static void
restart(void *arg)
{
	struct embedded *pg = arg;
	struct error err;
	int64_t now = clock_monotonic_ms();

	if (pg->restarts == 0 || now - pg->first_restart_ms > 60000) {
		pg->restarts = 0;
		pg->first_restart_ms = now;
	}
	if (++pg->restarts > EMBEDDED_RESTARTS) {
		log_error("postgres", "it ended %d times within a minute: see %s",
			  EMBEDDED_RESTARTS, pg->cluster.log);
		pg->gave_up(pg->arg);
		return;
	}
	if (spawn(pg, &err) < 0) {
		log_error("postgres", "%s", err.message);
		loop_timer_set(pg->retry, 1000);
		return;
	}
	log_info("postgres", "started again, pid %d", (int)pg->pid);
	watch(pg, NULL);
}

static void
on_exited(evutil_socket_t fd, short what, void *arg)
{
	struct embedded *pg = arg;
	int status = 0;

	(void)fd;
	(void)what;
	event_del(pg->exited);
	reap(pg, &status);
	log_warn("postgres", "it ended with status %d; starting it again", status);
	loop_timer_set(pg->retry, 100);
}

static void
watch(struct embedded *pg, struct loop *loop)
{
	struct event_base *base = loop != NULL ? loop_base(loop) : event_get_base(pg->exited);

	if (pg->exited != NULL)
		event_free(pg->exited);
	pg->exited = event_new(base, pg->pid_fd, EV_READ, on_exited, pg);
	event_add(pg->exited, NULL);
}

void
embedded_watch(struct embedded *pg, struct loop *loop, loop_fn *gave_up, void *arg)
{
	pg->gave_up = gave_up;
	pg->arg = arg;
	pg->retry = loop_timer_new(loop, restart, pg);
	watch(pg, loop);
}

void
embedded_stop(struct embedded *pg)
{
	int status;

	if (pg == NULL)
		return;
	if (pg->exited != NULL)
		event_free(pg->exited);
	loop_timer_free(pg->retry);
	if (pg->pid > 0) {
		kill(pg->pid, SIGINT);
		if (!has_exited(pg, EMBEDDED_STOP_MS)) {
			log_warn("postgres", "no fast stop within %d s: stopping it at once",
				 EMBEDDED_STOP_MS / 1000);
			kill(pg->pid, SIGQUIT);
		}
		reap(pg, &status);
	}
	cluster_done(&pg->cluster);
	talloc_free(pg);
}
