/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate_ask -- see paginate_ask.h.
 */
#include "run/paginate_ask.h"
#include "run/body_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void
query_copy(struct paginate_ask *ask, const struct http_field *query)
{
	struct http_field *copy;
	unsigned count = 0, n = 0;

	while (query != NULL && query[count].name != NULL)
		count++;
	copy = talloc_zero_array(ask, struct http_field, count + 1);
	if (copy == NULL)
		abort();
	for (; n < count; n++)
		copy[n] = (struct http_field){
		    talloc_strdup(copy, query[n].name),
		    query[n].value == NULL ? NULL : talloc_strdup(copy, query[n].value)};
	talloc_free(ask->query);
	ask->query = copy;
}

static void
query_set(struct paginate_ask *ask, const char *name, const char *value)
{
	unsigned n = 0;

	for (; ask->query[n].name != NULL; n++) {
		if (strcmp(ask->query[n].name, name) != 0)
			continue;
		talloc_free((void *)(uintptr_t)ask->query[n].value);
		ask->query[n].value = talloc_strdup(ask->query, value);
		return;
	}
	ask->query = talloc_realloc(ask, ask->query, struct http_field, n + 2);
	if (ask->query == NULL)
		abort();
	ask->query[n] = (struct http_field){talloc_strdup(ask->query, name),
					    talloc_strdup(ask->query, value)};
	ask->query[n + 1] = (struct http_field){NULL, NULL};
}

static bool
is_in_body(const char *method, enum paginate_place place)
{
	static const char *const with_body[] = {"POST", "PUT", "PATCH"};

	for (size_t i = 0; i < sizeof(with_body) / sizeof(with_body[0]); i++)
		if (place == PAGINATE_BY_METHOD && strcasecmp(method, with_body[i]) == 0)
			return true;
	return place == PAGINATE_IN_BODY;
}

static int
check_body(const struct paginate_ask *ask, struct error *err)
{
	struct jsonspan_fault fault;

	if (jsonspan_check(ask->body, ask->body_length, &fault) == 0 &&
	    jsonspan_type(jsonspan_trim(ask->body, ask->body_length)) == JSONSPAN_OBJECT)
		return 0;
	return error_set_at(err, ERR_BAD_REQUEST, "in_body",
			    "the pages are asked for in the body, which is not a JSON object; "
			    "say that they are asked for in the query, or make the requests "
			    "one by one");
}

int
paginate_ask_new(TALLOC_CTX *mem, const struct run_request *request, enum paginate_place place,
		 struct paginate_ask **out, struct error *err)
{
	struct paginate_ask *ask = talloc_zero(mem, struct paginate_ask);
	const char *method = request->method == NULL ? "GET" : request->method;

	if (ask == NULL)
		abort();
	ask->path = talloc_strdup(ask, request->path);
	query_copy(ask, request->query);
	ask->is_in_body = is_in_body(method, place);
	ask->body_length = request->body_length;
	if (request->body_length > 0)
		ask->body = talloc_strndup(ask, request->body, request->body_length);
	if (ask->body == NULL && ask->is_in_body) {
		ask->body = talloc_strdup(ask, "{}");
		ask->body_length = 2;
	}
	if (ask->is_in_body && check_body(ask, err) < 0) {
		talloc_free(ask);
		return -1;
	}
	*out = ask;
	return 0;
}

const char *
paginate_ask_text(TALLOC_CTX *mem, struct paginate_ask *ask, const char *name)
{
	if (ask->is_in_body)
		return body_text(
		    mem, body_path_find(mem, jsonspan_trim(ask->body, ask->body_length), name));
	for (const struct http_field *q = ask->query; q->name != NULL; q++)
		if (strcmp(q->name, name) == 0)
			return q->value;
	return NULL;
}

void
paginate_ask_set(struct paginate_ask *ask, const char *name, struct jsonspan value)
{
	char *text = body_text(ask, value), *body;

	if (ask->is_in_body) {
		body =
		    body_path_put(ask, jsonspan_trim(ask->body, ask->body_length), name, value);
		talloc_free(ask->body);
		ask->body = body;
		ask->body_length = strlen(body);
	} else if (text != NULL) {
		query_set(ask, name, text);
	}
	talloc_free(text);
}

void
paginate_ask_set_number(struct paginate_ask *ask, const char *name, int64_t number)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%lld", (long long)number);

	paginate_ask_set(ask, name, (struct jsonspan){text, (size_t)length});
}

void
paginate_ask_follow(struct paginate_ask *ask, const char *path)
{
	talloc_free(ask->path);
	ask->path = talloc_strdup(ask, path);
	query_copy(ask, NULL);
}
