/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/jwt_made -- see jwt_made.h; and JWT, the mode that is nothing else.
 */
#include "auth/jwt_made.h"
#include "auth/jwt.h"
#include "base/clock.h"

#include <string.h>

#define LIFE_DEFAULT_MS (10 * 60 * 1000)

static const char *
default_algorithm(const char *protocol)
{
	return strcmp(protocol, "HMAC") == 0 ? "HS256"
	       : strcmp(protocol, "EC") == 0 ? "ES256"
					     : "RS256";
}

static int
read_key(struct auth_grant *grant, const struct expand_scope *scope, struct json_object *rules,
	 struct json_object *signature, struct jwt_key *key, struct error *err)
{
	const char *from = json_string(rules, "signing_key");
	const char *protocol = json_string(signature, "protocol");
	const char *encoding = json_string(signature, "hmac_secret_encoding");
	char *text;

	if (from == NULL || protocol == NULL)
		return error_set(err, ERR_TEMPLATE,
				 "provider %s needs token.signing_key and signature.protocol",
				 template_name(grant->template));
	if (expand(grant->mem, from, scope, EXPAND_WHOLE, &text, err) < 0)
		return -1;
	*key = (struct jwt_key){.text = text,
				.is_hex = encoding == NULL || strcmp(encoding, "hex") == 0};
	return 0;
}

int
jwt_made(struct auth_grant *grant, const struct expand_scope *scope, char **out,
	 int64_t *expires_ms, struct error *err)
{
	struct json_object *body = template_body(grant->template), *header, *payload;
	struct json_object *rules = json_object_in(body, "token");
	struct json_object *signature = json_object_in(body, "signature");
	int64_t life_ms = json_integer(rules, "expires_in_ms", LIFE_DEFAULT_MS);
	struct jwt_key key;

	if (read_key(grant, scope, rules, signature, &key, err) < 0 ||
	    token_fill(grant, scope, EXPAND_WHOLE, false, json_object_in(rules, "header"),
		       &header, err) < 0 ||
	    token_fill(grant, scope, EXPAND_WHOLE, false, json_object_in(rules, "payload"),
		       &payload, err) < 0)
		return -1;
	if (json_string(header, "alg") == NULL)
		json_add(header, "alg", default_algorithm(json_string(signature, "protocol")));
	if (json_string(header, "typ") == NULL)
		json_add(header, "typ", "JWT");
	json_add_integer(payload, "iat", grant->now_ms / 1000);
	json_add_integer(payload, "exp", (grant->now_ms + life_ms) / 1000);
	*expires_ms = grant->now_ms + life_ms;
	return jwt_sign(grant->mem, header, payload, &key, out, err);
}

/* ---- the mode ---- */

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	*out = json_own(mem, json_object_new_object());
	json_add(*out, "type", "JWT");
	return auth_fields(template, given, *out, err);
}

static int
obtain(struct auth_grant *grant, struct error *err)
{
	struct json_object *made = json_own(grant->mem, json_object_new_object());
	struct expand_scope scope;
	char iso[CLOCK_ISO_MAX], *token;

	auth_scope(grant, &scope);
	if (jwt_made(grant, &scope, &token, &grant->expires_ms, err) < 0)
		return -1;
	json_add(made, "type", "JWT");
	json_add(made, "token", token);
	clock_iso(iso, grant->expires_ms);
	json_add(made, "expires_at", iso);
	auth_keep(made, grant->credentials);
	grant->credentials = made;
	return 0;
}

static char *
authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	return auth_bearer(mem, json_string(credentials, "token"));
}

const struct auth_scheme auth_jwt = {
    .mode = "JWT",
    .doc = "A token that is signed here with the customer's key.",
    .validate = validate,
    .authorization = authorization,
    .obtain = obtain,
    .renew = obtain,
};
