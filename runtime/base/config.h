/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config -- the settings of nangod, from a YAML file and the environment; table: config.def.
 *
 * A bad setting stops the start: the error names the setting, what is wrong and the fix.
 */
#ifndef NANGO_BASE_CONFIG_H
#define NANGO_BASE_CONFIG_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

struct config {
#define CONFIG_TEXT(member, env, otherwise, doc) const char *member;
#define CONFIG_SECRET(member, env, otherwise, doc) const char *member;
#define CONFIG_CHOICE(member, env, otherwise, choices, doc) const char *member;
#define CONFIG_NUMBER(member, env, otherwise, min, max, doc) int64_t member;
#include "base/config.def"
#undef CONFIG_TEXT
#undef CONFIG_SECRET
#undef CONFIG_CHOICE
#undef CONFIG_NUMBER
};

/* file may be NULL. Strings belong to mem. */
MUST_CHECK int config_load(TALLOC_CTX *mem, const char *file, struct config *out,
			   struct error *err);

/* Sets one member as if it stood in the environment (for options such as --listen). */
MUST_CHECK int config_set(TALLOC_CTX *mem, struct config *config, const char *env,
			  const char *value, struct error *err);

struct config_row {
	const char *member, *env, *kind; /* text secret choice number */
	const char *otherwise, *choices, *doc;
	int64_t min, max, number;
	size_t offset;
};
const struct config_row *config_rows(size_t *count);

#endif
