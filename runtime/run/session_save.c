/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_save -- the page that is being filled: records and delete windows, staged until
 * the commit hands them over.
 *
 * A record stays where it was received: the frame's payload becomes part of the page, and the
 * staged record is a span of it, checked once. Several records of one id are passed on as they
 * came; the store lets the last one win.
 *
 * A record that cannot be stored does not end the run: it travels on with its problem,
 * "path: reason", and the model says what becomes of it. What is wrong with the frame itself
 * is the protocol's.
 */
#include "run/session_internal.h"

#include "base/jsonspan.h"

#include <stdlib.h>
#include <string.h>

struct staging *
save_staging(struct session *s)
{
	if (s->filling == NULL)
		s->filling = talloc_zero(s, struct staging);
	if (s->filling == NULL)
		abort();
	return s->filling;
}

bool
save_may_name(struct session *s, const char *name, size_t length)
{
	for (const char **model = s->models; *model != NULL; model++) {
		if (strlen(*model) == length && memcmp(*model, name, length) == 0)
			return true;
	}
	session_stop_because(s, CAUSE_RECORD, "unknown_model",
			     "the model \"%.*s\" was named, which this function does not name "
			     "under `models` in plugin.yaml",
			     (int)(length > 255 ? 255 : length), name);
	return false;
}

static struct run_page_model *
save_model(struct session *s, const char *name, size_t length)
{
	struct staging *page = save_staging(s);
	unsigned count = (unsigned)page->models_count;

	for (size_t i = 0; i < count; i++) {
		if (strlen(page->models[i].model) == length &&
		    memcmp(page->models[i].model, name, length) == 0)
			return &page->models[i];
	}
	if (!save_may_name(s, name, length))
		return NULL;
	/* There are never more than the function declares. */
	page->models = talloc_realloc(page, page->models, struct run_page_model, count + 1);
	page->capacities = talloc_realloc(page, page->capacities, size_t, count + 1);
	if (page->models == NULL || page->capacities == NULL)
		abort();
	page->models[count] =
	    (struct run_page_model){.model = talloc_strndup(page, name, length)};
	page->capacities[count] = 0;
	page->models_count++;
	return &page->models[count];
}

static void
model_reserve(struct staging *page, struct run_page_model *model, size_t more)
{
	size_t *capacity = &page->capacities[model - page->models];

	if (model->count + more <= *capacity)
		return;
	*capacity = model->count + more > 2 * *capacity ? model->count + more : 2 * *capacity;
	model->records =
	    talloc_realloc(page, model->records, struct run_record, (unsigned)*capacity);
	if (model->records == NULL)
		abort();
}

/* Why this cannot be the id of a record, or NULL. Most ids need no second look. */
static const char *
id_problem(struct jsonspan id)
{
	enum jsonspan_type type = jsonspan_type(id);
	char *text;
	long length;
	bool has_nul;

	if (type == JSONSPAN_NONE || type == JSONSPAN_NULL)
		return "id: is absent";
	if (type != JSONSPAN_STRING && type != JSONSPAN_NUMBER)
		return "id: is neither a text nor a number";
	if (type == JSONSPAN_STRING && id.length == 2)
		return "id: is empty";
	if (id.length <= SESSION_ID_BYTES_MAX && memchr(id.data, '\\', id.length) == NULL)
		return NULL;
	if (type == JSONSPAN_NUMBER)
		return id.length > SESSION_ID_BYTES_MAX ? "id: is longer than 255 bytes" : NULL;
	text = talloc_size(NULL, id.length);
	if (text == NULL)
		abort();
	length = jsonspan_unescape(id, text);
	has_nul = length >= 0 && memchr(text, '\0', (size_t)length) != NULL;
	talloc_free(text);
	if (length > SESSION_ID_BYTES_MAX)
		return "id: is longer than 255 bytes";
	return has_nul ? "id: holds U+0000" : NULL;
}

/* One staged record; problem is the plugin's own, or NULL. */
static struct run_record
judge_record(TALLOC_CTX *mem, const char *json, size_t length, const char *problem)
{
	struct run_record record = {.bytes = {json, length}};
	struct jsonspan_fault fault = {0};
	struct jsonspan id = {0};

	if (jsonspan_check_record(json, length, &id, &fault) < 0) {
		record.problem = problem != NULL ? problem
						 : talloc_asprintf(mem, "byte %zu: %s",
								   fault.offset, fault.reason);
		return record;
	}
	record.bytes = jsonspan_trim(json, length);
	record.problem = id_problem(id);
	if (record.problem == NULL)
		record.id = id;
	if (problem != NULL)
		record.problem = problem;
	return record;
}

/* Stages one record; false when the run has been stopped because of it. */
static bool
save_record(struct session *s, struct run_page_model *model, enum run_change change,
	    struct rpc_in *in)
{
	size_t length, problem_length;
	const char *json = rpc_in_text(in, &length),
		   *problem = rpc_in_text(in, &problem_length);

	if (in->is_bad || json == NULL) {
		session_violation(s, "the plugin's process sent a damaged SAVE");
		return false;
	}
	if (length > SESSION_RECORD_BYTES_MAX) {
		session_stop_because(s, CAUSE_RECORD, "record_too_large",
				     "record %zu of %s in this page has %zu bytes; at most %d "
				     "are allowed",
				     model->count + 1, model->model, length,
				     SESSION_RECORD_BYTES_MAX);
		return false;
	}
	if (problem != NULL)
		problem = talloc_strndup(s->filling, problem, problem_length);
	model->records[model->count] = judge_record(s->filling, json, length, problem);
	model->records[model->count++].change = change;
	s->filling->records++;
	return true;
}

static bool
is_too_much(struct session *s, size_t bytes, uint32_t count)
{
	struct staging *page = save_staging(s);

	page->bytes += bytes;
	if (page->bytes <= SESSION_PAGE_BYTES_MAX &&
	    page->records + count <= SESSION_PAGE_RECORDS_MAX)
		return false;
	session_violation(s,
			  "more than %d MB or %d records were saved without a commit: commit "
			  "each page",
			  SESSION_PAGE_BYTES_MAX >> 20, SESSION_PAGE_RECORDS_MAX);
	return true;
}

void
save_on_save(struct session *s, struct rpc_in *in)
{
	size_t length;
	const char *name = rpc_in_text(in, &length);
	uint32_t change = rpc_in_u32(in), count = rpc_in_u32(in);
	struct run_page_model *model;

	if (in->is_bad || name == NULL || change > RUN_DELETE || count == 0 ||
	    count > SESSION_FRAME_RECORDS_MAX) {
		session_violation(s,
				  "the plugin's process sent a damaged SAVE; one holds 1 to "
				  "%d records",
				  SESSION_FRAME_RECORDS_MAX);
		return;
	}
	if (is_too_much(s, (size_t)(in->end - in->at), count))
		return;
	model = save_model(s, name, length);
	if (model == NULL)
		return;
	talloc_reparent(s, s->filling, s->frame);
	s->frame = NULL;
	model_reserve(s->filling, model, count);
	while (count-- > 0) {
		if (!save_record(s, model, (enum run_change)change, in))
			return;
	}
	if (!rpc_in_is_over(in))
		session_violation(s, "the plugin's process sent a damaged SAVE");
}

/* ---- delete windows --------------------------------------------------------------------- */

/* A window closes only behind a walk that went over everything: what was not seen is deleted.
 */
static bool
may_close(struct session *s, const char *model, bool is_vouched)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	const char *missing =
	    is_vouched || s->is_vouched ? NULL : iterate_unfinished(scratch, s);

	if (missing != NULL)
		session_stop_because(s, CAUSE_FAILED, "incomplete_walk",
				     "the delete window of %s stays open: %s", model, missing);
	talloc_free(scratch);
	return missing == NULL;
}

static void
window_set(struct session *s, struct run_page_model *model, uint32_t flags)
{
	if ((flags & RPC_WINDOW_OPENS) != 0 && model->closes_window) {
		session_stop_because(s, CAUSE_FAILED, "window_order",
				     "a delete window of %s was closed and opened in one page: "
				     "commit in between",
				     model->model);
		return;
	}
	model->opens_window |= (flags & RPC_WINDOW_OPENS) != 0;
	if ((flags & RPC_WINDOW_CLOSES) == 0 ||
	    !may_close(s, model->model, (flags & RPC_WINDOW_VOUCHED) != 0))
		return;
	model->closes_window = true;
	model->is_vouched |= s->is_vouched || (flags & RPC_WINDOW_VOUCHED) != 0;
	model->overrides_guard |= (flags & RPC_WINDOW_OVERRIDES) != 0;
}

void
save_on_window(struct session *s, struct rpc_in *in)
{
	size_t length;
	const char *name = rpc_in_text(in, &length);
	uint32_t flags = rpc_in_u32(in);
	struct run_page_model *model;

	if (!rpc_in_is_over(in) || flags == 0 || flags > RPC_WINDOW_ALL ||
	    (name == NULL && flags != RPC_WINDOW_VOUCHED)) {
		session_violation(s, "the plugin's process sent a damaged WINDOW");
		return;
	}
	if (name == NULL) {
		s->is_vouched = true;
		return;
	}
	model = save_model(s, name, length);
	if (model != NULL)
		window_set(s, model, flags);
}
