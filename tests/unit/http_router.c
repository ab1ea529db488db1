/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/router: which row answers, and what a path that none answers gets.
 */
#include "http/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct http_route routes[] = {
    {"GET", "/", 0, "root"},
    {"GET", "/connections", 0, "list"},
    {"POST", "/connections", 0, "create"},
    {"GET", "/connections/:connectionId", 0, "show"},
    {"DELETE", "/connections/:connectionId", 0, "delete"},
    {"POST", "/connections/metadata", 0, "metadata"},
    {"GET", "/integrations/:key/functions/:name", 0, "function"},
    {"GET", "/integrations/:key/functions/main", 0, "main"},
};

static const struct {
	const char *why, *method, *path, *row, *params;
	enum error_code code;
	const char *allow;
} find_cases[] = {
    {"the root", "GET", "/", "root", "", ERR_NONE, ""},
    {"a literal path", "GET", "/connections", "list", "", ERR_NONE, ""},
    {"a trailing slash is ignored", "GET", "/connections/", "list", "", ERR_NONE, ""},
    {"the method decides", "POST", "/connections", "create", "", ERR_NONE, ""},
    {"HEAD is answered by GET", "HEAD", "/connections", "list", "", ERR_NONE, ""},
    {"a parameter", "GET", "/connections/42", "show", "connectionId=42;", ERR_NONE, ""},
    {"a parameter is decoded", "GET", "/connections/a%20b%2Fc", "show", "connectionId=a b/c;",
     ERR_NONE, ""},
    {"a plus in a path is a plus", "GET", "/connections/a+b", "show", "connectionId=a+b;",
     ERR_NONE, ""},
    {"UTF-8 in a parameter", "GET", "/connections/%C3%A9", "show", "connectionId=\xc3\xa9;",
     ERR_NONE, ""},
    {"a literal goes before a parameter", "POST", "/connections/metadata", "metadata", "",
     ERR_NONE, ""},
    {"a literal without the method does not hide the parameter", "GET", "/connections/metadata",
     "show", "connectionId=metadata;", ERR_NONE, ""},
    {"two parameters, in order", "GET", "/integrations/g/functions/f", "function",
     "key=g;name=f;", ERR_NONE, ""},
    {"a literal behind a parameter", "GET", "/integrations/g/functions/main", "main", "key=g;",
     ERR_NONE, ""},
    {"no such path", "GET", "/nope", NULL, NULL, ERR_NOT_FOUND, ""},
    {"a path that goes on", "GET", "/connections/1/2", NULL, NULL, ERR_NOT_FOUND, ""},
    {"a path that stops early has no row", "GET", "/integrations/g", NULL, NULL, ERR_NOT_FOUND,
     ""},
    {"an empty segment is no parameter", "GET", "/connections//", NULL, NULL, ERR_NOT_FOUND,
     ""},
    {"two slashes at the start", "GET", "//connections", NULL, NULL, ERR_NOT_FOUND, ""},
    {"the star of OPTIONS", "OPTIONS", "*", NULL, NULL, ERR_METHOD, "GET, HEAD"},
    {"a path with another method", "PUT", "/connections", NULL, NULL, ERR_METHOD,
     "GET, POST, HEAD"},
    {"all rows of the path are named", "PUT", "/connections/metadata", NULL, NULL, ERR_METHOD,
     "POST, GET, DELETE, HEAD"},
    {"an escape without digits", "GET", "/connections/%zz", NULL, NULL, ERR_INVALID_PARAMS, ""},
    {"an escape cut short", "GET", "/connections/%4", NULL, NULL, ERR_INVALID_PARAMS, ""},
    {"an encoded NUL", "GET", "/connections/a%00b", NULL, NULL, ERR_INVALID_PARAMS, ""},
    {"bytes that are not UTF-8", "GET", "/connections/%ff", NULL, NULL, ERR_INVALID_PARAMS, ""},
    {"an overlong slash", "GET", "/connections/%c0%af", NULL, NULL, ERR_INVALID_PARAMS, ""},
    {"half a surrogate pair", "GET", "/connections/%ed%a0%80", NULL, NULL, ERR_INVALID_PARAMS,
     ""},
};

static void
test_find(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct router *router = router_new(mem, routes, sizeof(routes) / sizeof(routes[0]));

	(void)state;
	for (size_t i = 0; i < sizeof(find_cases) / sizeof(find_cases[0]); i++) {
		struct router_match match;
		struct error err = {0};
		char *params = talloc_strdup(mem, "");
		int result = router_find(router, mem, find_cases[i].method, find_cases[i].path,
					 &match, &err);

		if (err.code != find_cases[i].code ||
		    strcmp(match.allow, find_cases[i].allow) != 0)
			fail_msg("%s: code %d, allow \"%s\"", find_cases[i].why, err.code,
				 match.allow);
		assert_int_equal(result, find_cases[i].row == NULL ? -1 : 0);
		if (result < 0)
			continue;
		for (struct http_field *p = match.params; p->name != NULL; p++)
			params = talloc_asprintf_append(params, "%s=%s;", p->name, p->value);
		if (strcmp(match.route->data, find_cases[i].row) != 0 ||
		    strcmp(params, find_cases[i].params) != 0)
			fail_msg("%s: row %s, %s", find_cases[i].why,
				 (const char *)match.route->data, params);
	}
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
