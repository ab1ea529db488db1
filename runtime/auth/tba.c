/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/tba -- the mode TBA, NetSuite's token-based authentication: OAuth 1.0 without its three
 * legs. Token and consumer are typed in, and each request is signed for the account's realm.
 */
#include "auth/oauth1_mode.h"

#include <ctype.h>
#include <string.h>

#define ACCOUNT "accountId" /* the setting that names the realm */

/* The form's two fields, as config_override. */
static int
take_consumer(struct json_object *given, struct json_object *out, struct error *err)
{
	struct json_object *override;
	const char *id, *secret;

	if (auth_text_if(given, "oauth_client_id_override", 255, &id, err) < 0 ||
	    auth_text_if(given, "oauth_client_secret_override", TOKEN_TEXT_MAX, &secret, err) <
		0)
		return -1;
	if (id == NULL && secret == NULL)
		return client_override(given, out, err);
	if (id == NULL || secret == NULL)
		return error_set_at(err, ERR_INVALID_BODY, "credentials",
				    "oauth_client_id_override and oauth_client_secret_override "
				    "belong together");
	override = json_object_new_object();
	json_add(override, "client_id", id);
	json_add(override, "client_secret", secret);
	json_object_object_add(out, "config_override", override);
	return 0;
}

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	struct json_object *made = json_own(mem, json_object_new_object());
	const char *id, *secret;

	(void)template;
	if (auth_text(given, "token_id", 1, TOKEN_TEXT_MAX, &id, err) < 0 ||
	    auth_text(given, "token_secret", 1, TOKEN_TEXT_MAX, &secret, err) < 0)
		return -1;
	json_add(made, "type", "TBA");
	json_add(made, "token_id", id);
	json_add(made, "token_secret", secret);
	*out = made;
	return take_consumer(given, made, err);
}

/* The account as NetSuite spells it in signatures: 123456-sb1 is 123456_SB1. */
static const char *
realm(TALLOC_CTX *mem, const struct auth_grant *grant)
{
	const char *account = json_string(grant->config, ACCOUNT);
	char *text = account == NULL ? NULL : talloc_strdup(mem, account);

	for (char *p = text; p != NULL && *p != '\0'; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return text;
}

static int
sign(const struct auth_grant *grant, TALLOC_CTX *mem, const struct auth_wire *request,
     struct auth_field out[AUTH_SIGNED_MAX + 1], struct error *err)
{
	struct auth_grant own = *grant;
	struct oauth1 oauth = {.method = OAUTH1_HMAC_SHA256,
			       .token = json_string(grant->credentials, "token_id"),
			       .token_secret = json_string(grant->credentials, "token_secret"),
			       .realm = realm(mem, grant)};

	own.mem = mem;
	if (oauth1_consumer(&own, &oauth, err) < 0)
		return -1;
	return oauth1_sign(mem, &oauth, request, out, err);
}

/* Nothing is traded; but what every request needs must be there. */
static int
obtain(struct auth_grant *grant, struct error *err)
{
	struct oauth1 oauth;

	if (json_string(grant->config, ACCOUNT) == NULL)
		return error_set_at(err, ERR_INVALID_BODY, "connection_config." ACCOUNT,
				    "connection_config." ACCOUNT " is required");
	return oauth1_consumer(grant, &oauth, err);
}

const struct auth_scheme auth_tba = {
    .mode = "TBA",
    .doc = "Token-based authentication of NetSuite: requests are signed with a token's secret.",
    .validate = validate,
    .obtain = obtain,
    .sign = sign,
};
