/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/host_internal -- what host.c (builds and runs), slot.c (a zygote and its runs) and
 * process.c (one run) share.
 */
#ifndef NANGO_RUN_HOST_INTERNAL_H
#define NANGO_RUN_HOST_INTERNAL_H

#include "run/host.h"
#include "run/session.h"
#include "run/zygote.h"

#include <uthash.h>

#define HOST_UNANSWERED_MAX \
	64 /* forks a zygote has not answered: more could block both sides */
#define RUN_KEY_BYTES 64

struct build;

struct slot { /* a zygote and the runs that came from it */
	struct slot *next;
	struct run_host *host;
	struct build *build;
	struct zygote *zygote;
	bool is_ready, is_retired, is_closing;
	size_t begun, runs, unanswered;
	int64_t born_ms;
	struct run *waiting, **waiting_last;
};

struct build {
	UT_hash_handle hh;
	char key[RUN_KEY_BYTES + 1];
	int fd; /* sealed memfd */
	struct slot *slots, *current;
	size_t runs;
	int64_t idle_since_ms;
	bool is_forgotten; /* off the table; freed with its last slot */
	struct build *next_forgotten;
};

enum run_state {
	RUN_WAITING, /* for its zygote */
	RUN_FORKING, /* asked for; not answered yet */
	RUN_ALIVE,
	RUN_EXITED, /* reaped, or lost with its zygote; its channel may hold more */
	RUN_ENDED
};

struct run {
	UT_hash_handle hh;
	struct run *next_waiting;
	struct run_host *host;
	struct slot *slot; /* NULL once its zygote is gone */
	struct build *build;
	uint64_t serial;
	enum run_state state;
	pid_t pid;
	struct session *session; /* from RUN_FORKING on */
	struct run_start start;	 /* a copy, until the session has it */
	struct run_backend backend;
	void *backend_arg;
	struct loop_timer *deadline, *grace;
	bool is_kill_wanted, is_channel_closed, is_slow_to_die;
	int status;
	struct rusage usage;
	char cause[64],
	    message[1024]; /* when the session cannot know: killed early, zygote lost */
};

struct run_host {
	struct loop *loop;
	struct run_host_config config;
	char *runner_path, *layers;
	struct build *builds; /* by key */
	struct build *forgotten;
	struct run *runs; /* by serial */
	uint64_t last_serial;
	struct loop_timer *sweep;
	bool is_ending;
};

/* process.c */
struct run *run_new(struct run_host *host, struct slot *slot, const struct run_start *start,
		    const struct run_backend *backend, void *backend_arg);
void run_fork(struct run *run);
void run_started(struct run *run, pid_t pid);
void run_exited(struct run *run, int status, const struct rusage *usage);
void run_lost(struct run *run, const char *cause, const char *message); /* its zygote is gone */
void run_end_now(struct run *run, enum cause_row cause);		/* the host is ending */

/* slot.c */
/* The build's zygote that takes runs now, made if there is none. */
struct slot *slot_of_build(struct run_host *host, struct build *build, struct error *err);
/* Forks what waits, as far as the zygote has answered what was asked before. */
void slot_advance(struct slot *slot);
void slot_close(struct slot *slot); /* it goes with its zygote, in a later turn */
void slot_free(struct slot *slot);

/* host.c */
void host_build_free(struct run_host *host, struct build *build); /* one off the table */
void host_waiting_remove(struct run *run);
void host_run_ended(struct run *run); /* the run is freed after this */

#endif
