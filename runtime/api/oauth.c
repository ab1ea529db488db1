/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/oauth -- a person's browser on its way to the provider and back. What is shown is HTML:
 * the page tells the window that opened it, and closes itself.
 */
#include "api/access.h"
#include "api/connect_flow.h"
#include "api/html.h"
#include "api/oauth_cookie.h"
#include "auth/post_connect.h"
#include "auth/vault.h"
#include "base/crypto.h"
#include "base/id.h"
#include "base/log.h"
#include "engine/verify.h"

#include <string.h>

#define VERIFIER_BYTES 24

/* ---- pages ---- */

/* A JavaScript string; nothing in it can end the script. */
static void
add_script_text(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' ||
		    c == 0x7f)
			buf_addf(out, "\\u%04x", c);
		else
			buf_addc(out, *text);
	}
	buf_addc(out, '"');
}

static int
page(struct call *call, struct response *res, int status, const char *title, const char *text,
     const struct error *why)
{
	struct buf out;

	buf_init(&out, call->mem, 2048);
	buf_adds(&out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
		       "<meta name=\"viewport\" content=\"width=device-width\"><title>");
	html_text(&out, title);
	buf_adds(&out,
		 "</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;"
		 "margin:20vh auto;padding:0 1rem;text-align:center}</style></head><body><h1>");
	html_text(&out, title);
	buf_adds(&out, "</h1><p>");
	html_text(&out, text);
	buf_adds(&out, "</p><script>const message={type:");
	if (why == NULL) {
		buf_adds(&out, "\"nango_oauth_callback_success\"};");
	} else {
		buf_adds(&out, "\"nango_oauth_callback_error\",payload:{message:");
		add_script_text(&out, why->message);
		buf_adds(&out, ",errorType:");
		add_script_text(&out, error_name(why->code));
		buf_adds(&out, "}};");
	}
	buf_adds(&out, "if(window.opener)window.opener.postMessage(message,\"*\");"
		       "new BroadcastChannel(\"nango-oauth-callback\").postMessage(message);");
	if (why == NULL)
		buf_adds(&out, "setTimeout(()=>window.close(),500);");
	buf_adds(&out, "</script></body></html>");
	response_header(res, "Cache-Control", "no-store");
	response_header(res, "Referrer-Policy", "no-referrer"); /* the URL holds a code */
	return response_bytes(res, status, "text/html; charset=utf-8", out.data, out.length);
}

static int
failure(struct call *call, struct response *res, const struct error *err)
{
	int status = error_status(err->code);
	struct error shown = *err;

	if (status >= 500) {
		log_error("auth", "%s: %s", request_path(call->req), err->message);
		(void)error_set(&shown, err->code,
				"The server could not do it. Please try again later.");
	}
	return page(call, res, status >= 500 ? status : 400, "This did not work", shown.message,
		    &shown);
}

/* ---- there ---- */

static char *
callback_url(struct call *call)
{
	return talloc_asprintf(call->mem, "%s/oauth/callback", call->node->server_url);
}

static struct vault_place
place_of(int64_t environment_id, const char *state)
{
	return (struct vault_place){environment_id, "auth_flow", state};
}

/* What may be put over the integration's app, and what the flow has to remember. */
static void
take_overrides(struct call *call, struct connect_flow *flow, struct json_object *kept)
{
	struct json_object *given = connect_query(call, "credentials", false);
	const char *id = json_string(given, "oauth_client_id_override");
	const char *secret = json_string(given, "oauth_client_secret_override");
	const char *refresh = json_string(given, "oauth_refresh_token_override");
	struct json_object *override;

	if (id != NULL && /* unless the session has one */
	    json_object_in(flow->grant.auth.credentials, "config_override") == NULL) {
		override = json_object_new_object();
		json_add(override, "client_id", id);
		if (secret != NULL)
			json_add(override, "client_secret", secret);
		json_object_object_add(flow->grant.auth.credentials, "config_override",
				       override);
	}
	if (refresh != NULL)
		json_add(kept, "refresh_token", refresh);
	json_object_object_add(kept, "credentials",
			       json_object_get(flow->grant.auth.credentials));
	json_object_object_add(kept, "config", json_object_get(flow->grant.auth.config));
}

static int
store_flow(struct call *call, const struct connect_flow *flow, const struct auth_flow *way,
	   struct json_object *kept, struct error *err)
{
	const struct connection *c = &flow->connection;
	struct vault_place place = place_of(c->environment_id, way->state);
	char *text = json_text(call->mem, kept);
	struct auth_flow_row row = {.state = way->state,
				    .environment_id = c->environment_id,
				    .integration_id = c->integration_id,
				    .session_id = call->session->id,
				    .connection_id = c->connection_id,
				    .end_user = c->end_user,
				    .tags = c->tags,
				    .webhook_url_override = c->webhook_url_override};
	struct db *db;

	row.sealed = vault_seal(call->mem, call->node->vault, &place, text, strlen(text),
				&row.sealed_length);
	crypto_wipe(text, strlen(text));
	if (call_db(call, &db, err) < 0)
		return -1;
	return auth_flow_insert(db, &row, err);
}

/* The session's parameters cannot be changed by a browser. */
static struct json_object *
take_params(struct call *call, const struct connect_flow *flow)
{
	struct json_object *params = connect_query(call, "authorization_params", true);
	struct json_object *preset = json_object_in(flow->defaults, "authorization_params");

	if (connect_presets_scopes(flow))
		json_object_object_del(params, "scope");
	if (preset != NULL) {
		json_object_object_foreach (preset, key, value)
			json_object_object_add(params, key, json_object_get(value));
	}
	return params;
}

/* A client that is known by the URL of its document: others have to reach it. */
static char *
document_url(struct call *call, const char *integration_key)
{
	struct buf out;

	if (strncmp(call->node->server_url, "https://", 8) != 0)
		return NULL;
	buf_init(&out, call->mem, 256);
	buf_addf(&out, "%s/oauth/client-metadata/%s/", call->node->server_url, call->env->uuid);
	buf_add_url(&out, integration_key);
	return out.data;
}

int
api_client_metadata(struct call *call, struct response *res, struct error *err)
{
	const char *key = request_param(call->req, "providerConfigKey");
	struct json_object *body, *list;
	struct integration *found;
	struct db *db;
	char *url;

	if (call_db(call, &db, err) < 0 ||
	    environment_find_uuid(call->mem, db, request_param(call->req, "environment"),
				  &call->env, err) < 0 ||
	    integration_find(call->mem, db, call->env->id, key, &found, err) < 0)
		return -1;
	url = document_url(call, key);
	if (url == NULL)
		return error_set(err, ERR_NOT_FOUND,
				 "there is no such document: NANGO_SERVER_URL is no https URL");
	body = json_object_new_object();
	json_add(body, "client_id", url);
	json_add(body, "client_name", "nangod");
	json_add(body, "client_uri", call->node->server_url);
	list = json_object_new_array();
	json_object_array_add(list, json_object_new_string(callback_url(call)));
	json_object_object_add(body, "redirect_uris", list);
	list = json_object_new_array();
	json_object_array_add(list, json_object_new_string("authorization_code"));
	json_object_array_add(list, json_object_new_string("refresh_token"));
	json_object_object_add(body, "grant_types", list);
	list = json_object_new_array();
	json_object_array_add(list, json_object_new_string("code"));
	json_object_object_add(body, "response_types", list);
	json_add(body, "token_endpoint_auth_method", "none");
	response_header(res, "Cache-Control", "public, max-age=300");
	return response_json(res, 200, body);
}

static int
begin(struct call *call, struct response *res, char **url, struct error *err)
{
	struct json_object *kept = json_own(call->mem, json_object_new_object());
	unsigned char bytes[VERIFIER_BYTES];
	char state[ID_UUID_MAX], verifier[2 * VERIFIER_BYTES + 1], cookie[OAUTH_COOKIE_MAX];
	struct connect_flow flow;
	struct auth_flow way = {
	    .state = state, .verifier = verifier, .redirect_uri = callback_url(call)};

	if (access_session(call, err) < 0 || connect_flow_open(call, &flow, err) < 0)
		return -1;
	if (flow.grant.scheme->begin == NULL)
		return error_set(err, ERR_AUTH_MODE,
				 "integration \"%s\" is connected by %s: with a form, not with "
				 "the provider's pages",
				 flow.integration->unique_key, flow.grant.scheme->mode);
	id_uuid4(state);
	crypto_random(bytes, sizeof(bytes));
	crypto_hex(verifier, bytes, sizeof(bytes));
	way.client_metadata_url = document_url(call, flow.integration->unique_key);
	way.scopes = connect_scopes(call, &flow);
	way.params = take_params(call, &flow);
	take_overrides(call, &flow, kept);
	oauth_cookie_make(cookie);
	json_add(kept, "verifier", verifier);
	json_add(kept, "cookie", cookie);
	if (flow.grant.scheme->begin(&flow.grant.auth, &way, url, err) < 0 ||
	    store_flow(call, &flow, &way, kept, err) < 0)
		return -1;
	oauth_cookie_set(call, res, state, cookie);
	return 0;
}

int
api_oauth_connect(struct call *call, struct response *res, struct error *err)
{
	char *url;

	if (begin(call, res, &url, err) < 0)
		return failure(call, res, err);
	response_header(res, "Location", url);
	response_header(res, "Cache-Control", "no-store");
	return response_empty(res, 302);
}

/* ---- and back ---- */

static const char *
state_of(struct call *call)
{
	static const char *const names[] = {"state", "payload", "customField"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (request_query(call->req, names[i]) != NULL)
			return request_query(call->req, names[i]);
	return "";
}

struct back {
	struct auth_flow_row *row;
	struct json_object *kept;
	struct connect_flow flow;
	struct auth_flow way;
};

static int
open_kept(struct call *call, struct back *back, struct error *err)
{
	struct vault_place place = place_of(back->row->environment_id, back->row->state);
	char *text;
	size_t length;

	if (vault_unseal(call->mem, call->node->vault, &place, back->row->sealed,
			 back->row->sealed_length, &text, &length, err) < 0)
		return -1;
	return json_parse(call->mem, text, length, &back->kept, err);
}

static int
open_back(struct call *call, struct db *db, struct back *back, struct error *err)
{
	struct connect_flow *flow = &back->flow;
	struct auth_flow_row *row = back->row;
	struct grant_of of;

	if (environment_find(call->mem, db, row->environment_id, &call->env, err) < 0 ||
	    integration_find_id(call->mem, db, row->integration_id, &flow->integration, err) <
		0 ||
	    open_kept(call, back, err) < 0)
		return -1;
	flow->connection =
	    (struct connection){.account_id = call->env->account_id,
				.environment_id = row->environment_id,
				.integration_id = row->integration_id,
				.connection_id = row->connection_id,
				.end_user = row->end_user,
				.tags = row->tags,
				.webhook_url_override = row->webhook_url_override};
	of = grant_of_integration(flow->integration);
	of.credentials = json_object_in(back->kept, "credentials");
	if (grant_open(call->mem, call->node, &of, &flow->grant, err) < 0)
		return -1;
	flow->grant.auth.config = json_object_in(back->kept, "config");
	back->way = (struct auth_flow){.state = row->state,
				       .verifier = json_string(back->kept, "verifier"),
				       .redirect_uri = callback_url(call)};
	return 0;
}

static int
finish(struct call *call, struct back *back, struct connection **stored, struct error *err)
{
	struct auth_grant *auth = &back->flow.grant.auth;
	struct json_object *query = json_own(call->mem, json_object_new_object());
	const char *refresh = json_string(back->kept, "refresh_token");
	size_t count;
	const struct http_field *fields = request_queries(call->req, &count);

	for (size_t i = 0; i < count; i++)
		json_add(query, fields[i].name, fields[i].value);
	call_db_release(call);
	if (back->flow.grant.scheme->complete(auth, &back->way, query, err) < 0 ||
	    post_connect(auth, back->flow.grant.scheme, err) < 0 ||
	    (back->flow.grant.scheme->is_tried &&
	     verify_grant(call->mem, call->node, &back->flow.grant, err) < 0)) {
		connect_failed(call, &back->flow, err);
		return -1;
	}
	if (refresh != NULL)
		json_add(auth->credentials, "refresh_token", refresh);
	return connection_store(call, &back->flow.grant, &back->flow.connection, stored, err);
}

int
api_oauth_callback(struct call *call, struct response *res, struct error *err)
{
	struct connection *stored;
	struct back back = {0};
	struct db *db;

	if (call_db(call, &db, err) < 0 ||
	    auth_flow_take(call->mem, db, state_of(call), &back.row, err) < 0 ||
	    open_back(call, db, &back, err) < 0 ||
	    oauth_cookie_check(call, back.row->state, json_string(back.kept, "cookie"), err) <
		0 ||
	    finish(call, &back, &stored, err) < 0)
		return failure(call, res, err);
	return page(call, res, 200, "Connected", "You can close this window.", NULL);
}
