/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand -- ${…} in templates: "${connectionConfig.subdomain}", "A || B",
 * "${base64(${credentials.username}:${credentials.password})}".
 *
 * A name is looked up as a dotted path first, then as a flat key. An alternative is used when
 * all of its names resolve. Functions are rows of a table in expand.c.
 */
#ifndef NANGO_PROVIDER_EXPAND_H
#define NANGO_PROVIDER_EXPAND_H

#include "base/error.h"
#include "base/json.h"

#define EXPAND_DEPTH_MAX 16
#define EXPAND_BYTES_MAX (256 * 1024)

/* Where names come from; any member may be NULL. */
struct expand_scope {
	struct json_object *credentials; /* ${credentials.x}, and ${apiKey}, ${username} … */
	struct json_object *connection_config; /* ${connectionConfig.x} */
	struct json_object *metadata;	       /* ${metadata.x} */
};

enum expand_mode {
	EXPAND_TEXT, /* values as they are */
	EXPAND_URL,  /* values are percent-encoded unless the placeholder begins the template */
};

/* The text, wiped when it is freed. ERR_NOT_FOUND names the placeholder that does not resolve.
 */
MUST_CHECK int expand(TALLOC_CTX *mem, const char *template, const struct expand_scope *scope,
		      enum expand_mode mode, char **out, struct error *err);

#endif
