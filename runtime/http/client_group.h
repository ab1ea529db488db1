/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_group -- whose turn it is: calls that wait, one turn a group, a limit a host.
 *
 * Knows nothing of curl. The loop's thread.
 */
#ifndef NANGO_HTTP_CLIENT_GROUP_H
#define NANGO_HTTP_CLIENT_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <talloc.h>

struct call_group;
struct call_host;

struct queued_call {
	TAILQ_ENTRY(queued_call) next;
	struct call_group *group; /* while it waits */
	struct call_host *at;	  /* while it runs */
	const char *host; /* "api.github.com:443"; the caller's, lives as long as the call */
};

struct call_queue;

struct call_queue *call_queue_new(TALLOC_CTX *mem, size_t per_host_max);
void call_queue_add(struct call_queue *queue, struct queued_call *call, const char *group);
void call_queue_remove(struct call_queue *queue, struct queued_call *call); /* waiting or not */

/* Takes the call whose turn it is and whose host has room; NULL: none. */
struct queued_call *call_queue_next(struct call_queue *queue);
void call_queue_left(struct call_queue *queue, struct queued_call *call); /* it ended */

size_t call_queue_waiting(const struct call_queue *queue);

#endif
