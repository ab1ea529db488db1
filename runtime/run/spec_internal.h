/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_internal -- what the files of run/spec share among themselves.
 */
#ifndef NANGO_RUN_SPEC_INTERNAL_H
#define NANGO_RUN_SPEC_INTERNAL_H

#include "base/yaml.h"
#include "run/spec.h"

/*
 * Why a type's text is wrong. The places differ (a line of YAML, a path of JSON), so the type
 * grammar says only what, and how far into the text.
 */
struct spec_type_fault {
	const char *code; /* "E0110" */
	size_t offset;	  /* bytes into the text */
	char text[256], help[256];
};

/* A type in words: 0, or -1 and *fault. Models are not looked up here. */
MUST_CHECK int spec_type_parse(TALLOC_CTX *mem, const char *text, struct spec_type *out,
			       struct spec_type_fault *fault);

/* Is it a name of a model (a capital first), and may it be one? */
bool spec_name_is_model(const char *text);
/* A name of a sync, action, provider: lower-case words, digits, - and _. */
bool spec_name_is_plain(const char *text);

/* A document being read, and where a fault is written. */
struct spec_reader {
	TALLOC_CTX *mem;
	const char *file; /* of the node at hand; NULL: canonical JSON */
	struct error *err;
	struct spec *spec;
	struct spec_source *sources; /* models as they were written */
	size_t sources_count;
};

/* Sets the error: "file:line:column: text [code]\nhelp: help"; help may be NULL. Returns -1. */
int spec_fault(struct spec_reader *r, const struct yaml_node *at, const char *code,
	       const char *help, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

MUST_CHECK int spec_expect_mapping(struct spec_reader *r, const struct yaml_node *node,
				   const char *what);
MUST_CHECK int spec_expect_text(struct spec_reader *r, const struct yaml_node *node,
				const char *what, const char **out);
/* A list of texts, or one text, as an array that ends with NULL. node NULL: the empty list. */
MUST_CHECK int spec_expect_texts(struct spec_reader *r, const struct yaml_node *node,
				 const char *what, const char *const **out);
/* Every key is one of keys (ends with NULL), else "did you mean". */
MUST_CHECK int spec_check_keys(struct spec_reader *r, const struct yaml_node *mapping,
			       const char *what, const char *const *keys);

/* name: type of every member of a mapping whose key does not begin with $; sorted. */
MUST_CHECK int spec_read_fields(struct spec_reader *r, const struct yaml_node *mapping,
				struct spec_fields *out);

/* When a sync runs: `runs` (there) and `missed` (may be NULL). */
MUST_CHECK int spec_read_runs(struct spec_reader *r, const struct yaml_node *node,
			      struct spec_sync *sync);
MUST_CHECK int spec_read_missed(struct spec_reader *r, const struct yaml_node *node,
				struct spec_sync *sync);

/* Models: note what a `models:` mapping holds; later resolve them all into r->spec. */
MUST_CHECK int spec_collect_models(struct spec_reader *r, const struct yaml_node *mapping);
MUST_CHECK int spec_resolve_models(struct spec_reader *r);
/* Fills volatile_paths of all models. */
void spec_collect_volatile(TALLOC_CTX *mem, struct spec *spec);
/* Is it there? The error names the nearest. */
MUST_CHECK int spec_expect_model(struct spec_reader *r, const struct yaml_node *at,
				 const char *name);

/* A whole document, imports excepted when it is JSON. */
MUST_CHECK int spec_read_document(struct spec_reader *r, const struct yaml_node *root);

void *spec_allocate(TALLOC_CTX *mem, size_t size); /* zeroed; aborts when there is none */

#endif
