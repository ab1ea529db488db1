/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin generate -- models.h and its two sisters from plugin.yaml, without compiling.
 */
#include "generate.h"
#include "project.h"

#include <stdio.h>
#include <string.h>

static const char *const file_names[] = {"models.h", "models.schema.json", "models.d.ts"};

int
generate_files(TALLOC_CTX *mem, const struct spec *spec, const char *directory,
	       struct error *err)
{
	char *texts[3];

	if (generate_c(mem, spec, &texts[0], err) < 0)
		return -1;
	texts[1] = generate_schema(mem, spec);
	texts[2] = generate_types(mem, spec);
	for (size_t i = 0; i < 3; i++)
		if (project_write_file(talloc_asprintf(mem, "%s/%s", directory, file_names[i]),
				       texts[i], strlen(texts[i]), err) < 0)
			return -1;
	return 0;
}

static int
run(struct invocation *inv, struct error *err)
{
	struct json_object *tree, *files;
	struct project project;

	if (project_open(inv->mem, inv->arguments[0], command_option(inv, "output"), &project,
			 err) < 0 ||
	    project_make_directory(project.build, err) < 0 ||
	    generate_files(inv->mem, project.spec, project.build, err) < 0)
		return STATUS_BUILD;
	tree = json_own(inv->mem, json_object_new_object());
	files = json_object_new_array();
	for (size_t i = 0; i < 3; i++) {
		const char *path =
		    talloc_asprintf(inv->mem, "%s/%s", project.build, file_names[i]);

		if (!inv->is_json)
			printf("%s\n", path);
		json_object_array_add(files, json_object_new_string(path));
	}
	json_add_boolean(tree, "ok", true);
	json_object_object_add(tree, "files", files);
	if (inv->is_json)
		printf("%s\n", json_text(inv->mem, tree));
	return STATUS_OK;
}

const struct command command_generate = {
    .name = "generate",
    .arguments = "[DIR]",
    .arguments_max = 1,
    .summary = "Write models.h, JSON Schema and TypeScript types from plugin.yaml",
    .doc =
	"Turns the models of plugin.yaml into C structs with a reader and a writer each\n"
	"(models.h), into JSON Schema (models.schema.json) and into TypeScript types for the\n"
	"app that reads the records (models.d.ts). build does this, too.",
    .options = {{"output", 'o', "DIR", "Where the files go instead of DIR/build"}},
    .run = run,
};
