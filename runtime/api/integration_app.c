/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/integration_app -- see integration_app.h.
 */
#include "api/integration_app.h"
#include "auth/vault.h"
#include "base/crypto.h"
#include "engine/grant.h"
#include "provider/catalogue.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 255
#define SECRET_MAX 16384

enum app_needs { APP_NO, APP_MAY, APP_MUST };

struct app_field {
	const char *name;
	size_t max;
	const char *required, *optional; /* modes between blanks; NULL: all */
};

static const struct app_field fields[] = {
    {"client_id", NAME_MAX_BYTES, " OAUTH1 OAUTH2 CUSTOM ", " TBA MCP_OAUTH2 "},
    {"client_secret", SECRET_MAX, " OAUTH1 ", " OAUTH2 CUSTOM TBA MCP_OAUTH2 "},
    {"scopes", SECRET_MAX, "",
     " OAUTH1 OAUTH2 OAUTH2_CC CUSTOM TBA MCP_OAUTH2 MCP_OAUTH2_GENERIC "},
    {"webhook_secret", NAME_MAX_BYTES, "", NULL},
    {"app_id", NAME_MAX_BYTES, " APP CUSTOM ", ""},
    {"app_link", 2048, " APP CUSTOM INSTALL_PLUGIN ", ""},
    {"private_key", SECRET_MAX, " APP CUSTOM ", ""},
    {"access_key_id", 128, " AWS_SIGV4 ", ""},
    {"secret_access_key", 1024, " AWS_SIGV4 ", ""},
    {"username", NAME_MAX_BYTES, " INSTALL_PLUGIN ", ""},
    {"password", SECRET_MAX, " INSTALL_PLUGIN ", ""},
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum app_needs
needs(const struct app_field *field, const char *mode)
{
	char word[64];

	if (field->optional == NULL)
		return APP_MAY;
	snprintf(word, sizeof(word), " %s ", mode);
	return strstr(field->required, word) != NULL   ? APP_MUST
	       : strstr(field->optional, word) != NULL ? APP_MAY
						       : APP_NO;
}

static const struct app_field *
find_field(const char *name)
{
	for (size_t i = 0; i < COUNT(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

static int
put_given(struct json_object *given, const char *mode, const char *provider,
	  struct json_object *app, struct error *err)
{
	json_object_object_foreach (given, key, value) {
		const struct app_field *field = find_field(key);
		char at[ERROR_AT_MAX];

		snprintf(at, sizeof(at), "credentials.%s", key);
		if (strcmp(key, "type") == 0)
			continue;
		if (field == NULL || needs(field, mode) == APP_NO)
			return error_set_at(err, ERR_INVALID_BODY, at,
					    "provider %s (%s) takes no %s of an app", provider,
					    mode, key);
		if (value != NULL && (!json_object_is_type(value, json_type_string) ||
				      (size_t)json_object_get_string_len(value) > field->max))
			return error_set_at(err, ERR_INVALID_BODY, at,
					    "%s must be a text of at most %zu bytes", key,
					    field->max);
		if (value == NULL || json_object_get_string_len(value) == 0)
			json_object_object_del(app, key);
		else
			json_object_object_add(app, key, json_object_get(value));
	}
	return 0;
}

static int
check_whole(struct json_object *app, const char *mode, struct error *err)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		char at[ERROR_AT_MAX];

		if (needs(&fields[i], mode) != APP_MUST ||
		    json_string(app, fields[i].name) != NULL)
			continue;
		snprintf(at, sizeof(at), "credentials.%s", fields[i].name);
		return error_set_at(err, ERR_INVALID_BODY, at, "%s is required", at);
	}
	return 0;
}

static void
seal(struct call *call, struct json_object *app, struct integration *i)
{
	struct vault_place place = grant_app_place(i->environment_id, i->unique_key);
	char *text = json_text(call->mem, app);

	i->credentials = vault_seal(call->mem, call->node->vault, &place, text, strlen(text),
				    &i->credentials_length);
	crypto_wipe(text, strlen(text));
}

/* Settings that the template calls secret, out of config and into the app's "settings". */
static bool
move_secrets(const struct template *template, struct json_object *config,
	     struct json_object *app)
{
	struct json_object *schemas =
	    template == NULL ? NULL
			     : json_object_in(template_body(template), "integration_config");
	struct json_object *secret = json_object_new_object();
	bool had = json_object_in(app, "settings") != NULL, has;

	if (schemas != NULL) {
		json_object_object_foreach (schemas, key, schema) {
			struct json_object *value = json_member(config, key);

			if (value == NULL || !json_boolean(schema, "secret", false))
				continue;
			json_object_object_add(secret, key, json_object_get(value));
			json_object_object_del(config, key);
		}
	}
	has = json_object_object_length(secret) > 0;
	if (has)
		json_object_object_add(app, "settings", secret);
	else
		json_object_object_del(app, "settings");
	if (!has)
		json_object_put(secret);
	return has || had;
}

int
app_read(struct call *call, struct json_object *body, struct integration *i,
	 const char *was_key, struct error *err)
{
	struct json_object *given = json_object_in(body, "credentials"), *app;
	struct json_object *config = json_object_in(body, "integration_config");
	const struct template *template =
	    template_find(catalogue_use(call->node->catalogue, call->mem), i->provider);
	const char *mode = template == NULL ? "" : template_auth_mode(template), *type;
	bool is_renamed = was_key != NULL && strcmp(was_key, i->unique_key) != 0;
	bool has_secrets = false;

	if (config == NULL)
		config = json_object_in(body, "custom");
	if (given == NULL && config == NULL && (!is_renamed || i->credentials == NULL))
		return 0;
	if (grant_app(call->mem, call->node, i->environment_id,
		      was_key == NULL ? i->unique_key : was_key, i->credentials,
		      i->credentials_length, &app, err) < 0)
		return -1;
	if (config != NULL) {
		has_secrets = move_secrets(template, config, app);
		i->config = json_text(call->mem, config);
	}
	if (given != NULL) {
		type = json_string(given, "type");
		if (type != NULL && strcmp(type, mode) != 0)
			return error_set_at(err, ERR_INVALID_BODY, "credentials.type",
					    "provider %s takes the credentials of type %s",
					    i->provider, mode);
		json_add(app, "type", mode);
		if (put_given(given, mode, i->provider, app, err) < 0 ||
		    check_whole(app, mode, err) < 0)
			return -1;
	}
	if (given != NULL || is_renamed || has_secrets)
		seal(call, app, i);
	return 0;
}

int
app_json(struct call *call, const struct integration *i, struct json_object **out,
	 struct error *err)
{
	struct json_object *app;

	*out = NULL;
	if (i->credentials == NULL)
		return 0;
	if (grant_app(call->mem, call->node, i->environment_id, i->unique_key, i->credentials,
		      i->credentials_length, &app, err) < 0)
		return -1;
	json_object_object_del(app, "settings");
	if (json_object_object_length(app) > 0)
		*out = json_object_get(app);
	return 0;
}
