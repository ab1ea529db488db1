/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/process -- one run: waiting, forked, alive, exited, and the judgement how it ended.
 *
 * A run has ended when its process was reaped AND its channel was read to the end: the report
 * of the exit overtakes the last frames now and then. Success is a DONE that was read, never an
 * exit code: exit(0) and closing every descriptor have that, too.
 */
#include "run/host_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <talloc.h>
#include <unistd.h>

#define GRACE_MS                                                                     \
	1000 /* for an exit to be reported after the channel closed, or after a kill \
	      */
#define DEADLINE_DEFAULT_MS (60 * 60 * 1000)
#define CPU_DEFAULT_MS (10 * 60 * 1000)
#define CHANNEL_BYTES (1 << 20) /* on their way from a run: a page of common size */
#define MEMORY_DEFAULT (256ull << 20)
#define MEMORY_MIN (16ull << 20)
#define MEMORY_MAX (4ull << 30)
#define EXIT_CHANNEL 72 /* RUNNER_EXIT_CHANNEL of runner/death.h */

/* ---- judgement -------------------------------------------------------------------------- */

static int64_t
cpu_used_ms(const struct rusage *u)
{
	return (int64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000 +
	       (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1000;
}

static uint64_t
cpu_seconds(const struct run *run)
{
	int64_t ms = run->start.cpu_ms > 0 ? run->start.cpu_ms : CPU_DEFAULT_MS;

	return (uint64_t)(ms + 999) / 1000;
}

static void
judge_signal(const struct run *run, int number, struct run_end *end)
{
	if (number == SIGXCPU || (number == SIGKILL && cpu_used_ms(&run->usage) >=
							   (int64_t)cpu_seconds(run) * 1000)) {
		snprintf(end->cause, sizeof(end->cause), "%s", cause_text(CAUSE_CPU));
		snprintf(end->message, sizeof(end->message),
			 "more than %llu s of processor time",
			 (unsigned long long)cpu_seconds(run));
		return;
	}
	if (number == SIGSYS) /* with its handler switched off by blocking the signal */
		snprintf(end->cause, sizeof(end->cause), "sandbox: call");
	else
		snprintf(end->cause, sizeof(end->cause), "signal %d", number);
	snprintf(end->message, sizeof(end->message), "the plugin's process was killed: %s",
		 strsignal(number));
}

static void
judge_exit(const struct run *run, struct run_end *end)
{
	if (run->cause[0] != '\0') {
		snprintf(end->cause, sizeof(end->cause), "%s", run->cause);
		snprintf(end->message, sizeof(end->message), "%s", run->message);
	} else if (run->is_channel_closed ||
		   (WIFEXITED(run->status) && WEXITSTATUS(run->status) == EXIT_CHANNEL)) {
		snprintf(end->cause, sizeof(end->cause), "%s", cause_text(CAUSE_CHANNEL));
		snprintf(end->message, sizeof(end->message),
			 "the plugin closed its channel to the server");
	} else if (WIFSIGNALED(run->status)) {
		judge_signal(run, WTERMSIG(run->status), end);
	} else {
		snprintf(end->cause, sizeof(end->cause), "%s", cause_text(CAUSE_EXIT));
		snprintf(end->message, sizeof(end->message),
			 "the plugin called exit(%d) instead of "
			 "returning",
			 WEXITSTATUS(run->status));
	}
}

static void
run_end(struct run *run)
{
	struct run_end end = {.usage = run->usage};

	run->state = RUN_ENDED;
	if (run->session != NULL)
		session_fill(run->session, &end);
	if (!end.is_done && end.cause[0] == '\0')
		judge_exit(run, &end);
	host_run_ended(run);
	run->backend.ended(run->backend_arg, &end);
	session_free(run->session);
	loop_timer_free(run->deadline);
	loop_timer_free(run->grace);
	talloc_free(run);
}

static void
run_check(struct run *run)
{
	if (run->state == RUN_EXITED &&
	    (run->session == NULL || session_is_settled(run->session)))
		run_end(run);
}

/* ---- killing ---------------------------------------------------------------------------- */

static void
run_kill(struct run *run)
{
	run->is_kill_wanted = true;
	if (run->state != RUN_ALIVE || run->slot == NULL)
		return;
	zygote_kill_run(run->slot->zygote, run->pid);
	run->is_slow_to_die = true;
	loop_timer_set(run->grace, GRACE_MS);
}

/* The run was never forked; or the channel closed and the process lives on; or it was killed
 * and nobody says so. */
static void
on_grace(void *arg)
{
	struct run *run = arg;

	if (run->state == RUN_EXITED && run->session == NULL) {
		run_end(run);
		return;
	}
	if (run->state != RUN_ALIVE && run->state != RUN_FORKING)
		return;
	if (run->is_slow_to_die && run->slot != NULL) {
		zygote_kill(run->slot->zygote, cause_text(CAUSE_RUNNER),
			    "the process that forks the runs did not report the end of one");
		return;
	}
	run->is_channel_closed = true;
	run_kill(run);
}

static void
on_stopped(void *owner)
{
	run_kill(owner);
}

static void
on_settled(void *owner)
{
	struct run *run = owner;

	if (run->state == RUN_EXITED)
		run_end(run);
	else if (!run->is_slow_to_die)
		loop_timer_set(run->grace, GRACE_MS);
}

/* Ends a run that has no session yet, in a later turn of the loop. */
static void
run_abandon(struct run *run, const char *cause, const char *message)
{
	if (run->state == RUN_EXITED)
		return;
	snprintf(run->cause, sizeof(run->cause), "%s", cause);
	snprintf(run->message, sizeof(run->message), "%s", message);
	host_waiting_remove(run);
	run->state = RUN_EXITED;
	loop_timer_set(run->grace, 0);
}

static void
run_stop(struct run *run, const char *cause, const char *message)
{
	if (run->session == NULL)
		run_abandon(run, cause, message);
	else
		session_stop(run->session, cause, "", message);
}

void
run_cancel(struct run *run, const char *cause)
{
	run_stop(run, cause, cause_explain(cause));
}

bool
run_is_waiting(const struct run *run)
{
	return run->session != NULL && session_is_waiting(run->session);
}

static void
on_deadline(void *arg)
{
	struct run *run = arg;
	char message[128];

	snprintf(message, sizeof(message),
		 "the run took longer than its limit: %lld ms from this start on",
		 (long long)run->start.deadline_ms);
	run_stop(run, cause_text(CAUSE_DEADLINE), message);
}

/* ---- life ------------------------------------------------------------------------------- */

static const char *
copy(TALLOC_CTX *mem, const char *text)
{
	return text == NULL ? NULL : talloc_strdup(mem, text);
}

static void
copy_start(struct run *run, const struct run_start *from)
{
	struct run_start *to = &run->start;
	const char **models;
	size_t count = 0;

	*to = *from;
	to->id = copy(run, from->id);
	to->function = from->function == NULL ? "" : copy(run, from->function);
	to->connection_id = from->connection_id == NULL ? "" : copy(run, from->connection_id);
	to->checkpoint = copy(run, from->checkpoint);
	to->metadata = copy(run, from->metadata);
	to->input = copy(run, from->input);
	to->paginate = copy(run, from->paginate);
	while (from->models != NULL && from->models[count] != NULL)
		count++;
	models = talloc_zero_array(run, const char *, (unsigned)count + 1);
	for (size_t i = 0; i < count; i++)
		models[i] = copy(run, from->models[i]);
	to->models = models;
	if (to->deadline_ms <= 0)
		to->deadline_ms = DEADLINE_DEFAULT_MS;
	if (to->memory_bytes == 0)
		to->memory_bytes = MEMORY_DEFAULT;
	if (to->memory_bytes < MEMORY_MIN)
		to->memory_bytes = MEMORY_MIN;
	if (to->memory_bytes > MEMORY_MAX)
		to->memory_bytes = MEMORY_MAX;
}

struct run *
run_new(struct run_host *host, struct slot *slot, const struct run_start *start,
	const struct run_backend *backend, void *backend_arg)
{
	struct run *run = talloc_zero(NULL, struct run);

	if (run == NULL)
		abort();
	run->host = host;
	run->slot = slot;
	run->build = slot->build;
	run->serial = ++host->last_serial;
	run->backend = *backend;
	run->backend_arg = backend_arg;
	copy_start(run, start);
	run->deadline = loop_timer_new(host->loop, on_deadline, run);
	run->grace = loop_timer_new(host->loop, on_grace, run);
	loop_timer_set(run->deadline, run->start.deadline_ms);
	return run;
}

/* So that a run which saves a page does not wait for the loop in the middle of it. */
static void
widen(int fd)
{
	int bytes = CHANNEL_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0) /* root */
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

void
run_fork(struct run *run)
{
	static const struct session_owner owner = {on_stopped, on_settled};
	char message[128];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		snprintf(message, sizeof(message),
			 "no descriptor is left for the run's channel: %s", strerror(errno));
		run_abandon(run, cause_text(CAUSE_RUNNER), message);
		return;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK); /* this end only: the run's blocks */
	widen(fds[1]);
	run->state = RUN_FORKING;
	run->slot->unanswered++;
	run->session = session_new(run->host->loop, fds[0], &run->start, &run->backend,
				   run->backend_arg, &owner, run);
	zygote_fork(run->slot->zygote, run->serial, run->start.memory_bytes, cpu_seconds(run),
		    fds[1]);
}

/* There will be no report of its exit. What it has sent still counts. */
static void
run_give_up(struct run *run, const char *cause, const char *message)
{
	if (run->state >= RUN_EXITED)
		return;
	if (run->session == NULL) {
		run_abandon(run, cause, message);
		return;
	}
	snprintf(run->cause, sizeof(run->cause), "%s", cause);
	snprintf(run->message, sizeof(run->message), "%s", message);
	run->state = RUN_EXITED;
	session_exited(run->session);
	run_check(run);
}

void
run_started(struct run *run, pid_t pid)
{
	if (run->state != RUN_FORKING)
		return;
	if (pid == 0) {
		run_give_up(run, cause_text(CAUSE_RUNNER),
			    "no process could be forked for the run");
		return;
	}
	run->state = RUN_ALIVE;
	run->pid = pid;
	zygote_yield_run(run->slot->zygote, pid);
	if (run->is_kill_wanted)
		run_kill(run);
}

void
run_exited(struct run *run, int status, const struct rusage *usage)
{
	if (run->state != RUN_ALIVE)
		return;
	run->state = RUN_EXITED;
	run->status = status;
	run->usage = *usage;
	loop_timer_cancel(run->grace);
	session_exited(run->session);
	run_check(run);
}

void
run_lost(struct run *run, const char *cause, const char *message)
{
	host_waiting_remove(run);
	run->slot = NULL;
	run_give_up(run, cause, message);
}

void
run_end_now(struct run *run, enum cause_row cause)
{
	run_stop(run, cause_text(cause), cause_explain(cause_text(cause)));
	run_end(run);
}
