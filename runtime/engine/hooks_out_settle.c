/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_out_settle -- on pool threads: what became of deliveries is written down, what
 * is old is removed.
 */
#include "engine/hooks_out_internal.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>

/* Texts of others (a curl message about a host) may be cut within a character. */
static void
add_ascii(struct buf *buf, const char *text)
{
	char copy[256];
	size_t n = 0;

	if (text == NULL) {
		buf_adds(buf, "null");
		return;
	}
	for (; text[n] != '\0' && n + 1 < sizeof(copy); n++)
		copy[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
	copy[n] = '\0';
	buf_add_json_str(buf, copy);
}

void
hooks_result_add(struct buf *buf, const struct hooks_result *r)
{
	buf_addc(buf, buf->length == 0 ? '[' : ',');
	buf_addf(buf,
		 "{\"c\":%" PRId64 ",\"i\":%" PRId64 ",\"t\":%" PRId64 ",\"n\":%" PRId64
		 ",\"w\":%" PRId64 ",\"s\":\"%s\",\"h\":",
		 r->connection_row, r->id, r->token, r->attempts, r->wait_ms, r->state);
	if (r->status > 0)
		buf_addf(buf, "%d", r->status);
	else
		buf_adds(buf, "null");
	buf_adds(buf, ",\"e\":");
	add_ascii(buf, r->error);
	buf_addc(buf, '}');
}

int
hooks_acquire(struct node *node, struct db **control, struct db **data, struct error *err)
{
	*data = NULL;
	if (db_acquire(node->control, control, err) < 0) {
		*control = NULL;
		return -1;
	}
	if (node->data == node->control) {
		*data = *control;
		return 0;
	}
	if (db_acquire(node->data, data, err) == 0)
		return 0;
	*data = NULL;
	db_release(*control);
	return -1;
}

void
hooks_release(struct db *control, struct db *data)
{
	if (data != control)
		db_release(data);
	db_release(control);
}

void
hooks_settle_in_pool(void *arg)
{
	struct hooks_settling *s = arg;
	struct db_pool *const pools[] = {
	    [OUTBOX_CONTROL] = s->node->control, [OUTBOX_DATA] = s->node->data};

	for (int family = 0; family < OUTBOX_FAMILIES; family++) {
		struct db *db;
		int result;

		if (s->results[family] == NULL)
			continue;
		result = db_acquire(pools[family], &db, &s->err);
		if (result == 0) {
			result = outbox_settle(db, (enum outbox_family)family,
					       s->results[family], &s->err);
			db_release(db);
		}
		s->has_failed[family] = result < 0;
	}
	loop_post(s->node->loop, hooks_settled, s);
}

static int
clean_family(const struct config *config, struct db *db, enum outbox_family family,
	     struct error *err)
{
	int64_t removed = 0;

	do {
		if (outbox_clean(db, family, config->webhook_keep_days,
				 config->webhook_dead_days, HOOKS_CLEAN_MAX, &removed, err) < 0)
			return -1;
	} while (removed == HOOKS_CLEAN_MAX);
	return 0;
}

void
hooks_clean_in_pool(void *arg)
{
	struct hooks_cleaning *c = arg;
	struct db *control, *data;
	int64_t orphans = 0;

	if (hooks_acquire(c->node, &control, &data, &c->err) == 0) {
		if (clean_family(c->node->config, control, OUTBOX_CONTROL, &c->err) == 0 &&
		    clean_family(c->node->config, data, OUTBOX_DATA, &c->err) == 0 &&
		    outbox_release_orphans(data, &orphans, &c->err) == 0 && orphans > 0)
			log_info("webhooks", "%" PRId64 " events of cancelled runs are due",
				 orphans);
		hooks_release(control, data);
	}
	loop_post(c->node->loop, hooks_cleaned, c);
}
