/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/assertion -- see assertion.h.
 */
#include "auth/assertion.h"
#include "auth/jwt.h"
#include "auth/saml.h"
#include "auth/token.h"
#include "base/clock.h"
#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>

#define LEFT_MIN_MS 60000
#define JWT_LIFE_S 3600
#define SAML_LIFE_S 300

/* Numbers may be written as texts. */
static int64_t
life_ms(struct json_object *rules, int64_t otherwise_s)
{
	const char *text = json_string(rules, "lifetimeInSeconds");
	int64_t seconds = json_integer(rules, "lifetimeInSeconds", 0);

	if (text != NULL)
		seconds = strtoll(text, NULL, 10);
	return (seconds > 0 ? seconds : otherwise_s) * 1000;
}

static int
make_jwt(struct auth_grant *grant, const struct expand_scope *scope, struct json_object *rules,
	 const char *key_text, int64_t life, char **out, struct error *err)
{
	const struct jwt_key key = {.text = key_text};
	struct json_object *header, *payload;

	if (token_fill(grant, scope, EXPAND_WHOLE, false, json_object_in(rules, "header"),
		       &header, err) < 0 ||
	    token_fill(grant, scope, EXPAND_WHOLE, false, json_object_in(rules, "payload"),
		       &payload, err) < 0)
		return -1;
	if (json_string(header, "typ") == NULL)
		json_add(header, "typ", "JWT");
	json_add_integer(payload, "iat", grant->now_ms / 1000);
	json_add_integer(payload, "nbf", grant->now_ms / 1000);
	json_add_integer(payload, "exp", (grant->now_ms + life) / 1000);
	return jwt_sign(grant->mem, header, payload, &key, out, err);
}

/* In base64, as RFC 7522 wants it. */
static int
make_saml(struct auth_grant *grant, const struct expand_scope *scope, struct json_object *rules,
	  const char *key, int64_t life, char **out, struct error *err)
{
	static const char *const needed[] = {"issuer", "nameIdentifier", "recipient",
					     "audiences"};
	struct saml_assertion from = {.now_ms = grant->now_ms, .life_ms = life};
	struct json_object *filled;
	char *xml;

	if (token_fill(grant, scope, EXPAND_WHOLE, false, rules, &filled, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (json_string(filled, needed[i]) == NULL)
			return error_set(err, ERR_CREDENTIALS,
					 "the assertion has no %s: a field is missing",
					 needed[i]);
	from.issuer = json_string(filled, "issuer");
	from.name_id = json_string(filled, "nameIdentifier");
	from.recipient = json_string(filled, "recipient");
	from.audience = json_string(filled, "audiences");
	from.session_index = json_string(filled, "sessionIndex");
	from.attributes = json_object_in(filled, "attributes");
	if (saml_sign(grant->mem, &from, key, &xml, err) < 0)
		return -1;
	*out = crypto_base64(grant->mem, xml, strlen(xml));
	return 0;
}

static bool
is_usable(const struct auth_grant *grant, struct json_object *rules)
{
	struct json_object *until = json_member(grant->credentials, "assertion_expires_at");
	bool is_there = json_string(grant->credentials, "assertion") != NULL;

	if (until == NULL)
		return is_there; /* it was brought along */
	return is_there && !json_boolean(rules, "singleUse", false) &&
	       token_moment(until) - grant->now_ms > LEFT_MIN_MS;
}

int
assertion_made(struct auth_grant *grant, const struct expand_scope *scope, struct error *err)
{
	struct json_object *rules = json_object_in(template_body(grant->template), "assertion");
	const char *type = json_string(rules, "type"), *from = json_string(rules, "key");
	bool is_saml = type != NULL && strcmp(type, "saml") == 0;
	int64_t life = life_ms(rules, is_saml ? SAML_LIFE_S : JWT_LIFE_S);
	char iso[CLOCK_ISO_MAX], *key, *made;

	if (rules == NULL || is_usable(grant, rules))
		return 0;
	if (from == NULL)
		return error_set(err, ERR_TEMPLATE, "provider %s has no assertion.key",
				 template_name(grant->template));
	if (expand(grant->mem, from, scope, EXPAND_WHOLE, &key, err) < 0)
		return err->code == ERR_NOT_FOUND
			   ? error_set(err, ERR_CREDENTIALS,
				       "the assertion needs its key, which is not kept: "
				       "connect it anew")
			   : -1;
	if ((is_saml ? make_saml : make_jwt)(grant, scope, rules, key, life, &made, err) < 0)
		return -1;
	json_add(grant->credentials, "assertion", made);
	clock_iso(iso, grant->now_ms + life);
	json_add(grant->credentials, "assertion_expires_at", iso);
	return 0;
}
