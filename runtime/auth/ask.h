/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/ask -- requests that a template writes out under x: a URL, and how it is asked.
 */
#ifndef NANGO_AUTH_ASK_H
#define NANGO_AUTH_ASK_H

#include "auth/token.h"

/* The mapping x.KEY of the grant's template, or NULL. */
struct json_object *ask_rules(const struct auth_grant *grant, const char *key);

/* Lays url, method, client, body_format, omit, body, query and headers over a request. */
MUST_CHECK int ask_apply(struct auth_grant *grant, const struct expand_scope *scope,
			 struct json_object *rules, struct token_request *request,
			 struct error *err);

/*
 * The answer to a request of its own. It carries the credentials as requests of the mode do,
 * or with rules.client those of the app. ERR_PROVIDER unless it is 2xx. out NULL: its body does
 * not matter.
 */
MUST_CHECK int ask_send(struct auth_grant *grant, const struct auth_scheme *scheme,
			const struct expand_scope *scope, struct json_object *rules,
			struct json_object **out, struct error *err);

#endif
