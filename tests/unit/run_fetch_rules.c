/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/fetch_rules and run/fetch_request: when a request is repeated, and what it becomes.
 */
#include "base/clock.h"
#include "run/fetch_request.h"
#include "run/fetch_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define NOW 1795465500000LL /* 2026-11-23T20:25:00Z */

static struct json_object *
rules_of(const char *text)
{
	return text == NULL ? NULL : json_tokener_parse(text);
}

static const struct {
	const char *why, *rules;
	int status;
	const char *name, *value;
	bool may;
} may_repeat_cases[] = {
    {"without rules: 500 and up", NULL, 500, NULL, NULL, true},
    {"without rules: 599", NULL, 599, NULL, NULL, true},
    {"without rules: 429", NULL, 429, NULL, NULL, true},
    {"without rules: 401, the credentials may have been renewed", NULL, 401, NULL, NULL, true},
    {"without rules: not 403", NULL, 403, NULL, NULL, false},
    {"without rules: not 404", NULL, 404, NULL, NULL, false},
    {"without rules: not 200", NULL, 200, NULL, NULL, false},
    {"a list replaces the default", "{\"error_code\":[\"403\"]}", 500, NULL, NULL, false},
    {"a status of the list", "{\"error_code\":[\"403\",\"5xx\"]}", 403, NULL, NULL, true},
    {"a class", "{\"error_code\":[\"5xx\"]}", 503, NULL, NULL, true},
    {"not of the class", "{\"error_code\":[\"5xx\"]}", 403, NULL, NULL, false},
    {"a range, its end", "{\"error_code\":[\"500-502\"]}", 502, NULL, NULL, true},
    {"a range, behind it", "{\"error_code\":[\"500-502\"]}", 503, NULL, NULL, false},
    {"one text instead of a list", "{\"error_code\":\"409\"}", 409, NULL, NULL, true},
    {"a number instead of a text", "{\"error_code\":[409]}", 409, NULL, NULL, true},
    {"nonsense matches nothing", "{\"error_code\":[\"4x\"]}", 404, NULL, NULL, false},
    {"remaining 0 makes a 400 repeatable", "{\"remaining\":\"x-left\"}", 400, "x-left", "0",
     true},
    {"remaining 0 does not make a 200 repeatable", "{\"remaining\":\"x-left\"}", 200, "x-left",
     "0", false},
    {"remaining 1", "{\"remaining\":\"x-left\"}", 400, "x-left", "1", false},
    {"a 403 with budget left is a refusal for good",
     "{\"error_code\":[\"403\"],\"remaining\":\"x-left\"}", 403, "x-left", "12", false},
    {"a 403 that asks to wait is a limit of another kind",
     "{\"error_code\":[\"403\"],\"remaining\":\"x-left\",\"after\":\"retry-after\"}", 403,
     "retry-after", "1", true},
    {"the header's name has no case", "{\"remaining\":\"X-Left\"}", 403, "x-left", "0", true},
};

static void
test_may_repeat(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(may_repeat_cases) / sizeof(may_repeat_cases[0]); i++) {
		struct http_field headers[] = {
		    {may_repeat_cases[i].name, may_repeat_cases[i].value}, {NULL, NULL}};
		struct json_object *rules = rules_of(may_repeat_cases[i].rules);

		if (fetch_may_repeat(rules, may_repeat_cases[i].status, headers) !=
		    may_repeat_cases[i].may)
			fail_msg("%s", may_repeat_cases[i].why);
		json_object_put(rules);
	}
}

static const struct {
	const char *why, *rules;
	int status;
	struct http_field headers[3];
	unsigned attempt;
	double random;
	int64_t wait;
} wait_cases[] = {
    {"back-off begins at 3 s", NULL, 500, {{0}}, 0, 1, 3000},
    {"and doubles", NULL, 500, {{0}}, 3, 1, 24000},
    {"with jitter down to a half", NULL, 500, {{0}}, 0, 0, 1500},
    {"up to ten minutes", NULL, 500, {{0}}, 19, 1, 600000},
    {"seconds to wait", "{\"after\":\"retry-after\"}", 429, {{"retry-after", "7"}}, 0, 0, 7000},
    {"a header's word too is spread",
     "{\"after\":\"retry-after\"}",
     429,
     {{"retry-after", "100"}},
     0,
     1,
     110000},
    {"zero is at once", "{\"after\":\"retry-after\"}", 429, {{"retry-after", "0"}}, 5, 1, 0},
    {"parts of a second",
     "{\"after\":\"retry-after\"}",
     429,
     {{"retry-after", "1.5"}},
     0,
     0,
     1500},
    {"an HTTP date (RFC 9110 10.2.3)",
     "{\"after\":\"retry-after\"}",
     503,
     {{"retry-after", "Mon, 23 Nov 2026 20:25:30 GMT"}},
     0,
     0,
     30000},
    {"a date that is over: back-off",
     "{\"after\":\"retry-after\"}",
     503,
     {{"retry-after", "Mon, 23 Nov 2026 20:24:30 GMT"}},
     0,
     1,
     3000},
    {"a header that is not in the rules", NULL, 429, {{"retry-after", "7"}}, 0, 1, 3000},
    {"nonsense: back-off",
     "{\"after\":\"retry-after\"}",
     429,
     {{"retry-after", "soon"}},
     0,
     1,
     3000},
    {"a negative number: back-off",
     "{\"after\":\"retry-after\"}",
     429,
     {{"retry-after", "-5"}},
     0,
     1,
     3000},
    {"an hour is cut to ten minutes",
     "{\"after\":\"retry-after\"}",
     429,
     {{"retry-after", "3600"}},
     0,
     1,
     600000},
    {"1e300 does not overflow",
     "{\"after\":\"retry-after\"}",
     429,
     {{"retry-after", "99999999999999999999"}},
     0,
     1,
     600000},
    {"epoch seconds", "{\"at\":\"x-reset\"}", 403, {{"x-reset", "1795465560"}}, 0, 0, 60000},
    {"epoch milliseconds",
     "{\"at\":\"x-reset\"}",
     429,
     {{"x-reset", "1795465501000"}},
     0,
     0,
     1000},
    {"an ISO date",
     "{\"at\":\"x-reset\"}",
     429,
     {{"x-reset", "2026-11-23T20:25:09Z"}},
     0,
     0,
     9000},
    {"a past time: back-off",
     "{\"at\":\"x-reset\"}",
     429,
     {{"x-reset", "1795465000"}},
     0,
     1,
     3000},
    {"the longest of several",
     "{\"at\":[\"x-a\",\"x-b\"]}",
     429,
     {{"x-a", "1795465510"}, {"x-b", "1795465520"}},
     0,
     0,
     20000},
    {"at and after: the longer",
     "{\"at\":\"x-reset\",\"after\":\"retry-after\"}",
     403,
     {{"x-reset", "1795465510"}, {"retry-after", "60"}},
     0,
     0,
     60000},
    {"with budget left the reset is not waited for",
     "{\"at\":\"x-reset\",\"remaining\":\"x-left\"}",
     429,
     {{"x-reset", "1795465560"}, {"x-left", "7"}},
     0,
     1,
     3000},
    {"a fault of the server is not its limit",
     "{\"at\":\"x-reset\"}",
     502,
     {{"x-reset", "1795465560"}},
     0,
     1,
     3000},
};

static void
test_wait(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wait_cases) / sizeof(wait_cases[0]); i++) {
		struct json_object *rules = rules_of(wait_cases[i].rules);
		int64_t wait =
		    fetch_wait_ms(rules, wait_cases[i].status, wait_cases[i].headers, NULL,
				  wait_cases[i].attempt, NOW, wait_cases[i].random);

		if (wait != wait_cases[i].wait)
			fail_msg("%s: %lld", wait_cases[i].why, (long long)wait);
		json_object_put(rules);
	}
}

#define IN_BODY(value) "{\"in_body\":{\"path\":\"error.message\",\"value\":\"" value "\"}}"

static const struct {
	const char *why, *rules, *body;
	int64_t asked;
} body_cases[] = {
    {"a date in the text", IN_BODY("Retry after (.*)"),
     "{\"error\":{\"message\":\"Slow down. Retry after 2026-11-23T20:26:00.000Z\"}}", 60000},
    {"slashes around the pattern", IN_BODY("/Retry after (.*)/"),
     " {\"error\":{\"message\":\"Retry after 2026-11-23T20:26:00Z\"}} ", 60000},
    {"epoch seconds as a number, and no group", IN_BODY("^[0-9]+$"),
     "{\"error\":{\"message\":1795465560}}", 60000},
    {"another text", IN_BODY("Retry after (.*)"), "{\"error\":{\"message\":\"no\"}}", -1},
    {"no time", IN_BODY("Retry after (.*)"), "{\"error\":{\"message\":\"Retry after lunch\"}}",
     -1},
    {"a list there", IN_BODY("Retry after (.*)"), "{\"error\":{\"message\":[]}}", -1},
    {"no JSON", IN_BODY("Retry after (.*)"), "<p>Retry after 2026-11-23T20:26:00Z", -1},
    {"nothing", IN_BODY("Retry after (.*)"), "", -1},
    {"a pattern that does not compile", IN_BODY("("), "{\"error\":{\"message\":\"x\"}}", -1},
    {"without the rule", "{}", "{\"error\":{\"message\":\"x\"}}", -1},
};

static void
test_in_body(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(body_cases) / sizeof(body_cases[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct json_object *rules = rules_of(body_cases[i].rules);
		const char *told =
		    fetch_told(mem, rules, body_cases[i].body, strlen(body_cases[i].body));
		int64_t asked = fetch_asked_ms(rules, 429, NULL, told, NOW);

		if (asked != body_cases[i].asked)
			fail_msg("%s: %lld", body_cases[i].why, (long long)asked);
		json_object_put(rules);
		talloc_free(mem);
	}
}

static const struct {
	const char *why, *base, *path;
	struct http_field query[4], put[2];
	const char *url; /* NULL: refused */
} url_cases[] = {
    {"base and path", "https://a.example", "/x", {{0}}, {{0}}, "https://a.example/x"},
    {"one slash between",
     "https://a.example/v1/",
     "/x",
     {{0}},
     {{0}},
     "https://a.example/v1/x"},
    {"a path without its slash",
     "https://a.example/v1",
     "x",
     {{0}},
     {{0}},
     "https://a.example/v1/x"},
    {"no path", "https://a.example/v1", "", {{0}}, {{0}}, "https://a.example/v1"},
    {"values are encoded",
     "https://a.example",
     "/x",
     {{"q", "a b&c=\xc3\xa9+"}},
     {{0}},
     "https://a.example/x?q=a%20b%26c%3D%C3%A9%2B"},
    {"brackets in names too",
     "https://a.example",
     "/x",
     {{"f[a]", "1"}},
     {{0}},
     "https://a.example/x?f%5Ba%5D=1"},
    {"a NULL value leaves the pair out",
     "https://a.example",
     "/x",
     {{"a", NULL}, {"b", "1"}},
     {{0}},
     "https://a.example/x?b=1"},
    {"repeated names stay",
     "https://a.example",
     "/x",
     {{"a", "1"}, {"a", "2"}},
     {{0}},
     "https://a.example/x?a=1&a=2"},
    {"a query in the path goes on",
     "https://a.example",
     "/x?p=2",
     {{"b", "1"}},
     {{0}},
     "https://a.example/x?p=2&b=1"},
    {"a query of the base",
     "https://a.example/x?k=1",
     "",
     {{"b", "1"}},
     {{0}},
     "https://a.example/x?k=1&b=1"},
    {"what is injected",
     "https://a.example",
     "/x",
     {{0}},
     {{"key", "s"}},
     "https://a.example/x?key=s"},
    {"the plugin cannot put its own beside it",
     "https://a.example",
     "/x?key=mine",
     {{"key", "mine"}},
     {{"key", "s"}},
     "https://a.example/x?key=s"},
    {"nor encoded",
     "https://a.example",
     "/x?k%65y=mine",
     {{0}},
     {{"key", "s"}},
     "https://a.example/x?key=s"},
    {"bytes that may not stand in a path are encoded",
     "https://a.example",
     "/a b\"#\r\nX",
     {{0}},
     {{0}},
     "https://a.example/a%20b%22%23%0D%0AX"},
    {"escapes stay", "https://a.example", "/a%2Fb", {{0}}, {{0}}, "https://a.example/a%2Fb"},
    {"an absolute link of the same host",
     "https://a.example/v1",
     "https://a.example/v2?p=2",
     {{0}},
     {{"key", "s"}},
     "https://a.example/v2?p=2&key=s"},
    {"the default port is the same host",
     "https://a.example",
     "https://A.example:443/x",
     {{0}},
     {{0}},
     "https://A.example:443/x"},
    {"another host", "https://a.example", "https://b.example/x", {{0}}, {{0}}, NULL},
    {"another port", "https://a.example", "https://a.example:8443/x", {{0}}, {{0}}, NULL},
    {"another scheme", "https://a.example", "http://a.example/x", {{0}}, {{0}}, NULL},
    {"the host as a user",
     "https://a.example",
     "https://a.example@b.example/x",
     {{0}},
     {{0}},
     NULL},
    {"the host as a part",
     "https://a.example",
     "https://a.example.b.example/x",
     {{0}},
     {{0}},
     NULL},
    {"a file", "https://a.example", "file:///etc/passwd", {{0}}, {{0}}, NULL},
    {"two slashes are a path here, not a host",
     "https://a.example",
     "//b.example/x",
     {{0}},
     {{0}},
     "https://a.example//b.example/x"},
    {"an at sign is a path, not a user",
     "https://a.example",
     "@b.example/x",
     {{0}},
     {{0}},
     "https://a.example/@b.example/x"},
    {"a colon does not change the port",
     "https://a.example",
     ":8443/x",
     {{0}},
     {{0}},
     "https://a.example/:8443/x"},
    {"a base that is no URL", "nonsense:", "/x", {{0}}, {{0}}, NULL},
};

static void
test_url(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(url_cases) / sizeof(url_cases[0]); i++) {
		struct fetch_target target = {.base_url = url_cases[i].base,
					      .query = url_cases[i].put};
		struct run_request request = {.path = url_cases[i].path,
					      .query = url_cases[i].query};
		struct error err;
		char *url = NULL;

		if (fetch_url(mem, &target, &request, &url, &err) < 0)
			url = NULL;
		if ((url == NULL) != (url_cases[i].url == NULL) ||
		    (url != NULL && strcmp(url, url_cases[i].url) != 0))
			fail_msg("%s: %s", url_cases[i].why, url == NULL ? err.message : url);
	}
	talloc_free(mem);
}

static char *
fields_text(TALLOC_CTX *mem, const struct http_field *fields)
{
	char *text = talloc_strdup(mem, "");

	for (; fields->name != NULL; fields++)
		text = talloc_asprintf_append(text, "%s=%s;", fields->name, fields->value);
	return text;
}

static void
test_headers(void **state)
{
	static const struct http_field own[] = {
	    {"Accept", "a"},	 {"authorization", "mine"},	   {"Host", "evil.example"},
	    {"connection", "x"}, {"Transfer-Encoding", "chunked"}, {"Content-Length", "5"},
	    {"X-Absent", NULL},	 {"Accept-Encoding", "br"},	   {NULL, NULL}};
	static const struct http_field put[] = {{"Authorization", "Bearer s"}, {NULL, NULL}};
	struct fetch_target target = {.headers = put};
	struct run_request request = {
	    .headers = own, .content_type = "text/x", .body = "b", .body_length = 1};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct http_field *fields;
	struct error err;

	(void)state;
	assert_int_equal(fetch_headers(mem, &target, &request, &fields, &err), 0);
	assert_string_equal(fields_text(mem, fields),
			    "Accept=a;Authorization=Bearer s;Content-Type=text/x;");
	talloc_free(mem);
}

static void
test_visible(void **state)
{
	static const struct http_field came[] = {{"content-type", "a"},
						 {"set-cookie", "s"},
						 {"www-authenticate", "Basic"},
						 {"authorization", "s"},
						 {"x-api-key", "s"},
						 {"x-rate", "1"},
						 {"cookie", "s"},
						 {"proxy-authenticate", "s"},
						 {"x-amz-security-token", "s"},
						 {NULL, NULL}};
	static const struct http_field with[] = {{"X-Amz-Security-Token", "s"}, {NULL, NULL}};
	static const struct http_field put[] = {
	    {"X-Api-Key", "s"}, {"Content-Type", "json"}, {NULL, NULL}};
	struct fetch_target target = {.headers = put};
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	assert_string_equal(fields_text(mem, fetch_visible(mem, &target, with, came)),
			    "content-type=a;x-rate=1;");
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_may_repeat), cmocka_unit_test(test_wait),
	    cmocka_unit_test(test_in_body),    cmocka_unit_test(test_url),
	    cmocka_unit_test(test_headers),    cmocka_unit_test(test_visible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
