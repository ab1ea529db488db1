/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_group -- whose turn it is: calls that wait, one turn a group, a limit for all and
 * for each host.
 *
 * Nobody who is slow takes everything: a host has at most CALL_SHARE times what it leaves free
 * of all places, and a group at most CALL_SHARE times what is left free of its host's. So one
 * alone takes three quarters, and there is a place for the next as long as hosts, or groups,
 * are few; what is freed goes to them first. Knows nothing of curl. The loop's thread.
 */
#ifndef NANGO_HTTP_CLIENT_GROUP_H
#define NANGO_HTTP_CLIENT_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <talloc.h>

#define CALL_SHARE 3

struct call_group;
struct call_host;

struct queued_call {
	TAILQ_ENTRY(queued_call) next;
	struct call_group *group; /* while it waits or runs; of both */
	struct call_host *at;
	bool is_running;
	const char *host; /* "api.github.com:443"; the caller's, lives as long as the call */
};

struct call_queue;

struct call_queue *call_queue_new(TALLOC_CTX *mem, size_t running_max, size_t per_host_max);
void call_queue_add(struct call_queue *queue, struct queued_call *call, const char *group);

/* Takes the call whose turn it is and for which there is room; NULL: none. */
struct queued_call *call_queue_next(struct call_queue *queue);

/* It waits no more, or runs no more; or did neither. */
void call_queue_leave(struct call_queue *queue, struct queued_call *call);
/* A call that runs waits again, behind the others of its group. */
void call_queue_again(struct call_queue *queue, struct queued_call *call);

size_t call_queue_waiting(const struct call_queue *queue);

#endif
