/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate -- see paginate.h. Each way of pagination is a row of a table: how its first
 * request differs from the plugin's, and what an answer says about the next.
 */
#include "run/paginate.h"
#include "base/json.h"
#include "run/body_path.h"
#include "run/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct ring { /* Brent's cycle finding: two texts remembered, whatever the number of pages */
	char *last, *saved;
	uint64_t steps, power;
};

struct paginate {
	const struct way *way;
	const char *link_rel, *link_path;
	const char *cursor_name, *cursor_path;
	const char *offset_name, *limit_name, *response_path;
	bool is_per_page;
	int64_t offset, limit; /* limit 0: none known */
	bool has_own_limit;    /* of the plugin's settings, not of the template's */
	char *path;	       /* asked for last */
	struct http_field *query;
	size_t requests;
	struct ring ring;
	TALLOC_CTX *scratch; /* what the last call handed out */
};

struct way {
	const char *type;
	int (*check)(struct paginate *pages, struct error *err);
	int (*next)(struct paginate *pages, const struct run_response *response,
		    struct jsonspan body, struct jsonspan items, struct error *err);
};

/* ---- settings ---- */

static const char *
setting(struct json_object *own, struct json_object *rules, const char *key)
{
	struct json_object *value = json_member(own, key);

	if (value == NULL)
		value = json_member(rules, key);
	return value == NULL ? NULL : json_object_get_string(value);
}

/* Numbers come as such or, from YAML with quotes, as text. */
static int
setting_number(struct json_object *own, struct json_object *rules, const char *key,
	       int64_t otherwise, int64_t *out, struct error *err)
{
	const char *text = setting(own, rules, key);
	char *end;

	*out = otherwise;
	if (text == NULL)
		return 0;
	*out = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || *out < 0)
		return error_set_at(
		    err, ERR_BAD_REQUEST, key,
		    "the pagination setting %s must be a number, not \"%.100s\"", key, text);
	return 0;
}

static int
parse_settings(TALLOC_CTX *mem, const char *text, enum error_code code,
	       struct json_object **out, struct error *err)
{
	*out = NULL;
	if (text == NULL)
		return 0;
	if (json_parse(mem, text, strlen(text), out, err) < 0) {
		err->code = code;
		return error_prefix(err, "the pagination settings are not JSON: ");
	}
	if (!json_object_is_type(*out, json_type_object))
		return error_set(err, code, "the pagination settings are not a JSON object");
	return 0;
}

static int
need(const char *value, const char *key, const char *type, struct error *err)
{
	if (value != NULL && *value != '\0')
		return 0;
	return error_set_at(err, ERR_BAD_REQUEST, key, "%s pagination needs the setting %s",
			    type, key);
}

/* ---- requests ---- */

static const char *
query_value(const struct http_field *query, const char *name)
{
	for (; query != NULL && query->name != NULL; query++)
		if (strcmp(query->name, name) == 0)
			return query->value;
	return NULL;
}

/* Replaces the pair of this name, or adds it at the end. */
static void
query_set(struct paginate *pages, const char *name, const char *value)
{
	size_t n = 0;

	for (; pages->query[n].name != NULL; n++) {
		if (strcmp(pages->query[n].name, name) != 0)
			continue;
		talloc_free((void *)(uintptr_t)pages->query[n].value);
		pages->query[n].value = talloc_strdup(pages->query, value);
		return;
	}
	pages->query = talloc_realloc(pages, pages->query, struct http_field, (unsigned)n + 2);
	if (pages->query == NULL)
		abort();
	pages->query[n] = (struct http_field){talloc_strdup(pages->query, name),
					      talloc_strdup(pages->query, value)};
	pages->query[n + 1] = (struct http_field){NULL, NULL};
}

static void
query_set_number(struct paginate *pages, const char *name, int64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	query_set(pages, name, text);
}

static void
query_copy(struct paginate *pages, const struct http_field *query)
{
	talloc_free(pages->query);
	pages->query = talloc_zero_array(pages, struct http_field, 1);
	if (pages->query == NULL)
		abort();
	for (size_t n = 0; query != NULL && query[n].name != NULL; n++) {
		pages->query =
		    talloc_realloc(pages, pages->query, struct http_field, (unsigned)n + 2);
		if (pages->query == NULL)
			abort();
		pages->query[n] = (struct http_field){
		    talloc_strdup(pages->query, query[n].name),
		    query[n].value == NULL ? NULL
					   : talloc_strdup(pages->query, query[n].value)};
		pages->query[n + 1] = (struct http_field){NULL, NULL};
	}
}

/* What was asked for again at once: 1; what was asked for some time ago: -1; news: 0. */
static int
ring_see(struct paginate *pages, const char *text)
{
	struct ring *ring = &pages->ring;
	bool is_last = ring->last != NULL && strcmp(ring->last, text) == 0;
	bool is_old = ring->saved != NULL && strcmp(ring->saved, text) == 0;

	talloc_free(ring->last);
	ring->last = talloc_strdup(pages, text);
	if (ring->saved == NULL || ring->steps == ring->power) {
		ring->power = ring->power == 0 ? 1 : ring->power * 2;
		ring->steps = 0;
		talloc_free(ring->saved);
		ring->saved = talloc_strdup(pages, text);
	}
	ring->steps++;
	return is_last ? 1 : is_old ? -1 : 0;
}

static int
fail_loop(const char *what, const char *text, struct error *err)
{
	return error_set(err, ERR_UPSTREAM,
			 "the API goes round in circles: it gave the %s \"%.200s\" before",
			 what, text);
}

/* ---- the three ways ---- */

static int
link_check(struct paginate *pages, struct error *err)
{
	if (pages->link_rel != NULL || pages->link_path != NULL)
		return 0;
	return need(NULL, "link_rel_in_response_header or link_path_in_response_body", "link",
		    err);
}

static char *
link_in_headers(struct paginate *pages, const struct run_response *response)
{
	const struct http_field *field = response->headers;
	char *link = NULL;

	for (; link == NULL && field != NULL && field->name != NULL; field++)
		if (strcasecmp(field->name, "link") == 0)
			link = link_find(pages->scratch, field->value, pages->link_rel);
	return link;
}

static int
link_next(struct paginate *pages, const struct run_response *response, struct jsonspan body,
	  struct jsonspan items, struct error *err)
{
	char *link = NULL, *next;
	int seen;

	(void)items;
	if (pages->link_rel != NULL)
		link = link_in_headers(pages, response);
	if (link == NULL && pages->link_path != NULL)
		link = body_text(pages->scratch,
				 body_path_find(pages->scratch, body, pages->link_path));
	if (link == NULL || *link == '\0')
		return 0;
	next = strlen(link) > BODY_TEXT_MAX ? NULL : link_follow(pages, pages->path, link);
	if (next == NULL)
		return error_set(err, ERR_UPSTREAM,
				 "the link to the next page is not an http link: %.200s", link);
	seen = ring_see(pages, next);
	if (seen == 1 || strcmp(next, pages->path) == 0)
		return 0; /* some APIs let the last page point at itself */
	if (seen < 0)
		return fail_loop("link", next, err);
	talloc_free(pages->path);
	pages->path = next;
	query_copy(pages, NULL); /* a link is the whole request */
	return 1;
}

static int
cursor_check(struct paginate *pages, struct error *err)
{
	if (need(pages->cursor_name, "cursor_name_in_request", "cursor", err) < 0)
		return -1;
	return need(pages->cursor_path, "cursor_path_in_response", "cursor", err);
}

static int
cursor_next(struct paginate *pages, const struct run_response *response, struct jsonspan body,
	    struct jsonspan items, struct error *err)
{
	char *cursor =
	    body_text(pages->scratch, body_path_find(pages->scratch, body, pages->cursor_path));

	(void)response;
	if (cursor == NULL || body_count(items) == 0)
		return 0;
	if (ring_see(pages, cursor) != 0)
		return fail_loop("cursor", cursor, err);
	query_set(pages, pages->cursor_name, cursor);
	return 1;
}

static int
offset_check(struct paginate *pages, struct error *err)
{
	return need(pages->offset_name, "offset_name_in_request", "offset", err);
}

static int
offset_next(struct paginate *pages, const struct run_response *response, struct jsonspan body,
	    struct jsonspan items, struct error *err)
{
	int64_t count = body_count(items);

	(void)response;
	(void)body;
	if (count == 0 || (pages->limit > 0 && count < pages->limit))
		return 0;
	if (__builtin_add_overflow(pages->offset, pages->is_per_page ? 1 : count,
				   &pages->offset))
		return error_set(err, ERR_UPSTREAM,
				 "the offset of the next page is out of range");
	query_set_number(pages, pages->offset_name, pages->offset);
	return 1;
}

static const struct way ways[] = {
    {"link", link_check, link_next},
    {"cursor", cursor_check, cursor_next},
    {"offset", offset_check, offset_next},
};

static int
choose_way(struct paginate *pages, const char *type, struct error *err)
{
	for (size_t i = 0; type != NULL && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].type, type) != 0)
			continue;
		pages->way = &ways[i];
		return pages->way->check(pages, err);
	}
	if (type == NULL)
		return error_set_at(err, ERR_BAD_REQUEST, "type",
				    "neither the template nor the request says how the API "
				    "paginates: set type to link, cursor or offset");
	return error_set_at(err, ERR_BAD_REQUEST, "type",
			    "the pagination type is link, cursor or offset, not \"%.100s\"",
			    type);
}

static int
read_settings(struct paginate *pages, struct json_object *own, struct json_object *rules,
	      struct error *err)
{
	const char *method = setting(own, rules, "offset_calculation_method");

	pages->link_rel = setting(own, rules, "link_rel_in_response_header");
	pages->link_path = setting(own, rules, "link_path_in_response_body");
	pages->cursor_name = setting(own, rules, "cursor_name_in_request");
	pages->cursor_path = setting(own, rules, "cursor_path_in_response");
	pages->offset_name = setting(own, rules, "offset_name_in_request");
	pages->limit_name = setting(own, rules, "limit_name_in_request");
	pages->response_path = setting(own, rules, "response_path");
	pages->is_per_page = method != NULL && strcmp(method, "per-page") == 0;
	pages->has_own_limit = json_member(own, "limit") != NULL;
	if (json_boolean(own, "in_body", false))
		return error_set_at(
		    err, ERR_UNSUPPORTED, "in_body",
		    "pagination by the request's body is not supported; make the "
		    "requests one by one");
	if (pages->has_own_limit && pages->limit_name == NULL)
		return error_set_at(err, ERR_BAD_REQUEST, "limit",
				    "limit needs limit_name_in_request, and there is none");
	if (setting_number(own, rules, "offset_start_value", 0, &pages->offset, err) < 0 ||
	    setting_number(own, rules, "limit", 0, &pages->limit, err) < 0)
		return -1;
	return choose_way(pages, setting(own, rules, "type"), err);
}

int
paginate_new(TALLOC_CTX *mem, const char *template_json, const char *override_json,
	     struct paginate **out, struct error *err)
{
	struct paginate *pages = talloc_zero(mem, struct paginate);
	struct json_object *own, *rules;

	if (pages == NULL)
		abort();
	pages->scratch = talloc_new(pages);
	if (parse_settings(pages, template_json, ERR_TEMPLATE, &rules, err) < 0 ||
	    parse_settings(pages, override_json, ERR_BAD_REQUEST, &own, err) < 0 ||
	    read_settings(pages, own, rules, err) < 0) {
		talloc_free(pages);
		return -1;
	}
	*out = pages;
	return 0;
}

static void
hand_out(struct paginate *pages, const char **next_path, const struct http_field **next_query)
{
	*next_path = pages->path;
	*next_query = pages->query;
	pages->requests++;
}

/* The plugin's own limit in the query goes before the template's, but not before its setting.
 */
static void
apply_limit(struct paginate *pages)
{
	const char *asked;

	if (pages->limit_name == NULL)
		return;
	asked = query_value(pages->query, pages->limit_name);
	if (asked != NULL && !pages->has_own_limit)
		pages->limit = strtoll(asked, NULL, 10);
	else if (pages->limit > 0)
		query_set_number(pages, pages->limit_name, pages->limit);
}

int
paginate_first(struct paginate *pages, const char *path, const struct http_field *query,
	       const char **next_path, const struct http_field **next_query, struct error *err)
{
	const char *start;

	(void)err;
	pages->path = talloc_strdup(pages, path);
	query_copy(pages, query);
	apply_limit(pages);
	if (pages->way->next == offset_next) {
		start = query_value(pages->query, pages->offset_name);
		if (start != NULL)
			pages->offset = strtoll(start, NULL, 10);
		query_set_number(pages, pages->offset_name, pages->offset);
	}
	hand_out(pages, next_path, next_query);
	return 0;
}

static int
read_body(const struct run_response *response, struct jsonspan *body, struct error *err)
{
	struct jsonspan_fault fault;

	*body = jsonspan_trim(response->body, response->body_length);
	if (body->length == 0) {
		*body = (struct jsonspan){NULL, 0}; /* 204: an empty page */
		return 0;
	}
	if (jsonspan_check(body->data, body->length, &fault) < 0)
		return error_set(err, ERR_UPSTREAM,
				 "the API's page is not JSON: %s at byte %zu", fault.reason,
				 fault.offset);
	return 0;
}

int
paginate_next(struct paginate *pages, const struct run_response *response,
	      struct jsonspan *items, const char **next_path,
	      const struct http_field **next_query, struct error *err)
{
	struct jsonspan body, list;
	int more;

	talloc_free_children(pages->scratch);
	if (read_body(response, &body, err) < 0)
		return -1;
	list = body;
	if (pages->response_path != NULL && body.data != NULL)
		list = body_path_find(pages->scratch, body, pages->response_path);
	if (jsonspan_type(list) == JSONSPAN_NULL)
		list = (struct jsonspan){NULL, 0};
	if (pages->way->next != link_next && list.data != NULL &&
	    jsonspan_type(list) != JSONSPAN_ARRAY)
		return error_set(err, ERR_UPSTREAM, "the API's page has no list at %s",
				 pages->response_path == NULL ? "its top: set response_path"
							      : pages->response_path);
	more = pages->way->next(pages, response, body, list, err);
	if (more > 0 && pages->requests >= PAGINATE_REQUESTS_MAX)
		return error_set(err, ERR_UPSTREAM, "there are over %d pages",
				 PAGINATE_REQUESTS_MAX);
	if (more < 0)
		return -1;
	*items = list;
	if (more > 0)
		hand_out(pages, next_path, next_query);
	return more;
}
