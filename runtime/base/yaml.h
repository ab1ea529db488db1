/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml -- a YAML document as a tree that knows where each node stood.
 *
 * Scalars stay text (is_plain tells whether they were unquoted); the reader of a document
 * decides what they mean. Duplicate keys, merge keys, tags and more than one document are
 * refused; an alias is a reference to the same node, and the sum of nodes is bounded, each
 * alias counted as the copy that a reader may make of it.
 */
#ifndef NANGO_BASE_YAML_H
#define NANGO_BASE_YAML_H

#include "base/error.h"
#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>

#define YAML_BYTES_MAX (4 * 1024 * 1024)
#define YAML_NODES_MAX 200000
#define YAML_DEPTH_MAX 64

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	const char *file;	  /* as it was given to the parser */
	int line, column;	  /* from 1 */
	bool is_plain;		  /* scalar without quotes */
	const char *text;	  /* scalar, NUL-terminated */
	struct yaml_node **items; /* sequence: items; mapping: key, value, key, value … */
	size_t count;		  /* of a mapping: pairs */
	size_t total;		  /* nodes: itself and all below */
};

/* file is a name for messages only: "templates/github.yaml:14:7: …". */
MUST_CHECK int yaml_parse(TALLOC_CTX *mem, const char *file, const char *text, size_t length,
			  struct yaml_node **out, struct error *err);
MUST_CHECK int yaml_read(TALLOC_CTX *mem, const char *path, struct yaml_node **out,
			 struct error *err);

struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key); /* or NULL */
const char *yaml_text(const struct yaml_node *mapping, const char *key); /* scalar or NULL */

/* Core-schema types for plain scalars (true, false, null, integers, floats), text otherwise. */
struct json_object *yaml_to_json(const struct yaml_node *node);

/* Sets err to "file:line:column: text" with code ERR_CONFIG; returns -1. */
int yaml_error(struct error *err, const char *file, const struct yaml_node *at, const char *fmt,
	       ...) __attribute__((format(printf, 4, 5)));

#endif
