/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_message -- see hooks_message.h.
 */
#include "engine/hooks_message.h"
#include "engine/hooks_forward.h"
#include "base/clock.h"
#include "base/crypto.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
add_time(struct json_object *object, const char *key, int64_t ms)
{
	char text[CLOCK_ISO_MAX];

	clock_iso(text, ms);
	json_add(object, key, text);
}

static void
add_known(struct json_object *object, const char *key, const char *text)
{
	if (text != NULL)
		json_add(object, key, text);
}

/* A member from stored JSON; what cannot be read is left out, and said to be. */
static bool
add_json(TALLOC_CTX *mem, struct json_object *object, const char *key, const char *text)
{
	struct json_object *value = NULL;
	struct error ignored;

	if (text == NULL || json_parse(mem, text, strlen(text), &value, &ignored) < 0)
		return false;
	json_object_object_add(object, key, json_object_get(value));
	return true;
}

/* ---- written with the event ---- */

char *
hooks_run_facts(TALLOC_CTX *mem, const struct hooks_run *run)
{
	struct json_object *facts = json_own(mem, json_object_new_object());

	json_add(facts, "connectionId", run->connection_id);
	json_add(facts, "providerConfigKey", run->integration_key);
	json_add(facts, "syncName", run->sync);
	json_add(facts, "syncVariant", run->variant);
	json_add(facts, "syncType", run->checkpoint == NULL ? "INITIAL" : "INCREMENTAL");
	add_time(facts, "startedAt", run->started_ms);
	return json_text(mem, facts);
}

char *
hooks_run_outcome(TALLOC_CTX *mem, const struct hooks_run_end *end)
{
	struct json_object *outcome = json_own(mem, json_object_new_object());
	struct json_object *range = json_own(mem, json_object_new_object()), *error;
	bool has_from = add_json(mem, range, "from", end->from);
	bool has_to = add_json(mem, range, "to", end->to);

	if (has_from || has_to) {
		if (!has_from)
			json_add(range, "from", NULL);
		if (!has_to)
			json_add(range, "to", NULL);
		json_object_object_add(outcome, "checkpoints", json_object_get(range));
	}
	if (end->error_type == NULL)
		return json_text(mem, outcome);
	error = json_object_new_object();
	json_object_object_add(outcome, "error", error);
	json_add(error, "type", end->error_type);
	json_add(error, "description",
		 end->error_description == NULL ? "" : end->error_description);
	add_json(mem, error, "payload", end->error_payload);
	add_time(outcome, "failedAt", end->failed_ms);
	return json_text(mem, outcome);
}

/* The stored end user {id, email?, organization?} in the names of the webhook. */
static void
add_end_user(TALLOC_CTX *mem, struct json_object *facts, const struct hooks_auth *auth)
{
	struct json_object *stored, *user;
	struct error ignored;

	if (auth->end_user == NULL ||
	    json_parse(mem, auth->end_user, strlen(auth->end_user), &stored, &ignored) < 0)
		return;
	user = json_object_new_object();
	json_object_object_add(facts, "endUser", user);
	add_known(user, "endUserId", json_string(stored, "id"));
	add_known(user, "endUserEmail", json_string(stored, "email"));
	add_known(user, "organizationId",
		  json_string(json_object_in(stored, "organization"), "id"));
	if (!add_json(mem, user, "tags", auth->tags))
		json_object_object_add(user, "tags", json_object_new_object());
}

char *
hooks_auth_facts(TALLOC_CTX *mem, const struct hooks_auth *auth)
{
	struct json_object *facts = json_own(mem, json_object_new_object()), *error;

	json_add(facts, "operation", auth->operation);
	json_add(facts, "connectionId", auth->connection_id);
	json_add(facts, "providerConfigKey", auth->integration_key);
	json_add(facts, "provider", auth->provider);
	json_add(facts, "authMode", auth->auth_mode);
	json_add(facts, "environment", auth->environment);
	json_add_boolean(facts, "success", auth->error_type == NULL);
	add_json(mem, facts, "tags", auth->tags);
	add_end_user(mem, facts, auth);
	if (auth->error_type != NULL) {
		error = json_object_new_object();
		json_object_object_add(facts, "error", error);
		json_add(error, "type", auth->error_type);
		json_add(error, "description",
			 auth->error_description == NULL ? "" : auth->error_description);
	}
	return json_text(mem, facts);
}

/* ---- what is wanted ---- */

static bool
want_sync(const struct webhook_settings *s, const struct outbox_event *e)
{
	return s->on_sync_completion_always || e->added + e->updated + e->deleted > 0;
}

static bool
want_sync_error(const struct webhook_settings *s, const struct outbox_event *e)
{
	(void)e;
	return s->on_sync_error;
}

static bool
want_creation(const struct webhook_settings *s, const struct outbox_event *e)
{
	(void)e;
	return s->on_auth_creation;
}

static bool
want_refresh(const struct webhook_settings *s, const struct outbox_event *e)
{
	(void)e;
	return s->on_auth_refresh_error;
}

/* ---- bodies ---- */

/* Members of a stored object that a body takes over; NULL: all. */
static void
take(struct json_object *body, struct json_object *stored, const char *const *names)
{
	struct json_object *value;

	json_object_object_foreach (stored, key, member) {
		if (names == NULL)
			json_object_object_add(body, key, json_object_get(member));
	}
	for (; names != NULL && *names != NULL; names++)
		if (json_object_object_get_ex(stored, *names, &value))
			json_object_object_add(body, *names, json_object_get(value));
}

static const char *const run_facts[] = {"connectionId", "providerConfigKey", "syncName",
					"syncVariant",	"syncType",	     NULL};

static void
fill_sync(struct json_object *body, const struct outbox_event *e, struct json_object *facts,
	  struct json_object *outcome)
{
	static const char *const outcomes[] = {"checkpoints", NULL};
	struct json_object *results = json_object_new_object();

	take(body, facts, run_facts);
	take(body, outcome, outcomes);
	json_add(body, "model", e->model);
	json_add_boolean(body, "success", true);
	json_object_object_add(body, "responseResults", results);
	json_add_integer(results, "added", e->added);
	json_add_integer(results, "updated", e->updated);
	json_add_integer(results, "deleted", e->deleted);
	add_time(body, "modifiedAfter", e->created_ms);
	add_time(body, "queryTimeStamp", e->created_ms);
}

static void
fill_sync_error(struct json_object *body, const struct outbox_event *e,
		struct json_object *facts, struct json_object *outcome)
{
	static const char *const outcomes[] = {"checkpoints", "error", "failedAt", NULL};
	static const char *const started[] = {"startedAt", NULL};

	take(body, facts, run_facts);
	take(body, facts, started);
	take(body, outcome, outcomes);
	if (e->model[0] != '\0') /* the build that could not be read does not tell it */
		json_add(body, "model", e->model);
	json_add_boolean(body, "success", false);
}

static void
fill_auth(struct json_object *body, const struct outbox_event *e, struct json_object *facts,
	  struct json_object *outcome)
{
	(void)e;
	(void)outcome;
	take(body, facts, NULL);
}

static const struct {
	const char *kind, *type;
	bool (*is_wanted)(const struct webhook_settings *, const struct outbox_event *);
	void (*fill)(struct json_object *body, const struct outbox_event *event,
		     struct json_object *facts, struct json_object *outcome);
} kinds[] = {
    {OUTBOX_SYNC, "sync", want_sync, fill_sync},
    {OUTBOX_SYNC_ERROR, "sync", want_sync_error, fill_sync_error},
    {OUTBOX_AUTH_CREATION, "auth", want_creation, fill_auth},
    {OUTBOX_AUTH_OVERRIDE, "auth", NULL, fill_auth}, /* has no switch */
    {OUTBOX_AUTH_REFRESH, "auth", want_refresh, fill_auth},
    {OUTBOX_FORWARD, "forward", NULL, NULL}, /* its body is made in hooks_forward */
};

static size_t
kind_of(const struct outbox_event *event)
{
	size_t i = 0;

	while (i < COUNT(kinds) && strcmp(kinds[i].kind, event->kind) != 0)
		i++;
	return i;
}

bool
hooks_is_wanted(const struct webhook_settings *settings, const struct outbox_event *event)
{
	size_t kind = kind_of(event);

	return kind < COUNT(kinds) &&
	       (kinds[kind].is_wanted == NULL || kinds[kind].is_wanted(settings, event));
}

int
hooks_body(TALLOC_CTX *mem, const struct outbox_event *event, char **out, struct error *err)
{
	struct json_object *body = json_own(mem, json_object_new_object());
	struct json_object *facts, *outcome;
	size_t kind = kind_of(event);

	if (kind == COUNT(kinds))
		return error_set(err, ERR_INTERNAL, "there is no webhook of kind \"%s\"",
				 event->kind);
	if (kinds[kind].fill == NULL)
		return hooks_forward_body(mem, event, out, err);
	if (json_parse(mem, event->facts, strlen(event->facts), &facts, err) < 0 ||
	    json_parse(mem, event->outcome, strlen(event->outcome), &outcome, err) < 0)
		return -1;
	json_add(body, "from", "nango");
	json_add(body, "type", kinds[kind].type);
	kinds[kind].fill(body, event, facts, outcome);
	*out = json_text_sorted(mem, body);
	return 0;
}

/* ---- signatures ---- */

static char *
hex(TALLOC_CTX *mem, const unsigned char hash[CRYPTO_SHA256_BYTES])
{
	char *text = talloc_size(mem, 2 * CRYPTO_SHA256_BYTES + 1);

	if (text == NULL)
		abort();
	crypto_hex(text, hash, CRYPTO_SHA256_BYTES);
	return text;
}

/* Length extension is possible with it; kept for clients that check nothing else. */
static char *
sign_legacy(TALLOC_CTX *mem, const char *key, const char *body)
{
	unsigned char hash[CRYPTO_SHA256_BYTES];
	char *text = talloc_asprintf(mem, "%s%s", key, body);

	if (text == NULL)
		abort();
	crypto_sha256(hash, text, strlen(text));
	crypto_wipe(text, strlen(key));
	talloc_free(text);
	return hex(mem, hash);
}

/* https://www.standardwebhooks.com, "Signature scheme": v1, over id.timestamp.body */
static char *
sign_standard(TALLOC_CTX *mem, const char *key, const char *event_id, int64_t now_s,
	      const char *body)
{
	static const char prefix[] = "whsec_";
	unsigned char hash[CRYPTO_SHA256_BYTES], *bytes = NULL;
	char *text = talloc_asprintf(mem, "%s.%" PRId64 ".%s", event_id, now_s, body);
	char *signature;
	size_t length = 0;

	if (strncmp(key, prefix, strlen(prefix)) == 0)
		bytes = crypto_unbase64(mem, key + strlen(prefix), &length);
	if (text == NULL)
		abort();
	crypto_hmac_sha256(hash, bytes == NULL ? (const void *)key : bytes,
			   bytes == NULL ? strlen(key) : length, text, strlen(text));
	if (bytes != NULL)
		crypto_wipe(bytes, length);
	talloc_free(text);
	signature = talloc_asprintf(mem, "v1,%s", crypto_base64(mem, hash, sizeof(hash)));
	if (signature == NULL)
		abort();
	return signature;
}

void
hooks_sign(TALLOC_CTX *mem, const char *signing_key, const char *event_id, const char *body,
	   int64_t now_s, struct http_field *headers)
{
	unsigned char hash[CRYPTO_SHA256_BYTES];
	const struct http_field fields[] = {
	    {"Content-Type", "application/json"},
	    {"X-Nango-Signature", sign_legacy(mem, signing_key, body)},
	    {"X-Nango-Hmac-Sha256", NULL},
	    {"webhook-id", talloc_strdup(mem, event_id)},
	    {"webhook-timestamp", talloc_asprintf(mem, "%" PRId64, now_s)},
	    {"webhook-signature", sign_standard(mem, signing_key, event_id, now_s, body)},
	    {NULL, NULL},
	};

	_Static_assert(COUNT(fields) <= HOOKS_HEADERS_MAX, "one place a header");
	crypto_hmac_sha256(hash, signing_key, strlen(signing_key), body, strlen(body));
	memcpy(headers, fields, sizeof(fields));
	headers[2].value = hex(mem, hash);
}
