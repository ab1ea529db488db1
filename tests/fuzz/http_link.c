/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an API's Link header and as its page: reading them ends, stays in bounds, and
 * what comes out is a path or an http(s) URL.
 *
 * The input is a header value, a NUL byte, and a body.
 */
#include "run/link.h"
#include "run/paginate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const rules[] = {
    ("{\"type\":\"link\",\"link_rel_in_response_header\":\"next\","
     "\"link_path_in_response_body\":\"a.next\",\"response_path\":\"a[0].b\"}"),
    "{\"type\":\"cursor\",\"cursor_path_in_response\":\"a.b[1].c\",\"cursor_name_in_request\":"
    "\"c\"}",
    "{\"type\":\"offset\",\"offset_name_in_request\":\"o\",\"response_path\":\"a.b\"}",
};

static void
check_path(const char *path)
{
	assert(path[0] == '/' || strncasecmp(path, "http://", 7) == 0 ||
	       strncasecmp(path, "https://", 8) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	char *header = talloc_strndup(mem, (const char *)data, size);
	size_t used = strlen(header) < size ? strlen(header) + 1 : size;
	struct http_field headers[] = {{"link", header}, {NULL, NULL}};
	struct run_response response = {200, headers, (const char *)data + used, size - used};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct run_request first = {.method = "GET", .path = "/v1/items"};
		const struct paginate_ask *next;
		struct paginate *pages;
		struct jsonspan items;
		struct error err;

		if (paginate_new(mem, rules[i], NULL, &pages, &err) < 0 ||
		    paginate_first(pages, &first, &next, &err) < 0)
			abort();
		for (int n = 0; n < 3; n++) {
			if (paginate_next(pages, &response, &items, &next, &err) <= 0)
				break;
			check_path(next->path);
		}
	}
	talloc_free(mem);
	return 0;
}
