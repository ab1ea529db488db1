/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json -- json-c for our own documents: API bodies, config, templates, specs. Never for
 * records.
 *
 * A parsed tree belongs to the talloc context that it was parsed into. Input goes through the
 * strict scanner of jsonspan first, so what json-c would let pass (NaN, single quotes) does
 * not.
 */
#ifndef NANGO_BASE_JSON_H
#define NANGO_BASE_JSON_H

#include "base/error.h"
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define JSON_DEPTH_MAX 64

/*
 * ERR_INVALID_JSON with line and column when the text is not one JSON document, or holds an
 * integer that 64 bits cannot.
 */
MUST_CHECK int json_parse(TALLOC_CTX *mem, const char *text, size_t length,
			  struct json_object **out, struct error *err);

/* A tree made by hand, handed to a context: it is put when the context is freed. */
struct json_object *json_own(TALLOC_CTX *mem, struct json_object *tree);

/*
 * Every text of the tree is overwritten just before json-c frees it, with whatever tree that
 * happens. Such a tree is for one thread, and not for json_text_shared(). Marking twice is
 * fine.
 */
void json_mark_secret(struct json_object *tree);
/* json_own() and json_parse() of a tree that is marked. */
struct json_object *json_own_secret(TALLOC_CTX *mem, struct json_object *tree);
MUST_CHECK int json_parse_secret(TALLOC_CTX *mem, const char *text, size_t length,
				 struct json_object **out, struct error *err);

char *json_text(TALLOC_CTX *mem, struct json_object *tree); /* compact */
/* The same, overwritten when it is freed; json-c's own print of it is overwritten now. */
char *json_text_secret(TALLOC_CTX *mem, struct json_object *tree);
/* json-c keeps a printed text inside the tree: for one that several threads read. */
char *json_text_shared(TALLOC_CTX *mem, struct json_object *tree);
char *json_text_sorted(TALLOC_CTX *mem, struct json_object *tree); /* keys in byte order */

/* The member, or NULL when it is absent or of another type. object may be NULL. */
struct json_object *json_member(struct json_object *object, const char *key);
const char *json_string(struct json_object *object, const char *key);
struct json_object *json_object_in(struct json_object *object, const char *key);
struct json_object *json_array_in(struct json_object *object, const char *key);
bool json_boolean(struct json_object *object, const char *key, bool otherwise);
int64_t json_integer(struct json_object *object, const char *key, int64_t otherwise);

/* Adds text, or null for NULL. */
void json_add(struct json_object *object, const char *key, const char *text);
void json_add_integer(struct json_object *object, const char *key, int64_t number);
void json_add_boolean(struct json_object *object, const char *key, bool value);

#endif
