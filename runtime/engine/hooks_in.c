/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_in -- see hooks_in.h.
 */
#include "engine/hooks_in.h"
#include "auth/token.h"
#include "engine/hooks_forward.h"
#include "store/connection_match.h"
#include "store/outbox.h"

#include <string.h>
#include <strings.h>

/* ---- reading ---- */

static bool
is_form(const struct hooks_in *in)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = hooks_received_header(&in->received, "content-type");

	return type != NULL && strncasecmp(type, form, strlen(form)) == 0;
}

/* A form whose only field is JSON, as some providers send their events. */
static struct json_object *
unwrap(struct hooks_in *in, struct json_object *form)
{
	const char *text = json_string(form, "payload");
	struct json_object *tree;
	struct error none;

	if (text == NULL || json_object_object_length(form) != 1 ||
	    json_parse(in->mem, text, strlen(text), &tree, &none) < 0)
		return form;
	return tree;
}

static const char *
query_value(const struct hooks_in *in, const char *name)
{
	for (const struct http_field *f = in->query; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f->value;
	return NULL;
}

static const char *
find_challenge(struct hooks_in *in)
{
	struct json_object *rules = json_object_in(in->rules, "challenge");
	const char *query = json_string(rules, "query"), *at = json_string(rules, "at");
	const char *found = query == NULL ? NULL : query_value(in, query);

	if (found == NULL && at != NULL && in->payload != NULL)
		found = token_text_at(in->mem, in->payload, at);
	return found;
}

static int
payload_error(struct error *err)
{
	error_prefix(err, "the body: ");
	err->code = ERR_WEBHOOK_PAYLOAD;
	return -1;
}

int
hooks_in_read(struct hooks_in *in, struct error *err)
{
	const struct hooks_received *r = &in->received;
	const char *text;

	in->payload = NULL;
	if (is_form(in) && token_from_form(in->mem, r->body, &in->payload) == 0) {
		text = json_text(in->mem, in->payload); /* is it UTF-8? */
		if (json_parse(in->mem, text, strlen(text), &in->payload, err) < 0)
			return payload_error(err);
		in->payload = unwrap(in, in->payload);
	} else if (r->body_length > 0) { /* also what only calls itself a form */
		if (json_parse(in->mem, r->body, r->body_length, &in->payload, err) < 0)
			return payload_error(err);
		in->is_json = true;
	}
	in->challenge = find_challenge(in);
	return 0;
}

/* ---- whom it is about ---- */

static const char *
value_of(struct hooks_in *in, struct json_object *rule, struct json_object *event)
{
	const char *at = json_string(rule, "at"), *header = json_string(rule, "header");
	const char *query = json_string(rule, "query"), *strip = json_string(rule, "strip");
	const char *value = at != NULL	     ? token_text_at(in->mem, event, at)
			    : header != NULL ? hooks_received_header(&in->received, header)
			    : query != NULL  ? query_value(in, query)
					     : NULL;
	size_t length = value == NULL ? 0 : strlen(value);
	size_t less = strip == NULL ? 0 : strlen(strip);

	if (less > 0 && length > less && strcmp(value + length - less, strip) == 0)
		return talloc_strndup(in->mem, value, length - less);
	return length == 0 ? NULL : value;
}

/* The first of the template's ways that leads to any connection. */
static int
match(struct hooks_in *in, struct db *db, struct json_object *event,
      struct connection_match **out, size_t *count, struct error *err)
{
	struct json_object *ways = json_array_in(in->rules, "match");

	*count = 0;
	for (size_t i = 0; *count == 0 && ways != NULL && i < json_object_array_length(ways);
	     i++) {
		struct json_object *way = json_object_array_get_idx(ways, i);
		const char *value = value_of(in, way, event);

		if (value != NULL &&
		    connection_match(in->mem, db, in->integration->id, json_string(way, "by"),
				     json_string(way, "key"), value, HOOKS_IN_CONNECTIONS_MAX,
				     out, count, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- telling the app ---- */

static int
add(struct hooks_in *in, struct db *db, int64_t connection_row, const char *connection_id,
    const char *payload, struct error *err)
{
	struct json_object *verify = json_object_in(in->rules, "verify");
	const char *scheme = json_string(verify, "scheme");
	bool is_secret = scheme != NULL && strcmp(scheme, "token") == 0;
	const struct hooks_forward forward = {
	    .provider = in->integration->provider,
	    .integration_key = in->integration->unique_key,
	    .connection_id = connection_id,
	    .payload = payload,
	    .headers = in->received.headers,
	    .secret_header = is_secret ? json_string(verify, "header") : NULL};
	const struct outbox_auth row = {.connection_row = connection_row,
					.environment_id = in->integration->environment_id,
					.kind = OUTBOX_FORWARD,
					.facts = hooks_forward_facts(in->mem, &forward)};

	return outbox_auth(db, &row, err);
}

/* One event, of which payload is the text. */
static int
forward(struct hooks_in *in, struct db *db, struct json_object *event, const char *payload,
	struct error *err)
{
	struct connection_match *found;
	size_t count;

	if (match(in, db, event, &found, &count, err) < 0)
		return -1;
	if (count == 0) /* it is the app's to know */
		return add(in, db, 0, NULL, payload, err);
	for (size_t i = 0; i < count; i++)
		if (add(in, db, found[i].id, found[i].connection_id, payload, err) < 0)
			return -1;
	return 0;
}

static int
forward_all(struct hooks_in *in, struct db *db, struct error *err)
{
	const char *path = json_string(in->rules, "events");
	struct json_object *list = path == NULL ? NULL : token_at(in->payload, path);

	if (!json_object_is_type(list, json_type_array))
		return forward(in, db, in->payload,
			       in->is_json	     ? in->received.body
			       : in->payload != NULL ? json_text(in->mem, in->payload)
						     : "null",
			       err);
	if (json_object_array_length(list) > HOOKS_IN_EVENTS_MAX)
		return error_set(err, ERR_WEBHOOK_PAYLOAD, "over %d events in one webhook",
				 HOOKS_IN_EVENTS_MAX);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *event = json_object_array_get_idx(list, i);

		if (forward(in, db, event, json_text(in->mem, event), err) < 0)
			return -1;
	}
	return 0;
}

int
hooks_in_forward(struct hooks_in *in, struct db *db, struct error *err)
{
	if (!in->integration->forward_webhooks)
		return 0;
	if (db_begin(db, err) < 0 || forward_all(in, db, err) < 0)
		return -1;
	return db_commit(db, err);
}
