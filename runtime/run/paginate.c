/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate -- see paginate.h. Each way of pagination is a row of a table: what its settings
 * must have, how its first request differs from the plugin's, and what an answer says about the
 * next.
 */
#include "run/paginate.h"
#include "run/body_path.h"
#include "run/link.h"
#include "run/paginate_ask.h"
#include "run/paginate_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct ring { /* Brent's cycle finding: two texts remembered, whatever the number of pages */
	char *last, *saved;
	uint64_t steps, power;
};

struct paginate {
	const struct way *way;
	struct paginate_rules rules;
	int64_t offset;
	struct paginate_ask *ask; /* made last */
	char *position;		  /* of the next page; NULL: there is none */
	size_t requests;
	struct ring ring;
	TALLOC_CTX *scratch; /* what the last call handed out */
};

struct way {
	const char *type;
	int (*check)(const struct paginate_rules *rules, struct error *err);
	void (*first)(struct paginate *pages); /* NULL: the plugin's own request */
	int (*next)(struct paginate *pages, const struct run_response *response,
		    struct jsonspan body, struct jsonspan items, struct error *err);
};

static int
need(const char *value, const char *key, const char *type, struct error *err)
{
	if (value != NULL && *value != '\0')
		return 0;
	return error_set_at(err, ERR_BAD_REQUEST, key, "%s pagination needs the setting %s",
			    type, key);
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
link_check(const struct paginate_rules *rules, struct error *err)
{
	if (rules->link_rel != NULL || rules->link_path != NULL)
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
			link = link_find(pages->scratch, field->value, pages->rules.link_rel);
	return link;
}

static char *
text_at(struct paginate *pages, struct jsonspan body, const char *path)
{
	return body_text(pages->scratch, body_path_find(pages->scratch, body, path));
}

static int
link_next(struct paginate *pages, const struct run_response *response, struct jsonspan body,
	  struct jsonspan items, struct error *err)
{
	char *link = NULL, *next;
	int seen;

	(void)items;
	if (pages->rules.link_rel != NULL)
		link = link_in_headers(pages, response);
	if (link == NULL && pages->rules.link_path != NULL)
		link = text_at(pages, body, pages->rules.link_path);
	if (link == NULL || *link == '\0')
		return 0;
	next = strlen(link) > BODY_TEXT_MAX
		   ? NULL
		   : link_follow(pages->scratch, pages->ask->path, link);
	if (next == NULL)
		return error_set(err, ERR_UPSTREAM,
				 "the link to the next page is not an http link: %.200s", link);
	seen = ring_see(pages, next);
	if (seen == 1 || strcmp(next, pages->ask->path) == 0)
		return 0; /* some APIs let the last page point at itself */
	if (seen < 0)
		return fail_loop("link", next, err);
	paginate_ask_follow(pages->ask, next);
	pages->position = talloc_strdup(pages, next);
	return 1;
}

static int
cursor_check(const struct paginate_rules *rules, struct error *err)
{
	if (need(rules->cursor_name, "cursor_name_in_request", "cursor", err) < 0)
		return -1;
	return need(rules->cursor_path, "cursor_path_in_response", "cursor", err);
}

static int
cursor_next(struct paginate *pages, const struct run_response *response, struct jsonspan body,
	    struct jsonspan items, struct error *err)
{
	struct jsonspan value = body_path_find(pages->scratch, body, pages->rules.cursor_path);
	char *cursor = body_text(pages->scratch, value);

	(void)response;
	if (cursor == NULL || body_count(items) == 0)
		return 0;
	if (ring_see(pages, cursor) != 0)
		return fail_loop("cursor", cursor, err);
	paginate_ask_set(pages->ask, pages->rules.cursor_name, value);
	pages->position = talloc_strdup(pages, cursor);
	return 1;
}

static int
offset_check(const struct paginate_rules *rules, struct error *err)
{
	return need(rules->offset_name, "offset_name_in_request", "offset", err);
}

static void
offset_first(struct paginate *pages)
{
	const char *start =
	    paginate_ask_text(pages->scratch, pages->ask, pages->rules.offset_name);

	pages->offset = start == NULL ? pages->rules.start : strtoll(start, NULL, 10);
	paginate_ask_set_number(pages->ask, pages->rules.offset_name, pages->offset);
}

static int
offset_next(struct paginate *pages, const struct run_response *response, struct jsonspan body,
	    struct jsonspan items, struct error *err)
{
	int64_t count = body_count(items);

	(void)response;
	(void)body;
	if (count == 0 || (pages->rules.limit > 0 && count < pages->rules.limit))
		return 0;
	if (__builtin_add_overflow(pages->offset, pages->rules.is_per_page ? 1 : count,
				   &pages->offset))
		return error_set(err, ERR_UPSTREAM,
				 "the offset of the next page is out of range");
	paginate_ask_set_number(pages->ask, pages->rules.offset_name, pages->offset);
	pages->position = talloc_asprintf(pages, "%lld", (long long)pages->offset);
	return 1;
}

static const struct way ways[] = {
    {"link", link_check, NULL, link_next},
    {"cursor", cursor_check, NULL, cursor_next},
    {"offset", offset_check, offset_first, offset_next},
};

static int
choose_way(struct paginate *pages, struct error *err)
{
	const char *type = pages->rules.type;

	for (size_t i = 0; type != NULL && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].type, type) != 0)
			continue;
		pages->way = &ways[i];
		return pages->way->check(&pages->rules, err);
	}
	if (type == NULL)
		return error_set_at(err, ERR_BAD_REQUEST, "type",
				    "neither the template nor the request says how the API "
				    "paginates: set type to link, cursor or offset");
	return error_set_at(err, ERR_BAD_REQUEST, "type",
			    "the pagination type is link, cursor or offset, not \"%.100s\"",
			    type);
}

int
paginate_new(TALLOC_CTX *mem, const char *template_json, const char *override_json,
	     struct paginate **out, struct error *err)
{
	struct paginate *pages = talloc_zero(mem, struct paginate);

	if (pages == NULL)
		abort();
	pages->scratch = talloc_new(pages);
	if (paginate_rules_read(pages, template_json, override_json, &pages->rules, err) < 0 ||
	    choose_way(pages, err) < 0) {
		talloc_free(pages);
		return -1;
	}
	*out = pages;
	return 0;
}

/* The plugin's own limit in the request goes before the template's, but not before its setting.
 */
static void
apply_limit(struct paginate *pages)
{
	struct paginate_rules *rules = &pages->rules;
	const char *asked;

	if (rules->limit_name == NULL)
		return;
	asked = paginate_ask_text(pages->scratch, pages->ask, rules->limit_name);
	if (asked != NULL && !rules->has_own_limit)
		rules->limit = strtoll(asked, NULL, 10);
	else if (rules->limit > 0)
		paginate_ask_set_number(pages->ask, rules->limit_name, rules->limit);
}

int
paginate_first(struct paginate *pages, const struct run_request *request,
	       const struct paginate_ask **next, struct error *err)
{
	if (paginate_ask_new(pages, request, pages->rules.place, &pages->ask, err) < 0)
		return -1;
	apply_limit(pages);
	if (pages->way->first != NULL)
		pages->way->first(pages);
	pages->requests++;
	*next = pages->ask;
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

static int
find_items(struct paginate *pages, struct jsonspan body, struct jsonspan *items,
	   struct error *err)
{
	const char *path = pages->rules.response_path;
	struct jsonspan list = body;

	if (path != NULL && body.data != NULL)
		list = body_path_find(pages->scratch, body, path);
	if (jsonspan_type(list) == JSONSPAN_NULL)
		list = (struct jsonspan){NULL, 0};
	if (pages->way->next != link_next && list.data != NULL &&
	    jsonspan_type(list) != JSONSPAN_ARRAY)
		return error_set(err, ERR_UPSTREAM, "the API's page has no list at %s",
				 path == NULL ? "its top: set response_path" : path);
	*items = list;
	return 0;
}

/* A body that says nothing of it leaves it to the way. */
static bool
says_end(struct paginate *pages, struct jsonspan body)
{
	const struct paginate_rules *rules = &pages->rules;
	struct jsonspan more = {NULL, 0};

	if (rules->more_path != NULL && body.data != NULL)
		more = body_path_find(pages->scratch, body, rules->more_path);
	if (jsonspan_type(more) != JSONSPAN_BOOLEAN)
		return false;
	return (more.data[0] == 't') == rules->more_means_end;
}

int
paginate_next(struct paginate *pages, const struct run_response *response,
	      struct jsonspan *items, const struct paginate_ask **next, struct error *err)
{
	struct jsonspan body, list;
	int more = 0;

	talloc_free_children(pages->scratch);
	TALLOC_FREE(pages->position);
	if (read_body(response, &body, err) < 0 || find_items(pages, body, &list, err) < 0)
		return -1;
	if (!says_end(pages, body))
		more = pages->way->next(pages, response, body, list, err);
	if (more > 0 && pages->requests >= PAGINATE_REQUESTS_MAX)
		return error_set(err, ERR_UPSTREAM, "there are over %d pages",
				 PAGINATE_REQUESTS_MAX);
	if (more < 0)
		return -1;
	*items = list;
	if (more > 0) {
		pages->requests++;
		*next = pages->ask;
	}
	return more;
}

const char *
paginate_position(const struct paginate *pages)
{
	return pages->position;
}
