/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/resolver -- see resolver.h.
 */
#include "http/resolver.h"
#include "base/clock.h"
#include "base/pool.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct known {
	UT_hash_handle hh;
	int64_t until_ms;
	struct resolver_list list; /* without ports */
	char host[];
};

struct resolver {
	struct loop *loop;
	struct pool *pool;
	struct known *known;
	size_t asking;
};

struct resolver_ask {
	struct resolver *resolver;
	resolver_done *done; /* NULL: cancelled */
	void *arg;
	int port;
	struct resolver_list list;
	char host[];
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

static void
forget(struct resolver *resolver, struct known *known)
{
	HASH_DEL(resolver->known, known);
	free(known);
}

static void
keep(struct resolver *resolver, const struct resolver_ask *ask)
{
	size_t length = strlen(ask->host);
	struct known *known;

	HASH_FIND(hh, resolver->known, ask->host, length, known);
	if (known != NULL)
		forget(resolver, known);
	if (HASH_COUNT(resolver->known) >= RESOLVER_NAMES_MAX)
		forget(resolver, resolver->known); /* the oldest */
	known = calloc(1, sizeof(*known) + length + 1);
	if (known == NULL)
		abort();
	memcpy(known->host, ask->host, length + 1);
	known->list = ask->list;
	known->until_ms = clock_monotonic_ms() + RESOLVER_KEEP_MS;
	HASH_ADD_KEYPTR(hh, resolver->known, known->host, length, known);
}

static void
answered(void *arg)
{
	struct resolver_ask *ask = arg;

	ask->resolver->asking--;
	if (ask->list.count > 0)
		keep(ask->resolver, ask);
	set_port(&ask->list, ask->port);
	if (ask->done != NULL)
		ask->done(ask->arg, &ask->list);
	free(ask);
}

static void
ask_system(void *arg)
{
	struct resolver_ask *ask = arg;

	look_up(ask->host, 0, &ask->list);
	loop_post(ask->resolver->loop, answered, ask);
}

struct resolver_ask *
resolver_find(struct resolver *resolver, const char *host, int port, struct resolver_list *list,
	      resolver_done *done, void *arg)
{
	struct resolver_ask *ask;
	struct known *known;
	size_t length = strlen(host);

	HASH_FIND(hh, resolver->known, host, length, known);
	if (known != NULL && known->until_ms > clock_monotonic_ms())
		*list = known->list;
	else
		look_up(host, AI_NUMERICHOST, list); /* no name: no question to anybody */
	if (list->count > 0) {
		set_port(list, port);
		return NULL;
	}
	ask = calloc(1, sizeof(*ask) + length + 1);
	if (ask == NULL)
		abort();
	ask->resolver = resolver;
	ask->done = done;
	ask->arg = arg;
	ask->port = port;
	memcpy(ask->host, host, length + 1);
	if (pool_submit(resolver->pool, ask_system, ask) < 0) {
		error_set(&list->err, ERR_BUSY, "too many names are being looked up");
		free(ask);
		return NULL;
	}
	resolver->asking++;
	return ask;
}

void
resolver_cancel(struct resolver_ask *ask)
{
	if (ask != NULL)
		ask->done = NULL;
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
	while (resolver->known != NULL)
		forget(resolver, resolver->known);
	free(resolver);
}
