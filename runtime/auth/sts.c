/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/sts -- see sts.h.
 */
#include "auth/sts.h"
#include "auth/token.h"

#include <string.h>

#define HEADER_DEFAULT "x-api-key"

bool
sts_is_own(const struct auth_grant *grant)
{
	const char *mode = json_string(grant->settings, "stsMode");

	return mode != NULL && strcmp(mode, "custom") == 0;
}

static int
need(struct auth_grant *grant, const char *key, const char **out, struct error *err)
{
	*out = json_string(grant->settings, key);
	if (*out != NULL && (*out)[0] != '\0')
		return 0;
	return error_set(err, ERR_CREDENTIALS, "integration_config.%s is needed", key);
}

/* How the server wants to know us. */
static int
add_auth(struct auth_grant *grant, struct token_request *request, struct error *err)
{
	const char *type = json_string(grant->settings, "stsAuthType"), *key;
	const char *header = json_string(grant->settings, "stsAuthHeader");

	if (type == NULL || type[0] == '\0' || strcmp(type, "none") == 0)
		return 0;
	if (strcmp(type, "api_key") == 0) {
		if (need(grant, "stsApiKey", &key, err) < 0)
			return -1;
		json_add(request->headers,
			 header == NULL || header[0] == '\0' ? HEADER_DEFAULT : header, key);
		return 0;
	}
	if (strcmp(type, "basic") == 0) {
		request->client = TOKEN_CLIENT_BASIC;
		return need(grant, "stsAuthUsername", &request->client_id, err) < 0
			   ? -1
			   : need(grant, "stsAuthPassword", &request->client_secret, err);
	}
	return error_set(err, ERR_CREDENTIALS,
			 "integration_config.stsAuthType must be none, api_key or basic");
}

/* Servers write the names in one of three ways. */
static int
take(struct auth_grant *grant, struct json_object *answer, struct json_object **out,
     struct error *err)
{
	static const char *const names[][3] = {
	    {"AccessKeyId", "accessKeyId", "access_key_id"},
	    {"SecretAccessKey", "secretAccessKey", "secret_access_key"},
	    {"SessionToken", "sessionToken", "session_token"},
	    {"Expiration", "expiration", "expires_at"},
	};
	struct json_object *from = json_object_in(answer, "credentials");

	if (from == NULL)
		from = json_object_in(answer, "Credentials");
	if (from == NULL)
		from = answer;
	*out = json_own(grant->mem, json_object_new_object());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct json_object *value = NULL;

		for (size_t k = 0; value == NULL && k < 3; k++)
			value = json_member(from, names[i][k]);
		if (value != NULL)
			json_object_object_add(*out, names[i][0], json_object_get(value));
	}
	if (json_string(*out, "AccessKeyId") != NULL &&
	    json_string(*out, "SecretAccessKey") != NULL &&
	    json_string(*out, "SessionToken") != NULL)
		return 0;
	return error_set(err, ERR_PROVIDER,
			 "the answer of stsEndpointUrl holds no access_key_id, "
			 "secret_access_key and session_token: %s",
			 token_describe(grant, answer));
}

int
sts_ask(struct auth_grant *grant, const char *region, const char *service,
	struct json_object **out, struct error *err)
{
	const char *external_id = json_string(grant->config, "external_id");
	struct token_request request = {
	    .format = "json",
	    .params = json_own(grant->mem, json_object_new_object()),
	    .headers = json_own(grant->mem, json_object_new_object())};
	struct json_object *answer;

	if (need(grant, "stsEndpointUrl", &request.url, err) < 0 ||
	    add_auth(grant, &request, err) < 0)
		return -1;
	json_add(request.params, "role_arn", json_string(grant->credentials, "role_arn"));
	if (external_id != NULL && external_id[0] != '\0')
		json_add(request.params, "external_id", external_id);
	json_add(request.params, "region", region);
	json_add(request.params, "service", service);
	if (token_send(grant, &request, &answer, err) < 0)
		return -1;
	return take(grant, answer, out, err);
}
