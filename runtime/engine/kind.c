/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/kind -- see kind.h.
 */
#include "engine/kind.h"
#include "store/queue.h"

#include <string.h>

#define MEMBER(config, offset) \
	(*(const int64_t *)(const void *)((const char *)(config) + (offset)))

static const struct {
	const char *name;
	size_t deadline, start;
} kinds[] = {
    [QUEUE_KIND_SYNC] = {"sync", offsetof(struct config, sync_deadline_ms),
			 offsetof(struct config, sync_start_ms)},
    [QUEUE_KIND_ACTION] = {"action", offsetof(struct config, action_deadline_ms),
			   offsetof(struct config, action_start_ms)},
    [QUEUE_KIND_EVENT] = {"event", offsetof(struct config, event_deadline_ms),
			  offsetof(struct config, event_start_ms)},
    [QUEUE_KIND_WEBHOOK] = {"webhook", offsetof(struct config, webhook_deadline_ms),
			    offsetof(struct config, webhook_start_ms)},
};
#define KINDS ((int64_t)(sizeof(kinds) / sizeof(kinds[0])))

static int64_t
known(int64_t kind)
{
	return kind > 0 && kind < KINDS ? kind : QUEUE_KIND_SYNC;
}

int64_t
kind_deadline_ms(const struct config *config, int64_t kind)
{
	return MEMBER(config, kinds[known(kind)].deadline);
}

int64_t
kind_start_ms(const struct config *config, int64_t kind)
{
	return MEMBER(config, kinds[known(kind)].start);
}

const char *
kind_name(int64_t kind)
{
	return kinds[known(kind)].name;
}

int64_t
kind_find(const char *name)
{
	for (int64_t i = 1; i < KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return i;
	return 0;
}
