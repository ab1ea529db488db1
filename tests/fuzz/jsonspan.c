/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz/jsonspan -- the strict scanner against json-c: what we take, json-c takes too, and what
 * we take can be walked to the end without a byte being read outside it.
 */
#include "base/jsonspan.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void
walk(struct jsonspan value, char *room)
{
	struct jsonspan key, item;
	size_t cursor = 0, count = 0;
	int64_t integer;
	double number;

	jsonspan_integer(value, &integer);
	jsonspan_number(value, &number);
	if (jsonspan_unescape(value, room) > (long)value.length)
		abort();
	while (jsonspan_next_item(value, &cursor, &item)) {
		walk(item, room);
		count++;
	}
	for (cursor = 0; jsonspan_next_member(value, &cursor, &key, &item); count++)
		walk(item, room);
	if (count > value.length)
		abort();
}

static void
must_agree(const char *text, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSONSPAN_DEPTH_MAX + 8);
	struct json_object *tree;

	/* json-c wants to see the end of a bare number. */
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	tree = json_tokener_parse_ex(tokener, text, (int)size + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success)
		abort();
	json_object_put(tree);
	json_tokener_free(tokener);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = malloc(size + 1), *room = malloc(size + 1);
	struct jsonspan id = {0}, root = {text, size};
	struct jsonspan_fault fault = {0, NULL};

	memcpy(text, data, size);
	text[size] = '\0';
	if (jsonspan_check(text, size, &fault) == 0) {
		must_agree(text, size);
		root = jsonspan_trim(text, size);
		if (jsonspan_type(root) == JSONSPAN_OBJECT &&
		    (jsonspan_check_record(text, size, &id, NULL) != 0 ||
		     jsonspan_member(root, "id").data != id.data))
			abort();
	} else if (fault.reason == NULL || fault.offset > size) {
		abort();
	}
	walk(root, room); /* also over what is no JSON: nothing is found, nothing breaks */
	free(room);
	free(text);
	return 0;
}
