/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/keepalive -- see keepalive.h. A look goes through the connections in the order of
 * their ids and begins where the last one ended, so that those that cannot be renewed do not
 * stand in the way. Behind a full batch the next look comes at once; each goes through its
 * batch in an order of its own, so that nodes that look at the same time meet seldom.
 */
#include "engine/keepalive.h"
#include "engine/freshen.h"
#include "base/crypto.h"
#include "base/log.h"

#include <stdlib.h>

struct keepalive {
	struct node *node;
	struct loop_timer *timer;
	int64_t last_row; /* the pool thread's while is_looking */
	bool is_full;	  /* likewise: there are more */
	bool is_looking;
};

/* What one look found. */
struct batch {
	struct refresh_row *rows;
	size_t count;
};

static void
looked(void *arg)
{
	struct keepalive *k = arg;

	k->is_looking = false;
	if (!atomic_load(&k->node->is_stopping))
		loop_timer_set(k->timer, k->is_full ? 0 : k->node->config->refresh_sweep_ms);
}

static void
shuffle(struct batch *b)
{
	for (size_t i = b->count; i > 1; i--) {
		struct refresh_row row = b->rows[i - 1];
		uint32_t other;

		crypto_random(&other, sizeof(other));
		other %= (uint32_t)i;
		b->rows[i - 1] = b->rows[other];
		b->rows[other] = row;
	}
}

/* Afterwards the batch holds those that did not fail. */
static void
renew_all(struct keepalive *k, struct batch *b)
{
	size_t done = 0;

	for (size_t i = 0; i < b->count && !atomic_load(&k->node->is_stopping); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct connection *c;
		struct error err;

		/* What failed is written down and told by freshen. */
		if (freshen(k->node, mem, b->rows[i].connection_row, FRESHEN_IDLE, &c, &err) <
		    0)
			log_debug("auth", "keeping a grant alive: %s", err.message);
		else
			b->rows[done++] = b->rows[i];
		talloc_free(mem);
	}
	b->count = done;
}

static int
find(struct keepalive *k, TALLOC_CTX *mem, struct batch *b, struct error *err)
{
	struct db *db;
	int result;

	if (db_acquire(k->node->control, &db, err) < 0)
		return -1;
	result = refresh_idle(mem, db, k->last_row, KEEPALIVE_BATCH, &b->rows, &b->count, err);
	db_release(db);
	return result;
}

static int
leave_alone(struct keepalive *k, const struct batch *b, struct error *err)
{
	struct db *db;
	int result;

	if (b->count == 0)
		return 0;
	if (db_acquire(k->node->control, &db, err) < 0)
		return -1;
	result = refresh_lasting(db, b->rows, b->count, err);
	db_release(db);
	return result;
}

static void
look_in_pool(void *arg)
{
	struct keepalive *k = arg;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct batch b;
	struct error err;

	k->is_full = false;
	if (find(k, mem, &b, &err) < 0) {
		log_warn("auth", "cannot look for idle grants: %s", err.message);
	} else {
		k->is_full = b.count == KEEPALIVE_BATCH;
		k->last_row = k->is_full ? b.rows[b.count - 1].connection_row : 0;
		shuffle(&b);
		renew_all(k, &b);
		if (leave_alone(k, &b, &err) < 0)
			log_warn("auth", "cannot note idle grants: %s", err.message);
	}
	talloc_free(mem);
	loop_post(k->node->loop, looked, k);
}

static void
on_timer(void *arg)
{
	struct keepalive *k = arg;

	k->is_looking = pool_submit(k->node->auth_pool, look_in_pool, k) == 0;
	if (!k->is_looking)
		loop_timer_set(k->timer, k->node->config->refresh_sweep_ms);
}

void
keepalive_start(struct node *node)
{
	struct keepalive *k = talloc_zero(NULL, struct keepalive);

	if (k == NULL)
		abort();
	k->node = node;
	k->timer = loop_timer_new(node->loop, on_timer, k);
	node->keepalive = k;
	loop_timer_set(k->timer, node->config->refresh_sweep_ms);
}

void
keepalive_free(struct node *node)
{
	if (node->keepalive == NULL)
		return;
	loop_timer_free(node->keepalive->timer);
	talloc_free(node->keepalive);
	node->keepalive = NULL;
}
