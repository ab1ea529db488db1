/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/schema -- which keys a template has, and whether a YAML tree keeps to that.
 *
 * The rows stand in schema_table.c; a new key is a row there, and a line in
 * templates/README.md. Our own templates are read strictly: what is odd is an error. What comes
 * in the reference's format from elsewhere is taken as it is, and each oddity is a warning.
 */
#ifndef NANGO_PROVIDER_SCHEMA_H
#define NANGO_PROVIDER_SCHEMA_H

#include "base/yaml.h"
#include "provider/finding.h"

enum schema_kind {
	SCHEMA_ANY,
	SCHEMA_TEXT,	 /* as it is */
	SCHEMA_TEMPLATE, /* text with placeholders */
	SCHEMA_SCALAR,	 /* the same, or a number, or true or false */
	SCHEMA_BOOLEAN,
	SCHEMA_INTEGER,
	SCHEMA_WORD,  /* one of `more`, a list that ends with NULL */
	SCHEMA_WORDS, /* a list of them */
	SCHEMA_PATTERN,
	SCHEMA_TEXTS,	      /* a list of texts */
	SCHEMA_TEXT_OR_TEXTS, /* one, or a list */
	SCHEMA_SCALARS,	      /* a mapping of any names to scalars */
	SCHEMA_PARAMS,	      /* the same with mappings and lists in it */
	SCHEMA_MAPPING,	      /* of the keys in `more` */
	SCHEMA_MAPPINGS,      /* any names, each with the keys in `more` */
	SCHEMA_LIST,	      /* of such mappings */
	SCHEMA_TEMPLATE_OR_MAPPING,
};

enum schema_flag {
	SCHEMA_REQUIRED = 1, /* in ours */
	SCHEMA_OURS = 2,     /* not of the reference's format */
	SCHEMA_DEAD = 4,     /* nothing reads it */
	SCHEMA_HOOK = 8,     /* names code of the reference, which is not carried out */
	SCHEMA_ALWAYS = 16,  /* without it there is no template at all */
	SCHEMA_CHECKED = 32, /* checked, but not carried out yet: a warning in ours */
};

struct schema_key { /* a table ends with a NULL name */
	const char *name;
	enum schema_kind kind;
	unsigned flags;
	const void *more;
};

extern const struct schema_key schema_template[];
extern const char *const schema_modes[]; /* the words of auth_mode */

/*
 * Checks root, which is resolved. Each fault is a finding; false when the template cannot be
 * used: any error of ours, or a mode that is missing.
 */
bool schema_check(struct findings *findings, const char *file, const char *name, bool is_own,
		  const struct yaml_node *root);

/* ---- between schema.c and schema_rules.c ---- */

struct schema_walk {
	struct findings *findings;
	const char *file, *name;
	bool is_own, is_usable;
	const struct yaml_node *root;
};

/* A fault of ours, an oddity of others. */
void schema_fault(struct schema_walk *walk, const struct yaml_node *at, const char *code,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* What no single row can say: one key with another, and names that nothing fills. */
void schema_check_rules(struct schema_walk *walk);
void schema_check_placeholders(struct schema_walk *walk, const struct yaml_node *text);

#endif
