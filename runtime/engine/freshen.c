/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/freshen -- see freshen.h.
 */
#include "engine/freshen.h"
#include "engine/freshener.h"
#include "auth/vault.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "engine/grant.h"
#include "engine/hooks_message.h"
#include "engine/hooks_out.h"
#include "engine/target.h"
#include "http/client_wait.h"
#include "store/environment.h"
#include "store/sync.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STORE_MS 30000	 /* of a lease, kept for storing what came */
#define POLL_FIRST_MS 20 /* while another process renews */
#define POLL_MAX_MS 250
#define STORE_AGAIN_MS 300

/* The lease on the row. All requests of a renewal end before it does, and so does storing. */
struct lease {
	int64_t number;
	int64_t end_ms; /* monotonic; not after the database's */
};

struct freshening {
	struct node *node;
	TALLOC_CTX *mem; /* of the caller */
	int64_t connection_row;
	enum freshen_why why;
	int64_t first_version, began_ms; /* as the caller came */
	bool has_waited;
	struct connection *connection;
	struct refresh_state state;
	struct grant grant;
	struct error *err;
};

static int64_t
margin_ms(const struct template *template, const struct refresh_state *state)
{
	int64_t buffer_s = json_integer(template_body(template), "token_expiration_buffer", -1);
	int64_t half = state->life_ms / 2;

	if (buffer_s >= 0)
		return buffer_s * 1000;
	return half < FRESHEN_MARGIN_MS ? half : FRESHEN_MARGIN_MS;
}

static bool
can_renew(const struct grant *grant)
{
	return grant->scheme->renew != NULL && (grant->scheme->is_renewable == NULL ||
						grant->scheme->is_renewable(&grant->auth));
}

static int64_t
due_ms(const struct grant *grant, const struct refresh_state *state)
{
	if (!can_renew(grant) || !state->expires)
		return INT64_MAX;
	return state->left_ms - margin_ms(grant->auth.template, state);
}

int
freshen_due_ms(struct node *node, TALLOC_CTX *mem, const struct connection *c,
	       const struct refresh_state *state, int64_t *out, struct error *err)
{
	TALLOC_CTX *scratch;
	struct grant grant;
	int result;

	*out = INT64_MAX;
	if (!state->expires)
		return 0;
	scratch = talloc_new(mem);
	result = grant_of_connection(scratch, node, c, state, &grant, err);
	if (result == 0)
		*out = due_ms(&grant, state);
	talloc_free(scratch);
	return result;
}

static int
find(struct freshening *f)
{
	struct db *db;
	int result;

	if (db_acquire(f->node->control, &db, f->err) < 0)
		return -1;
	result = refresh_find(f->mem, db, f->connection_row, &f->connection, &f->state, f->err);
	db_release(db);
	if (result < 0)
		return -1;
	return grant_of_connection(f->mem, f->node, f->connection, &f->state, &f->grant,
				   f->err);
}

/* An attempt failed: what still works is given out. */
static int
failed(struct freshening *f, enum error_code code)
{
	if (f->why != FRESHEN_FORCED && f->state.left_ms > 0)
		return 0;
	return error_set(f->err, code, "the credentials of connection \"%s\" %s: %s",
			 f->connection->connection_id,
			 code == ERR_REFRESH_EXHAUSTED
			     ? "could not be renewed on four days; connect it anew"
			     : "could not be renewed",
			 f->state.error == NULL ? "" : f->state.error);
}

enum step { STEP_DONE, STEP_FAILED, STEP_RENEW };

static bool
has_reason(const struct freshening *f)
{
	const struct refresh_state *s = &f->state;

	switch (f->why) {
	case FRESHEN_FORCED:
		return s->version == f->first_version && can_renew(&f->grant);
	case FRESHEN_IDLE:
		return s->age_ms >= FRESHEN_IDLE_MS && can_renew(&f->grant);
	case FRESHEN_DUE:
		break;
	}
	return due_ms(&f->grant, s) <= 0;
}

static enum step
decide(struct freshening *f)
{
	const struct refresh_state *s = &f->state;

	if (!has_reason(f))
		return STEP_DONE;
	/* Who waited for an attempt shares its end. */
	if (s->failed_ms >= 0 && f->has_waited &&
	    s->failed_ms <= clock_monotonic_ms() - f->began_ms)
		return failed(f, ERR_REFRESH) < 0 ? STEP_FAILED : STEP_DONE;
	if (f->why == FRESHEN_FORCED || s->failed_ms < 0)
		return STEP_RENEW;
	if (s->failed_days >= FRESHEN_FAILED_DAYS_MAX)
		return failed(f, ERR_REFRESH_EXHAUSTED) < 0 ? STEP_FAILED : STEP_DONE;
	if (s->failed_ms < FRESHEN_BACKOFF_MS)
		return failed(f, ERR_REFRESH_BACKOFF) < 0 ? STEP_FAILED : STEP_DONE;
	return STEP_RENEW;
}

/* ---- renewing ---- */

static int64_t
lease_length_ms(const struct node *node)
{
	return node->config->renewal_ms + STORE_MS;
}

static void
pause_for(int64_t ms)
{
	const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&time, NULL);
}

/* Failing syncs may have failed for want of these credentials: they are woken with them. */
static int
store_once(struct freshening *f, const struct refresh_result *result, bool *stored)
{
	bool was_failing = f->state.failed_ms >= 0;
	int done = -1;
	struct db *db;

	if (db_acquire(f->node->control, &db, f->err) < 0)
		return -1;
	if (db_begin(db, f->err) == 0 && refresh_succeed(db, result, stored, f->err) == 0 &&
	    (!*stored || !was_failing || sync_wake(db, f->connection_row, f->err) == 0))
		done = db_commit(db, f->err);
	db_release(db);
	return done;
}

/*
 * What the provider gave may be the only token that still works, so a database that is away is
 * waited for: until the lease ends, or the node.
 */
static int
store_at_last(struct freshening *f, const struct refresh_result *result, int64_t end_ms,
	      bool *stored)
{
	const struct connection *c = f->connection;
	bool is_told = false;

	while (store_once(f, result, stored) < 0) {
		if (!db_error_may_pass(f->err->code) || clock_monotonic_ms() >= end_ms ||
		    http_waits_ended(f->node->waits)) {
			log_error("auth",
				  "the renewed credentials of connection %s/%s are lost: %s",
				  c->integration_key, c->connection_id, f->err->message);
			return -1;
		}
		if (!is_told)
			log_warn("auth",
				 "the renewed credentials of connection %s/%s cannot be stored "
				 "yet: %s",
				 c->integration_key, c->connection_id, f->err->message);
		is_told = true;
		pause_for(STORE_AGAIN_MS);
	}
	return 0;
}

static int
store(struct freshening *f, const struct lease *lease)
{
	const struct connection *c = f->connection;
	const struct auth_grant *auth = &f->grant.auth;
	struct vault_place place =
	    grant_place(f->mem, c->environment_id, c->integration_id, c->connection_id);
	char *text = json_text_secret(f->mem, auth->credentials);
	struct refresh_result result = {.connection_row = c->id,
					.version = f->state.version,
					.lease = lease->number,
					.config = json_text(f->mem, auth->config),
					.expires = auth->expires_ms > 0,
					.left_ms = auth->expires_ms - clock_wall_ms()};
	bool stored;

	result.credentials = vault_seal(f->mem, f->node->vault, &place, text, strlen(text),
					&result.credentials_length);
	talloc_free(text);
	if (store_at_last(f, &result, lease->end_ms, &stored) < 0)
		return -1;
	if (!stored)
		log_warn("auth",
			 "connection %s/%s was given other credentials while they were renewed",
			 c->integration_key, c->connection_id);
	return 0;
}

static int
announce(struct freshening *f, struct db *db, const char *message, struct error *err)
{
	const struct connection *c = f->connection;
	struct environment *env;
	struct hooks_auth told = {.operation = "refresh",
				  .connection_id = c->connection_id,
				  .integration_key = c->integration_key,
				  .provider = c->provider,
				  .auth_mode = c->auth_mode,
				  .tags = c->tags,
				  .end_user = c->end_user,
				  .error_type = error_name(ERR_REFRESH),
				  .error_description = message};
	struct outbox_auth auth = {.connection_row = c->id,
				   .environment_id = c->environment_id,
				   .kind = OUTBOX_AUTH_REFRESH};

	if (environment_find(f->mem, db, c->environment_id, &env, err) < 0)
		return -1;
	told.environment = env->name;
	auth.facts = hooks_auth_facts(f->mem, &told);
	return outbox_auth(db, &auth, err);
}

/* Written down, and told to the app once a day. */
static void
record_failure(struct freshening *f, int64_t lease, const char *message)
{
	struct error err;
	struct db *db;
	bool is_counted;

	if (db_acquire(f->node->control, &db, &err) < 0) {
		log_warn("auth", "a failed renewal could not be written down: %s", err.message);
		return;
	}
	if (db_begin(db, &err) < 0 ||
	    refresh_fail(db, f->connection_row, lease, message, &is_counted, &err) < 0 ||
	    (is_counted && announce(f, db, message, &err) < 0) || db_commit(db, &err) < 0)
		log_warn("auth", "a failed renewal could not be written down: %s", err.message);
	db_release(db);
	hooks_out_wake(f->node);
}

/* Cut off by our own end, which is no failure of the provider's. */
static int
give_back(struct freshening *f, int64_t lease)
{
	struct error err;
	struct db *db;

	if (db_acquire(f->node->control, &db, &err) == 0) {
		if (refresh_give_back(db, f->connection_row, lease, &err) < 0)
			log_warn("auth", "a lease could not be given back: %s", err.message);
		db_release(db);
	}
	return error_set(f->err, ERR_UNAVAILABLE, "the server is stopping");
}

static int
renew(struct freshening *f, const struct lease *lease)
{
	const struct connection *c = f->connection;

	grant_set_deadline(&f->grant, lease->end_ms - STORE_MS);

	if (f->grant.scheme->renew(&f->grant.auth, f->err) == 0) {
		log_info("auth", "renewed the credentials of connection %s/%s",
			 c->integration_key, c->connection_id);
		return store(f, lease);
	}
	if (http_waits_ended(f->node->waits))
		return give_back(f, lease->number);
	log_warn("auth", "the credentials of connection %s/%s could not be renewed: %s",
		 c->integration_key, c->connection_id, f->err->message);
	record_failure(f, lease->number, f->err->message);
	return 0; /* the next look finds it */
}

/* Takes the lease and renews, or waits for another process until the row moved. */
static int
fly(struct freshening *f)
{
	int64_t lease_ms = lease_length_ms(f->node), wait_ms = POLL_FIRST_MS;
	int64_t end_ms = clock_monotonic_ms() + lease_ms;
	struct lease lease;
	struct db *db;
	bool taken;
	int result;

	crypto_random(&lease.number, sizeof(lease.number));
	while (clock_monotonic_ms() < end_ms) {
		if (db_acquire(f->node->control, &db, f->err) < 0)
			return -1;
		lease.end_ms = clock_monotonic_ms() + lease_ms;
		result = refresh_lease(db, f->connection_row, f->state.version, lease.number,
				       lease_ms, &taken, f->err);
		db_release(db);
		if (result < 0)
			return -1;
		if (taken)
			return renew(f, &lease);
		pause_for(wait_ms);
		wait_ms = wait_ms * 2 > POLL_MAX_MS ? POLL_MAX_MS : wait_ms * 2;
		f->has_waited = true;
		if (find(f) < 0)
			return -1;
		if (decide(f) != STEP_RENEW)
			return 0;
	}
	return 0;
}

int
freshen(struct node *node, TALLOC_CTX *mem, int64_t connection_row, enum freshen_why why,
	struct connection **out, struct error *err)
{
	struct freshening f = {.node = node,
			       .mem = mem,
			       .connection_row = connection_row,
			       .why = why,
			       .began_ms = clock_monotonic_ms(),
			       .err = err};
	struct freshener_flight flight = {.connection_row = connection_row};
	enum step step;

	if (find(&f) < 0)
		return -1;
	f.first_version = f.state.version;
	while ((step = decide(&f)) == STEP_RENEW) {
		if (clock_monotonic_ms() - f.began_ms > 2 * lease_length_ms(node))
			return error_set(
			    err, ERR_REFRESH,
			    "the credentials of connection \"%s\" were not renewed "
			    "in time",
			    f.connection->connection_id);
		if (freshener_take_off(node->freshener, &flight)) {
			int result = find(&f); /* it may have been renewed since the look */

			if (result == 0 && decide(&f) == STEP_RENEW)
				result = fly(&f);
			freshener_land(node->freshener, &flight);
			if (result < 0)
				return -1;
		}
		f.has_waited = true;
		if (find(&f) < 0)
			return -1;
	}
	*out = f.connection;
	return step == STEP_DONE ? 0 : -1;
}
