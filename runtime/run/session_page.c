/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_page -- a commit hands what was staged to the backend as one page. While that is
 * stored the next page waits for its turn, prepared, and the one behind it is filled; so a run
 * that has its records at hand never stands still. A large page is taken only when its turn has
 * come, so a run holds two of those at most.
 */
#include "run/session_internal.h"

#include "base/jsonspan.h"

#include <stdlib.h>
#include <string.h>

static void
on_committed(void *arg, const struct error *err)
{
	struct session *s = arg;

	talloc_free(s->committing);
	s->committing = NULL;
	if (err == NULL)
		s->pages++;
	if (!s->is_freed)
		session_committed(s, err);
	session_unref(s);
}

static void
page_commit(struct session *s, struct staging *page)
{
	s->committing = page;
	session_ref(s);
	s->backend.commit(s->backend_arg, &page->page, on_committed, s);
}

void
page_commit_next(struct session *s)
{
	struct staging *page = s->next;

	s->next = NULL;
	if (page != NULL)
		page_commit(s, page);
}

bool
page_may_wait(const struct session *s)
{
	return s->next == NULL &&
	       (s->filling == NULL || s->filling->bytes <= SESSION_AHEAD_BYTES_MAX);
}

static void
on_prepared(void *arg)
{
	struct session *s = arg;
	struct staging *page = s->preparing;

	s->preparing = NULL;
	if (page != s->filling && page != s->next && page != s->committing)
		talloc_free(page);  /* it was dropped meanwhile */
	session_enter(s, s->state); /* the channel may have been at its end */
	session_unref(s);
}

static void
prepare(struct session *s, struct staging *page)
{
	if (s->backend.prepare == NULL || page->models_count == 0 || s->preparing != NULL)
		return;
	page->page.models = page->models;
	page->page.models_count = page->models_count;
	s->preparing = page;
	session_ref(s);
	s->backend.prepare(s->backend_arg, &page->page, on_prepared, s);
}

void
page_prepare(struct session *s)
{
	if (s->next == NULL && s->filling != NULL)
		prepare(s, s->filling);
}

void
page_drop(struct session *s)
{
	if (s->filling != s->preparing)
		talloc_free(s->filling);
	if (s->next != s->preparing)
		talloc_free(s->next);
	s->filling = s->next = NULL;
}

/* Characters of a string as it stands in JSON, or more than max. */
static size_t
code_points(struct jsonspan string, size_t max)
{
	char small[512], *text = small;
	size_t count = 0;
	long length;

	if (string.length > max * 12 + 2) /* a pair of surrogates takes twelve bytes */
		return max + 1;
	if (string.length >= sizeof(small) && (text = malloc(string.length + 1)) == NULL)
		abort();
	length = jsonspan_unescape(string, text);
	for (long i = 0; i < length; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	if (text != small)
		free(text);
	return count;
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
		if (code_points(key, SESSION_CHECKPOINT_KEY_MAX) > SESSION_CHECKPOINT_KEY_MAX)
			return "a member's name may have 255 characters";
		if (jsonspan_type(value) == JSONSPAN_STRING &&
		    code_points(value, SESSION_CHECKPOINT_TEXT_MAX) >
			SESSION_CHECKPOINT_TEXT_MAX)
			return "a text may have 4,000 characters";
	}
	return "";
}

/* Field by field: a thread of the backend may be reading the models. */
static void
page_make(struct session *s, const char *checkpoint, size_t length, bool is_cleared)
{
	struct staging *page = save_staging(s);

	if (checkpoint != NULL)
		checkpoint = talloc_strndup(page, checkpoint, length);
	page->page.number = s->pages + (s->committing == NULL ? 1 : 2);
	if (s->preparing != page) {
		page->page.models = page->models;
		page->page.models_count = page->models_count;
	}
	page->page.checkpoint = checkpoint;
	page->page.checkpoint_length = checkpoint == NULL ? 0 : length;
	page->page.clears_checkpoint = is_cleared;
	page->page.leaves_walk = iterate_leaves(s, false);
}

void
page_on_commit(struct session *s, struct rpc_in *in)
{
	uint32_t is_cleared = rpc_in_u32(in);
	size_t length;
	const char *checkpoint = rpc_in_text(in, &length), *fault = "";
	struct staging *page;

	if (!rpc_in_is_over(in) || is_cleared > 1 || (is_cleared == 1 && checkpoint != NULL)) {
		session_violation(s, "the plugin's process sent a damaged COMMIT");
		return;
	}
	if (checkpoint != NULL)
		fault = checkpoint_fault(checkpoint, length);
	if (*fault != '\0') {
		session_stop_because(s, CAUSE_FAILED, "invalid_checkpoint",
				     "the checkpoint cannot be kept: %s", fault);
		return;
	}
	page_make(s, checkpoint, length, is_cleared == 1);
	page = s->filling;
	s->filling = NULL;
	if (s->committing == NULL) {
		page_commit(s, page);
		return;
	}
	s->next = page;
	prepare(s, page);
}
