/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/outcome -- see outcome.h.
 */
#include "engine/outcome.h"
#include "base/json.h"

#include <string.h>

static const struct {
	const char *key;
	size_t at; /* in struct run_usage */
} usages[] = {
    {"requests", offsetof(struct run_usage, requests)},
    {"request_bytes", offsetof(struct run_usage, request_bytes)},
    {"response_bytes", offsetof(struct run_usage, response_bytes)},
    {"cpu_us", offsetof(struct run_usage, cpu_us)},
    {"max_rss_kb", offsetof(struct run_usage, max_rss_kb)},
};
#define USAGES (sizeof(usages) / sizeof(usages[0]))

static int64_t *
usage_at(struct run_usage *used, size_t i)
{
	return (int64_t *)(void *)((char *)used + usages[i].at);
}

char *
outcome_json(TALLOC_CTX *mem, const struct run_outcome *outcome)
{
	struct json_object *tree = json_own(mem, json_object_new_object());
	struct run_usage used = outcome->used;

	json_add(tree, "cause", outcome->cause);
	json_add(tree, "code", outcome->code);
	json_add(tree, "message", outcome->message);
	for (size_t i = 0; i < USAGES; i++)
		json_add_integer(tree, usages[i].key, *usage_at(&used, i));
	return json_text(mem, tree);
}

static const char *
text_of(TALLOC_CTX *mem, struct json_object *tree, const char *key)
{
	const char *text = json_string(tree, key);

	return text == NULL ? "" : talloc_strdup(mem, text);
}

static int
read_counts(TALLOC_CTX *mem, const char *result, struct run_outcome *out, struct error *err)
{
	struct json_object *tree;

	if (json_parse(mem, result, strlen(result), &tree, err) < 0)
		return -1;
	out->added = out->updated = out->deleted = 0;
	json_object_object_foreach (tree, model, counts) {
		(void)model;
		out->added += json_integer(counts, "added", 0);
		out->updated += json_integer(counts, "updated", 0);
		out->deleted += json_integer(counts, "deleted", 0);
	}
	return 0;
}

int
outcome_read(TALLOC_CTX *mem, const struct fence *fence, struct run_outcome *out,
	     struct error *err)
{
	struct json_object *tree;

	if (json_parse(mem, fence->outcome, strlen(fence->outcome), &tree, err) < 0 ||
	    read_counts(mem, fence->result, out, err) < 0)
		return -1;
	out->state = talloc_strdup(mem, fence->state);
	out->result = talloc_strdup(mem, fence->result);
	out->pages = fence->pages;
	out->cause = text_of(mem, tree, "cause");
	out->code = text_of(mem, tree, "code");
	out->message = text_of(mem, tree, "message");
	for (size_t i = 0; i < USAGES; i++)
		*usage_at(&out->used, i) = json_integer(tree, usages[i].key, 0);
	return 0;
}
