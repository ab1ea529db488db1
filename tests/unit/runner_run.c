/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_run -- what the SDK promises, run for real; and what a host does with its runs:
 * cancel, a lost lease, a zygote that is killed, replaced or not needed any more.
 */
#include "runner_support.h"

#include "run/cause.h"
#include "run/host_internal.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
assert_done(const char *what, const struct witness *w)
{
	if (!w->end.is_done)
		fail_msg("%s: %s, %s: %s", what, w->end.cause, w->end.code, w->end.message);
	assert_string_equal(w->end.cause, "");
}

static void
assert_cause(const struct witness *w, const char *cause, const char *message)
{
	if (strcmp(w->end.cause, cause) != 0 || strstr(w->end.message, message) == NULL)
		fail_msg("%s, %s: %s", w->end.cause, w->end.code, w->end.message);
	assert_false(w->end.is_done);
}

static void
test_calls(void **state)
{
	static const char metadata[] =
	    "{\"text\":\"a\\n\\\"\\u00e9\",\"number\":1.50,\"null\":null,\"list\":[{\"name\":"
	    "\"first\"}, "
	    "{\"name\":\"second\"}],\"yes\":true,\"big\":9223372036854775807,"
	    "\"deep\":{\"er\":{\"still\":\"here\"}},\"z\":[]}";
	struct run_start start = {.metadata = metadata, .checkpoint = "{\"page\":4}"};
	struct witness values = {0}, requests = {0}, nested = {0};
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "calls");
	world_start(&world, &values, "values", &start);
	world_start(&world, &requests, "requests", NULL);
	world_start(&world, &nested, "nested", NULL);
	world_wait(&world);
	assert_done("values", &values);
	assert_string_equal(values.checkpoint, "{\"page\":5}");
	assert_string_equal(values.log, "all well");
	assert_done("requests", &requests);
	assert_int_equal(requests.end.requests, 3);
	assert_done("nested", &nested);
	assert_string_equal(nested.ids, "\"0-3\" \"1-3\" \"2-3\" ");
	world_close(&world);
}

static void
test_records(void **state)
{
	struct witness writers = {0}, problem = {0}, large = {0};
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "calls");
	world_start(&world, &writers, "writers", NULL);
	world_start(&world, &problem, "problem", NULL);
	world_start(&world, &large, "large", NULL);
	world_wait(&world);
	assert_done("writers", &writers);
	assert_int_equal(writers.records, 2502);
	assert_int_equal(writers.end.pages, 1); /* what was left at the return */
	assert_non_null(strstr(writers.ids, "\"a\\\"\\\\\\n\\u0001\" "));
	assert_done("problem", &problem);
	assert_string_equal(problem.problem, "number: 2^64 does not fit an integer");
	assert_cause(&large, "invalid record", "larger than 10485760 bytes");
	assert_int_equal(large.records, 1);
	world_close(&world);
}

/* Changes, windows, lookups, the checkpoint cleared: the plugin checks what it is given. */
static void
test_changes(void **state)
{
	struct run_start start = {.checkpoint = "{\"page\":4}"};
	struct witness changes = {0}, walked = {0}, unfinished = {0}, fails = {0};
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "calls");
	world_start(&world, &changes, "changes", &start);
	world_start(&world, &walked, "walked", NULL);
	world_start(&world, &unfinished, "unfinished", NULL);
	world_start(&world, &fails, "fails_with", NULL);
	world_wait(&world);
	assert_done("changes", &changes);
	assert_string_equal(changes.ids, "\"1\" ~2 -\"3\\\"\" -4 \"5\" ");
	assert_string_equal(changes.windows, "Item+ Item-! ");
	assert_string_equal(changes.checkpoint, "cleared");
	assert_int_equal(changes.end.pages, 2);
	assert_done("walked", &walked);
	assert_true(walked.end.is_walk_complete);
	assert_string_equal(walked.windows, "Item+ Item- ");
	assert_cause(&unfinished, "failed", "was left before its last page");
	assert_string_equal(unfinished.end.code, "incomplete_walk");
	assert_string_equal(unfinished.windows, "Item+ ");
	assert_cause(&fails, "failed", "no 7");
	assert_string_equal(fails.payload, "{\"seen\":7}");
	world_close(&world);
}

static void
test_action(void **state)
{
	struct run_start start = {.kind = 2, .input = "{\"title\":\"x\"}"};
	struct witness echo = {0};
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "calls");
	world_start(&world, &echo, "echo", &start);
	world_wait(&world);
	assert_done("echo", &echo);
	assert_string_equal(echo.output, "{\"title\":\"x\"}");
	world_close(&world);
}

/* Globals start afresh in every run, though all come from one process. */
static void
test_globals(void **state)
{
	struct witness runs[3] = {0};
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "calls");
	for (int i = 0; i < 3; i++) {
		world_start(&world, &runs[i], "fresh", NULL);
		world_wait(&world);
		assert_done("fresh", &runs[i]);
		assert_string_equal(runs[i].log, "fresh");
	}
	world_close(&world);
}

static void
test_cancel(void **state)
{
	struct witness early = {0}, late = {0};
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "gallery");
	world_start(&world, &early, "spin", NULL);
	run_cancel(early.run, cause_text(CAUSE_CANCELLED)); /* before there is a process */
	assert_false(early.is_over);
	world_start(&world, &late, "spin", NULL);
	while (late.commits == 0)
		world_turn(&world);
	run_cancel(late.run, cause_text(CAUSE_LOST_LEASE));
	world_wait(&world);
	assert_cause(&early, "cancelled", "");
	assert_cause(&late, "lost lease", "taken over by another server");
	assert_int_equal(late.records, 1);
	world_close(&world);
}

/* As many as may be unanswered, all unwanted before their zygote has said a word: what waits
 * behind them is forked nevertheless. */
static void
test_cancel_while_forked(void **state)
{
	struct witness first = {0}, forked[HOST_UNANSWERED_MAX] = {0}, behind = {0};
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "gallery");
	world_start(&world, &first, "good", NULL);
	world_wait(&world); /* the zygote is ready: it is asked at once */
	for (size_t i = 0; i < HOST_UNANSWERED_MAX; i++) {
		world_start(&world, &forked[i], "spin", NULL);
		assert_int_equal(forked[i].run->state, RUN_FORKING);
	}
	world_start(&world, &behind, "good", NULL);
	assert_int_equal(behind.run->state, RUN_WAITING);
	for (size_t i = 0; i < HOST_UNANSWERED_MAX; i++)
		run_cancel(forked[i].run, cause_text(CAUSE_CANCELLED));
	world_wait(&world);
	for (size_t i = 0; i < HOST_UNANSWERED_MAX; i++)
		assert_cause(&forked[i], "cancelled", "");
	assert_done("behind them", &behind);
	world_close(&world);
}

static void
test_commit(void **state)
{
	struct witness fenced = {.fails_commit = true}, held = {.holds_commit = true};
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "calls");
	world_start(&world, &fenced, "waits", NULL);
	world_start(&world, &held, "waits", NULL);
	while (held.held_done == NULL || !fenced.is_over)
		world_turn(&world);
	assert_cause(&fenced, "lost lease", "another node");
	assert_string_equal(fenced.end.code, "fenced");
	/* Killed during a commit: the end waits for the store's answer, and the page counts. */
	run_cancel(held.run, cause_text(CAUSE_CANCELLED));
	assert_false(held.is_over);
	witness_release(&held);
	world_wait(&world);
	assert_cause(&held, "cancelled", "");
	assert_int_equal(held.end.pages, 1);
	assert_string_equal(held.checkpoint, "{\"held\":true}");
	world_close(&world);
}

/* The pid of the one child of this process: the zygote. */
static pid_t
only_child(void)
{
	char text[64] = "";
	FILE *file = fopen("/proc/thread-self/children", "r");

	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	return (pid_t)atoi(text);
}

static void
test_zygote_is_lost(void **state)
{
	struct witness runs[3] = {0}, next = {0};
	struct world world;

	(void)state;
	adopt_orphans();
	world_open(&world, 0);
	world_plugin(&world, "gallery");
	for (int i = 0; i < 3; i++)
		world_start(&world, &runs[i], "spin", NULL);
	while (runs[0].commits + runs[1].commits + runs[2].commits < 3)
		world_turn(&world);
	kill(only_child(), SIGKILL);
	world_wait(&world);
	for (int i = 0; i < 3; i++)
		assert_cause(&runs[i], "runner lost", "signal 9");
	world_start(&world, &next, "good", NULL);
	world_wait(&world);
	assert_done("a new zygote", &next);
	assert_int_equal(next.records, WITNESS_RECORDS);
	world_close(&world);
	assert_no_process_left();
}

/* kill -9 of the server: its zygote and all runs end with it, spinning ones, too. */
static void
test_server_is_killed(void **state)
{
	pid_t server;

	(void)state;
	adopt_orphans();
	server = fork();
	if (server == 0) {
		struct witness runs[3] = {0};
		struct world world;

		world_open(&world, 0);
		world_plugin(&world, "gallery");
		for (int i = 0; i < 3; i++)
			world_start(&world, &runs[i], "spin", NULL);
		while (runs[0].commits + runs[1].commits + runs[2].commits < 3)
			world_turn(&world);
		kill(getpid(), SIGKILL);
	}
	assert_true(server > 0);
	assert_no_process_left();
}

static void
test_many_at_once(void **state)
{
	enum { MANY = 300 };
	struct witness *runs = calloc(MANY, sizeof(*runs));
	size_t before = count_descriptors();
	struct world world;

	(void)state;
	adopt_orphans();
	world_open(&world, 0);
	world_plugin(&world, "gallery");
	for (int i = 0; i < MANY; i++)
		world_start(&world, &runs[i], i % 3 == 0 ? "segfault" : "good", NULL);
	world_wait(&world);
	for (int i = 0; i < MANY; i++) {
		if (i % 3 == 0)
			assert_cause(&runs[i], "signal 11", "");
		else
			assert_int_equal(runs[i].records, WITNESS_RECORDS);
	}
	world_close(&world);
	free(runs);
	assert_int_equal(count_descriptors(), before);
	assert_no_process_left();
}

static void
test_zygotes_come_and_go(void **state)
{
	const char *dir = getenv("NANGO_TOP_BUILDDIR");
	struct run_host_config config = {.zygote_runs_max = 2, .idle_ms = 50, .runs_max = 3};
	struct witness runs[6] = {0};
	struct error err;
	struct world world;
	pid_t first;
	char path[512];

	(void)state;
	adopt_orphans();
	world_open(&world, 0);
	run_host_free(world.host);
	snprintf(path, sizeof(path), "%s/nango-runner", dir == NULL ? "." : dir);
	config.loop = world.loop;
	config.runner_path = path;
	assert_int_equal(run_host_new(&world.host, &config, &err), 0);
	world_plugin(&world, "gallery");
	world_start(&world, &runs[0], "good", NULL);
	first = only_child();
	world_start(&world, &runs[1], "good", NULL);
	world_start(&world, &runs[2], "good", NULL); /* the third needs a fresh zygote */
	assert_int_equal(run_host_start(world.host, world.key, &(struct run_start){.kind = 1},
					&witness_backend, &runs[3], NULL, &err),
			 -1);
	assert_int_equal(err.code, ERR_BUSY);
	world_wait(&world);
	for (int i = 0; i < 3; i++)
		assert_done("good", &runs[i]);
	while (kill(first, 0) == 0) /* the first one ends with its last run */
		world_turn(&world);
	while (run_host_has(world.host, world.key))
		world_turn(&world);
	assert_int_equal(run_host_start(world.host, world.key, &(struct run_start){.kind = 1},
					&witness_backend, &runs[3], NULL, &err),
			 -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	world_plugin(&world, "gallery");
	world_start(&world, &runs[4], "good", NULL);
	world_wait(&world);
	assert_done("added again", &runs[4]);
	world_close(&world);
	assert_no_process_left();
}

/* Stopping the server: `ended` is called for each before run_host_free returns. */
static void
test_free_with_runs(void **state)
{
	size_t before = count_descriptors();
	struct witness waiting = {0}, running = {0}, held = {.holds_commit = true};
	struct world world;

	(void)state;
	adopt_orphans();
	world_open(&world, 0);
	world_plugin(&world, "calls");
	world_start(&world, &held, "waits", NULL);
	while (held.held_done == NULL)
		world_turn(&world);
	world_plugin(&world, "gallery");
	world_start(&world, &running, "spin", NULL);
	while (running.commits == 0)
		world_turn(&world);
	world_plugin(&world, "ctor_open");
	world_start(&world, &waiting, "good", NULL);
	run_host_free(world.host);
	assert_cause(&waiting, "cancelled", "");
	assert_cause(&running, "cancelled", "");
	assert_cause(&held, "cancelled", "");
	witness_release(&held); /* too late, and harmless */
	loop_free(world.loop);
	assert_int_equal(count_descriptors(), before);
	assert_no_process_left();
}

static void
test_bytes_are_checked(void **state)
{
	struct world world;
	struct error err;
	char key[65];

	(void)state;
	world_open(&world, 0);
	memset(key, 'a', 64);
	key[64] = '\0';
	assert_int_equal(run_host_add(world.host, key, "x", 1, &err), -1);
	assert_int_equal(err.code, ERR_PLUGIN);
	assert_false(run_host_has(world.host, key));
	world_close(&world);
}

static void
test_causes(void **state)
{
	static const struct {
		const char *cause;
		int is_known;
	} rows[] = {{"", 1},
		    {"signal 11", 1},
		    {"signal x", 0},
		    {"signal ", 0},
		    {"sandbox: connect", 1},
		    {"sandbox: ", 0},
		    {"sandbox: A b", 0},
		    {"upstream 404", 1},
		    {"upstream 99999", 0},
		    {"lost lease", 1},
		    {"lost  lease", 0},
		    {"anything", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(cause_is_known(rows[i].cause), rows[i].is_known);
		assert_int_equal(*cause_explain(rows[i].cause) != '\0', rows[i].is_known);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_calls),
	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_action),
	    cmocka_unit_test(test_globals),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_cancel_while_forked),
	    cmocka_unit_test(test_commit),
	    cmocka_unit_test(test_zygote_is_lost),
	    cmocka_unit_test(test_server_is_killed),
	    cmocka_unit_test(test_many_at_once),
	    cmocka_unit_test(test_zygotes_come_and_go),
	    cmocka_unit_test(test_free_with_runs),
	    cmocka_unit_test(test_bytes_are_checked),
	    cmocka_unit_test(test_causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
