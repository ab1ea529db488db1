/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline_store -- see offline_store.h. A list that is searched from end to end: a recording
 * has hundreds of records, not millions.
 */
#include "offline_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES (32 * 1024 * 1024) /* of a list, as engine/lookup's */

struct stored {
	const char *model, *id, *json;
	bool is_deleted, is_seen; /* seen: by the model's open window */
};

struct offline_store {
	struct stored *at;
	size_t count;
	const char **windows; /* models whose window is open */
	size_t windows_count;
};

struct offline_store *
offline_store_new(TALLOC_CTX *mem)
{
	struct offline_store *store = talloc_zero(mem, struct offline_store);

	if (store == NULL)
		abort();
	return store;
}

static const char *
id_text(TALLOC_CTX *mem, struct jsonspan id)
{
	char *text = talloc_strndup(mem, id.data, id.length);

	if (jsonspan_type(id) == JSONSPAN_STRING)
		jsonspan_unescape(id, text);
	return text;
}

static struct stored *
find(const struct offline_store *store, const char *model, const char *id)
{
	for (size_t i = 0; i < store->count; i++)
		if (strcmp(store->at[i].model, model) == 0 && strcmp(store->at[i].id, id) == 0)
			return &store->at[i];
	return NULL;
}

static struct stored *
add(struct offline_store *store, const char *model, const char *id)
{
	store->at = talloc_realloc(store, store->at, struct stored, (unsigned)store->count + 1);
	if (store->at == NULL)
		abort();
	store->at[store->count] =
	    (struct stored){.model = talloc_strdup(store, model), .id = id};
	return &store->at[store->count++];
}

/* The last member of that name; compared as they stand, which is enough within one writer. */
static struct jsonspan
member(struct jsonspan object, struct jsonspan name)
{
	struct jsonspan key, value, found = {0};
	size_t cursor = 0;

	while (jsonspan_next_member(object, &cursor, &key, &value))
		if (key.length == name.length && memcmp(key.data, name.data, key.length) == 0)
			found = value;
	return found;
}

static void
put_key(struct buf *out, struct jsonspan key)
{
	if (out->data[out->length - 1] != '{')
		buf_addc(out, ',');
	buf_add(out, key.data, key.length);
	buf_addc(out, ':');
}

void
offline_merge(struct buf *out, struct jsonspan from, struct jsonspan over)
{
	struct jsonspan key, value, other;
	size_t cursor = 0;

	buf_addc(out, '{');
	while (jsonspan_next_member(from, &cursor, &key, &value)) {
		if (member(from, key).data != value.data)
			continue; /* there is another of that name behind */
		other = member(over, key);
		put_key(out, key);
		if (jsonspan_type(value) == JSONSPAN_OBJECT &&
		    jsonspan_type(other) == JSONSPAN_OBJECT)
			offline_merge(out, value, other);
		else
			buf_add(out, other.data == NULL ? value.data : other.data,
				other.data == NULL ? value.length : other.length);
	}
	for (cursor = 0; jsonspan_next_member(over, &cursor, &key, &value);) {
		if (member(from, key).data != NULL || member(over, key).data != value.data)
			continue;
		put_key(out, key);
		buf_add(out, value.data, value.length);
	}
	buf_addc(out, '}');
}

static void
change(struct offline_store *store, const char *model, const struct run_record *record)
{
	const char *id = id_text(store, record->id);
	struct stored *known = find(store, model, id);
	struct buf merged;

	if (known == NULL && record->change != RUN_SAVE)
		return;
	if (known == NULL)
		known = add(store, model, id);
	known->is_seen = true;
	if (record->change == RUN_DELETE) {
		known->is_deleted = true;
	} else if (record->change == RUN_SAVE) {
		known->is_deleted = false;
		known->json = talloc_strndup(store, record->bytes.data, record->bytes.length);
	} else if (!known->is_deleted) {
		buf_init(&merged, store, 256);
		offline_merge(&merged, (struct jsonspan){known->json, strlen(known->json)},
			      record->bytes);
		known->json = merged.data;
	}
}

/* What was seen is forgotten only where no window is open. */
static void
open_window(struct offline_store *store, const char *model)
{
	size_t n = store->windows_count;

	for (size_t i = 0; i < n; i++)
		if (strcmp(store->windows[i], model) == 0)
			return;
	store->windows = talloc_realloc(store, store->windows, const char *, (unsigned)n + 1);
	if (store->windows == NULL)
		abort();
	store->windows[store->windows_count++] = talloc_strdup(store, model);
	for (size_t i = 0; i < store->count; i++)
		if (strcmp(store->at[i].model, model) == 0)
			store->at[i].is_seen = false;
}

static void
close_window(struct offline_store *store, const char *model)
{
	for (size_t i = 0; i < store->windows_count; i++) {
		if (strcmp(store->windows[i], model) != 0)
			continue;
		store->windows[i] = store->windows[--store->windows_count];
		for (size_t r = 0; r < store->count; r++)
			if (strcmp(store->at[r].model, model) == 0 && !store->at[r].is_seen)
				store->at[r].is_deleted = true;
		return;
	}
}

static void
commit_model(struct offline_store *store, const struct run_page_model *model)
{
	if (model->opens_window)
		open_window(store, model->model);
	for (size_t i = 0; i < model->count; i++)
		if (model->records[i].problem == NULL)
			change(store, model->model, &model->records[i]);
	if (model->closes_window)
		close_window(store, model->model);
}

void
offline_store_commit(struct offline_store *store, const struct run_page *page)
{
	for (size_t i = 0; i < page->models_count; i++)
		commit_model(store, &page->models[i]);
}

static bool
is_asked_for(TALLOC_CTX *scratch, const char *ids, const char *id)
{
	struct jsonspan list = jsonspan_trim(ids, strlen(ids)), item;
	size_t cursor = 0;

	while (jsonspan_next_item(list, &cursor, &item))
		if (strcmp(id_text(scratch, item), id) == 0)
			return true;
	return false;
}

/* The cursor is the place in the list. */
void
offline_store_find(const struct offline_store *store, const struct run_lookup *asked,
		   struct buf *out)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	size_t at = asked->cursor == NULL ? 0 : strtoul(asked->cursor, NULL, 10), given = 0;

	buf_adds(out, "{\"records\":[");
	for (; at < store->count && given < asked->limit; at++) {
		const struct stored *stored = &store->at[at];

		if (asked->ids == NULL && out->length >= PAGE_BYTES)
			break;
		if (stored->is_deleted || strcmp(stored->model, asked->model) != 0 ||
		    (asked->ids != NULL && !is_asked_for(scratch, asked->ids, stored->id)))
			continue;
		buf_addf(out, "%s%s", given++ > 0 ? "," : "", stored->json);
	}
	if (at < store->count)
		buf_addf(out, "],\"cursor\":\"%zu\"}", at);
	else
		buf_adds(out, "],\"cursor\":null}");
	talloc_free(scratch);
}
