/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/resolver -- see resolver.h.
 */
#include "http/resolver.h"
#include "base/clock.h"
#include "base/pool.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

struct name {
	UT_hash_handle hh;
	struct resolver *resolver;
	bool is_asked;		   /* now: list is the thread's */
	int64_t until_ms;	   /* the answer is kept */
	struct resolver_list list; /* without ports */
	TAILQ_HEAD(, resolver_ask) asks;
	char host[];
};

struct resolver {
	struct loop *loop;
	struct pool *pool;
	struct name *names; /* in the order in which they were first asked for */
};

struct resolver_ask {
	TAILQ_ENTRY(resolver_ask) entry;
	struct name *name;
	resolver_done *done;
	void *arg;
	int port;
};

static void
set_port(struct resolver_list *list, int port)
{
	for (size_t i = 0; i < list->count; i++) {
		struct sockaddr_storage *a = &list->addresses[i];

		if (a->ss_family == AF_INET6)
			((struct sockaddr_in6 *)(void *)a)->sin6_port = htons((uint16_t)port);
		else
			((struct sockaddr_in *)(void *)a)->sin_port = htons((uint16_t)port);
	}
}

/* Any thread. */
static void
look_up(const char *host, int flags, struct resolver_list *out)
{
	const struct addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	struct addrinfo *found = NULL;
	int result = getaddrinfo(host, NULL, &hints, &found);

	out->count = 0;
	if (result != 0) {
		error_set(&out->err, ERR_NETWORK, "%.200s has no address: %s", host,
			  gai_strerror(result));
		return;
	}
	for (const struct addrinfo *a = found; a != NULL && out->count < RESOLVER_ADDRESSES_MAX;
	     a = a->ai_next) {
		memset(&out->addresses[out->count], 0, sizeof(out->addresses[0]));
		memcpy(&out->addresses[out->count++], a->ai_addr, a->ai_addrlen);
	}
	freeaddrinfo(found);
}

/* ---- the loop's thread ---- */

static void
forget(struct name *name)
{
	HASH_DEL(name->resolver->names, name);
	free(name);
}

/* The oldest that nobody waits for; there is one, as fewer are asked for than are kept. */
static void
make_room(struct resolver *resolver)
{
	struct name *name, *next;

	HASH_ITER (hh, resolver->names, name, next) {
		if (HASH_COUNT(resolver->names) < RESOLVER_NAMES_MAX)
			return;
		if (!name->is_asked)
			forget(name);
	}
}

static struct name *
name_for(struct resolver *resolver, const char *host)
{
	size_t length = strlen(host);
	struct name *name;

	HASH_FIND(hh, resolver->names, host, length, name);
	if (name != NULL)
		return name;
	make_room(resolver);
	name = calloc(1, sizeof(*name) + length + 1);
	if (name == NULL)
		abort();
	name->resolver = resolver;
	memcpy(name->host, host, length + 1);
	TAILQ_INIT(&name->asks);
	HASH_ADD_KEYPTR(hh, resolver->names, name->host, length, name);
	return name;
}

/* Whoever is told may ask again, or call off others. */
static void
answered(void *arg)
{
	struct name *name = arg;
	struct resolver_list list;
	struct resolver_ask *ask;

	name->until_ms = clock_monotonic_ms() +
			 (name->list.count > 0 ? RESOLVER_KEEP_MS : RESOLVER_FAILED_KEEP_MS);
	while ((ask = TAILQ_FIRST(&name->asks)) != NULL) {
		TAILQ_REMOVE(&name->asks, ask, entry);
		list = name->list;
		set_port(&list, ask->port);
		ask->done(ask->arg, &list);
		free(ask);
	}
	name->is_asked = false;
}

static void
ask_system(void *arg)
{
	struct name *name = arg;

	look_up(name->host, 0, &name->list);
	loop_post(name->resolver->loop, answered, name);
}

static struct resolver_ask *
ask_new(struct name *name, int port, resolver_done *done, void *arg)
{
	struct resolver_ask *ask = calloc(1, sizeof(*ask));

	if (ask == NULL)
		abort();
	ask->name = name;
	ask->done = done;
	ask->arg = arg;
	ask->port = port;
	TAILQ_INSERT_TAIL(&name->asks, ask, entry);
	return ask;
}

struct resolver_ask *
resolver_find(struct resolver *resolver, const char *host, int port, struct resolver_list *list,
	      resolver_done *done, void *arg)
{
	struct name *name;

	look_up(host, AI_NUMERICHOST, list); /* no name: no question to anybody */
	if (list->count > 0) {
		set_port(list, port);
		return NULL;
	}
	name = name_for(resolver, host);
	if (!name->is_asked && name->until_ms > clock_monotonic_ms()) {
		*list = name->list;
		set_port(list, port);
		return NULL;
	}
	if (!name->is_asked && pool_submit(resolver->pool, ask_system, name) < 0) {
		list->count = 0;
		error_set(&list->err, ERR_BUSY, "too many names are being looked up");
		return NULL;
	}
	name->is_asked = true;
	return ask_new(name, port, done, arg);
}

void
resolver_cancel(struct resolver_ask *ask)
{
	if (ask == NULL)
		return;
	TAILQ_REMOVE(&ask->name->asks, ask, entry);
	free(ask);
}

int
resolver_new(struct resolver **out, struct loop *loop, struct error *err)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver == NULL)
		abort();
	resolver->loop = loop;
	if (pool_new(&resolver->pool, "resolve", RESOLVER_THREADS, RESOLVER_QUEUE_MAX, err) <
	    0) {
		free(resolver);
		return -1;
	}
	*out = resolver;
	return 0;
}

void
resolver_free(struct resolver *resolver)
{
	if (resolver == NULL)
		return;
	pool_free(resolver->pool);
	loop_settle(resolver->loop);
	while (resolver->names != NULL)
		forget(resolver->names);
	free(resolver);
}
