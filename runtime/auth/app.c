/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/app -- see app.h; the modes APP (a GitHub App's installation) and INSTALL_PLUGIN.
 */
#include "auth/app.h"
#include "auth/jwt.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crypto.h"

#include <string.h>

#define JWT_LIFE_S 540 /* GitHub takes ten minutes at most */
#define JWT_EARLY_S 60 /* clocks differ */
#define ID_MAX 255

int
app_install_url(struct auth_grant *grant, const char *parameter, const char *state, char **url,
		struct error *err)
{
	const char *link = json_string(grant->app, "app_link");
	struct buf out;

	if (link == NULL)
		return error_set(err, ERR_CREDENTIALS,
				 "the integration has no app_link: give it the credentials of "
				 "an app of %s",
				 template_display_name(grant->template));
	buf_init(&out, grant->mem, 512);
	buf_addf(&out, "%s%c%s=", link, strchr(link, '?') == NULL ? '?' : '&', parameter);
	buf_add_url(&out, state);
	*url = out.data;
	return 0;
}

void
app_keep_callback(struct auth_grant *grant, struct json_object *query)
{
	struct json_object *names =
	    json_array_in(template_body(grant->template), "redirect_uri_metadata");

	for (size_t i = 0; names != NULL && i < json_object_array_length(names); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));

		if (json_string(query, name) != NULL &&
		    json_member(grant->config, name) == NULL)
			json_add(grant->config, name, json_string(query, name));
	}
}

int
app_keep_installation(struct auth_grant *grant, struct json_object *query, struct error *err)
{
	const char *id = json_string(query, "installation_id");

	if (id == NULL)
		return error_set(err, ERR_PROVIDER,
				 "%s sent the browser back without installation_id",
				 template_display_name(grant->template));
	json_add(grant->config, "installation_id", id);
	app_keep_callback(grant, query);
	return 0;
}

/* ---- the token of an installation ---- */

static int
sign(struct auth_grant *grant, char **token, struct error *err)
{
	struct json_object *header = json_own(grant->mem, json_object_new_object());
	struct json_object *payload = json_own(grant->mem, json_object_new_object());
	const struct jwt_key key = {.text = json_string(grant->app, "private_key")};
	int64_t now_s = grant->now_ms / 1000;

	if (key.text == NULL || json_string(grant->app, "app_id") == NULL)
		return error_set(err, ERR_CREDENTIALS,
				 "the integration has no app_id and private_key: give it the "
				 "credentials of an app of %s",
				 template_display_name(grant->template));
	json_add(header, "alg", "RS256");
	json_add(header, "typ", "JWT");
	json_add_integer(payload, "iat", now_s - JWT_EARLY_S);
	json_add_integer(payload, "exp", now_s + JWT_LIFE_S);
	json_add(payload, "iss", json_string(grant->app, "app_id"));
	return jwt_sign(grant->mem, header, payload, &key, token, err);
}

static const char *
token_url(const struct template *template)
{
	struct json_object *body = template_body(template);
	struct json_object *several = json_object_in(body, "token_url");

	return several != NULL ? json_string(several, "APP") : json_string(body, "token_url");
}

int
app_token(struct auth_grant *grant, struct json_object **out, int64_t *expires_ms,
	  struct error *err)
{
	struct json_object *made = json_own(grant->mem, json_object_new_object()), *answer;
	struct token_request request = {.format = "json"};
	const char *from = token_url(grant->template), *token;
	char *url, *jwt, iso[CLOCK_ISO_MAX];
	struct expand_scope scope;

	auth_scope(grant, &scope);
	if (from == NULL)
		return error_set(err, ERR_TEMPLATE, "provider %s has no token_url for an app",
				 template_name(grant->template));
	if (expand(grant->mem, from, &scope, EXPAND_URL, &url, err) < 0 ||
	    sign(grant, &jwt, err) < 0)
		return -1;
	request.url = url;
	request.headers = json_own(grant->mem, json_object_new_object());
	json_add(request.headers, "authorization", auth_bearer(grant->mem, jwt));
	if (token_send(grant, &request, &answer, err) < 0)
		return -1;
	token = json_string(answer, "token");
	if (token == NULL)
		return error_set(err, ERR_PROVIDER, "the provider's answer holds no token: %s",
				 token_describe(grant, answer));
	*expires_ms = token_expiry(grant, answer);
	json_add(made, "access_token", token);
	if (*expires_ms > 0) {
		clock_iso(iso, *expires_ms);
		json_add(made, "expires_at", iso);
	}
	json_object_object_add(made, "raw", json_object_get(answer));
	*out = made;
	return 0;
}

/* ---- APP ---- */

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	const char *installation;

	(void)template;
	if (auth_text(given, "installation_id", 1, ID_MAX, &installation, err) < 0)
		return -1;
	*out = json_own(mem, json_object_new_object());
	json_add(*out, "type", "APP");
	json_add(*out, "installation_id", installation);
	return 0;
}

static int
obtain(struct auth_grant *grant, struct error *err)
{
	const char *installation = json_string(grant->credentials, "installation_id");
	struct json_object *made;

	if (installation != NULL)
		json_add(grant->config, "installation_id", installation);
	if (app_token(grant, &made, &grant->expires_ms, err) < 0)
		return -1;
	json_add(made, "type", "APP");
	grant->credentials = made;
	return 0;
}

static char *
authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	return auth_bearer(mem, json_string(credentials, "access_token"));
}

int
app_begin(struct auth_grant *grant, const struct auth_flow *flow, char **url, struct error *err)
{
	return app_install_url(grant, "state", flow->state, url, err);
}

static int
complete(struct auth_grant *grant, const struct auth_flow *flow, struct json_object *query,
	 struct error *err)
{
	(void)flow;
	if (app_keep_installation(grant, query, err) < 0)
		return -1;
	return obtain(grant, err);
}

const struct auth_scheme auth_app = {
    .mode = "APP",
    .doc = "An app that is installed at the provider; its key signs for each installation.",
    .validate = validate,
    .authorization = authorization,
    .obtain = obtain,
    .renew = obtain,
    .begin = app_begin,
    .complete = complete,
};

/* ---- INSTALL_PLUGIN ---- */

static int
plugin_begin(struct auth_grant *grant, const struct auth_flow *flow, char **url,
	     struct error *err)
{
	return app_install_url(grant, "payload", flow->state, url, err);
}

/* The integration's own user name and password, for what was installed. */
static int
plugin_take(struct auth_grant *grant, struct error *err)
{
	const char *username = json_string(grant->app, "username");
	const char *password = json_string(grant->app, "password");
	struct json_object *made;

	if (username == NULL || password == NULL)
		return error_set(err, ERR_CREDENTIALS,
				 "the integration has no username and password of its plugin");
	made = json_own(grant->mem, json_object_new_object());
	json_add(made, "type", "INSTALL_PLUGIN");
	json_add(made, "username", username);
	json_add(made, "password", password);
	grant->credentials = made;
	return 0;
}

static int
plugin_complete(struct auth_grant *grant, const struct auth_flow *flow,
		struct json_object *query, struct error *err)
{
	(void)flow;
	app_keep_callback(grant, query);
	return plugin_take(grant, err);
}

static int
plugin_validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
		struct json_object **out, struct error *err)
{
	(void)template;
	(void)given;
	(void)err;
	*out = json_own(mem, json_object_new_object());
	json_add(*out, "type", "INSTALL_PLUGIN");
	return 0;
}

static char *
plugin_authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	return auth_basic.authorization(mem, credentials);
}

const struct auth_scheme auth_install_plugin = {
    .mode = "INSTALL_PLUGIN",
    .doc = "A plugin that is installed at the provider, with one user name for all.",
    .validate = plugin_validate,
    .authorization = plugin_authorization,
    .obtain = plugin_take,
    .begin = plugin_begin,
    .is_tried = true,
    .complete = plugin_complete,
};
