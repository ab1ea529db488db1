/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin init -- a first plugin that builds and checks at once. Nothing that exists is
 * overwritten: the folder may be the author's repository already.
 */
#include "generate.h"
#include "project.h"
#include "texts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct skeleton {
	const char *path; /* in the folder; %s is the provider's name in C */
	const char *const *lines;
};

static const struct skeleton skeletons[] = {
    {"plugin.yaml", texts_skeleton_spec},	    {"%s.c", texts_skeleton_plugin},
    {".gitignore", texts_skeleton_ignore},	    {".env.example", texts_skeleton_env},
    {"tests/items.test.json", texts_skeleton_test},
};

#define SKELETONS (sizeof(skeletons) / sizeof(*skeletons))
#define MARK "@PROVIDER@"

static char *
fill(TALLOC_CTX *mem, const char *const *lines, const char *provider)
{
	struct buf out;

	buf_init(&out, mem, 4096);
	for (; *lines != NULL; lines++) {
		const char *at = *lines, *mark;

		while ((mark = strstr(at, MARK)) != NULL) {
			buf_add(&out, at, (size_t)(mark - at));
			buf_adds(&out, provider);
			at = mark + strlen(MARK);
		}
		buf_adds(&out, at);
	}
	return out.data;
}

/* "my-crm" from "work/my-crm/"; of "." the name of the folder we are in. */
static const char *
provider_from_folder(TALLOC_CTX *mem, const char *directory)
{
	char here[4096];
	char *name;
	size_t n;

	if (strcmp(directory, ".") == 0 && getcwd(here, sizeof(here)) != NULL)
		directory = here;
	name = talloc_strdup(mem, directory);
	n = strlen(name);
	while (n > 1 && name[n - 1] == '/')
		name[--n] = '\0';
	return strrchr(name, '/') == NULL ? name : strrchr(name, '/') + 1;
}

static int
write_skeletons(struct invocation *inv, const char *directory, const char *provider,
		const char **paths, struct error *err)
{
	const char *name = generate_name(inv->mem, provider);

	for (size_t i = 0; i < SKELETONS; i++) {
		const char *file = strcmp(skeletons[i].path, "%s.c") == 0
				       ? talloc_asprintf(inv->mem, "%s.c", name)
				       : skeletons[i].path;

		paths[i] = talloc_asprintf(inv->mem, "%s/%s", directory, file);
		if (access(paths[i], F_OK) == 0)
			return error_set(err, ERR_CONFLICT,
					 "%s exists already [E0013]\nhelp: name a new folder: "
					 "nango-plugin init DIR",
					 paths[i]);
	}
	if (project_make_directory(talloc_asprintf(inv->mem, "%s/tests", directory), err) < 0)
		return -1;
	for (size_t i = 0; i < SKELETONS; i++) {
		const char *text = fill(inv->mem, skeletons[i].lines, provider);

		if (project_write_file(paths[i], text, strlen(text), err) < 0)
			return -1;
	}
	return 0;
}

static void
print_result(struct invocation *inv, const char *directory, const char *provider,
	     const char **paths)
{
	struct json_object *tree, *files;
	const char *at =
	    inv->arguments[0] == NULL ? "" : talloc_asprintf(inv->mem, " %s", directory);

	if (!inv->is_json) {
		for (size_t i = 0; i < SKELETONS; i++)
			printf("%s\n", paths[i]);
		printf("\nNext:\n  nango-plugin build%s\n  nango-plugin check%s\n"
		       "  nango-plugin test%s\n",
		       at, at, at);
		return;
	}
	tree = json_own(inv->mem, json_object_new_object());
	files = json_object_new_array();
	for (size_t i = 0; i < SKELETONS; i++)
		json_object_array_add(files, json_object_new_string(paths[i]));
	json_add_boolean(tree, "ok", true);
	json_add(tree, "provider", provider);
	json_object_object_add(tree, "files", files);
	printf("%s\n", json_text(inv->mem, tree));
}

static int
run(struct invocation *inv, struct error *err)
{
	const char *directory = inv->arguments[0] == NULL ? "." : inv->arguments[0];
	const char *provider = command_option(inv, "provider");
	const char *paths[SKELETONS];

	if (provider == NULL)
		provider = provider_from_folder(inv->mem, directory);
	if (provider[0] < 'a' || provider[0] > 'z' ||
	    provider[strspn(provider, "abcdefghijklmnopqrstuvwxyz0123456789-_")] != '\0') {
		error_set(
		    err, ERR_USAGE,
		    "\"%.64s\" is no name of a provider [E0105]\nhelp: lower-case letters, "
		    "digits, - and _: --provider my-crm",
		    provider);
		return STATUS_USAGE;
	}
	if (write_skeletons(inv, directory, provider, paths, err) < 0)
		return STATUS_FAILURE;
	print_result(inv, directory, provider, paths);
	return STATUS_OK;
}

const struct command command_init = {
    .name = "init",
    .arguments = "[DIR]",
    .arguments_max = 1,
    .summary = "Make a first plugin that builds and checks at once",
    .doc =
	"Writes plugin.yaml, a C source, .gitignore, .env.example and a recorded test into "
	"DIR\n"
	"(default: here). The provider is the folder's name unless --provider says otherwise.\n"
	"Nothing that exists is overwritten.",
    .options = {{"provider", 'p', "NAME", "The provider (template) that the plugin is for"}},
    .run = run,
};
