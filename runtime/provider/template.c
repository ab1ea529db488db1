/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/template -- a set: loading and looking. Reading is in template_source.c, what alias
 * and extends mean in template_merge.c, the checks in schema.c, those of form fields in
 * fields.c.
 */
#include "provider/template.h"
#include "provider/schema.h"
#include "provider/template_source.h"

#include <stdlib.h>
#include <string.h>

struct template
{
	const char *name, *display_name, *auth_mode;
	struct json_object *body;
};

struct templates {
	struct template *list; /* by name */
	size_t count;
	struct findings *findings;
};

/* ---- loading ---- */

/* The reference's hooks are code by name; of each kind one warning says how many there are. */
static void
warn_of_hooks(const struct source *source)
{
	for (const struct schema_key *row = schema_template; row->name != NULL; row++) {
		const struct source_entry *first = NULL;
		size_t count = 0;

		for (size_t i = 0; i < source->count && (row->flags & SCHEMA_HOOK) != 0; i++) {
			const char *text = yaml_text(source->list[i].node, row->name);

			if (text == NULL || text[0] == '\0')
				continue;
			if (count++ == 0)
				first = &source->list[i];
		}
		if (count > 0)
			finding_add(source->findings, (struct template_finding){0}, first->file,
				    yaml_get(first->node, row->name), "E0711",
				    "%s is not carried out (%zu providers name one)", row->name,
				    count);
	}
}

static void
add(struct templates *t, struct source *source, struct source_entry *entry)
{
	struct template *out = &t->list[t->count];

	source_resolve(source, entry);
	if (entry->state != SOURCE_DONE || !schema_check(t->findings, entry->file, entry->name,
							 source->is_own, entry->resolved))
		return;
	out->name = talloc_strdup(t, entry->name);
	out->body = json_own(t, yaml_to_json(entry->resolved));
	out->auth_mode = json_string(out->body, "auth_mode");
	out->display_name = json_string(out->body, "display_name");
	if (out->display_name == NULL)
		out->display_name = out->name;
	t->count += out->auth_mode != NULL;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct template *)a)->name, ((const struct template *)b)->name);
}

static void
assemble(struct templates *t, struct source *own, struct source *extra)
{
	t->list =
	    talloc_zero_array(t, struct template, (unsigned)(own->count + extra->count) + 1);
	if (t->list == NULL)
		abort();
	for (size_t i = 0; i < extra->count; i++)
		add(t, extra, &extra->list[i]);
	for (size_t i = 0; i < own->count; i++)
		if (source_find(extra, own->list[i].name) == NULL)
			add(t, own, &own->list[i]);
	warn_of_hooks(extra);
	qsort(t->list, t->count, sizeof(*t->list), compare_names);
}

int
templates_read(TALLOC_CTX *mem, const char *dir, const char *file, struct templates **out,
	       struct error *err)
{
	struct templates *t = talloc_zero(mem, struct templates);
	TALLOC_CTX *scratch = talloc_new(NULL);
	struct source own = {.is_own = true, .mem = scratch}, extra = {.mem = scratch};
	int result = 0;

	if (t == NULL || scratch == NULL)
		abort();
	t->findings = own.findings = extra.findings = findings_new(t);
	own.other = &extra;
	extra.other = &own;
	if (dir != NULL)
		result = source_read_dir(&own, dir, err);
	if (result == 0 && file != NULL)
		result = source_read_file(&extra, file, err);
	if (result == 0)
		assemble(t, &own, &extra);
	talloc_free(scratch);
	if (result < 0)
		talloc_free(t);
	else
		*out = t;
	return result;
}

int
templates_load(TALLOC_CTX *mem, const char *dir, const char *file, struct templates **out,
	       struct error *err)
{
	struct templates *t;
	size_t count = 0;

	if (templates_read(mem, dir, file, &t, err) < 0)
		return -1;
	for (size_t i = t->findings->count; i > 0; i--) {
		const struct template_finding *finding = &t->findings->list[i - 1];

		if (!finding->is_error || !finding->is_own)
			continue;
		count++;
		error_set(err, ERR_CONFIG, "%s", finding->message);
	}
	if (count > 1)
		error_prefix(err, "%zu faults in templates, the first: ", count);
	if (count > 0) {
		talloc_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

int
templates_is_catalogue(const char *file, bool *out, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct yaml_node *root;
	int result = yaml_read(mem, file, &root, err);

	if (result == 0) {
		*out = root->kind == YAML_MAPPING && yaml_get(root, "auth_mode") == NULL &&
		       yaml_get(root, "display_name") == NULL && root->count > 0;
		for (size_t i = 0; *out && i < root->count; i++)
			*out = root->items[2 * i + 1]->kind == YAML_MAPPING;
	}
	talloc_free(mem);
	return result;
}

/* ---- looking ---- */

const struct findings *
templates_findings(const struct templates *templates)
{
	return templates->findings;
}

size_t
templates_count(const struct templates *templates)
{
	return templates->count;
}

const struct template *
templates_at(const struct templates *templates, size_t index)
{
	return &templates->list[index];
}

static int
compare_name(const void *name, const void *template)
{
	return strcmp(name, ((const struct template *)template)->name);
}

const struct template *
template_find(const struct templates *templates, const char *name)
{
	return bsearch(name, templates->list, templates->count, sizeof(*templates->list),
		       compare_name);
}

const char *
template_name(const struct template *template)
{
	return template->name;
}

const char *
template_display_name(const struct template *template)
{
	return template->display_name;
}

const char *
template_auth_mode(const struct template *template)
{
	return template->auth_mode;
}

struct json_object *
template_body(const struct template *template)
{
	return template->body;
}

struct json_object *
template_definition(const struct template *template, const char *server_url)
{
	struct json_object *copy = NULL;
	TALLOC_CTX *mem = talloc_new(NULL);

	if (json_object_deep_copy(template->body, &copy, NULL) != 0)
		abort();
	json_object_object_del(copy, "x");
	json_add(copy, "name", template->name);
	json_add(copy, "logo_url",
		 talloc_asprintf(mem, "%s/images/template-logos/%s.svg", server_url,
				 template->name));
	talloc_free(mem);
	return copy;
}
