/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin version
 */
#include "config.h"
#include "base/json.h"
#include "command.h"
#include "nango/plugin.h"
#include "run/spec.h"

#include <stdio.h>

static int
run(struct invocation *inv, struct error *err)
{
	struct json_object *tree;

	(void)err;
	if (!inv->is_json) {
		printf("nango-plugin %s (SDK ABI %d.%d, plugin.yaml format %d)\n",
		       PACKAGE_VERSION, NANGO_ABI_MAJOR, NANGO_ABI_MINOR, SPEC_FORMAT);
		return STATUS_OK;
	}
	tree = json_own(inv->mem, json_object_new_object());
	json_add(tree, "version", PACKAGE_VERSION);
	json_add_integer(tree, "abi_major", NANGO_ABI_MAJOR);
	json_add_integer(tree, "abi_minor", NANGO_ABI_MINOR);
	json_add_integer(tree, "format", SPEC_FORMAT);
	printf("%s\n", json_text(inv->mem, tree));
	return STATUS_OK;
}

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "Print the versions of the tool, the SDK ABI and plugin.yaml",
    .doc = "The same as nango-plugin --version.",
    .options = {{0}},
    .run = run,
};
