/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/custom -- the mode CUSTOM: an app is installed and its user signs in, on one way. The
 * credentials hold both tokens, `app` and `user`; requests go out with the app's.
 */
#include "auth/app.h"
#include "auth/client.h"
#include "auth/oauth2.h"
#include "base/clock.h"

#include <string.h>

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	if (auth_app.validate(mem, template, given, out, err) < 0)
		return -1;
	json_add(*out, "type", "CUSTOM");
	return 0;
}

static char *
authorization(TALLOC_CTX *mem, struct json_object *credentials)
{
	return auth_bearer(mem,
			   json_string(json_object_in(credentials, "app"), "access_token"));
}

/* The parts as one; the earlier end counts. */
static void
join(struct auth_grant *grant, struct json_object *app, int64_t app_ms,
     struct json_object *user, int64_t user_ms)
{
	struct json_object *made = json_own(grant->mem, json_object_new_object());
	char iso[CLOCK_ISO_MAX];

	grant->expires_ms = user_ms > 0 && user_ms < app_ms ? user_ms : app_ms;
	json_add(made, "type", "CUSTOM");
	json_object_object_add(made, "app", json_object_get(app));
	json_object_object_add(made, "user", json_object_get(user));
	json_object_object_add(
	    made, "raw", json_object_get(json_object_in(user != NULL ? user : app, "raw")));
	if (grant->expires_ms > 0) {
		clock_iso(iso, grant->expires_ms);
		json_add(made, "expires_at", iso);
	}
	grant->credentials = made;
}

/* A request for the user's token; what it had is kept where the answer is silent. */
static int
ask_user(struct auth_grant *grant, struct json_object *before, struct json_object *params,
	 struct json_object **user, int64_t *user_ms, struct error *err)
{
	struct auth_grant part = *grant;
	struct token_request request = {.params = params};
	struct json_object *answer;
	struct expand_scope scope;

	part.credentials =
	    before != NULL ? before : json_own(grant->mem, json_object_new_object());
	auth_scope(&part, &scope);
	if (client_of_app(&part, &request, err) < 0 ||
	    client_url(&part, &scope, false, &request, err) < 0 ||
	    token_send(&part, &request, &answer, err) < 0 ||
	    oauth2_take(&part, answer, err) < 0)
		return -1;
	*user = part.credentials;
	*user_ms = part.expires_ms;
	return 0;
}

/* Without a code the app was installed, but nobody signed in: its own token is enough. */
static int
complete(struct auth_grant *grant, const struct auth_flow *flow, struct json_object *query,
	 struct error *err)
{
	const char *code = json_string(query, "code");
	struct json_object *params, *app, *user = NULL;
	int64_t app_ms = 0, user_ms = 0;

	if (app_keep_installation(grant, query, err) < 0)
		return -1;
	if (code != NULL) {
		params = json_own(grant->mem, json_object_new_object());
		token_put(params, "grant_type", "authorization_code");
		token_put(params, "code", code);
		token_put(params, "redirect_uri", flow->redirect_uri);
		if (ask_user(grant, NULL, params, &user, &user_ms, err) < 0)
			return -1;
	}
	if (app_token(grant, &app, &app_ms, err) < 0)
		return -1;
	join(grant, app, app_ms, user, user_ms);
	return 0;
}

static int
obtain(struct auth_grant *grant, struct error *err)
{
	const char *installation = json_string(grant->credentials, "installation_id");
	struct json_object *app;
	int64_t app_ms = 0;

	if (installation != NULL)
		json_add(grant->config, "installation_id", installation);
	if (app_token(grant, &app, &app_ms, err) < 0)
		return -1;
	join(grant, app, app_ms, NULL, 0);
	return 0;
}

static int
renew(struct auth_grant *grant, struct error *err)
{
	struct json_object *user = json_object_in(grant->credentials, "user"), *params, *app;
	const char *refresh = json_string(user, "refresh_token");
	int64_t app_ms = 0, user_ms = 0;

	if (refresh != NULL) {
		params = json_own(grant->mem, json_object_new_object());
		token_put(params, "grant_type", "refresh_token");
		token_put(params, "refresh_token", refresh);
		if (ask_user(grant, user, params, &user, &user_ms, err) < 0)
			return -1;
	}
	if (app_token(grant, &app, &app_ms, err) < 0)
		return -1;
	join(grant, app, app_ms, user, user_ms);
	return 0;
}

const struct auth_scheme auth_custom = {
    .mode = "CUSTOM",
    .doc = "An app that is installed at the provider, and a user who signs in with it.",
    .validate = validate,
    .authorization = authorization,
    .obtain = obtain,
    .renew = renew,
    .begin = app_begin,
    .complete = complete,
};
