/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin explain -- what an error's code means, at length; codes.def is the table.
 */
#include "base/json.h"
#include "command.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *code, *title, *text;
} codes[] = {
#define CODE(code, title, text) {code, title, text},
#include "codes.def"
#undef CODE
};

#define CODES (sizeof(codes) / sizeof(*codes))

static void
print_code(struct invocation *inv, size_t i)
{
	struct json_object *tree;

	if (!inv->is_json) {
		printf("%s: %s\n\n%s\n", codes[i].code, codes[i].title, codes[i].text);
		return;
	}
	tree = json_own(inv->mem, json_object_new_object());
	json_add(tree, "code", codes[i].code);
	json_add(tree, "title", codes[i].title);
	json_add(tree, "text", codes[i].text);
	printf("%s\n", json_text(inv->mem, tree));
}

static void
print_all(struct invocation *inv)
{
	struct json_object *tree;

	if (!inv->is_json) {
		for (size_t i = 0; i < CODES; i++)
			printf("%s  %s\n", codes[i].code, codes[i].title);
		return;
	}
	tree = json_own(inv->mem, json_object_new_object());
	for (size_t i = 0; i < CODES; i++)
		json_add(tree, codes[i].code, codes[i].title);
	printf("%s\n", json_text(inv->mem, tree));
}

static int
run(struct invocation *inv, struct error *err)
{
	const char *wanted = inv->arguments[0];

	if (wanted == NULL) {
		print_all(inv);
		return STATUS_OK;
	}
	for (size_t i = 0; i < CODES; i++) {
		if (strcasecmp(codes[i].code, wanted) == 0) {
			print_code(inv, i);
			return STATUS_OK;
		}
	}
	error_set(err, ERR_USAGE,
		  "there is no error \"%.40s\" [E0003]\nhelp: nango-plugin explain lists all",
		  wanted);
	return STATUS_USAGE;
}

const struct command command_explain = {
    .name = "explain",
    .arguments = "[CODE]",
    .arguments_max = 1,
    .summary = "Say what an error's code means",
    .doc = "Codes stand in brackets in error messages: error[E0112]. Without one, lists all.",
    .options = {{0}},
    .run = run,
};
