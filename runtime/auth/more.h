/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/more -- what a template's x: says about tokens beyond OAuth 2: token requests of another
 * shape, answers that need another request, further tokens, and how long a token lasts.
 */
#ifndef NANGO_AUTH_MORE_H
#define NANGO_AUTH_MORE_H

#include "auth/token.h"

/* x.token_request, or for a renewal x.refresh_request where there is one. */
struct json_object *more_rules(const struct auth_grant *grant, bool is_refresh);

/* Lays those rules over a token request that is otherwise made. */
MUST_CHECK int more_request(struct auth_grant *grant, const struct expand_scope *scope,
			    bool is_refresh, struct token_request *request, struct error *err);

/* The requests that they list under `then`; each answer is laid over those before. */
MUST_CHECK int more_answers(struct auth_grant *grant, const struct auth_scheme *scheme,
			    bool is_refresh, struct json_object **answer, struct error *err);

/*
 * x.extra_tokens into the credentials' "extra"; before: credentials that are being renewed, or
 * NULL. The grant and its expires_at end with the first of its tokens.
 */
MUST_CHECK int more_tokens(struct auth_grant *grant, const struct auth_scheme *scheme,
			   struct json_object *before, struct json_object *answer,
			   struct error *err);

/* x.introspection: asks how long the token lasts. ERR_PROVIDER when it is not active. */
MUST_CHECK int more_expiry(struct auth_grant *grant, const struct auth_scheme *scheme,
			   struct error *err);

#endif
