/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/keepalive -- see keepalive.h. A look goes through the connections in the order of
 * their ids and begins where the last one ended, so that those that cannot be renewed do not
 * stand in the way.
 */
#include "engine/keepalive.h"
#include "engine/freshen.h"
#include "base/log.h"

#include <stdlib.h>

struct keepalive {
	struct node *node;
	struct loop_timer *timer;
	int64_t last_row; /* the pool thread's while is_looking */
	bool is_looking;
};

static void
looked(void *arg)
{
	struct keepalive *k = arg;

	k->is_looking = false;
	if (!atomic_load(&k->node->is_stopping))
		loop_timer_set(k->timer, k->node->config->refresh_sweep_ms);
}

static void
renew_all(struct keepalive *k, TALLOC_CTX *mem, const int64_t *rows, size_t count)
{
	struct connection *c;
	struct error err;

	for (size_t i = 0; i < count && !atomic_load(&k->node->is_stopping); i++)
		/* What failed is written down and told by freshen. */
		if (freshen(k->node, mem, rows[i], FRESHEN_IDLE, &c, &err) < 0)
			log_debug("auth", "keeping a grant alive: %s", err.message);
}

static void
look_in_pool(void *arg)
{
	struct keepalive *k = arg;
	TALLOC_CTX *mem = talloc_new(NULL);
	int64_t *rows;
	size_t count;
	struct error err;
	struct db *db;
	int result = db_acquire(k->node->control, &db, &err);

	if (result == 0) {
		result =
		    refresh_idle(mem, db, k->last_row, KEEPALIVE_BATCH, &rows, &count, &err);
		db_release(db);
	}
	if (result < 0) {
		log_warn("auth", "cannot look for idle grants: %s", err.message);
	} else {
		k->last_row = count < KEEPALIVE_BATCH ? 0 : rows[count - 1];
		renew_all(k, mem, rows, count);
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
