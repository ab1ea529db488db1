/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_page -- saves are staged, a commit hands them to the backend as one page.
 *
 * A record stays where it was received: the frame's payload becomes part of the page, and the
 * staged record is a span of it, checked once. Several records of one id are passed on as they
 * came; the store lets the last one win.
 */
#include "run/session_internal.h"

#include "base/jsonspan.h"

#include <stdlib.h>
#include <string.h>

static bool
model_is_declared(const struct session *s, const char *name, size_t length)
{
	for (const char **model = s->models; *model != NULL; model++) {
		if (strlen(*model) == length && memcmp(*model, name, length) == 0)
			return true;
	}
	return false;
}

static struct staged_model *
staging_model(struct session *s, const char *name, size_t length)
{
	struct staging *page = &s->staging;
	struct staged_model *model;

	for (size_t i = 0; i < page->models_count; i++) {
		model = &page->models[i];
		if (strlen(model->model) == length && memcmp(model->model, name, length) == 0)
			return model;
	}
	if (!model_is_declared(s, name, length)) {
		session_stop_because(
		    s, CAUSE_RECORD, "unknown_model",
		    "a record of the model \"%.*s\" was saved, which this function does "
		    "not name under `models` in plugin.yaml",
		    (int)(length > 255 ? 255 : length), name);
		return NULL;
	}
	if (page->models_count == SESSION_MODELS_MAX) {
		session_violation(s, "a page may hold records of %d models",
				  SESSION_MODELS_MAX);
		return NULL;
	}
	model = &page->models[page->models_count++];
	*model = (struct staged_model){.model = talloc_strndup(page->mem, name, length)};
	return model;
}

static struct run_record *
model_room(struct staging *page, struct staged_model *model)
{
	if (model->count == model->capacity) {
		model->capacity = model->capacity == 0 ? 64 : model->capacity * 2;
		model->records = talloc_realloc(page->mem, model->records, struct run_record,
						(unsigned)model->capacity);
		if (model->records == NULL)
			abort();
	}
	return &model->records[model->count];
}

static void
refuse_record(struct session *s, const struct staged_model *model, const char *reason,
	      size_t at, const char *json, size_t length)
{
	session_stop_because(s, CAUSE_RECORD, "invalid_record",
			     "record %zu of %s in this page: %s (byte %zu of %.*s%s)",
			     model->count + 1, model->model, reason, at,
			     (int)(length > 200 ? 200 : length), json, length > 200 ? "…" : "");
}

/* Stages one record; false when the run has been stopped because of it. */
static bool
save_record(struct session *s, struct staged_model *model, struct rpc_in *in)
{
	struct run_record *record = model_room(&s->staging, model);
	size_t length, problem_length;
	const char *json = rpc_in_text(in, &length),
		   *problem = rpc_in_text(in, &problem_length);
	struct jsonspan_fault fault = {0};
	struct jsonspan id = {0};
	enum jsonspan_type type;

	if (in->is_bad || json == NULL || length > SESSION_RECORD_BYTES_MAX) {
		session_violation(s, "the plugin's process sent a damaged SAVE");
		return false;
	}
	if (problem != NULL) {
		session_stop_because(s, CAUSE_RECORD, "invalid_record",
				     "record %zu of %s in this page: "
				     "%.*s",
				     model->count + 1, model->model, (int)problem_length,
				     problem);
		return false;
	}
	if (jsonspan_check_record(json, length, &id, &fault) < 0) {
		refuse_record(s, model, fault.reason, fault.offset, json, length);
		return false;
	}
	type = jsonspan_type(id);
	if ((type != JSONSPAN_STRING && type != JSONSPAN_NUMBER) || id.length == 0 ||
	    (type == JSONSPAN_STRING && id.length == 2)) {
		refuse_record(s, model, "there is no \"id\" that is a text or a number", 0,
			      json, length);
		return false;
	}
	*record = (struct run_record){jsonspan_trim(json, length), id};
	model->count++;
	s->staging.records++;
	return true;
}

void
page_on_save(struct session *s, struct rpc_in *in)
{
	struct staging *page = &s->staging;
	size_t length;
	const char *name = rpc_in_text(in, &length);
	uint32_t count = rpc_in_u32(in);
	struct staged_model *model;

	if (in->is_bad || name == NULL || count == 0 || count > SESSION_FRAME_RECORDS_MAX) {
		session_violation(s, "the plugin's process sent a damaged SAVE");
		return;
	}
	page->bytes += (size_t)(in->end - in->at);
	if (page->bytes > SESSION_PAGE_BYTES_MAX ||
	    page->records + count > SESSION_PAGE_RECORDS_MAX) {
		session_violation(
		    s,
		    "more than %d MB or %d records were saved without a commit: commit "
		    "each page",
		    SESSION_PAGE_BYTES_MAX >> 20, SESSION_PAGE_RECORDS_MAX);
		return;
	}
	if (page->mem == NULL)
		page->mem = talloc_new(s);
	talloc_reparent(s, page->mem, s->frame);
	s->frame = NULL;
	model = staging_model(s, name, length);
	while (model != NULL && count-- > 0) {
		if (!save_record(s, model, in))
			return;
	}
	if (model != NULL && !rpc_in_is_over(in))
		session_violation(s, "the plugin's process sent a damaged SAVE");
}

void
page_drop(struct session *s)
{
	talloc_free(s->staging.mem);
	s->staging = (struct staging){0};
}

static void
on_committed(void *arg, const struct error *err)
{
	struct session *s = arg;

	page_drop(s);
	if (err == NULL) {
		s->pages++;
		if (!s->is_freed && !s->is_exited && !s->is_stopping)
			wire_send(s, wire_frame(s, RPC_COMMITTED, 0), 0);
	}
	if (!s->is_freed) {
		char cause[sizeof(s->cause)], code[sizeof(s->code)],
		    message[sizeof(s->message)];
		bool is_stopping = s->is_stopping;

		memcpy(cause, s->cause, sizeof(cause));
		memcpy(code, s->code, sizeof(code));
		memcpy(message, s->message, sizeof(message));
		s->is_stopping = false;
		s->state = SESSION_RUNNING;
		if (is_stopping)
			session_stop(s, cause, code, message);
		else if (err != NULL)
			session_stop_because(
			    s, err->code == ERR_FENCED ? CAUSE_LOST_LEASE : CAUSE_STORE,
			    error_name(err->code), "%s", err->message);
		else
			session_enter(s, SESSION_RUNNING);
	}
	session_unref(s);
}

/* "" or what is wrong with a checkpoint. */
static const char *
checkpoint_fault(const char *json, size_t length)
{
	struct jsonspan object = jsonspan_trim(json, length), key, value;
	size_t cursor = 0, fields = 0;
	struct jsonspan_fault fault;

	if (jsonspan_check(json, length, &fault) < 0)
		return fault.reason;
	if (jsonspan_type(object) != JSONSPAN_OBJECT)
		return "it must be an object";
	while (jsonspan_next_member(object, &cursor, &key, &value)) {
		if (jsonspan_type(value) >= JSONSPAN_ARRAY)
			return "its members must be texts, numbers, booleans or null";
		if (++fields > SESSION_CHECKPOINT_FIELDS_MAX)
			return "it may have 16 members";
	}
	return "";
}

static void
page_view(struct session *s, const char *checkpoint, size_t length)
{
	struct staging *page = &s->staging;

	for (size_t i = 0; i < page->models_count; i++)
		page->view[i] = (struct run_page_model){
		    page->models[i].model, page->models[i].records, page->models[i].count};
	if (checkpoint != NULL)
		checkpoint = talloc_strndup(page->mem, checkpoint, length);
	page->page = (struct run_page){
	    .number = s->pages + 1,
	    .models = page->view,
	    .models_count = page->models_count,
	    .checkpoint = checkpoint,
	    .checkpoint_length = checkpoint == NULL ? 0 : length,
	};
}

void
page_on_commit(struct session *s, struct rpc_in *in)
{
	size_t length;
	const char *checkpoint = rpc_in_text(in, &length), *fault = "";

	if (!rpc_in_is_over(in)) {
		session_violation(s, "the plugin's process sent a damaged COMMIT");
		return;
	}
	if (checkpoint != NULL)
		fault = checkpoint_fault(checkpoint, length);
	if (*fault != '\0') {
		session_stop_because(s, CAUSE_FAILED, "invalid_checkpoint",
				     "the checkpoint cannot be "
				     "kept: %s",
				     fault);
		return;
	}
	if (s->staging.mem == NULL)
		s->staging.mem = talloc_new(s);
	page_view(s, checkpoint, length);
	session_ref(s);
	session_enter(s, SESSION_COMMITTING);
	s->backend.commit(s->backend_arg, &s->staging.page, on_committed, s);
}
