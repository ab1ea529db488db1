/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_group -- see client_group.h. Groups that have calls waiting stand in a ring; who
 * was served goes to its end.
 */
#include "http/client_group.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define LOOK_AHEAD 64 /* calls of a group that are looked at for one whose host has room */

TAILQ_HEAD(call_list, queued_call);

struct call_group {
	TAILQ_ENTRY(call_group) next; /* while it has calls that wait */
	struct call_list calls;	      /* that wait */
	size_t running;
	UT_hash_handle hh;
	char name[];
};

struct call_host {
	size_t running, calls; /* that run; and with those that wait */
	UT_hash_handle hh;
	char name[];
};

struct call_queue {
	TAILQ_HEAD(, call_group) ring;
	struct call_group *groups;
	struct call_host *hosts;
	size_t waiting, running, running_max, per_host_max;
	bool is_blocked; /* nobody's host has room: no use to look until a call leaves */
};

static int
queue_destructor(struct call_queue *queue)
{
	/* The elements are talloc children; uthash's tables are not. */
	HASH_CLEAR(hh, queue->groups);
	HASH_CLEAR(hh, queue->hosts);
	return 0;
}

struct call_queue *
call_queue_new(TALLOC_CTX *mem, size_t running_max, size_t per_host_max)
{
	struct call_queue *queue = talloc_zero(mem, struct call_queue);

	if (queue == NULL)
		abort();
	TAILQ_INIT(&queue->ring);
	queue->running_max = running_max;
	queue->per_host_max = per_host_max;
	talloc_set_destructor(queue, queue_destructor);
	return queue;
}

static struct call_group *
group_for(struct call_queue *queue, const char *name)
{
	struct call_group *group;

	HASH_FIND_STR(queue->groups, name, group);
	if (group != NULL)
		return group;
	group = talloc_zero_size(queue, sizeof(*group) + strlen(name) + 1);
	if (group == NULL)
		abort();
	memcpy(group->name, name, strlen(name) + 1);
	TAILQ_INIT(&group->calls);
	HASH_ADD_STR(queue->groups, name, group);
	return group;
}

static struct call_host *
host_for(struct call_queue *queue, const char *name)
{
	struct call_host *host;

	HASH_FIND_STR(queue->hosts, name, host);
	if (host != NULL)
		return host;
	host = talloc_zero_size(queue, sizeof(*host) + strlen(name) + 1);
	if (host == NULL)
		abort();
	memcpy(host->name, name, strlen(name) + 1);
	HASH_ADD_STR(queue->hosts, name, host);
	return host;
}

/* ---- room ---- */

static bool
has_room(const struct call_queue *queue, const struct queued_call *call)
{
	size_t free_in_all = queue->running_max - queue->running;
	size_t free_there = queue->per_host_max - call->at->running;

	return call->at->running < CALL_SHARE * free_in_all && free_there > 0 &&
	       call->group->running < CALL_SHARE * free_there;
}

/* ---- waiting ---- */

static void
begin_to_wait(struct call_queue *queue, struct queued_call *call)
{
	struct call_group *group = call->group;

	if (TAILQ_EMPTY(&group->calls))
		TAILQ_INSERT_TAIL(&queue->ring, group, next);
	TAILQ_INSERT_TAIL(&group->calls, call, next);
	queue->waiting++;
	if (has_room(queue, call))
		queue->is_blocked = false;
}

void
call_queue_add(struct call_queue *queue, struct queued_call *call, const char *group)
{
	call->group = group_for(queue, group);
	call->at = host_for(queue, call->host);
	call->at->calls++;
	begin_to_wait(queue, call);
}

static void
wait_no_more(struct call_queue *queue, struct queued_call *call)
{
	struct call_group *group = call->group;

	TAILQ_REMOVE(&group->calls, call, next);
	queue->waiting--;
	queue->is_blocked = false; /* one behind it may come into view (LOOK_AHEAD) */
	if (TAILQ_EMPTY(&group->calls))
		TAILQ_REMOVE(&queue->ring, group, next);
}

static struct queued_call *
group_ready(const struct call_queue *queue, const struct call_group *group)
{
	struct queued_call *call = TAILQ_FIRST(&group->calls);

	for (int i = 0; call != NULL && i < LOOK_AHEAD; i++, call = TAILQ_NEXT(call, next))
		if (has_room(queue, call))
			return call;
	return NULL;
}

static struct queued_call *
first_ready(const struct call_queue *queue)
{
	struct queued_call *call = NULL;
	struct call_group *group;

	TAILQ_FOREACH(group, &queue->ring, next)
	{
		call = group_ready(queue, group);
		if (call != NULL)
			break;
	}
	return call;
}

/* ---- running ---- */

struct queued_call *
call_queue_next(struct call_queue *queue)
{
	struct queued_call *call;

	if (queue->is_blocked || queue->running >= queue->running_max)
		return NULL;
	call = first_ready(queue);
	if (call == NULL) {
		queue->is_blocked = true;
		return NULL;
	}
	wait_no_more(queue, call);
	if (!TAILQ_EMPTY(&call->group->calls)) { /* the others come first */
		TAILQ_REMOVE(&queue->ring, call->group, next);
		TAILQ_INSERT_TAIL(&queue->ring, call->group, next);
	}
	call->is_running = true;
	call->at->running++;
	call->group->running++;
	queue->running++;
	return call;
}

static void
run_no_more(struct call_queue *queue, struct queued_call *call)
{
	queue->is_blocked = false;
	queue->running--;
	call->group->running--;
	call->at->running--;
	call->is_running = false;
}

void
call_queue_leave(struct call_queue *queue, struct queued_call *call)
{
	struct call_group *group = call->group;

	if (group == NULL)
		return;
	if (call->is_running)
		run_no_more(queue, call);
	else
		wait_no_more(queue, call);
	if (--call->at->calls == 0) {
		HASH_DEL(queue->hosts, call->at);
		talloc_free(call->at);
	}
	call->at = NULL;
	call->group = NULL;
	if (group->running == 0 && TAILQ_EMPTY(&group->calls)) {
		HASH_DEL(queue->groups, group);
		talloc_free(group);
	}
}

void
call_queue_again(struct call_queue *queue, struct queued_call *call)
{
	run_no_more(queue, call);
	begin_to_wait(queue, call);
}

size_t
call_queue_waiting(const struct call_queue *queue)
{
	return queue->waiting;
}
