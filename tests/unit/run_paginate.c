/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate and run/link: what is asked for next, and where a list ends.
 */
#include "run/link.h"
#include "run/paginate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define STEPS_MAX 6
#define CURSOR                                                                    \
	"{\"type\":\"cursor\",\"cursor_path_in_response\":\"paging.next.after\"," \
	"\"cursor_name_in_request\":\"after\",\"response_path\":\"results\"}"
#define LINK "{\"type\":\"link\",\"link_rel_in_response_header\":\"next\"}"
#define OFFSET                                                       \
	"{\"type\":\"offset\",\"offset_name_in_request\":\"start\"," \
	"\"limit_name_in_request\":\"count\",\"response_path\":\"items\"}"
#define END "end"

static const struct {
	const char *why, *rules, *own, *path;
	struct http_field query[3];
	const char *first; /* request, as path?name=value, and its body behind a space */
	struct {
		const char *link, *body; /* the answer */
		const char *next;	 /* request, END, or "! code" */
		const char *items;	 /* as it stands in the body; NULL: absent */
	} steps[STEPS_MAX];
	const char *method, *body; /* NULL: GET without one */
} cases[] = {
    {"a cursor in the body, put into the query",
     CURSOR,
     NULL,
     "/crm",
     {{"limit", "2"}},
     "/crm?limit=2",
     {{NULL, "{\"results\":[1,2],\"paging\":{\"next\":{\"after\":\"a b\"}}}",
       "/crm?limit=2&after=a b", "[1,2]"},
      {NULL, "{\"results\":[3],\"paging\":{\"next\":{\"after\":\"c\"}}}",
       "/crm?limit=2&after=c", "[3]"},
      {NULL, "{\"results\":[4]}", END, "[4]"}}},
    {"a cursor may be a number, and keeps its digits",
     CURSOR,
     NULL,
     "/crm",
     {{0}},
     "/crm",
     {{NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":18446744073709551615}}}",
       "/crm?after=18446744073709551615", "[1]"}}},
    {"an empty page ends a cursor even when there is one",
     CURSOR,
     NULL,
     "/crm",
     {{0}},
     "/crm",
     {{NULL, "{\"results\":[],\"paging\":{\"next\":{\"after\":\"x\"}}}", END, "[]"}}},
    {"null, blank and other things are no cursor",
     CURSOR,
     NULL,
     "/crm",
     {{0}},
     "/crm",
     {{NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\" \"}}}", END, "[1]"}}},
    {"an object is no cursor",
     CURSOR,
     NULL,
     "/crm",
     {{0}},
     "/crm",
     {{NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":{}}}}", END, "[1]"}}},
    {"the same cursor again would go on for ever",
     CURSOR,
     NULL,
     "/crm",
     {{0}},
     "/crm",
     {{NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"x\"}}}", "/crm?after=x",
       "[1]"},
      {NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"x\"}}}", "! script_http_error",
       NULL}}},
    {"a longer circle is found as well",
     CURSOR,
     NULL,
     "/crm",
     {{0}},
     "/crm",
     {{NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"x\"}}}", "/crm?after=x",
       "[1]"},
      {NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"y\"}}}", "/crm?after=y",
       "[1]"},
      {NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"x\"}}}", "/crm?after=x",
       "[1]"},
      {NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"y\"}}}", "! script_http_error",
       NULL}}},
    {"a page without the list is a fault, not an end: deletions depend on it",
     CURSOR,
     NULL,
     "/crm",
     {{0}},
     "/crm",
     {{NULL, "{\"results\":{\"a\":1}}", "! script_http_error", NULL}}},
    {"a page that is not JSON",
     CURSOR,
     NULL,
     "/crm",
     {{0}},
     "/crm",
     {{NULL, "<html>", "! script_http_error", NULL}}},
    {"a list at the top needs no path",
     "{\"type\":\"cursor\",\"cursor_path_in_response\":\"x\",\"cursor_name_in_request\":\"c\"}",
     NULL,
     "/l",
     {{0}},
     "/l",
     {{NULL, "[1]", END, "[1]"}}},
    {"an object at the top without a path is a fault",
     "{\"type\":\"cursor\",\"cursor_path_in_response\":\"x\",\"cursor_name_in_request\":\"c\"}",
     NULL,
     "/l",
     {{0}},
     "/l",
     {{NULL, "{\"x\":\"1\"}", "! script_http_error", NULL}}},
    {"a name with dots goes before a path",
     "{\"type\":\"cursor\",\"cursor_path_in_response\":\"@odata.next\","
     "\"cursor_name_in_request\":\"c\",\"response_path\":\"data[0].rows\"}",
     NULL,
     "/l",
     {{0}},
     "/l",
     {{NULL, "{\"@odata.next\":\"n\",\"data\":[{\"rows\":[7]}]}", "/l?c=n", "[7]"}}},
    {"the id of the last item is a cursor as well",
     CURSOR,
     "{\"cursor_path_in_response\":\"results[-1].id\"}",
     "/l",
     {{0}},
     "/l",
     {{NULL, "{\"results\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "/l?after=b",
       "[{\"id\":\"a\"},{\"id\":\"b\"}]"},
      {NULL, "{\"results\":[]}", END, "[]"}}},
    {"an absolute link stands for the whole request",
     LINK,
     NULL,
     "/repos/a/issues",
     {{"state", "all"}},
     "/repos/a/issues?state=all",
     {{"<https://api.github.com/repositories/1/issues?page=2>; rel=\"next\"", "[1]",
       "https://api.github.com/repositories/1/issues?page=2", "[1]"},
      {"<https://api.github.com/repositories/1/issues?page=1>; rel=\"prev\"", "[2]", END,
       "[2]"}}},
    {"a relative link of an absolute page stays on its host",
     LINK,
     NULL,
     "/a",
     {{0}},
     "/a",
     {{"<https://x.example/v1/a?p=2>; rel=next", "[1]", "https://x.example/v1/a?p=2", "[1]"},
      {"<?p=3>; rel=next", "[1]", "https://x.example/v1/a?p=3", "[1]"}}},
    {"a page that links to itself is the last",
     LINK,
     NULL,
     "/a",
     {{0}},
     "/a",
     {{"</a?p=2>; rel=next", "[1]", "/a?p=2", "[1]"},
      {"</a?p=2>; rel=next", "[2]", END, "[2]"}}},
    {"links that go round are a fault",
     LINK,
     NULL,
     "/a",
     {{0}},
     "/a",
     {{"</a?p=2>; rel=next", "[1]", "/a?p=2", "[1]"},
      {"</a?p=3>; rel=next", "[1]", "/a?p=3", "[1]"},
      {"</a?p=2>; rel=next", "[1]", "/a?p=2", "[1]"},
      {"</a?p=3>; rel=next", "[1]", "! script_http_error", NULL}}},
    {"a link in the body, relative to the host, with the base's own path before it",
     "{\"type\":\"link\",\"link_path_in_response_body\":\"next\",\"response_path\":\"data\"}",
     NULL,
     "/items",
     {{0}},
     "/items",
     {{NULL, "{\"next\":\"/api/v2/items?page=2\",\"data\":[1]}", "/items?page=2", "[1]"},
      {NULL, "{\"next\":null,\"data\":[2]}", END, "[2]"}}},
    {"an empty page with a link still goes on",
     LINK,
     NULL,
     "/a",
     {{0}},
     "/a",
     {{"</a?p=2>; rel=next", "[]", "/a?p=2", "[]"}}},
    {"an answer without a body is an empty page",
     LINK,
     NULL,
     "/a",
     {{0}},
     "/a",
     {{NULL, "", END, NULL}}},
    {"a link to a file is a fault",
     LINK,
     NULL,
     "/a",
     {{0}},
     "/a",
     {{"<file:///etc/passwd>; rel=next", "[1]", "! script_http_error", NULL}}},
    {"a link with a password is a fault",
     LINK,
     NULL,
     "/a",
     {{0}},
     "/a",
     {{"<https://u:p@x.example/a>; rel=next", "[1]", "! script_http_error", NULL}}},
    {"a link without a scheme but with a host is a fault",
     LINK,
     NULL,
     "/a",
     {{0}},
     "/a",
     {{"<//evil.example/a>; rel=next", "[1]", "! script_http_error", NULL}}},
    {"offsets count what came",
     OFFSET,
     NULL,
     "/e",
     {{0}},
     "/e?start=0",
     {{NULL, "{\"items\":[1,2,3]}", "/e?start=3", "[1,2,3]"},
      {NULL, "{\"items\":[4]}", "/e?start=4", "[4]"},
      {NULL, "{\"items\":[]}", END, "[]"}}},
    {"with a limit a short page is the last",
     OFFSET,
     "{\"limit\":2}",
     "/e",
     {{0}},
     "/e?count=2&start=0",
     {{NULL, "{\"items\":[1,2]}", "/e?count=2&start=2", "[1,2]"},
      {NULL, "{\"items\":[3]}", END, "[3]"}}},
    {"the plugin's own count is the limit too, and its start the start",
     OFFSET,
     NULL,
     "/e",
     {{"count", "2"}, {"start", "10"}},
     "/e?count=2&start=10",
     {{NULL, "{\"items\":[1,2]}", "/e?count=2&start=12", "[1,2]"},
      {NULL, "{\"items\":[3]}", END, "[3]"}}},
    {"pages instead of items, from one",
     OFFSET,
     "{\"offset_name_in_request\":\"page\",\"offset_start_value\":\"1\","
     "\"offset_calculation_method\":\"per-page\",\"limit\":2}",
     "/e",
     {{0}},
     "/e?count=2&page=1",
     {{NULL, "{\"items\":[1,2]}", "/e?count=2&page=2", "[1,2]"}}},
    {"a template's limit gives way to the plugin's query",
     "{\"type\":\"link\",\"link_rel_in_response_header\":\"next\",\"limit_name_in_request\":"
     "\"per_page\",\"limit\":100}",
     NULL,
     "/a",
     {{"per_page", "7"}},
     "/a?per_page=7",
     {{NULL, "[1]", END, "[1]"}}},
    {"a template's limit is put in",
     "{\"type\":\"link\",\"link_rel_in_response_header\":\"next\",\"limit_name_in_request\":"
     "\"per_page\",\"limit\":100}",
     NULL,
     "/a",
     {{0}},
     "/a?per_page=100",
     {{NULL, "[1]", END, "[1]"}}},
    {"a POST is asked for its pages in the body, where a cursor stays what it was",
     CURSOR,
     NULL,
     "/search",
     {{"v", "1"}},
     "/search?v=1 {\"filter\": [1e2]}",
     {{NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":18446744073709551616}}}",
       "/search?v=1 {\"filter\": [1e2],\"after\":18446744073709551616}", "[1]"},
      {NULL, "{\"results\":[2],\"paging\":{\"next\":{\"after\":\"a\\u00e4\"}}}",
       "/search?v=1 {\"filter\": [1e2],\"after\":\"a\\u00e4\"}", "[2]"},
      {NULL, "{\"results\":[3]}", END, "[3]"}},
     "POST",
     "{\"filter\": [1e2]}"},
    {"offsets and limits are numbers in a body, and a body that is missing is made",
     OFFSET,
     "{\"limit\":2}",
     "/e",
     {{0}},
     "/e {\"count\":2,\"start\":0}",
     {{NULL, "{\"items\":[1,2]}", "/e {\"count\":2,\"start\":2}", "[1,2]"},
      {NULL, "{\"items\":[3]}", END, "[3]"}},
     "PUT",
     NULL},
    {"the plugin's own limit and start are read from the body",
     OFFSET,
     NULL,
     "/e",
     {{0}},
     "/e {\"start\":4,\"count\":2}",
     {{NULL, "{\"items\":[1,2]}", "/e {\"start\":6,\"count\":2}", "[1,2]"},
      {NULL, "{\"items\":[1]}", END, "[1]"}},
     "PATCH",
     "{\"start\":4,\"count\":2}"},
    {"dotted names are places within objects, made where they are missing",
     CURSOR,
     "{\"cursor_name_in_request\":\"variables.page.after\",\"limit\":5,"
     "\"limit_name_in_request\":\"variables.first\"}",
     "/graphql",
     {{0}},
     "/graphql {\"query\":\"q\",\"variables\":{\"x\":[{}],\"first\":5}}",
     {{NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"c\"}}}",
       "/graphql {\"query\":\"q\",\"variables\":{\"x\":[{}],\"first\":5,\"page\":"
       "{\"after\":\"c\"}}}",
       "[1]"},
      {NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"d\"}}}",
       "/graphql {\"query\":\"q\",\"variables\":{\"x\":[{}],\"first\":5,\"page\":"
       "{\"after\":\"d\"}}}",
       "[1]"}},
     "POST",
     "{\"query\":\"q\",\"variables\":{\"x\":[{}]}}"},
    {"a member whose own name has dots goes before a place",
     CURSOR,
     "{\"cursor_name_in_request\":\"a.b\"}",
     "/x",
     {{0}},
     "/x {\"a.b\":null, \"a\":1}",
     {{NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"c\"}}}",
       "/x {\"a.b\":\"c\", \"a\":1}", "[1]"}},
     "POST",
     "{\"a.b\":null, \"a\":1}"},
    {"a GET with a body, because the settings say so; names in a query keep their dots",
     OFFSET,
     "{\"in_body\":true}",
     "/e",
     {{0}},
     "/e {\"start\":0}",
     {{NULL, "{\"items\":[1]}", "/e {\"start\":1}", "[1]"}},
     "GET",
     NULL},
    {"a POST with its pages in the query, because the settings say so",
     OFFSET,
     "{\"in_body\":false,\"offset_name_in_request\":\"page.start\"}",
     "/e",
     {{0}},
     "/e?page.start=0 a=1",
     {{NULL, "{\"items\":[1]}", "/e?page.start=1 a=1", "[1]"}},
     "POST",
     "a=1"},
    {"a link keeps the body and drops the query",
     LINK,
     NULL,
     "/a",
     {{"q", "1"}},
     "/a?q=1 {\"f\":1}",
     {{"</a?p=2>; rel=next", "[1]", "/a?p=2 {\"f\":1}", "[1]"}},
     "POST",
     "{\"f\":1}"},
    {"an API that says there is no more is believed, whatever cursor it gives",
     CURSOR,
     "{\"more_path_in_response\":\"page.has_more\"}",
     "/c",
     {{0}},
     "/c",
     {{NULL,
       "{\"results\":[1],\"page\":{\"has_more\":true},"
       "\"paging\":{\"next\":{\"after\":\"x\"}}}",
       "/c?after=x", "[1]"},
      {NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"y\"}}}", "/c?after=y", "[1]"},
      {NULL,
       "{\"results\":[1],\"page\":{\"has_more\":false},"
       "\"paging\":{\"next\":{\"after\":\"z\"}}}",
       END, "[1]"}}},
    {"or the other way round: that this was all",
     "{\"type\":\"link\",\"link_path_in_response_body\":\"next\"}",
     "{\"more_path_in_response\":\"!end\"}",
     "/c",
     {{0}},
     "/c",
     {{NULL, "{\"next\":\"/c?t=2\",\"end\":false}", "/c?t=2",
       "{\"next\":\"/c?t=2\",\"end\":false}"},
      {NULL, "{\"next\":\"/c?t=3\",\"end\":true}", END, "{\"next\":\"/c?t=3\",\"end\":true}"}}},
    {"the plugin may paginate where the template says nothing",
     NULL,
     CURSOR,
     "/c",
     {{0}},
     "/c",
     {{NULL, "{\"results\":[]}", END, "[]"}}},
};

static char *
request_text(TALLOC_CTX *mem, const struct paginate_ask *ask)
{
	char *text = talloc_strdup(mem, ask->path);

	for (size_t i = 0; ask->query[i].name != NULL; i++)
		text = talloc_asprintf_append(text, "%s%s=%s", i == 0 ? "?" : "&",
					      ask->query[i].name, ask->query[i].value);
	if (ask->body_length > 0)
		text = talloc_asprintf_append(text, " %.*s", (int)ask->body_length, ask->body);
	return text;
}

static void
run_case(size_t i)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct paginate *pages;
	struct error err = {0};
	const struct paginate_ask *ask;
	struct run_request request = {.method = cases[i].method,
				      .path = cases[i].path,
				      .query = cases[i].query,
				      .body = cases[i].body};

	if (request.body != NULL)
		request.body_length = strlen(request.body);
	if (paginate_new(mem, cases[i].rules, cases[i].own, &pages, &err) < 0)
		fail_msg("%s: %s", cases[i].why, err.message);
	if (paginate_first(pages, &request, &ask, &err) < 0)
		fail_msg("%s: %s", cases[i].why, err.message);
	if (strcmp(request_text(mem, ask), cases[i].first) != 0)
		fail_msg("%s: first %s", cases[i].why, request_text(mem, ask));
	for (size_t n = 0; n < STEPS_MAX && cases[i].steps[n].next != NULL; n++) {
		struct http_field headers[] = {{"link", cases[i].steps[n].link}, {NULL, NULL}};
		struct run_response response = {200, headers, cases[i].steps[n].body,
						strlen(cases[i].steps[n].body)};
		struct jsonspan items = {NULL, 0};
		const char *got = END;
		int more;

		if (headers[0].value == NULL)
			headers[0].name = NULL;
		more = paginate_next(pages, &response, &items, &ask, &err);
		if (more < 0)
			got = talloc_asprintf(mem, "! %s", error_name(err.code));
		if (more > 0)
			got = request_text(mem, ask);
		if (strcmp(got, cases[i].steps[n].next) != 0)
			fail_msg("%s, step %zu: %s", cases[i].why, n, got);
		if (cases[i].steps[n].items == NULL)
			assert_null(items.data);
		else if (strncmp(items.data, cases[i].steps[n].items, items.length) != 0 ||
			 items.length != strlen(cases[i].steps[n].items))
			fail_msg("%s, step %zu: items", cases[i].why, n);
	}
	talloc_free(mem);
}

static void
test_iterations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(i);
}

static void
test_settings(void **state)
{
	static const struct {
		const char *why, *rules, *own;
		enum error_code code;
	} faults[] = {
	    {"no type anywhere", NULL, NULL, ERR_BAD_REQUEST},
	    {"an unknown type", "{\"type\":\"seek\"}", NULL, ERR_BAD_REQUEST},
	    {"a cursor without names", "{\"type\":\"cursor\"}", NULL, ERR_BAD_REQUEST},
	    {"a cursor without its place",
	     "{\"type\":\"cursor\",\"cursor_name_in_request\":\"a\"}", NULL, ERR_BAD_REQUEST},
	    {"a link without a place", "{\"type\":\"link\"}", NULL, ERR_BAD_REQUEST},
	    {"an offset without a name", "{\"type\":\"offset\"}", NULL, ERR_BAD_REQUEST},
	    {"a limit that nobody could send", LINK, "{\"limit\":5}", ERR_BAD_REQUEST},
	    {"a limit that is no number", OFFSET, "{\"limit\":\"many\"}", ERR_BAD_REQUEST},
	    {"a limit below zero", OFFSET, "{\"limit\":-1}", ERR_BAD_REQUEST},
	    {"a template that is not JSON", "type: link", NULL, ERR_TEMPLATE},
	    {"a template that is a list", "[]", NULL, ERR_TEMPLATE},
	    {"an override that is not JSON", LINK, "{", ERR_BAD_REQUEST},
	};
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct paginate *pages;
		struct error err = {0};

		if (paginate_new(mem, faults[i].rules, faults[i].own, &pages, &err) == 0 ||
		    err.code != faults[i].code)
			fail_msg("%s: code %d", faults[i].why, err.code);
	}
	talloc_free(mem);
}

/* What a plugin's checkpoint keeps: where the next page begins. */
static void
test_position(void **state)
{
	static const struct {
		const char *rules, *link, *body, *position;
	} rows[] = {
	    {CURSOR, NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":\"c\"}}}", "c"},
	    {CURSOR, NULL, "{\"results\":[1],\"paging\":{\"next\":{\"after\":7}}}", "7"},
	    {CURSOR, NULL, "{\"results\":[1]}", NULL},
	    {LINK, "</a?p=2>; rel=next", "[]", "/a?p=2"},
	    {LINK, NULL, "[]", NULL},
	    {OFFSET, NULL, "{\"items\":[1,2]}", "2"},
	    {OFFSET, NULL, "{\"items\":[]}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct http_field headers[] = {{"Link", rows[i].link}, {NULL, NULL}};
		struct run_response response = {200, headers, rows[i].body,
						strlen(rows[i].body)};
		struct run_request request = {.path = "/a"};
		const struct paginate_ask *ask;
		struct jsonspan items;
		struct paginate *pages;
		struct error err;

		headers[0].name = rows[i].link == NULL ? NULL : "Link";
		assert_int_equal(paginate_new(mem, rows[i].rules, NULL, &pages, &err), 0);
		assert_int_equal(paginate_first(pages, &request, &ask, &err), 0);
		assert_null(paginate_position(pages));
		assert_int_equal(paginate_next(pages, &response, &items, &ask, &err),
				 rows[i].position != NULL);
		if (rows[i].position == NULL)
			assert_null(paginate_position(pages));
		else
			assert_string_equal(paginate_position(pages), rows[i].position);
		talloc_free(mem);
	}
}

static void
test_bodies(void **state)
{
	static const char *const bodies[] = {"a=1", "[1]", "{", "7"};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct run_request request = {.method = "POST",
					      .path = "/a",
					      .body = bodies[i],
					      .body_length = strlen(bodies[i])};
		const struct paginate_ask *ask;
		struct paginate *pages;
		struct error err = {0};

		assert_int_equal(paginate_new(mem, OFFSET, NULL, &pages, &err), 0);
		assert_int_equal(paginate_first(pages, &request, &ask, &err), -1);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		talloc_free(mem);
	}
}

static void
test_link_header(void **state)
{
	static const struct {
		const char *why, *header, *next;
	} rows[] = {
	    {"the usual", "<https://a/2>; rel=\"next\", <https://a/9>; rel=\"last\"",
	     "https://a/2"},
	    {"not the first one", "<https://a/1>; rel=prev, <https://a/3>; rel=next",
	     "https://a/3"},
	    {"rel may hold several words", "</a>; rel=\"first next\"", "/a"},
	    {"a word that only contains next", "</a>; rel=\"nextish\"", NULL},
	    {"words have no case", "</a>; REL=Next", "/a"},
	    {"other parameters", "</a>; title=\"x; rel=\\\"prev\\\", y\"; rel=next", "/a"},
	    {"commas and semicolons in the target", "</a,b;c>; rel=next", "/a,b;c"},
	    {"only the first rel counts", "</a>; rel=prev; rel=next", NULL},
	    {"a parameter without a value", "</a>; x; rel=next", "/a"},
	    {"no space", "</a>;rel=next", "/a"},
	    {"empty elements", " , ,</a>; rel=next", "/a"},
	    {"no next means the end", "</a>; rel=prev", NULL},
	    {"not a link", "rel=next", NULL},
	    {"an open bracket", "</a; rel=next", NULL},
	    {"an open quote", "</a>; rel=\"next", NULL},
	    {"nothing", "", NULL},
	};
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = link_find(mem, rows[i].header, "next");

		if ((got == NULL) != (rows[i].next == NULL) ||
		    (got != NULL && strcmp(got, rows[i].next) != 0))
			fail_msg("%s: %s", rows[i].why, got == NULL ? "none" : got);
	}
	talloc_free(mem);
}

static void
test_link_follow(void **state)
{
	static const struct {
		const char *why, *path, *link, *next;
	} rows[] = {
	    {"a query alone", "/items", "?page=2", "/items?page=2"},
	    {"a query alone, from a page with one", "/items?page=2", "?page=3",
	     "/items?page=3"},
	    {"a name beside", "/v1/items", "more?x=1", "/v1/more?x=1"},
	    {"dots", "/v1/items", "../v2/items", "/v2/items"},
	    {"the base's path before it", "/items", "/api/items?p=2", "/items?p=2"},
	    {"another path is taken as it is", "/items", "/next/7", "/next/7"},
	    {"half a name is not the path", "/items", "/oldxitems", "/oldxitems"},
	    {"a fragment is ours to drop", "/items", "/items?p=2#top", "/items?p=2"},
	    {"another scheme", "/items", "ftp://x/items", NULL},
	    {"a script", "/items", "javascript:alert(1)", NULL},
	};
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = link_follow(mem, rows[i].path, rows[i].link);

		if ((got == NULL) != (rows[i].next == NULL) ||
		    (got != NULL && strcmp(got, rows[i].next) != 0))
			fail_msg("%s: %s", rows[i].why, got == NULL ? "none" : got);
	}
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_iterations),	cmocka_unit_test(test_settings),
	    cmocka_unit_test(test_position),	cmocka_unit_test(test_bodies),
	    cmocka_unit_test(test_link_header), cmocka_unit_test(test_link_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
