/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/retention -- see retention.h.
 */
#include "engine/retention.h"
#include "engine/feed.h"
#include "base/log.h"
#include "store/fence.h"
#include "store/quarantine.h"
#include "store/retention.h"

#include <inttypes.h>
#include <stdlib.h>

#define DAY_MS 86400000LL
#define PIECE_ROWS 10000 /* of one statement */
#define PIECES_MAX 20	 /* of one kind in one look */
#define LIST_MAX 100

struct retention {
	struct node *node;
	struct loop_timer *timer;
	bool is_working, is_stopping;
};

/* What one look removed. */
struct removed {
	int64_t pruned, unused, purged, fences, bad;
};

static int
prune(struct node *node, struct db *data, struct removed *removed, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	int64_t age_ms = node->config->prune_days * DAY_MS, count;
	struct dataset *list = NULL;
	size_t lists = 0;
	int result = 0, pieces = 0;

	if (age_ms > 0)
		result = dataset_list_prunable(mem, data, age_ms, LIST_MAX, &list, &lists, err);
	for (size_t i = 0; i < lists && result == 0 && pieces < PIECES_MAX; i++) {
		struct prune what = {.until_seq = list[i].seq, .limit = PIECE_ROWS};
		bool has_more = true;

		result = retention_cutoff(data, age_ms, &what.modified_before_ms, err);
		for (; result == 0 && has_more && pieces < PIECES_MAX; pieces++) {
			result = feed_prune(node, &list[i], &what, &count, &has_more, err);
			removed->pruned += result == 0 ? count : 0;
		}
	}
	talloc_free(mem);
	return result;
}

/* Bad records go when payloads do. */
static int
forget_bad(struct node *node, struct db *data, struct removed *removed, struct error *err)
{
	int64_t age_ms = node->config->prune_days * DAY_MS, count = 1;

	for (int i = 0; age_ms > 0 && count > 0 && i < LIST_MAX; i++) {
		if (quarantine_forget(data, age_ms, &count, err) < 0)
			return -1;
		removed->bad += count;
	}
	return 0;
}

static int
remove_unused(struct node *node, struct db *data, struct removed *removed, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	int64_t age_ms = node->config->remove_days * DAY_MS, count;
	struct dataset *list = NULL;
	size_t lists = 0;
	int result = 0, pieces = 0;

	if (age_ms > 0)
		result = dataset_list_unused(mem, data, age_ms, LIST_MAX, &list, &lists, err);
	for (size_t i = 0; i < lists && result == 0; i++) {
		result = dataset_remove(data, &list[i], age_ms, err);
		removed->unused++;
	}
	if (result == 0)
		result = dataset_list_removed(mem, data, LIST_MAX, &list, &lists, err);
	for (size_t i = 0; i < lists && result == 0 && pieces < PIECES_MAX; i++) {
		do {
			result =
			    dataset_delete_records(data, &list[i], PIECE_ROWS, &count, err);
			pieces++;
		} while (result == 0 && count > 0 && pieces < PIECES_MAX);
	}
	talloc_free(mem);
	return result;
}

static int
purge(struct db *control, struct db *data, struct removed *removed, struct error *err)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	int64_t *list = NULL, count;
	size_t lists = 0;
	int pieces = 0, result = connection_list_purgeable(mem, control, RETENTION_PURGE_MS,
							   LIST_MAX, &list, &lists, err);

	for (size_t i = 0; i < lists && result == 0 && pieces < PIECES_MAX; i++) {
		do {
			result = connection_purge(data, list[i], PIECE_ROWS, &count, err);
			pieces++;
		} while (result == 0 && count > 0 && pieces < PIECES_MAX);
		if (result == 0 && count == 0) {
			result = connection_set_purged(control, list[i], err);
			removed->purged++;
		}
	}
	talloc_free(mem);
	return result;
}

static int
work(struct node *node, struct removed *removed, struct error *err)
{
	bool is_one = node->data == node->control; /* one database, one connection */
	struct db *control = NULL, *data = NULL;
	int result = db_acquire(node->control, &control, err);

	if (result == 0 && is_one)
		data = control;
	else if (result == 0)
		result = db_acquire(node->data, &data, err);
	if (result == 0 && prune(node, data, removed, err) == 0 &&
	    forget_bad(node, data, removed, err) == 0 &&
	    remove_unused(node, data, removed, err) == 0 &&
	    purge(control, data, removed, err) == 0 &&
	    fence_forget(data, RETENTION_FENCE_MS, PIECE_ROWS, &removed->fences, err) == 0)
		result = 0;
	else
		result = -1;
	db_release(is_one ? NULL : data);
	db_release(control);
	return result;
}

static void
worked(void *arg)
{
	struct retention *r = arg;

	r->is_working = false;
	if (!r->is_stopping)
		loop_timer_set(r->timer, r->node->config->retention_ms);
}

static void
in_pool(void *arg)
{
	struct retention *r = arg;
	struct removed removed = {0};
	struct error err;

	if (work(r->node, &removed, &err) < 0)
		log_warn("retention", "cannot remove what is past its time: %s", err.message);
	else if (removed.pruned + removed.unused + removed.purged + removed.bad > 0)
		log_info("retention",
			 "emptied %" PRId64 " payloads, removed %" PRId64
			 " datasets without runs, the data of %" PRId64
			 " deleted connections and %" PRId64 " records in quarantine",
			 removed.pruned, removed.unused, removed.purged, removed.bad);
	loop_post(r->node->loop, worked, r);
}

static void
on_timer(void *arg)
{
	struct retention *r = arg;

	if (r->is_working || r->is_stopping)
		return;
	r->is_working = true;
	if (pool_submit(r->node->worker_pool, in_pool, r) < 0)
		worked(r);
}

void
retention_start(struct node *node)
{
	struct retention *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort();
	r->node = node;
	node->retention = r;
	r->timer = loop_timer_new(node->loop, on_timer, r);
	loop_timer_set(r->timer, node->config->retention_ms);
}

void
retention_stop(struct node *node)
{
	if (node->retention == NULL)
		return;
	node->retention->is_stopping = true;
	loop_timer_cancel(node->retention->timer);
}

void
retention_free(struct node *node)
{
	if (node->retention == NULL)
		return;
	loop_timer_free(node->retention->timer);
	free(node->retention);
	node->retention = NULL;
}
