/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugins of this project against recordings: the same records, in the same order, member
 * for member. The shared recording is used where it is there.
 */
#include "plugin_support.h"
#include "base/json.h"
#include "project.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static nango_function *
load(const char *name, const char *sync)
{
	const char *top = getenv("NANGO_TOP_BUILDDIR");
	char path[4096];
	void *handle;
	const struct nango_plugin *plugin;

	snprintf(path, sizeof(path), "%s/plugins/%s/build/%s.so", top == NULL ? "." : top, name,
		 name);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		fail_msg("%s", dlerror());
	plugin = dlsym(handle, "nango_plugin_v1");
	assert_non_null(plugin);
	for (size_t i = 0; plugin->syncs[i] != NULL; i++)
		if (strcmp(plugin->syncs[i]->name, sync) == 0)
			return plugin->syncs[i]->run;
	fail_msg("%s has no sync %s", name, sync);
	return NULL;
}

static char *
read_text(TALLOC_CTX *mem, const char *path, size_t *length)
{
	struct error err;
	char *text;

	if (project_read_file(mem, path, 1 << 26, &text, length, &err) < 0)
		fail_msg("%s", err.message);
	return text;
}

static void
open_recording(struct stand *stand, struct recording *recording, const char *path)
{
	struct error err;

	stand_open(stand);
	*recording = (struct recording){.mem = stand->mem};
	if (recording_load(recording, path, &err) < 0)
		fail_msg("%s", err.message);
	stand->recording = recording;
}

static const char *
sorted(TALLOC_CTX *mem, const char *json)
{
	return recording_canonical(mem, json, strlen(json));
}

/* nango.batchSave.<model>, record for record. */
static void
compare(struct stand *stand, const char *path, const char *model)
{
	struct json_object *tree, *list;
	struct error err;
	size_t length, at = 0;
	char *text = read_text(stand->mem, path, &length);

	if (json_parse(stand->mem, text, length, &tree, &err) < 0)
		fail_msg("%s", err.message);
	list = json_array_in(json_object_in(json_object_in(tree, "nango"), "batchSave"), model);
	assert_non_null(list);
	for (size_t i = 0; i < stand->records_count; i++) {
		if (strcmp(stand->records[i].model, model) != 0)
			continue;
		if (stand->records[i].problem != NULL)
			fail_msg("%s %zu: %s", model, at, stand->records[i].problem);
		assert_true(at < json_object_array_length(list));
		assert_string_equal(
		    sorted(stand->mem, stand->records[i].json),
		    json_text_sorted(stand->mem, json_object_array_get_idx(list, at)));
		at++;
	}
	assert_int_equal(at, json_object_array_length(list));
	assert_true(at > 0);
}

static const char *
own(TALLOC_CTX *mem, const char *file)
{
	const char *top = getenv("NANGO_TOP_SRCDIR");

	return talloc_asprintf(mem, "%s/plugins/%s", top == NULL ? "." : top, file);
}

static void
check(const char *plugin, const char *sync, const char *path, const char *model)
{
	struct recording recording;
	struct stand stand;

	open_recording(&stand, &recording, path);
	if (!stand_run(&stand, load(plugin, sync)))
		fail_msg("%s", stand.failure);
	compare(&stand, path, model);
	stand_close(&stand);
}

static void
test_own(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	check("github", "issues", own(mem, "github/tests/issues.test.json"), "Issue");
	check("wordpress", "posts", own(mem, "wordpress/tests/posts.test.json"), "Post");
	talloc_free(mem);
}

static void
test_shared(void **state)
{
	const char *top = getenv("NANGO_TOP_SRCDIR");
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/../shared/recordings/github/issues.test.json",
		 top == NULL ? "." : top);
	if (access(path, R_OK) != 0) {
		print_message("no %s: not compared\n", path);
		return;
	}
	check("github", "issues", path, "Issue");
}

/* Two pages, then a run that has nothing to do; the pull request is left out. */
static void
test_quickstart(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct recording recording;
	struct stand stand;
	nango_function *run = load("github", "issues");

	(void)state;
	open_recording(&stand, &recording, own(mem, "github/tests/quickstart.json"));
	assert_true(stand_run(&stand, run));
	assert_int_equal(stand.records_count, 120);
	assert_int_equal(stand.requests, 3);
	assert_non_null(strstr(stand.checkpoint, "{\"since\":\"20"));
	if (!stand_run(&stand, run))
		fail_msg("%s", stand.failure);
	assert_int_equal(stand.records_count, 120);
	stand_close(&stand);
	talloc_free(mem);
}

/* A pass that broke off goes on in the repository it was at; one that is gone starts afresh. */
static void
test_github_resumes(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct recording recording;
	struct stand stand;

	(void)state;
	open_recording(&stand, &recording, own(mem, "github/tests/issues.test.json"));
	stand.checkpoint = "{\"repo\":\"lab/toaster\",\"started_at\":\"2026-03-01T00:00:00Z\"}";
	assert_true(stand_run(&stand, load("github", "issues")));
	assert_int_equal(stand.records_count, 1);
	assert_string_equal(stand.checkpoint, "{\"since\":\"2026-03-01T00:00:00Z\"}");
	stand.records_count = 0;
	stand.checkpoint = "{\"repo\":\"lab/gone\",\"started_at\":\"2026-03-01T00:00:00Z\","
			   "\"updated_at\":\"2026-02-01T00:00:00Z\"}";
	assert_true(stand_run(&stand, load("github", "issues")));
	assert_int_equal(stand.records_count, 2);
	stand.metadata = "{\"repos\":[\"lab/toaster\"]}";
	stand.checkpoint = NULL;
	stand.records_count = 0;
	assert_true(stand_run(&stand, load("github", "issues")));
	assert_int_equal(stand.records_count, 1);
	stand_close(&stand);
	talloc_free(mem);
}

/* Another count by the API than what was seen: the window stays open. */
static void
test_wordpress_window(void **state)
{
	static const struct {
		const char *total;
		size_t closed;
	} rows[] = {{"4", 1}, {"3", 0}, {"5", 0}, {"", 0}};
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct recording recording;
		struct exchange *count;
		struct stand stand;

		open_recording(&stand, &recording, own(mem, "wordpress/tests/posts.test.json"));
		count = &recording.exchanges[recording.count - 1];
		assert_string_equal(count->answer_headers.at[0].name, "x-wp-total");
		count->answer_headers.at[0].value = rows[i].total;
		assert_true(stand_run(&stand, load("wordpress", "posts")));
		assert_int_equal(stand.records_count, 4);
		assert_int_equal(stand.windows_opened, 1);
		assert_int_equal(stand.windows_closed, rows[i].closed);
		stand_close(&stand);
	}
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_shared),
	    cmocka_unit_test(test_quickstart),
	    cmocka_unit_test(test_github_resumes),
	    cmocka_unit_test(test_wordpress_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
