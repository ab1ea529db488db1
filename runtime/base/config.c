/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config -- see config.h. Every way in (file, environment, option) ends in config_store().
 */
#include "base/config.h"
#include "base/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct config_row rows[] = {
#define CONFIG_TEXT(m, e, o, d) \
	{.member = #m,          \
	 .env = e,              \
	 .kind = "text",        \
	 .otherwise = o,        \
	 .doc = d,              \
	 .offset = offsetof(struct config, m)},
#define CONFIG_SECRET(m, e, o, d) \
	{.member = #m,            \
	 .env = e,                \
	 .kind = "secret",        \
	 .otherwise = o,          \
	 .doc = d,                \
	 .offset = offsetof(struct config, m)},
#define CONFIG_CHOICE(m, e, o, c, d) \
	{.member = #m,               \
	 .env = e,                   \
	 .kind = "choice",           \
	 .otherwise = o,             \
	 .choices = c,               \
	 .doc = d,                   \
	 .offset = offsetof(struct config, m)},
#define CONFIG_NUMBER(m, e, o, lo, hi, d) \
	{.member = #m,                    \
	 .env = e,                        \
	 .kind = "number",                \
	 .otherwise = #o,                 \
	 .number = o,                     \
	 .min = lo,                       \
	 .max = hi,                       \
	 .doc = d,                        \
	 .offset = offsetof(struct config, m)},
#include "base/config.def"
#undef CONFIG_TEXT
#undef CONFIG_SECRET
#undef CONFIG_CHOICE
#undef CONFIG_NUMBER
};

#define ROWS_COUNT (sizeof(rows) / sizeof(rows[0]))

const struct config_row *
config_rows(size_t *count)
{
	*count = ROWS_COUNT;
	return rows;
}

static int
is_choice(const char *choices, const char *value)
{
	size_t n = strlen(value);

	for (const char *p = choices; p != NULL; p = strchr(p, '|')) {
		p += *p == '|';
		if (n > 0 && strncmp(p, value, n) == 0 && (p[n] == '|' || p[n] == '\0'))
			return 1;
		if (strchr(p, '|') == NULL)
			break;
	}
	return 0;
}

static int
store_number(const struct config_row *row, int64_t *place, const char *where, const char *value,
	     struct error *err)
{
	char *end;
	long long number;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0 || number < row->min ||
	    number > row->max)
		return error_set(err, ERR_CONFIG,
				 "%s is \"%s\": give a whole number from %" PRId64
				 " to %" PRId64,
				 where, value, row->min, row->max);
	*place = number;
	return 0;
}

/* where names the setting in the user's words: the variable, the file's line, the option. */
static int
config_store(TALLOC_CTX *mem, struct config *config, const struct config_row *row,
	     const char *where, const char *value, struct error *err)
{
	void *place = (char *)config + row->offset;

	if (strcmp(row->kind, "number") == 0)
		return store_number(row, place, where, value, err);
	if (strcmp(row->kind, "choice") == 0 && !is_choice(row->choices, value))
		return error_set(err, ERR_CONFIG, "%s is \"%s\": give one of %s", where, value,
				 row->choices);
	*(const char **)place = talloc_strdup(mem, value);
	return 0;
}

static const struct config_row *
row_find(const char *member)
{
	for (size_t i = 0; i < ROWS_COUNT; i++)
		if (strcmp(rows[i].member, member) == 0)
			return &rows[i];
	return NULL;
}

static int
load_file(TALLOC_CTX *mem, const char *file, struct config *out, struct error *err)
{
	struct yaml_node *root, *key, *value;
	const struct config_row *row;
	char *where;

	if (yaml_read(mem, file, &root, err) < 0)
		return -1;
	if (root->kind != YAML_MAPPING)
		return yaml_error(err, file, root,
				  "settings are written as `name: value` lines");
	for (size_t i = 0; i < root->count; i++) {
		key = root->items[2 * i];
		value = root->items[2 * i + 1];
		row = row_find(key->text);
		if (row == NULL)
			return yaml_error(
			    err, file, key,
			    "there is no setting \"%s\": see man nangod for the list",
			    key->text);
		if (value->kind != YAML_SCALAR)
			return yaml_error(err, file, value, "%s takes one value", key->text);
		where = talloc_asprintf(mem, "%s:%d: %s", file, key->line, key->text);
		if (config_store(mem, out, row, where, value->text, err) < 0)
			return -1;
	}
	return 0;
}

int
config_load(TALLOC_CTX *mem, const char *file, struct config *out, struct error *err)
{
	const char *value;

	for (size_t i = 0; i < ROWS_COUNT; i++) {
		void *place = (char *)out + rows[i].offset;

		if (strcmp(rows[i].kind, "number") == 0)
			*(int64_t *)place = rows[i].number;
		else
			*(const char **)place = rows[i].otherwise;
	}
	if (file != NULL && load_file(mem, file, out, err) < 0)
		return -1;
	for (size_t i = 0; i < ROWS_COUNT; i++) {
		value = getenv(rows[i].env);
		if (value == NULL || value[0] == '\0')
			continue;
		if (config_store(mem, out, &rows[i], rows[i].env, value, err) < 0)
			return -1;
	}
	return 0;
}

int
config_set(TALLOC_CTX *mem, struct config *config, const char *env, const char *value,
	   struct error *err)
{
	for (size_t i = 0; i < ROWS_COUNT; i++)
		if (strcmp(rows[i].env, env) == 0)
			return config_store(mem, config, &rows[i], env, value, err);
	return error_set(err, ERR_CONFIG, "there is no setting %s", env);
}
