/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/template_source -- reading; what alias and extends mean is in template_merge.c.
 */
#include "provider/template_source.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

void
source_fault(const struct source *source, const struct source_entry *entry,
	     const struct yaml_node *at, const char *code, const char *fmt, ...)
{
	char text[ERROR_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	finding_add(source->findings,
		    (struct template_finding){
			.is_error = true, .is_own = source->is_own, .template = entry->name},
		    entry->file, at, code, "%s", text);
}

struct source_entry *
source_find(const struct source *source, const char *name)
{
	for (size_t i = 0; i < source->count; i++)
		if (strcmp(source->list[i].name, name) == 0)
			return &source->list[i];
	return NULL;
}

static void
check_name(const struct source *source, const struct source_entry *entry,
	   const struct yaml_node *at)
{
	if (entry->name[0] != '\0' && entry->name[strspn(entry->name, NAME_LETTERS)] == '\0')
		return;
	finding_add(
	    source->findings,
	    (struct template_finding){
		.is_error = source->is_own, .is_own = source->is_own, .template = entry->name},
	    entry->file, at, "E0710",
	    "\"%.80s\" is no name of a provider: small letters, digits and -", entry->name);
}

/* ---- a folder ---- */

static int
is_template_file(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 5, ".yaml") == 0;
}

/* What is no YAML, or no mapping, is a finding: the others can still be checked. */
static void
read_own(struct source *source, const char *dir, const char *file)
{
	struct source_entry *entry = &source->list[source->count];
	struct error err;

	*entry = (struct source_entry){
	    .name = talloc_strndup(source->mem, file, strlen(file) - strlen(".yaml")),
	    .file = talloc_asprintf(source->mem, "%s/%s", dir, file),
	};
	if (yaml_read(source->mem, entry->file, &entry->node, &err) < 0) {
		finding_add(source->findings,
			    (struct template_finding){
				.is_error = true, .is_own = true, .template = entry->name},
			    NULL, NULL, "E0701", "%s", err.message);
		return;
	}
	if (entry->node->kind != YAML_MAPPING) {
		source_fault(source, entry, entry->node, "E0701",
			     "a template is a mapping of keys");
		return;
	}
	check_name(source, entry, entry->node);
	source->count++;
}

int
source_read_dir(struct source *source, const char *dir, struct error *err)
{
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, is_template_file, alphasort), result = 0;

	if (count < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot read the templates in %s", dir);
	if (count > TEMPLATES_MAX)
		result = error_set(err, ERR_CONFIG, "%s holds over %d templates", dir,
				   TEMPLATES_MAX);
	source->list = talloc_zero_array(source->mem, struct source_entry, (unsigned)count + 1);
	for (int i = 0; i < count; i++) {
		if (result == 0)
			read_own(source, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return result;
}

/* ---- a file of many ---- */

int
source_read_file(struct source *source, const char *file, struct error *err)
{
	struct yaml_node *root;

	if (yaml_read(source->mem, file, &root, err) < 0)
		return -1;
	if (root->kind != YAML_MAPPING)
		return yaml_error(err, file, root,
				  "a file of providers is a mapping of names to templates");
	if (root->count > TEMPLATES_MAX)
		return yaml_error(err, file, root, "over %d providers", TEMPLATES_MAX);
	source->list =
	    talloc_zero_array(source->mem, struct source_entry, (unsigned)root->count + 1);
	for (size_t i = 0; i < root->count; i++) {
		struct source_entry *entry = &source->list[source->count];

		*entry = (struct source_entry){
		    .name = root->items[2 * i]->text,
		    .file = file,
		    .node = root->items[2 * i + 1],
		};
		if (entry->node->kind != YAML_MAPPING) {
			source_fault(source, entry, entry->node, "E0701",
				     "%.80s is no mapping of keys", entry->name);
			continue;
		}
		check_name(source, entry, root->items[2 * i]);
		source->count++;
	}
	return 0;
}
