/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/node -- what a nangod process is made of; set up by main, handed to api and engine.
 *
 * Everything here lives as long as the process. The loop's own things (run_host, http client,
 * worker) are touched on the loop's thread only; pools, database pools, vault and catalogue by
 * any thread.
 */
#ifndef NANGO_ENGINE_NODE_H
#define NANGO_ENGINE_NODE_H

#include "auth/vault.h"
#include "base/config.h"
#include "base/loop.h"
#include "base/pool.h"
#include "db/db.h"
#include "engine/manifest.h"
#include <stdatomic.h>
#include <stdbool.h>

struct run_host;
struct http_client;
struct upstream;
struct cache;
struct http_waits;
struct freshener;
struct fetcher;
struct budget;
struct catalogue;
struct worker;
struct retention;
struct hooks_out;
struct keepalive;

enum role { ROLE_API = 1, ROLE_SCHEDULER = 2, ROLE_WORKER = 4 };

struct node {
	const struct config *config;
	unsigned roles;
	bool is_dev;
	char id[17];		/* made at the start, for this process only */
	const char *direct_url; /* for LISTEN; NULL: none */
	const char *server_url;
	struct loop *loop;  /* of runs, timers and HTTP out */
	struct loop *front; /* of HTTP in; NULL without the api role */
	struct pool *api_pool, *worker_pool;
	struct pool *lease_pool;	/* one thread, for heartbeats: they wait for no page */
	struct pool *auth_pool;		/* for what waits for a provider's answer */
	struct db_pool *control, *data; /* may be the same */
	struct vault *vault;
	struct catalogue *catalogue; /* of templates */
	struct http_client *http;
	struct upstream *upstream;   /* of the proxy, on the front loop; NULL without it */
	struct cache *cache;	     /* likewise */
	struct http_waits *waits;    /* for calls of pool threads */
	struct freshener *freshener; /* of credentials */
	struct fetcher *fetcher;
	struct budget *budget;	     /* run/budget.h; the loop's thread */
	struct budget *front_budget; /* of the front's; NULL without it */
	struct run_host *host;
	const char *layers; /* of the sandbox, JSON; any thread */
	struct manifest_budget manifests;
	struct retention *retention; /* NULL without the scheduler role */
	struct keepalive *keepalive; /* likewise */
	struct worker *worker;	     /* NULL without the role */
	struct hooks_out *hooks_out; /* likewise */
	int64_t started_ms;
	atomic_bool is_stopping;
};

#endif
