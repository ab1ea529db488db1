/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand -- ${…} in templates: "${connectionConfig.subdomain}", "A || B",
 * "${base64(${credentials.username}:${credentials.password})}", "${now+7:days:YYYY-MM-DD}".
 *
 * A name is looked up as a dotted path first, then as a flat key. An alternative is used when
 * all of its names resolve. Functions are rows of a table in expand_function.c; names are told
 * apart in expand_name.c. templates/README.md is the handbook of all of it.
 */
#ifndef NANGO_PROVIDER_EXPAND_H
#define NANGO_PROVIDER_EXPAND_H

#include "base/error.h"
#include "base/id.h"
#include "base/json.h"

#define EXPAND_DEPTH_MAX 16
#define EXPAND_BYTES_MAX (256 * 1024)	/* of what comes out, and of an argument */
#define EXPAND_TEMPLATE_MAX (16 * 1024) /* of what goes in */
#define EXPAND_ARGUMENTS_MAX 8

/* What ${now} and ${random} are: one for all headers of a request, so that they agree. */
struct expand_moment {
	int64_t now_ms;
	char random[ID_UUID_MAX];
};

void expand_moment_set(struct expand_moment *moment); /* the present, and a new UUID */

/* ${awsSigV4(…)}: the signer is not here. The text to put in, in mem. */
typedef int expand_sign_fn(void *arg, TALLOC_CTX *mem, char *const *arguments, size_t count,
			   char **out, struct error *err);

/* Where names come from; any member may be NULL. */
struct expand_scope {
	struct json_object *values; /* of the caller, by flat name: ${method}, ${token} … */
	struct json_object *credentials; /* ${credentials.x}, and ${apiKey}, ${username} … */
	struct json_object *connection_config; /* ${connectionConfig.x}, and ${x} */
	struct json_object *metadata;	       /* ${metadata.x} */
	struct json_object *assertion_option;  /* ${assertionOption.x} */
	struct json_object *steps;	       /* an array; ${step1.x} is of its first item */
	const struct expand_moment *moment;    /* NULL: one for this expansion alone */
	expand_sign_fn *sign;
	void *sign_arg;
};

enum expand_mode {
	EXPAND_TEXT, /* values as they are */
	EXPAND_URL,  /* values are percent-encoded; see expand.c for the two places where not */
	EXPAND_WHOLE, /* as EXPAND_TEXT, but || is text: claims of a JWT */
};

/*
 * The text, wiped when it is freed. ERR_NOT_FOUND names the placeholder that does not resolve;
 * ERR_TEMPLATE: it can never, such as a key that is none.
 */
MUST_CHECK int expand(TALLOC_CTX *mem, const char *template, const struct expand_scope *scope,
		      enum expand_mode mode, char **out, struct error *err);

/* What a template holds, without values: each of its names, and what is wrong with it. */
struct expand_visitor {
	void (*name)(void *arg, const char *name);
	void (*fault)(void *arg, const char *text);
	void *arg;
};
void expand_visit(const char *template, const struct expand_visitor *visitor);

/* Whether a name is one that the runtime fills, wherever it stands in a template. */
bool expand_knows_name(const char *name);

#endif
