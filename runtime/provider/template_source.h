/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/template_source -- templates as they stand in files, before they are a set.
 */
#ifndef NANGO_PROVIDER_TEMPLATE_SOURCE_H
#define NANGO_PROVIDER_TEMPLATE_SOURCE_H

#include "provider/template.h"

enum source_state { SOURCE_NEW, SOURCE_BUSY, SOURCE_DONE, SOURCE_BAD };

struct source_entry {
	const char *name, *file;
	struct yaml_node *node;	    /* as written */
	struct yaml_node *resolved; /* without alias and extends; nodes are shared */
	enum source_state state;
};

struct source {
	struct source_entry *list;
	size_t count;
	bool is_own;
	struct source *other; /* where a name is looked for when it is not here */
	TALLOC_CTX *mem;      /* of nodes and names */
	struct findings *findings;
};

/* Each *.yaml of dir is an entry. A file that is no YAML is a finding. */
MUST_CHECK int source_read_dir(struct source *source, const char *dir, struct error *err);
/* Each member of the file's mapping is an entry. */
MUST_CHECK int source_read_file(struct source *source, const char *file, struct error *err);

struct source_entry *source_find(const struct source *source, const char *name);

/* entry->resolved, or a finding and SOURCE_BAD. */
void source_resolve(struct source *source, struct source_entry *entry);

void source_fault(const struct source *source, const struct source_entry *entry,
		  const struct yaml_node *at, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
