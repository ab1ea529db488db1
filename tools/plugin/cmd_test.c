/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin test -- each recording in tests/: the sync of its name runs in the real sandbox
 * against the recorded answers, and must save, update and delete the recorded records, in
 * order, member for member. A record that does not fit its model is a failure.
 *
 * Output is TAP, so that any harness can read it. Absent and null differ; the order of members
 * does not count.
 */
#include "base/json.h"
#include "command.h"
#include "offline.h"
#include "project.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".test.json"
#define RECORDING_MAX (64 * 1024 * 1024)

struct session {
	struct invocation *inv;
	struct project project;
	struct inspection plugin;
	char *bytes;
	size_t length;
	const char *runner;
	size_t passed, failed;
};

static void
report(struct session *session, const char *name, const char *fault)
{
	size_t number = ++session->passed + session->failed;

	if (fault != NULL) {
		session->passed--;
		session->failed++;
	}
	if (session->inv->is_json)
		return;
	printf("%s %zu - %s\n", fault == NULL ? "ok" : "not ok", number, name);
	for (const char *line = fault; line != NULL && *line != '\0'; line += line[0] == '\n') {
		size_t n = strcspn(line, "\n");

		printf("# %.*s\n", (int)n, line);
		line += n;
	}
	fflush(stdout);
}

/* What a recording may hold, and what the records that came are called. */
static const struct expectation {
	const char *member, *verb;
	enum run_change change;
} expectations[] = {
    {"batchSave", "saved   ", RUN_SAVE},
    {"batchUpdate", "updated ", RUN_UPDATE},
    {"batchDelete", "deleted ", RUN_DELETE},
};

/* The first record of a model that is not the expected one; NULL when all are. */
static const char *
compare_model(TALLOC_CTX *mem, const struct offline_result *result, const char *model,
	      const struct expectation *e, struct json_object *expected)
{
	size_t at = 0, count = json_object_array_length(expected);

	for (size_t i = 0; i < result->records_count; i++) {
		const char *got, *wanted;

		if (strcmp(result->records[i].model, model) != 0 ||
		    result->records[i].change != e->change)
			continue;
		got = recording_canonical(mem, result->records[i].json,
					  strlen(result->records[i].json));
		if (at == count)
			return talloc_asprintf(
			    mem, "%s: %zu records were recorded, one more came:\n%s %s", model,
			    count, e->verb, got);
		wanted = json_text_sorted(mem, json_object_array_get_idx(expected, at++));
		if (strcmp(got, wanted) != 0)
			return talloc_asprintf(mem, "%s, record %zu\nrecorded %s\n%s %s", model,
					       at, wanted, e->verb, got);
	}
	if (at < count)
		return talloc_asprintf(mem, "%s: %zu records were recorded, %zu came", model,
				       count, at);
	return NULL;
}

static const char *
compare_change(TALLOC_CTX *mem, const struct offline_result *result,
	       const struct expectation *e, struct json_object *expected)
{
	struct json_object_iterator at = json_object_iter_begin(expected),
				    end = json_object_iter_end(expected);
	const char *fault = NULL;

	for (; !json_object_iter_equal(&at, &end) && fault == NULL; json_object_iter_next(&at))
		if (json_object_is_type(json_object_iter_peek_value(&at), json_type_array))
			fault = compare_model(mem, result, json_object_iter_peek_name(&at), e,
					      json_object_iter_peek_value(&at));
	return fault;
}

static const char *
compare_all(TALLOC_CTX *mem, const struct offline_result *result, struct json_object *nango)
{
	const char *fault = NULL;
	bool has_any = false;

	if (result->problem != NULL)
		return talloc_asprintf(mem, "does not fit its model: %s", result->problem);
	for (size_t i = 0; i < sizeof(expectations) / sizeof(*expectations); i++) {
		struct json_object *expected = json_object_in(nango, expectations[i].member);

		if (expected == NULL || fault != NULL)
			continue;
		has_any = true;
		fault = compare_change(mem, result, &expectations[i], expected);
	}
	return has_any ? fault
		       : "the recording has no nango.batchSave or batchDelete to compare with";
}

static const char *
judge(TALLOC_CTX *mem, const struct offline_result *result, const struct spec_sync *sync,
      struct json_object *nango)
{
	if (result->end.cause[0] == '\0' && result->end.is_done) {
		if (sync->tracks_deletes && !result->end.is_walk_complete)
			return "plugin.yaml says track_deletes, but the run does not prove "
			       "that "
			       "it went over everything: a server would delete nothing";
		return compare_all(mem, result, nango);
	}
	if (result->unrecorded != NULL)
		return talloc_asprintf(mem, "%s was not recorded", result->unrecorded);
	return talloc_asprintf(mem, "the run ended: %s%s%s%s%s", result->end.cause,
			       result->end.code[0] != '\0' ? " " : "", result->end.code,
			       result->end.message[0] != '\0' ? ": " : "", result->end.message);
}

static const char *
test_file(struct session *session, const char *path, const struct spec_sync *sync)
{
	TALLOC_CTX *mem = session->inv->mem;
	struct recording recording = {.mem = mem};
	struct offline offline = {.mem = mem,
				  .runner = session->runner,
				  .bytes = session->bytes,
				  .length = session->length,
				  .plugin = &session->plugin,
				  .recording = &recording};
	struct offline_result result;
	struct json_object *tree, *nango, *metadata, *checkpoint;
	struct error err;
	size_t length;
	char *text;

	if (recording_load(&recording, path, &err) < 0 ||
	    project_read_file(mem, path, RECORDING_MAX, &text, &length, &err) < 0 ||
	    json_parse(mem, text, length, &tree, &err) < 0)
		return talloc_strdup(mem, err.message);
	nango = json_object_in(tree, "nango");
	metadata = json_member(nango, "getMetadata");
	if (metadata != NULL)
		offline.metadata = json_text(mem, metadata);
	checkpoint = json_member(nango, "getCheckpoint");
	if (checkpoint != NULL)
		offline.checkpoint = json_text(mem, checkpoint);
	if (offline_run(&offline, sync, &result, &err) < 0)
		return talloc_strdup(mem, err.message);
	return judge(mem, &result, sync, nango);
}

static int
is_test(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > strlen(SUFFIX) && strcmp(entry->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

/* The file's name is the sync's: tests/issues.test.json. Recordings of actions wait for them.
 */
static void
test_folder(struct session *session, const char *folder)
{
	TALLOC_CTX *mem = session->inv->mem;
	struct dirent **entries;
	int count = scandir(folder, &entries, is_test, alphasort);

	for (int i = 0; i < count; i++) {
		const char *file = talloc_strdup(mem, entries[i]->d_name);
		const char *name = talloc_strndup(mem, file, strlen(file) - strlen(SUFFIX));
		const struct spec_sync *sync = spec_sync(session->plugin.spec, name);

		free(entries[i]);
		report(session, name,
		       sync == NULL
			   ? talloc_asprintf(mem, "plugin.yaml has no sync of the name \"%s\"",
					     name)
			   : test_file(session, talloc_asprintf(mem, "%s/%s", folder, file),
				       sync));
	}
	if (count >= 0)
		free(entries);
}

static int
prepare(struct session *session, struct error *err)
{
	struct invocation *inv = session->inv;
	const char *path;

	if (project_find_object(inv, inv->arguments[0], &session->project, &path, err) < 0)
		return err->code == ERR_NOT_FOUND ? STATUS_NOT_FOUND : STATUS_FAILURE;
	if (session->project.spec == NULL) {
		error_set(err, ERR_USAGE, "test takes a plugin's folder, not a file [E0003]");
		return STATUS_USAGE;
	}
	if (project_read_file(inv->mem, path, INSPECT_BYTES_MAX, &session->bytes,
			      &session->length, err) < 0 ||
	    inspect_plugin(inv->mem, project_helper(inv, "NANGO_INSPECT", "nango-inspect"),
			   session->bytes, session->length, &session->plugin, err) < 0)
		return STATUS_FAILURE;
	if (strcmp(spec_json(inv->mem, session->project.spec), session->plugin.spec_json) !=
	    0) {
		error_set(err, ERR_PLUGIN,
			  "%s was changed after the build [E0313]\nhelp: nango-plugin build",
			  session->project.yaml);
		return STATUS_FAILURE;
	}
	session->runner = project_helper(inv, "NANGO_RUNNER", "nango-runner");
	return STATUS_OK;
}

static int
run(struct invocation *inv, struct error *err)
{
	struct session session = {.inv = inv};
	struct json_object *tree;
	int status = prepare(&session, err);

	if (status != STATUS_OK)
		return status;
	test_folder(&session, talloc_asprintf(inv->mem, "%s/tests", session.project.directory));
	if (session.passed + session.failed == 0) {
		error_set(
		    err, ERR_NOT_FOUND,
		    "there is no %s/tests/<sync>.test.json [E0601]\nhelp: nango-plugin init "
		    "makes one to look at",
		    session.project.directory);
		return STATUS_NOT_FOUND;
	}
	tree = json_own(inv->mem, json_object_new_object());
	json_add_boolean(tree, "ok", session.failed == 0);
	json_add_integer(tree, "passed", (int64_t)session.passed);
	json_add_integer(tree, "failed", (int64_t)session.failed);
	if (inv->is_json && session.failed == 0)
		printf("%s\n", json_text(inv->mem, tree));
	else if (!inv->is_json)
		printf("1..%zu\n", session.passed + session.failed);
	if (session.failed == 0)
		return STATUS_OK;
	error_set(err, ERR_RUN_FAILED, "%zu of %zu tests failed [E0602]", session.failed,
		  session.passed + session.failed);
	return STATUS_FAILURE;
}

const struct command command_test = {
    .name = "test",
    .arguments = "[DIR]",
    .arguments_max = 1,
    .summary = "Run a built plugin against its recordings and compare the records",
    .doc =
	"For each DIR/tests/<sync>.test.json the sync runs in the same sandbox as on a "
	"server,\n"
	"with the recorded answers in place of the provider, and must save the records that\n"
	"nango.batchSave holds, and delete those of nango.batchDelete, in that order. A "
	"record\n"
	"that does not fit its model is a failure. nango.getMetadata is the connection's\n"
	"metadata, nango.getCheckpoint where the run begins. Prints TAP.",
    .options = {{0}},
    .run = run,
};
