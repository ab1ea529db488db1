/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_out_batch -- on pool threads: what is due is claimed and made into signed
 * requests.
 *
 * Events that nobody wants go here, and events with a second destination get their second row
 * before anything is sent, so that a crash in between loses neither.
 */
#include "engine/hooks_out_internal.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define POSTPONE_MS 5000 /* of an event whose destination has its fill */

/* ---- events become requests ---- */

/* The claimed events of one environment and family, and what they need. */
struct batch {
	TALLOC_CTX *mem;
	struct hooks_look *look;
	struct db *control;
	enum outbox_family family;
	struct hooks_settings *settings;
	struct outbox_event *events;
	size_t count;
	struct webhook_override *overrides;
	size_t overrides_count;
	struct buf split, results; /* JSON arrays without their end */
};

static int
read_overrides(struct batch *b, struct error *err)
{
	struct buf rows;

	buf_init(&rows, b->mem, 256);
	for (size_t i = 0; i < b->count; i++)
		buf_addf(&rows, "%c%" PRId64, i == 0 ? '[' : ',', b->events[i].connection_row);
	buf_addc(&rows, ']');
	return webhook_overrides(b->mem, b->control, rows.data, &b->overrides,
				 &b->overrides_count, err);
}

static const char *
override_of(const struct batch *b, int64_t connection_row)
{
	for (size_t i = 0; i < b->overrides_count; i++)
		if (b->overrides[i].connection_row == connection_row)
			return b->overrides[i].url;
	return NULL;
}

/* Where it goes; NULL: nowhere. */
static const char *
url_of(const struct batch *b, const struct outbox_event *event)
{
	const char *own = override_of(b, event->connection_row);

	if (!hooks_is_wanted(b->settings->row, event))
		return NULL;
	if (own != NULL)
		return event->destination == 0 ? own : NULL;
	return event->destination < (int64_t)b->settings->urls_count
		   ? b->settings->urls[event->destination]
		   : NULL;
}

/* Back to the outbox; the attempt does not count. */
static void
put_back(struct batch *b, const struct outbox_event *event, int64_t wait_ms)
{
	const struct hooks_result result = {.connection_row = event->connection_row,
					    .id = event->id,
					    .token = event->token,
					    .attempts = event->attempts - 1,
					    .wait_ms = wait_ms,
					    .state = "due"};

	hooks_result_add(&b->results, &result);
}

static void
drop(struct batch *b, const struct outbox_event *event, const char *state, const char *why)
{
	const struct hooks_result result = {.connection_row = event->connection_row,
					    .id = event->id,
					    .token = event->token,
					    .attempts = event->attempts,
					    .state = state,
					    .error = why};

	hooks_result_add(&b->results, &result);
}

static void
add_delivery(struct batch *b, const struct outbox_event *event, const char *url,
	     const char *body)
{
	struct hooks_look *look = b->look;
	struct hooks_delivery *d = talloc_zero(look, struct hooks_delivery);
	size_t ours = 0;

	if (d == NULL)
		abort();
	d->hooks = look->hooks;
	d->family = event->family;
	d->connection_row = event->connection_row;
	d->id = event->id;
	d->token = event->token;
	d->environment_id = event->environment_id;
	d->attempts = event->attempts;
	d->age_ms = event->age_ms;
	d->event_id = talloc_strdup(d, event->event_id);
	d->url = talloc_strdup(d, url);
	d->body = talloc_strdup(d, body);
	hooks_sign(d, b->settings->signing_key, d->event_id, d->body, clock_wall_ms() / 1000,
		   d->headers);
	while (d->headers[ours].name != NULL)
		ours++;
	hooks_forward_headers(d, event, &d->headers[ours]);
	look->deliveries = talloc_realloc(look, look->deliveries, struct hooks_delivery *,
					  (unsigned)look->count + 1);
	if (look->deliveries == NULL)
		abort();
	look->deliveries[look->count++] = d;
}

static bool
has_place(struct batch *b, const struct outbox_event *event, const char *url)
{
	struct hooks_look *look = b->look;
	const struct config *config = look->node->config;
	struct hooks_busy *row = hooks_busy_row(look, event->environment_id, url);
	struct hooks_load load = hooks_load_of(look, event->environment_id);

	if (row->count >= hooks_destination_max(config)) {
		put_back(b, event, POSTPONE_MS);
		return false;
	}
	if (load.total >= hooks_environment_max(config) || look->count >= look->room) {
		put_back(b, event, 0);
		return false;
	}
	row->count++;
	return true;
}

static void
make_delivery(struct batch *b, const struct outbox_event *event)
{
	const char *url = url_of(b, event);
	struct error err;
	char *body;

	if (url == NULL) {
		drop(b, event, "unwanted", NULL);
		return;
	}
	if (hooks_body(b->mem, event, &body, &err) < 0) {
		drop(b, event, "dead", err.message);
		return;
	}
	if (!has_place(b, event, url))
		return;
	if (event->destination == 0 && !event->is_split && b->settings->urls_count > 1 &&
	    override_of(b, event->connection_row) == NULL)
		buf_addf(&b->split, "%c[%" PRId64 ",%" PRId64 "]",
			 b->split.length == 0 ? '[' : ',', event->connection_row, event->id);
	add_delivery(b, event, url, body);
}

static int
write_batch(struct batch *b, struct db *db, struct error *err)
{
	if (b->split.length > 0) {
		buf_addc(&b->split, ']');
		if (outbox_split(db, b->family, b->split.data, err) < 0)
			return -1;
		b->look->is_full = true; /* the new rows are due */
	}
	if (b->results.length == 0)
		return 0;
	buf_addc(&b->results, ']');
	return outbox_settle(db, b->family, b->results.data, err);
}

static int
make_batch(struct batch *b, struct db *db, int64_t environment_id, struct error *err)
{
	if (hooks_settings_load(b->mem, b->look->node->vault, b->control, environment_id,
				&b->settings, err) < 0 ||
	    read_overrides(b, err) < 0)
		return -1;
	buf_init(&b->split, b->mem, 256);
	buf_init(&b->results, b->mem, 256);
	for (size_t i = 0; i < b->count; i++)
		make_delivery(b, &b->events[i]);
	return write_batch(b, db, err);
}

/* ---- looking ---- */

static int
claim_environment(struct hooks_look *look, struct db *control, struct db *db,
		  enum outbox_family family, int64_t environment_id)
{
	struct batch b = {
	    .mem = talloc_new(NULL), .look = look, .control = control, .family = family};
	size_t limit = hooks_share(look, environment_id), before = look->count;
	int64_t lease = look->node->config->webhook_timeout_ms + HOOKS_LEASE_BEYOND_MS;
	int result = 0;

	if (limit > 0)
		result = outbox_claim(b.mem, db, family, environment_id, (int64_t)limit, lease,
				      &b.events, &b.count, &look->err);
	if (result == 0 && b.count > 0)
		result = make_batch(&b, db, environment_id, &look->err);
	look->is_full |= limit > 0 && limit != HOOKS_SIFT_MAX && b.count == limit;
	while (result < 0 && look->count > before) /* the lease brings them back */
		talloc_free(look->deliveries[--look->count]);
	talloc_free(b.mem);
	return result;
}

static int
claim_family(struct hooks_look *look, struct db *control, struct db *db,
	     enum outbox_family family)
{
	int64_t *environments;
	size_t count;

	if (outbox_environments(look, db, family, &environments, &count, &look->err) < 0)
		return -1;
	for (size_t i = 0; i < count && look->count < look->room; i++)
		if (claim_environment(look, control, db, family,
				      environments[(look->turn + i) % count]) < 0)
			return -1;
	return 0;
}

void
hooks_look_in_pool(void *arg)
{
	struct hooks_look *look = arg;
	struct db *control, *data;

	if (hooks_acquire(look->node, &control, &data, &look->err) == 0) {
		/* In turn, so that neither family's backlog starves the other. */
		enum outbox_family first = look->turn % 2 == 0 ? OUTBOX_CONTROL : OUTBOX_DATA;
		enum outbox_family second = first == OUTBOX_DATA ? OUTBOX_CONTROL : OUTBOX_DATA;

		if (claim_family(look, control, first == OUTBOX_DATA ? data : control, first) ==
			0 &&
		    claim_family(look, control, second == OUTBOX_DATA ? data : control,
				 second) < 0)
			look->is_full = false;
		hooks_release(control, data);
	}
	loop_post(look->node->loop, hooks_looked, look);
}
