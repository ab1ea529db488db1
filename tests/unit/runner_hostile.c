/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_hostile -- each way of misbehaving ends that run with its named cause, and nothing
 * else: the runs beside it finish with all their records, and no descriptor or process is left.
 * Runs the release build of nango-runner, sandbox and all.
 */
#include "runner_support.h"

#include "run/cause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SIBLINGS 4

static const struct {
	const char *sync, *cause;
	const char *message; /* a part of it */
	size_t records;	     /* committed before */
	int64_t deadline_ms, cpu_ms;
} cases[] = {
    {"segfault", "signal 11", "Segmentation fault", 1, 0, 0},
    {"exit_zero", "exit", "exit(0)", 1, 0, 0},
    {"exit_quick", "exit", "exit(0)", 1, 0, 0},
    {"spin", "deadline", "its limit: 400 ms", 1, 400, 0},
    {"spin_deaf", "deadline", "its limit: 400 ms", 1, 400, 0},
    {"spin", "cpu", "1 s of processor time", 1, 0, 1000},
    {"spin_deaf", "cpu", "1 s of processor time", 1, 0, 1000},
    {"allocate", "out of memory", "10737418240 bytes", 1, 0, 0},
    {"allocate_slowly", "out of memory", "memory limit", 1, 0, 0},
    {"arena", "out of memory", "memory limit", 1, 0, 0},
    {"connect_out", "sandbox: connect", "", 1, 0, 0},
    {"socket_out", "sandbox: socket", "", 1, 0, 0},
    {"connect_masked", "sandbox: connect", "", 1, 0, 0},
    {"close_channel", "channel closed", "", 1, 0, 0},
    {"close_all", "channel closed", "", 1, 0, 0},
    {"aborts", "signal 6", "abort()", 1, 0, 0},
    {"free_twice", "signal 6", "abort()", 1, 0, 0},
    {"overflow", "signal 11", "Segmentation fault", 1, 0, 0},
    {"forks", "sandbox: fork", "", 1, 0, 0},
    {"threads", "sandbox: thread", "", 1, 0, 0},
    {"kill_all", "sandbox: kill", "", 1, 0, 0},
    {"executes", "sandbox: execve", "", 1, 0, 0},
    {"traces", "sandbox: ptrace", "", 1, 0, 0},
    {"garbage", "protocol violation", "unknown message", 1, 0, 0},
    {"giant_frame", "protocol violation", "over its maximum", 1, 0, 0},
    {"forged_done", "protocol violation", "DONE before", 1, 0, 0},
    {"flood", "protocol violation", "without a commit", 0, 0, 0},
    {"invalid", "", "", 3, 0, 0}, /* with its problem; "lost" is committed with it */
    {"without_id", "", "", 3, 0, 0},
    {"stranger", "invalid record", "\"Stranger\"", 1, 0, 0},
    {"fails", "failed", "the repository a/b is not there", 1, 0, 0},
    {"not_found", "upstream 404", "GET /missing answered 404: {\"message\":\"Not Found\"}", 1,
     0, 0},
    {"nothing_of_that_name", "load", "no sync named", 0, 0, 0},
    {"probe", "", "", 1, 0, 0},
};

static void
assert_end(const char *what, const struct witness *w, const char *cause, const char *message)
{
	if (strcmp(w->end.cause, cause) != 0 || strstr(w->end.message, message) == NULL)
		fail_msg("%s: cause \"%s\", message \"%s\"", what, w->end.cause,
			 w->end.message);
	assert_int_equal(w->end.is_done, *cause == '\0');
	assert_true(cause_is_known(w->end.cause));
}

static void
start_siblings(struct world *world, struct witness *siblings)
{
	for (int i = 0; i < SIBLINGS; i++)
		world_start(world, &siblings[i], "good", NULL);
}

static void
assert_siblings(const char *what, const struct witness *siblings)
{
	for (int i = 0; i < SIBLINGS; i++) {
		assert_end(what, &siblings[i], "", "");
		assert_int_equal(siblings[i].records, WITNESS_RECORDS);
		assert_int_equal(siblings[i].commits, 3);
	}
}

static void
test_gallery(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 0);
	world_plugin(&world, "gallery");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run_start start = {.deadline_ms = cases[i].deadline_ms,
					  .cpu_ms = cases[i].cpu_ms};
		struct witness siblings[SIBLINGS] = {0}, hostile = {0};

		if (start.deadline_ms == 0)
			start.deadline_ms = 20000;
		start_siblings(&world, siblings);
		world_start(&world, &hostile, cases[i].sync, &start);
		world_wait(&world);
		assert_end(cases[i].sync, &hostile, cases[i].cause, cases[i].message);
		assert_int_equal(hostile.records, cases[i].records);
		assert_siblings(cases[i].sync, siblings);
	}
	world_close(&world);
}

/* The same, with nothing in between: what one leaves behind must not reach the next. */
static void
test_nothing_is_left(void **state)
{
	size_t before = count_descriptors(), with_zygote;
	struct witness ends[sizeof(cases) / sizeof(cases[0])] = {0};
	struct world world;

	(void)state;
	adopt_orphans();
	world_open(&world, 0);
	world_plugin(&world, "gallery");
	world_start(&world, &ends[0], "good", NULL);
	world_wait(&world);
	with_zygote = count_descriptors();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run_start start = {.deadline_ms = 1500, .cpu_ms = cases[i].cpu_ms};

		ends[i] = (struct witness){0};
		world_start(&world, &ends[i], cases[i].sync, &start);
	}
	assert_int_equal(run_host_count(world.host), sizeof(cases) / sizeof(cases[0]));
	world_wait(&world);
	assert_int_equal(count_descriptors(), with_zygote);
	assert_int_equal(run_host_count(world.host), 0);
	world_close(&world);
	assert_int_equal(count_descriptors(), before);
	assert_no_process_left();
}

static void
test_constructors(void **state)
{
	static const struct {
		const char *plugin, *cause, *message;
	} rows[] = {
	    {"ctor_thread", "sandbox: thread", "one thread"},
	    {"ctor_fork", "sandbox: fork", "left a process behind"},
	    {"ctor_connect", "sandbox: socket", ""},
	    {"ctor_segfault", "signal 11", "constructor"},
	    {"ctor_heavy", "load", "16 MiB are allowed"},
	    {"abi_next", "abi", "built for SDK ABI 2.0, this runner speaks 1.2: rebuild"},
	    {"no_symbol", "abi", "does not export nango_plugin_v1"},
	    {"ctor_open", "", ""},
	};
	size_t before = count_descriptors();
	struct world world;

	(void)state;
	adopt_orphans();
	world_open(&world, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct witness runs[2] = {0};

		world_plugin(&world, rows[i].plugin);
		world_start(&world, &runs[0], "good", NULL);
		world_start(&world, &runs[1], "good", NULL);
		world_wait(&world);
		assert_end(rows[i].plugin, &runs[0], rows[i].cause, rows[i].message);
		assert_end(rows[i].plugin, &runs[1], rows[i].cause, rows[i].message);
	}
	world_close(&world);
	assert_int_equal(count_descriptors(), before);
	assert_no_process_left();
}

/* Each layer left out is named; what a plugin may do does not widen by it. */
static void
test_masked_layers(void **state)
{
	static const struct {
		unsigned mask;
		const char *text;
	} rows[] = {
	    {RUN_MASK_LANDLOCK, "landlock"},	 {RUN_MASK_LIMITS, "limits"},
	    {RUN_MASK_UNDUMPABLE, "undumpable"}, {RUN_MASK_PARENT_DEATH, "parent_death"},
	    {RUN_MASK_OWN_USER, "own_user"},
	};
	struct world world;
	char missing[64];

	(void)state;
	world_open(&world, 0);
	assert_non_null(strstr(run_host_layers(world.host), "\"seccomp\":true"));
	world_close(&world);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct witness probe = {0}, hostile = {0};

		if (rows[i].mask == RUN_MASK_OWN_USER && geteuid() != 0)
			continue; /* not root: there is no other user to become */
		world_open(&world, rows[i].mask);
		snprintf(missing, sizeof(missing), "\"missing\":[\"%s\"]", rows[i].text);
		if (strstr(run_host_layers(world.host), missing) == NULL)
			fail_msg("%s: %s", rows[i].text, run_host_layers(world.host));
		world_plugin(&world, "gallery");
		world_start(&world, &probe, "connect_out", NULL);
		world_plugin(&world, "ctor_open");
		world_start(&world, &hostile, "good", NULL);
		world_wait(&world);
		assert_end(rows[i].text, &probe, "sandbox: connect", "");
		assert_end(rows[i].text, &hostile, "", "");
		world_close(&world);
	}
}

static void
test_no_seccomp_no_runs(void **state)
{
	const char *dir = getenv("NANGO_TOP_BUILDDIR");
	struct run_host_config config = {.mask = RUN_MASK_SECCOMP};
	size_t before = count_descriptors();
	struct run_host *host;
	struct error err;
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s/nango-runner", dir == NULL ? "." : dir);
	config.runner_path = path;
	assert_int_equal(loop_new(&config.loop, &err), 0);
	assert_int_equal(run_host_new(&host, &config, &err), -1);
	assert_non_null(strstr(err.message, "no seccomp filters"));
	config.mask = 0;
	config.runner_path = "/nonexistent/nango-runner";
	assert_int_equal(run_host_new(&host, &config, &err), -1);
	assert_non_null(strstr(err.message, "/nonexistent/nango-runner"));
	loop_free(config.loop);
	assert_int_equal(count_descriptors(), before);
}

/* Libraries besides libc would grow every fork, and be more to trust. */
static void
test_runner_links_libc_only(void **state)
{
	const char *dir = getenv("NANGO_TOP_BUILDDIR");
	char command[600], line[256];
	size_t libraries = 0;
	FILE *out;

	(void)state;
	snprintf(command, sizeof(command), "readelf -d %s/nango-runner",
		 dir == NULL ? "." : dir);
	out = popen(command, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out) != NULL) {
		if (strstr(line, "(NEEDED)") == NULL)
			continue;
		libraries++;
		if (strstr(line, "[libc.so.6]") == NULL && strstr(line, "[ld-linux") == NULL)
			fail_msg("nango-runner links more than libc: %s", line);
	}
	assert_int_equal(pclose(out), 0);
	assert_true(libraries >= 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runner_links_libc_only),
	    cmocka_unit_test(test_no_seccomp_no_runs),
	    cmocka_unit_test(test_gallery),
	    cmocka_unit_test(test_nothing_is_left),
	    cmocka_unit_test(test_constructors),
	    cmocka_unit_test(test_masked_layers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
