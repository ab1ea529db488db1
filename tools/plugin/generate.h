/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate -- a spec as C, JSON Schema and TypeScript. The texts belong to mem.
 */
#ifndef NANGO_PLUGIN_GENERATE_H
#define NANGO_PLUGIN_GENERATE_H

#include "base/buf.h"
#include "run/spec.h"

/* ERR_CONFIG when two names of plugin.yaml would become one name in C. */
MUST_CHECK int generate_c(TALLOC_CTX *mem, const struct spec *spec, char **out,
			  struct error *err);
char *generate_schema(TALLOC_CTX *mem, const struct spec *spec);
char *generate_types(TALLOC_CTX *mem, const struct spec *spec);

/* Writes models.h, models.schema.json and models.d.ts into a directory that exists. */
MUST_CHECK int generate_files(TALLOC_CTX *mem, const struct spec *spec, const char *directory,
			      struct error *err);

/* ---- shared by the generators ---- */

/* NewIssue → new_issue, create-issue → create_issue, class → class_. */
char *generate_name(TALLOC_CTX *mem, const char *name);
/* NewIssue, create-issue → CreateIssue. */
char *generate_type_name(TALLOC_CTX *mem, const char *name);
void generate_c_text(struct buf *out, const char *text); /* a quoted C string */
MUST_CHECK int generate_check_names(TALLOC_CTX *mem, const struct spec *spec,
				    struct error *err);

/* One struct, its table of names, and its reader's and writer's bodies (generate_struct.c). */
struct generate_struct {
	const char *name; /* of the struct in C */
	const struct spec_fields *fields;
	bool keeps_extra, is_synced;
};
void generate_struct(struct buf *out, const struct generate_struct *s);
void generate_tables(struct buf *out, const struct generate_struct *s);
void generate_reads(struct buf *out, const struct generate_struct *s); /* the statements */
void generate_writer(struct buf *out, const struct generate_struct *s);
bool generate_is_text(const struct spec_type *type); /* is it a const char * in C? */

#endif
