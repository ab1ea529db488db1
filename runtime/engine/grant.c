/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/grant -- see grant.h.
 */
#include "engine/grant.h"
#include "auth/token.h"
#include "auth/vault.h"
#include "base/clock.h"
#include "http/client_wait.h"
#include "provider/catalogue.h"
#include "store/refresh.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 64

struct grant_sender {
	struct node *node;
	int64_t deadline_ms; /* monotonic; INT64_MAX: none */
};

struct vault_place
grant_app_place(int64_t environment_id, const char *integration_key)
{
	return (struct vault_place){environment_id, "integration", integration_key};
}

int
grant_app(TALLOC_CTX *mem, struct node *node, int64_t environment_id,
	  const char *integration_key, const void *sealed, size_t length,
	  struct json_object **out, struct error *err)
{
	struct vault_place place = grant_app_place(environment_id, integration_key);
	char *text;
	size_t text_length;

	if (sealed == NULL || length == 0) {
		*out = json_own(mem, json_object_new_object());
		return 0;
	}
	if (vault_unseal(mem, node->vault, &place, sealed, length, &text, &text_length, err) <
	    0)
		return -1;
	return json_parse_secret(mem, text, text_length, out, err);
}

struct vault_place
grant_place(TALLOC_CTX *mem, int64_t environment_id, int64_t integration_id,
	    const char *connection_id)
{
	return (struct vault_place){
	    environment_id, "connection",
	    talloc_asprintf(mem, "%" PRId64 ":%s", integration_id, connection_id)};
}

int
grant_credentials(TALLOC_CTX *mem, struct node *node, const struct connection *c,
		  struct json_object **out, struct error *err)
{
	struct vault_place place =
	    grant_place(mem, c->environment_id, c->integration_id, c->connection_id);
	char *text;
	size_t length;

	if (vault_unseal(mem, node->vault, &place, c->credentials, c->credentials_length, &text,
			 &length, err) < 0)
		return -1;
	return json_parse_secret(mem, text, length, out, err);
}

/* ---- requests ---- */

static struct json_object *
read_headers(TALLOC_CTX *mem, const struct http_field *fields)
{
	struct json_object *out = json_own(mem, json_object_new_object()), *have;

	for (; fields != NULL && fields->name != NULL; fields++) {
		struct json_object *value = json_object_new_string(fields->value);

		if (!json_object_object_get_ex(out, fields->name, &have)) {
			json_object_object_add(out, fields->name, value);
			continue;
		}
		if (!json_object_is_type(have, json_type_array)) {
			struct json_object *list = json_object_new_array();

			json_object_array_add(list, json_object_get(have));
			json_object_object_add(out, fields->name, list);
			have = list;
		}
		json_object_array_add(have, value);
	}
	return out;
}

static int
send_to_provider(void *arg, TALLOC_CTX *mem, const struct auth_request *request,
		 struct auth_answer *out, struct error *err)
{
	const struct grant_sender *sender = arg;
	int64_t left_ms = sender->deadline_ms - clock_monotonic_ms();
	struct http_field headers[HEADERS_MAX + 1] = {{NULL, NULL}};
	struct http_outgoing outgoing = {
	    .method = request->method,
	    .url = request->url,
	    .headers = headers,
	    .body = request->body,
	    .certificate = request->certificate,
	    .private_key = request->private_key,
	    .timeout_ms = left_ms < GRANT_TIMEOUT_MS ? left_ms : GRANT_TIMEOUT_MS,
	    .response_max = TOKEN_ANSWER_MAX};
	struct http_incoming answer;
	size_t count = 0;

	if (left_ms <= 0)
		return error_set(err, ERR_NETWORK,
				 "all requests together take longer than a renewal may");
	json_object_object_foreach (request->headers, name, value)
		if (count < HEADERS_MAX)
			headers[count++] =
			    (struct http_field){name, json_object_get_string(value)};
	if (request->body != NULL)
		outgoing.body_length = strlen(request->body);
	if (http_wait(sender->node->waits, mem, &outgoing, &answer, err) < 0)
		return -1;
	*out = (struct auth_answer){answer.status, answer.body, answer.body_length,
				    read_headers(mem, answer.headers)};
	return 0;
}

/* ---- opening ---- */

static int
parse(TALLOC_CTX *mem, const char *text, struct json_object **out, struct error *err)
{
	if (text == NULL)
		text = "{}";
	return json_parse(mem, text, strlen(text), out, err);
}

struct grant_of
grant_of_integration(const struct integration *i)
{
	return (struct grant_of){.provider = i->provider,
				 .environment_id = i->environment_id,
				 .integration_key = i->unique_key,
				 .app = i->credentials,
				 .app_length = i->credentials_length,
				 .settings = i->config};
}

int
grant_open(TALLOC_CTX *mem, struct node *node, const struct grant_of *of, struct grant *out,
	   struct error *err)
{
	struct auth_grant *auth = &out->auth;
	struct grant_sender *sender = talloc(mem, struct grant_sender);
	struct json_object *sealed;

	if (sender == NULL)
		abort();
	*sender = (struct grant_sender){node, INT64_MAX};
	*out = (struct grant){.sender = sender,
			      .auth = {.mem = mem,
				       .now_ms = clock_wall_ms(),
				       .send = send_to_provider,
				       .send_arg = sender,
				       /* An operator who opens private networks trusts them. */
				       .allows_http = node->config->egress_allow != NULL,
				       .credentials = of->credentials}};
	auth->template = template_find(catalogue_use(node->catalogue, mem), of->provider);
	if (auth->template == NULL)
		return error_set(err, ERR_TEMPLATE, "provider %s is not known here",
				 of->provider);
	out->scheme = auth_scheme_find(
	    of->auth_mode != NULL ? of->auth_mode : template_auth_mode(auth->template));
	if (out->scheme == NULL)
		return error_set(err, ERR_UNSUPPORTED,
				 "provider %s cannot be connected by this version",
				 of->provider);
	if (auth->credentials == NULL)
		auth->credentials = json_own(mem, json_object_new_object());
	if (grant_app(mem, node, of->environment_id, of->integration_key, of->app,
		      of->app_length, &auth->app, err) < 0 ||
	    parse(mem, of->settings, &auth->settings, err) < 0)
		return -1;
	sealed = json_object_in(auth->app, "settings");
	if (sealed != NULL) {
		json_object_object_foreach (sealed, key, value)
			json_object_object_add(auth->settings, key, json_object_get(value));
	}
	return parse(mem, of->config, &auth->config, err);
}

void
grant_set_deadline(struct grant *grant, int64_t deadline_ms)
{
	grant->sender->deadline_ms = deadline_ms;
}

int
grant_of_connection(TALLOC_CTX *mem, struct node *node, const struct connection *c,
		    const struct refresh_state *state, struct grant *out, struct error *err)
{
	struct grant_of of = {.provider = c->provider,
			      .auth_mode = c->auth_mode,
			      .environment_id = c->environment_id,
			      .integration_key = c->integration_key,
			      .app = state->app_credentials,
			      .app_length = state->app_credentials_length,
			      .settings = c->integration_config,
			      .config = c->config};

	if (grant_credentials(mem, node, c, &of.credentials, err) < 0 ||
	    grant_open(mem, node, &of, out, err) < 0)
		return -1;
	return parse(mem, c->metadata, &out->auth.metadata, err);
}
