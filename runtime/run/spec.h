/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec -- what a plugin offers: plugin.yaml, checked and resolved.
 *
 * Two ways in: plugin.yaml itself (nango-plugin) and its canonical JSON, which travels in the
 * ELF note of the shared object and is hostile input (nangod). Both end in the same struct and
 * pass the same checks; what the JSON holds beyond plugin.yaml (runs_ms, schemas) is for other
 * readers and is computed afresh here, never trusted.
 *
 * Everything belongs to the talloc context given. Any thread; no global state.
 *
 * A message reads "plugin.yaml:14:7: text [E0103]", then, where there is a fix, "\nhelp: text".
 */
#ifndef NANGO_RUN_SPEC_H
#define NANGO_RUN_SPEC_H

#include "base/error.h"
#include "base/json.h"
#include "base/schedule.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define SPEC_FORMAT 1
#define SPEC_NAME_MAX 255 /* bytes of a model, field, sync or action name */
#define SPEC_MODELS_MAX 500
#define SPEC_FIELDS_MAX 500
#define SPEC_DEPTH_MAX 16 /* of models within models whose $volatile is looked for */
#define SPEC_JSON_MAX (1024 * 1024)
#define SPEC_CHECKPOINT_FIELDS_MAX 16
#define SPEC_INTERVAL_MIN_MS SCHEDULE_INTERVAL_MIN_MS
#define SPEC_INTERVAL_MAX_MS SCHEDULE_INTERVAL_MAX_MS

enum spec_base {
	SPEC_STRING,
	SPEC_INTEGER, /* int64 */
	SPEC_NUMBER,  /* double */
	SPEC_DECIMAL, /* a number whose text is kept; a JSON string in the record */
	SPEC_BOOLEAN,
	SPEC_DATE, /* RFC 3339 date or date-time, as text */
	SPEC_JSON, /* anything */
	SPEC_NULL,
	SPEC_WORDS, /* one of some literal strings */
	SPEC_MODEL,
};

struct spec_type {
	enum spec_base base;
	bool is_array;		  /* of base */
	bool is_optional;	  /* may be absent */
	bool is_nullable;	  /* may be null; an array's items may not */
	const char *model;	  /* SPEC_MODEL: its name */
	const char *const *words; /* SPEC_WORDS: ends with NULL */
};

struct spec_field {
	const char *name;
	struct spec_type type;
};

struct spec_fields {
	struct spec_field *at; /* in byte order of the names */
	size_t count;
};

struct spec_model {
	const char *name, *description; /* description may be NULL */
	struct spec_fields fields;
	bool keeps_extra; /* unknown members pass through */
	bool fails_run;	  /* `$invalid: fail`; else such a record is put aside */
	const char *const *volatile_names; /* as written: make no change; ends with NULL */
	const char *const *volatile_paths; /* with those of the models within it */
};

struct spec_sync {
	const char *name, *description;
	const char *runs; /* as written: "every 15m"; NULL: cron and time_zone instead */
	int64_t runs_ms;  /* of cron: the distance of two slots */
	const char *cron, *time_zone;
	enum schedule_missed missed;
	const char *const *models; /* at least one; ends with NULL */
	const char *const *scopes; /* ends with NULL */
	bool auto_start;
	bool tracks_deletes; /* what a complete run did not save is deleted */
	bool has_checkpoint, has_metadata;
	struct spec_fields checkpoint, metadata;
};

struct spec_action {
	const char *name, *description;
	const char *input, *output; /* names of models, or NULL */
	const char *const *scopes;
};

/* The lists are in byte order of the names. */
struct spec {
	const char *provider, *version;
	struct spec_sync *syncs;
	size_t syncs_count;
	struct spec_action *actions;
	size_t actions_count;
	struct spec_model *models;
	size_t models_count;
};

/* plugin.yaml and the files it imports. ERR_CONFIG. */
MUST_CHECK int spec_read(TALLOC_CTX *mem, const char *path, struct spec **out,
			 struct error *err);

/* The same from memory; imports are found beside `file`. */
MUST_CHECK int spec_read_text(TALLOC_CTX *mem, const char *file, const char *text,
			      size_t length, struct spec **out, struct error *err);

/* Canonical JSON, from an enemy: ERR_PLUGIN. */
MUST_CHECK int spec_parse(TALLOC_CTX *mem, const char *json, size_t length, struct spec **out,
			  struct error *err);

/* Canonical JSON: compact, keys sorted, imports and $extends resolved, runs_ms and schemas. */
char *spec_json(TALLOC_CTX *mem, const struct spec *spec);

/* NULL when there is none of that name. */
const struct spec_sync *spec_sync(const struct spec *spec, const char *name);
const struct spec_action *spec_action(const struct spec *spec, const char *name);
const struct spec_model *spec_model(const struct spec *spec, const char *name);

/* "(open | closed)?": the type in plugin.yaml's words. */
char *spec_type_text(TALLOC_CTX *mem, const struct spec_type *type);

/* JSON Schema (draft-07). The caller puts the tree. `definitions` holds what is reachable. */
struct json_object *spec_model_schema(const struct spec *spec, const char *model);
struct json_object *spec_fields_schema(const struct spec *spec,
				       const struct spec_fields *fields);
struct json_object *spec_schema(const struct spec *spec); /* definitions of all models */

/*
 * "every 15m", "2.5 hrs", "half day", "every month" (30 days): the reference's grammar.
 * 30 seconds to 31 days. ERR_INVALID_BODY says what is wrong.
 */
MUST_CHECK int spec_interval_ms(const char *text, int64_t *out_ms, struct error *err);

#endif
