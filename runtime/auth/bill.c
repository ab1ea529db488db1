/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/bill -- the mode BILL: a login whose session lasts for 35 minutes.
 */
#include "auth/client.h"
#include "base/clock.h"

#define LIFE_MS (35 * 60 * 1000)
#define TEXT_MAX 1024

static const struct {
	const char *field, *parameter;
} fields[] = {{"username", "username"},
	      {"password", "password"},
	      {"organization_id", "organizationId"},
	      {"dev_key", "devKey"}};
#define COUNT (sizeof(fields) / sizeof(fields[0]))

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	struct json_object *made = json_own(mem, json_object_new_object());
	const char *text;

	json_add(made, "type", "BILL");
	for (size_t i = 0; i < COUNT; i++) {
		if (auth_text(given, fields[i].field, 1, TEXT_MAX, &text, err) < 0)
			return -1;
		json_add(made, fields[i].field, text);
	}
	*out = made;
	return auth_fields(template, given, made, err);
}

static int
obtain(struct auth_grant *grant, struct error *err)
{
	struct token_request request = {.params =
					    json_own(grant->mem, json_object_new_object())};
	struct json_object *made = json_own(grant->mem, json_object_new_object()), *answer;
	struct expand_scope scope;
	const char *session;
	char iso[CLOCK_ISO_MAX];

	auth_scope(grant, &scope);
	for (size_t i = 0; i < COUNT; i++)
		token_put(request.params, fields[i].parameter,
			  json_string(grant->credentials, fields[i].field));
	if (client_url(grant, &scope, false, &request, err) < 0)
		return -1;
	request.format = "json";
	if (token_send(grant, &request, &answer, err) < 0)
		return -1;
	session = json_string(answer, "sessionId");
	if (session == NULL)
		return error_set(err, ERR_PROVIDER,
				 "the provider's answer holds no sessionId: %s",
				 token_describe(grant, answer));
	grant->expires_ms = grant->now_ms + LIFE_MS;
	json_add(made, "type", "BILL");
	json_add(made, "session_id", session);
	clock_iso(iso, grant->expires_ms);
	json_add(made, "expires_at", iso);
	json_object_object_add(made, "raw", json_object_get(answer));
	auth_keep(made, grant->credentials);
	grant->credentials = made;
	return 0;
}

const struct auth_scheme auth_bill = {
    .mode = "BILL",
    .doc = "A login with the developer's key; requests carry its session.",
    .validate = validate,
    .obtain = obtain,
    .renew = obtain,
};
