/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_support -- what the tests of the runner share: a loop, a host with the real
 * nango-runner, and a backend in memory whose provider has a list of three pages.
 */
#ifndef NANGO_TESTS_RUNNER_SUPPORT_H
#define NANGO_TESTS_RUNNER_SUPPORT_H

#include "base/loop.h"
#include "run/host.h"

#define WITNESS_RECORDS 30 /* of the list /items: 3 pages of 10 */

struct witness { /* what one run did, as its backend saw it */
	struct world *world;
	struct run *run;
	bool is_over;
	size_t records, commits, logs;
	char ids[512]; /* of all committed records, ~ updated, - deleted, a blank behind each */
	char windows[128]; /* "Item+ Item-! " */
	char problem[256]; /* of the last record that had one */
	char log[512];	   /* the last line */
	char checkpoint[256], output[256], payload[256];
	struct run_end end;
	void (*on_record)(const struct run_record *record); /* NULL: nobody asks */
	bool fails_commit;				    /* ERR_FENCED */
	bool holds_commit;				    /* answered by witness_release */
	run_commit_done *held_done;
	void *held_arg;
};

struct world {
	struct loop *loop;
	struct run_host *host;
	size_t open_runs;
	char key[65];
};

void world_open(struct world *world, unsigned mask);
void world_close(struct world *world);
void world_plugin(struct world *world, const char *name); /* hostile/NAME.so */

/* Starts `sync` of the plugin; start may be NULL for the defaults. */
void world_start(struct world *world, struct witness *witness, const char *sync,
		 const struct run_start *start);
void world_wait(struct world *world); /* until no run is open */
void
world_turn(struct world *world); /* one turn of the loop, waiting for something to happen */
void witness_release(struct witness *witness);

/* Processes that came from this one, and descriptors that it holds. */
size_t count_descriptors(void);
void adopt_orphans(void);	   /* from now on grandchildren become children */
void assert_no_process_left(void); /* waits for those that are dying */

extern const struct run_backend witness_backend;

#endif
