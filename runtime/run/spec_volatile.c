/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/spec_volatile -- what makes no change to a record: the paths that its model names, and
 * those that the models within it name, with the way to them before. A model within itself
 * names them once: paths have an end.
 */
#include "run/spec_internal.h"

#include <string.h>

#define PATHS_MAX 1000 /* of one model; no record has so many */

struct collecting {
	TALLOC_CTX *mem;
	const struct spec *spec;
	const char **paths;
	size_t count;
	const struct spec_model *way[SPEC_DEPTH_MAX]; /* from the record down */
};

static void
add_path(struct collecting *c, const char *path)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->paths[i], path) == 0)
			return;
	if (c->count < PATHS_MAX)
		c->paths[c->count++] = path;
}

static bool
is_on_way(const struct collecting *c, size_t depth, const struct spec_model *model)
{
	for (size_t i = 0; i < depth; i++)
		if (c->way[i] == model)
			return true;
	return false;
}

static void
collect(struct collecting *c, const struct spec_model *model, const char *before, size_t depth)
{
	if (depth == SPEC_DEPTH_MAX || is_on_way(c, depth, model))
		return;
	c->way[depth] = model;
	for (size_t i = 0; model->volatile_names[i] != NULL; i++)
		add_path(c, talloc_asprintf(c->mem, "%s%s", before, model->volatile_names[i]));
	for (size_t i = 0; i < model->fields.count; i++) {
		const struct spec_field *field = &model->fields.at[i];

		if (field->type.base == SPEC_MODEL)
			collect(c, spec_model(c->spec, field->type.model),
				talloc_asprintf(c->mem, "%s%s.", before, field->name),
				depth + 1);
	}
}

void
spec_collect_volatile(TALLOC_CTX *mem, struct spec *spec)
{
	for (size_t i = 0; i < spec->models_count; i++) {
		struct collecting c = {.mem = talloc_new(mem), .spec = spec};

		c.paths = spec_allocate(mem, (PATHS_MAX + 1) * sizeof(*c.paths));
		collect(&c, &spec->models[i], "", 0);
		for (size_t p = 0; p < c.count; p++)
			talloc_steal(mem, c.paths[p]);
		c.paths = talloc_realloc(mem, c.paths, const char *, (unsigned)c.count + 1);
		spec->models[i].volatile_paths = c.paths;
		talloc_free(c.mem);
	}
}
