/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/webhooks -- an environment's webhook settings, and the deliveries: list and replay.
 *
 * A delivery's id is FAMILY-CONNECTION-ID ("sync-7-12"): which outbox, and its key there.
 */
#include "api/check.h"
#include "base/clock.h"
#include "engine/hooks_out.h"
#include "engine/hooks_settings.h"
#include "http/url.h"
#include "store/outbox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 2048
#define LIST_DEFAULT 100
#define LIST_MAX 1000
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- settings ---- */

static const struct {
	const char *name;
	size_t offset;
} urls[] = {
    {"primary_url", offsetof(struct webhook_settings, primary_url)},
    {"secondary_url", offsetof(struct webhook_settings, secondary_url)},
};

static const struct {
	const char *name;
	size_t offset;
} switches[] = {
    {"on_auth_creation", offsetof(struct webhook_settings, on_auth_creation)},
    {"on_auth_refresh_error", offsetof(struct webhook_settings, on_auth_refresh_error)},
    {"on_sync_completion_always", offsetof(struct webhook_settings, on_sync_completion_always)},
    {"on_sync_error", offsetof(struct webhook_settings, on_sync_error)},
    {"on_async_action_completion",
     offsetof(struct webhook_settings, on_async_action_completion)},
};

static const struct check_member members[] = {
    {"primary_url", CHECK_STRING, .may_be_null = true, .max = URL_MAX},
    {"secondary_url", CHECK_STRING, .may_be_null = true, .max = URL_MAX},
    {"on_auth_creation", CHECK_BOOLEAN},
    {"on_auth_refresh_error", CHECK_BOOLEAN},
    {"on_sync_completion_always", CHECK_BOOLEAN},
    {"on_sync_error", CHECK_BOOLEAN},
    {"on_async_action_completion", CHECK_BOOLEAN},
};

static const char **
url_in(struct webhook_settings *settings, size_t i)
{
	return (const char **)((char *)settings + urls[i].offset);
}

static bool *
switch_in(struct webhook_settings *settings, size_t i)
{
	return (bool *)((char *)settings + switches[i].offset);
}

/* The signing key is shown to those who may change it. */
static int
answer_settings(struct call *call, struct response *res, struct hooks_settings *settings)
{
	struct json_object *body = json_object_new_object(), *data = json_object_new_object();

	json_object_object_add(body, "data", data);
	for (size_t i = 0; i < COUNT(urls); i++)
		json_add(data, urls[i].name, *url_in(settings->row, i));
	for (size_t i = 0; i < COUNT(switches); i++)
		json_add_boolean(data, switches[i].name, *switch_in(settings->row, i));
	if (call_may(call, "webhook_signing_key:rotate"))
		json_add(data, "webhook_signing_key", settings->signing_key);
	return response_json(res, 200, body);
}

static int
load(struct call *call, struct db *db, struct hooks_settings **out, struct error *err)
{
	return hooks_settings_load(call->mem, call->node->vault, db, call->env->id, out, err);
}

int
api_webhook_settings_show(struct call *call, struct response *res, struct error *err)
{
	struct hooks_settings *settings;
	struct db *db;

	if (call_db(call, &db, err) < 0 || load(call, db, &settings, err) < 0)
		return -1;
	return answer_settings(call, res, settings);
}

/* "" and null take a URL away. */
static int
read_urls(struct call *call, struct json_object *body, struct webhook_settings *settings,
	  struct error *err)
{
	for (size_t i = 0; i < COUNT(urls); i++) {
		const char *text = json_string(body, urls[i].name);

		if (!json_object_object_get_ex(body, urls[i].name, NULL))
			continue;
		if (text != NULL && text[0] == '\0')
			text = NULL;
		if (text != NULL && http_url_resolve(call->mem, text, text) == NULL)
			return error_set_at(err, ERR_INVALID_BODY, urls[i].name,
					    "must be an http or https URL without a user");
		*url_in(settings, i) = text;
	}
	return 0;
}

int
api_webhook_settings_update(struct call *call, struct response *res, struct error *err)
{
	struct hooks_settings *settings;
	struct json_object *body;
	struct db *db;

	if (call_body(call, members, COUNT(members), &body, err) < 0 ||
	    call_db(call, &db, err) < 0 || load(call, db, &settings, err) < 0 ||
	    read_urls(call, body, settings->row, err) < 0)
		return -1;
	for (size_t i = 0; i < COUNT(switches); i++)
		*switch_in(settings->row, i) =
		    json_boolean(body, switches[i].name, *switch_in(settings->row, i));
	if (webhook_settings_update(db, settings->row, err) < 0)
		return -1;
	return answer_settings(call, res, settings);
}

int
api_webhook_key_rotate(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body, *data;
	const char *key;
	struct db *db;

	if (call_db(call, &db, err) < 0 ||
	    hooks_settings_rotate(call->mem, call->node->vault, db, call->env->id, &key, err) <
		0)
		return -1;
	body = json_object_new_object();
	data = json_object_new_object();
	json_object_object_add(body, "data", data);
	json_add(data, "webhook_signing_key", key);
	return response_json(res, 200, body);
}

/* ---- deliveries ---- */

static const struct {
	const char *name;
	enum outbox_family family;
} families[] = {{"auth", OUTBOX_CONTROL}, {"sync", OUTBOX_DATA}};

static int
family_db(struct call *call, enum outbox_family family, struct db **db, struct error *err)
{
	return family == OUTBOX_DATA ? call_data(call, db, err) : call_db(call, db, err);
}

/* A row with the place it has in the order of both outboxes. */
struct listed {
	const struct outbox_row *row;
	size_t family; /* of families */
};

/* Newest first; at one time the first family, then the higher id. */
static int
listed_compare(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->row->ready_us != y->row->ready_us)
		return x->row->ready_us > y->row->ready_us ? -1 : 1;
	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return x->row->id > y->row->id ? -1 : x->row->id < y->row->id;
}

struct place { /* of the last row of the page before */
	int64_t us, id;
	size_t family;
};

static int
read_cursor(const char *text, struct place *place, struct error *err)
{
	char end;

	*place = (struct place){INT64_MAX, INT64_MAX, 0};
	if (text == NULL)
		return 0;
	if (sscanf(text, "%" SCNd64 ".%zu.%" SCNd64 "%c", &place->us, &place->family,
		   &place->id, &end) != 3 ||
	    place->us < 0 || place->us > INT64_C(1) << 53 || place->family >= COUNT(families))
		return error_set_at(err, ERR_INVALID_QUERY, "cursor",
				    "is not one that this server gave out");
	return 0;
}

static int
read_filter(struct call *call, struct outbox_filter *filter, struct place *place,
	    struct error *err)
{
	static const char *const names[] = {"state", "limit", "cursor", NULL};
	static const char *const states[] = {"due", "sending", "delivered", "dead"};
	size_t i = 0;

	filter->environment_id = call->env->id;
	filter->state = request_query(call->req, "state");
	if (check_query(call, names, err) < 0 ||
	    query_integer(call, "limit", 1, LIST_MAX, LIST_DEFAULT, &filter->limit, err) < 0 ||
	    read_cursor(request_query(call->req, "cursor"), place, err) < 0)
		return -1;
	while (filter->state != NULL && i < COUNT(states) &&
	       strcmp(states[i], filter->state) != 0)
		i++;
	if (i == COUNT(states))
		return error_set_at(err, ERR_INVALID_QUERY, "state",
				    "must be due, sending, delivered or dead");
	filter->before_us = place->us;
	return 0;
}

static void
add_time(struct json_object *out, const char *key, int64_t ms)
{
	char text[CLOCK_ISO_MAX];

	if (ms != 0)
		clock_iso(text, ms);
	json_add(out, key, ms == 0 ? NULL : text);
}

static struct json_object *
delivery_json(struct call *call, const struct listed *l)
{
	const struct outbox_row *row = l->row;
	struct json_object *out = json_object_new_object(), *facts = NULL;
	struct error ignored;

	if (json_parse(call->mem, row->facts, strlen(row->facts), &facts, &ignored) < 0)
		facts = NULL;
	json_add(out, "id",
		 talloc_asprintf(call->mem, "%s-%" PRId64 "-%" PRId64, families[l->family].name,
				 row->connection_row, row->id));
	json_add(out, "webhook_id", row->event_id);
	json_add(out, "type", families[l->family].name);
	json_add(out, "kind", row->kind);
	json_add(out, "state", row->state);
	json_add(out, "destination", row->destination == 0 ? "first" : "second");
	json_add(out, "connection_id", json_string(facts, "connectionId"));
	json_add(out, "provider_config_key", json_string(facts, "providerConfigKey"));
	json_add(out, "sync_name", json_string(facts, "syncName"));
	json_add(out, "model", row->model[0] == '\0' ? NULL : row->model);
	json_add(out, "run_id",
		 row->run_id == 0 ? NULL : talloc_asprintf(call->mem, "%" PRId64, row->run_id));
	json_add_integer(out, "attempts", row->attempts);
	json_object_object_add(out, "http_status",
			       row->http_status == 0 ? NULL
						     : json_object_new_int64(row->http_status));
	json_add(out, "error", row->error);
	add_time(out, "created_at", row->created_ms);
	add_time(out, "next_attempt_at", strcmp(row->state, "due") == 0 ? row->due_ms : 0);
	add_time(out, "finished_at", row->finished_ms);
	return out;
}

/* Up to a page of each outbox, in one order. */
static int
list_both(struct call *call, struct outbox_filter *filter, const struct place *place,
	  struct listed **out, size_t *total, struct error *err)
{
	*out = talloc_zero_array(call->mem, struct listed, (unsigned)(2 * filter->limit) + 3);
	*total = 0;
	filter->limit++; /* one more tells whether there is a next page */
	for (size_t f = 0; f < COUNT(families); f++) {
		struct outbox_row *rows;
		struct db *db;
		size_t count;

		/* A family behind the cursor's has its rows of that time before it still. */
		filter->before_id = f == place->family	? place->id
				    : f > place->family ? INT64_MAX
							: 0;
		if (family_db(call, families[f].family, &db, err) < 0 ||
		    outbox_list(call->mem, db, families[f].family, filter, &rows, &count, err) <
			0)
			return -1;
		for (size_t i = 0; i < count; i++)
			(*out)[(*total)++] = (struct listed){&rows[i], f};
	}
	qsort(*out, *total, sizeof(**out), listed_compare);
	return 0;
}

int
api_webhook_delivery_list(struct call *call, struct response *res, struct error *err)
{
	struct outbox_filter filter = {0};
	struct json_object *body, *list;
	struct listed *found;
	struct place place;
	const char *next = NULL;
	size_t total, limit;

	if (read_filter(call, &filter, &place, err) < 0)
		return -1;
	limit = (size_t)filter.limit;
	if (list_both(call, &filter, &place, &found, &total, err) < 0)
		return -1;
	body = json_object_new_object();
	list = json_object_new_array();
	json_object_object_add(body, "deliveries", list);
	for (size_t i = 0; i < total && i < limit; i++)
		json_object_array_add(list, delivery_json(call, &found[i]));
	if (total > limit)
		next = talloc_asprintf(call->mem, "%" PRId64 ".%zu.%" PRId64,
				       found[limit - 1].row->ready_us, found[limit - 1].family,
				       found[limit - 1].row->id);
	json_add(body, "next_cursor", next);
	return response_json(res, 200, body);
}

/* "sync-7-12" */
static int
read_id(const char *text, size_t *family, int64_t *connection_row, int64_t *id,
	struct error *err)
{
	char end;

	for (size_t f = 0; f < COUNT(families); f++) {
		size_t n = strlen(families[f].name);

		if (strncmp(text, families[f].name, n) != 0)
			continue;
		*family = f;
		if (sscanf(text + n, "-%" SCNd64 "-%" SCNd64 "%c", connection_row, id, &end) ==
		    2)
			return 0;
	}
	return error_set(err, ERR_NOT_FOUND, "there is no delivery \"%.100s\"", text);
}

int
api_webhook_delivery_retry(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body;
	int64_t connection_row, id;
	size_t family;
	struct db *db;

	if (read_id(request_param(call->req, "deliveryId"), &family, &connection_row, &id,
		    err) < 0 ||
	    family_db(call, families[family].family, &db, err) < 0 ||
	    outbox_retry(db, families[family].family, call->env->id, connection_row, id, err) <
		0)
		return -1;
	hooks_out_wake(call->node);
	body = json_object_new_object();
	json_add_boolean(body, "success", true);
	return response_json(res, 200, body);
}

int
api_webhook_retry_dead(struct call *call, struct response *res, struct error *err)
{
	struct json_object *body;
	int64_t total = 0;

	for (size_t f = 0; f < COUNT(families); f++) {
		int64_t count;
		struct db *db;

		if (family_db(call, families[f].family, &db, err) < 0 ||
		    outbox_retry_dead(db, families[f].family, call->env->id, &count, err) < 0)
			return -1;
		total += count;
	}
	hooks_out_wake(call->node);
	body = json_object_new_object();
	json_add_integer(body, "retried", total);
	return response_json(res, 200, body);
}
