/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin check -- what the server checks before it takes a plugin, without executing it;
 * and whether the file is the one that plugin.yaml would give.
 */
#include "project.h"

#include <stdio.h>
#include <string.h>

static int
check_same_spec(const struct invocation *inv, const struct project *project,
		const struct inspection *found, struct error *err)
{
	if (project->spec == NULL ||
	    strcmp(spec_json(inv->mem, project->spec), found->spec_json) == 0)
		return 0;
	return error_set(err, ERR_PLUGIN,
			 "%s was changed after the build [E0313]\nhelp: nango-plugin build%s%s",
			 project->yaml, inv->arguments[0] == NULL ? "" : " ",
			 inv->arguments[0] == NULL ? "" : inv->arguments[0]);
}

static void
print_finding(const struct invocation *inv, const char *path, size_t length,
	      const struct inspection *found)
{
	struct json_object *tree;

	if (!inv->is_json) {
		printf(
		    "%s: ok\n  %s %s, %zu kB, sha256 %.16s…\n"
		    "  %zu syncs, %zu actions, %zu models\n  ABI %u.%u, %s, needs glibc %s\n",
		    path, found->spec->provider, found->spec->version, (length + 999) / 1000,
		    found->sha256, found->spec->syncs_count, found->spec->actions_count,
		    found->spec->models_count, found->abi_major, found->abi_minor,
		    found->machine, found->glibc);
		return;
	}
	tree = json_own(inv->mem, json_object_new_object());
	json_add_boolean(tree, "ok", true);
	json_add(tree, "file", path);
	json_add_integer(tree, "bytes", (int64_t)length);
	json_add(tree, "sha256", found->sha256);
	json_add(tree, "provider", found->spec->provider);
	json_add(tree, "version", found->spec->version);
	json_add_integer(tree, "abi_major", found->abi_major);
	json_add_integer(tree, "abi_minor", found->abi_minor);
	json_add(tree, "machine", found->machine);
	json_add(tree, "glibc", found->glibc);
	json_add_integer(tree, "syncs", (int64_t)found->spec->syncs_count);
	json_add_integer(tree, "actions", (int64_t)found->spec->actions_count);
	json_add_integer(tree, "models", (int64_t)found->spec->models_count);
	printf("%s\n", json_text(inv->mem, tree));
}

static int
run(struct invocation *inv, struct error *err)
{
	struct inspection found;
	struct project project;
	const char *path;
	size_t length;
	char *data;

	if (project_find_object(inv, inv->arguments[0], &project, &path, err) < 0)
		return err->code == ERR_NOT_FOUND ? STATUS_NOT_FOUND : STATUS_FAILURE;
	if (project_read_file(inv->mem, path, INSPECT_BYTES_MAX, &data, &length, err) < 0)
		return STATUS_FAILURE;
	if (inspect_plugin(inv->mem, project_helper(inv, "NANGO_INSPECT", "nango-inspect"),
			   data, length, &found, err) < 0) {
		error_prefix(err, "%s: ", path);
		return STATUS_FAILURE;
	}
	if (check_same_spec(inv, &project, &found, err) < 0)
		return STATUS_FAILURE;
	print_finding(inv, path, length, &found);
	return STATUS_OK;
}

const struct command command_check = {
    .name = "check",
    .arguments = "[DIR|FILE.so]",
    .arguments_max = 1,
    .summary = "Check a built plugin as the server will, without running it",
    .doc =
	"Reads the shared object in a sandboxed helper: machine, SDK ABI, libraries and glibc\n"
	"version it needs, exported symbols, memory protection, and the spec in its note.\n"
	"With a plugin's folder, also that the build is not older than plugin.yaml.",
    .options = {{0}},
    .run = run,
};
