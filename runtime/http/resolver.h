/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/resolver -- names to addresses, by the system's resolver on threads of its own, so that
 * a slow one does not stop the loop. A name that many ask for is looked up once; answers, and
 * failures, are kept. The loop's thread.
 */
#ifndef NANGO_HTTP_RESOLVER_H
#define NANGO_HTTP_RESOLVER_H

#include "base/error.h"
#include "base/loop.h"
#include <stddef.h>
#include <sys/socket.h>
#include <talloc.h>

#define RESOLVER_THREADS 16 /* so many names may be slow at a time */
#define RESOLVER_QUEUE_MAX 1024
#define RESOLVER_KEEP_MS 30000
#define RESOLVER_FAILED_KEEP_MS 2000
#define RESOLVER_NAMES_MAX 4096 /* kept */
#define RESOLVER_ADDRESSES_MAX 16

struct resolver;
struct resolver_ask;

struct resolver_list {
	size_t count; /* 0: err says why */
	struct error err;
	struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX]; /* with the port */
};

/* Not called from within the calls below; list lives until return. */
typedef void resolver_done(void *arg, const struct resolver_list *list);

MUST_CHECK int resolver_new(struct resolver **out, struct loop *loop, struct error *err);
void resolver_free(struct resolver *resolver); /* waits for its threads */

/* Fills *list and returns NULL when it is known (an address, a name that was asked for lately).
 */
struct resolver_ask *resolver_find(struct resolver *resolver, const char *host, int port,
				   struct resolver_list *list, resolver_done *done, void *arg);
void resolver_cancel(struct resolver_ask *ask); /* NULL is fine */

#endif
