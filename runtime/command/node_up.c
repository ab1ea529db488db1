/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/node_up -- see node_up.h.
 *
 * Stopping: no new requests, runs are cancelled and given back to the queue, requests under way
 * end, then the loop. A second signal ends the wait.
 */
#include "config.h"

#include "command/node_up.h"
#include "command/descriptors.h"
#include "auth/apikey.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "command/place.h"
#include "command/template_log.h"
#include "db/migrate.h"
#include "engine/budget.h"
#include "engine/retention.h"
#include "engine/freshener.h"
#include "engine/hooks_out.h"
#include "engine/keepalive.h"
#include "engine/worker.h"
#include "http/client.h"
#include "http/client_wait.h"
#include "provider/catalogue.h"
#include "run/fetch.h"
#include "run/host.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define API_QUEUE_MAX 4096
#define WORKER_QUEUE_MAX 65536
#define LEASE_QUEUE_MAX 1 /* one heartbeat is under way at a time */
#define DRAIN_MS 10000	  /* for requests under way at the end */

int
node_check_settings(const struct config *config, bool needs_key, struct error *err)
{
	if (config->database_url == NULL)
		return error_set(
		    err, ERR_CONFIG,
		    "NANGO_DATABASE_URL is not set: give the URL of a Postgres, such as "
		    "postgres://nango:PASSWORD@localhost/nango (for development, `nangod dev` "
		    "needs none)");
	if (needs_key && config->encryption_key == NULL)
		return error_set(
		    err, ERR_CONFIG,
		    "NANGO_ENCRYPTION_KEY is not set: make one with `head -c 32 "
		    "/dev/urandom | base64`, and keep it: without it stored credentials "
		    "cannot be read");
	return 0;
}

static int
parse_roles(const char *text, unsigned *roles, struct error *err)
{
	static const struct {
		const char *name;
		unsigned role;
	} known[] = {{"api", ROLE_API}, {"scheduler", ROLE_SCHEDULER}, {"worker", ROLE_WORKER}};

	*roles = 0;
	for (const char *p = text; *p != '\0';) {
		size_t n = strcspn(p, ", "), i = 0;

		while (i < 3 &&
		       !(strlen(known[i].name) == n && strncmp(known[i].name, p, n) == 0))
			i++;
		if (i == 3)
			return error_set(
			    err, ERR_CONFIG,
			    "NANGO_ROLES is \"%s\": give some of api, scheduler, worker, "
			    "separated by commas",
			    text);
		*roles |= known[i].role;
		p += n + strspn(p + n, ", ");
	}
	return 0;
}

static int
read_keys(TALLOC_CTX *mem, struct node_up *up, struct error *err)
{
	struct environment *list;
	struct db *db;
	size_t count;
	int result;

	if (db_acquire(up->node.control, &db, err) < 0)
		return -1;
	result = environment_list(mem, db, &list, &count, err);
	up->keys = talloc_zero_array(mem, struct node_keys, (unsigned)count + 1);
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct api_key *key;
		char *secret = NULL;

		result = api_key_first(mem, db, list[i].id, &key, err);
		if (result == 0)
			result = apikey_reveal(mem, up->node.vault, key, &secret, err);
		up->keys[i] = (struct node_keys){list[i].name, secret};
		up->keys_count = i + 1;
	}
	db_release(db);
	return result;
}

static int
check_vault(struct node_up *up, struct error *err)
{
	struct db *db;
	int result;

	if (db_acquire(up->node.control, &db, err) < 0)
		return -1;
	result = vault_check(up->node.vault, db, err);
	db_release(db);
	return result;
}

int
node_open_database(TALLOC_CTX *mem, struct node_up *up, const char *control_url,
		   const char *data_url, const char *encryption_key, struct error *err)
{
	struct node *node = &up->node;
	size_t size = (size_t)node->config->db_connections;
	int applied = 0, applied_data = 0;

	if (vault_open_keys(mem, encryption_key, &node->vault, err) < 0 ||
	    db_pool_open(control_url, size, &node->control, err) < 0)
		return -1;
	node->direct_url = node->config->database_direct_url != NULL
			       ? node->config->database_direct_url
			       : talloc_strdup(mem, control_url);
	node->data = node->control;
	if (data_url != NULL && strcmp(data_url, control_url) != 0 &&
	    db_pool_open(data_url, size, &node->data, err) < 0) {
		node->data = NULL;
		return error_prefix(err, "NANGO_RECORDS_DATABASE_URL: ");
	}
	if (migrate_run(node->control, "control", &applied, err) < 0 ||
	    migrate_run(node->data, "data", &applied_data, err) < 0 ||
	    check_vault(up, err) < 0 ||
	    environments_ensure(node->control, node->vault, err) < 0)
		return -1;
	if (applied + applied_data > 0)
		log_info("nangod", "%d migrations applied", applied + applied_data);
	return read_keys(mem, up, err);
}

static int
start_outside(TALLOC_CTX *mem, struct node *node, struct error *err)
{
	struct config *config = (struct config *)node->config;
	struct http_client_config http = {.loop = node->loop,
					  .egress_allow = config->egress_allow,
					  .user_agent = "nangod/" PACKAGE_VERSION,
					  .ca_file = config->ca_file,
					  .proxy = config->https_proxy,
					  .direct = config->no_proxy,
					  .connections_max = (size_t)config->upstream_max,
					  .per_host_max = (size_t)config->upstream_host_max,
					  .is_h2_off =
					      strcmp(config->upstream_http2, "off") == 0};
	struct run_host_config host = {.loop = node->loop,
				       .runs_max = (size_t)config->runs_max};

	host.runner_path = config->runner;
	if (http_client_new(&node->http, &http, err) < 0)
		return -1;
	node->waits = http_waits_new(mem, node->loop, node->http);
	node->freshener = freshener_new(mem);
	node->fetcher = fetcher_new(mem, node->loop, node->http);
	if (budget_open(node, node->loop, &node->budget, err) < 0)
		return -1;
	fetcher_set_budget(node->fetcher, node->budget);
	if ((node->roles & ROLE_WORKER) == 0)
		return 0;
	if (run_host_new(&node->host, &host, err) < 0)
		return -1;
	node->layers = run_host_layers(node->host);
	return 0;
}

static void
warn_of_layers(struct node *node)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct json_object *layers;
	struct error err;

	if (node->layers != NULL &&
	    json_parse(mem, node->layers, strlen(node->layers), &layers, &err) == 0 &&
	    json_object_array_length(json_array_in(layers, "missing")) > 0)
		log_warn("sandbox", "plugins run without these layers: %s",
			 json_text(mem, json_array_in(layers, "missing")));
	talloc_free(mem);
}

static int
start_serving(TALLOC_CTX *mem, struct node_up *up, struct error *err)
{
	struct node *node = &up->node;

	if (front_open(&up->front, node, err) < 0)
		return -1;
	up->url = place_url(mem, node->config->listen, http_server_port(up->front.server));
	node->server_url =
	    node->config->server_url != NULL ? node->config->server_url : up->url;
	return 0;
}

/* ---- the loop, its beginning and its end ---- */

static void
poll_drained(void *arg)
{
	struct node_up *up = arg;

	loop_stop(up->node.loop);
}

static void
renewals_done(void *arg)
{
	struct node_up *up = arg;

	/* Replies that are being written get one more turn of their loop. */
	front_settle(&up->front, up->node.loop, poll_drained, up);
}

static void
hooks_stopped(void *arg)
{
	struct node_up *up = arg;

	freshener_drain(&up->node, renewals_done, up);
}

static void
runs_stopped(void *arg)
{
	struct node_up *up = arg;

	hooks_out_stop(&up->node, hooks_stopped, up);
}

void
node_stop(struct node_up *up)
{
	struct node *node = &up->node;

	if (atomic_exchange(&node->is_stopping, true)) {
		loop_stop(node->loop);
		return;
	}
	front_drain(&up->front);
	retention_stop(node);
	if (node->worker != NULL)
		worker_stop(node, runs_stopped, up);
	else
		runs_stopped(up);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	log_info("nangod", "%s: stopping", strsignal((int)number));
	node_stop(arg);
}

static void
reload(void *arg)
{
	template_log_reload(((struct node *)arg)->catalogue);
}

/*
 * SIGHUP: the templates are read anew, off the loop. When the terminal that it was started from
 * is gone it means what it always did.
 */
static void
on_hangup(evutil_socket_t number, short what, void *arg)
{
	struct node_up *up = arg;

	if (up->has_terminal && !isatty(STDIN_FILENO))
		on_signal(number, what, arg);
	else if (pool_submit(up->node.api_pool, reload, &up->node) < 0)
		log_error("templates", "SIGHUP: not read anew: all threads are busy");
}

static void
heed_signals(struct node_up *up)
{
	struct event_base *base = loop_base(up->node.loop);

	up->on_term = evsignal_new(base, SIGTERM, on_signal, up);
	up->on_interrupt = evsignal_new(base, SIGINT, on_signal, up);
	up->on_hangup = evsignal_new(base, SIGHUP, on_hangup, up);
	up->has_terminal = isatty(STDIN_FILENO);
	event_add(up->on_hangup, NULL);
	event_add(up->on_term, NULL);
	event_add(up->on_interrupt, NULL);
}

/* It ends already: another signal, while it does, changes nothing any more. */
static void
forget_signals(struct node_up *up)
{
	sigset_t ours;

	if (up->on_term == NULL)
		return;
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ours, NULL); /* until they are ignored */
	if (up->on_term != NULL)
		event_free(up->on_term);
	if (up->on_interrupt != NULL)
		event_free(up->on_interrupt);
	if (up->on_hangup != NULL)
		event_free(up->on_hangup);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

static void
make_id(struct node *node)
{
	unsigned char bytes[8];

	crypto_random(bytes, sizeof(bytes));
	crypto_hex(node->id, bytes, sizeof(bytes));
}

int
node_start(TALLOC_CTX *mem, struct node_up *up, struct error *err)
{
	struct node *node = &up->node;
	struct config *config = (struct config *)node->config;

	node->started_ms = clock_monotonic_ms();
	node->manifests.limit_bytes = config->manifest_bytes;
	make_id(node);
	descriptors_raise(config);
	if (parse_roles(config->roles, &node->roles, err) < 0 ||
	    place_programs(mem, config, err) < 0 ||
	    catalogue_open(config->templates_dir, config->providers_file, &node->catalogue,
			   err) < 0 ||
	    pool_new(&node->api_pool, "api", (size_t)config->api_threads, API_QUEUE_MAX, err) <
		0 ||
	    pool_new(&node->auth_pool, "auth", (size_t)config->auth_threads, API_QUEUE_MAX,
		     err) < 0 ||
	    pool_new(&node->worker_pool, "worker", (size_t)config->worker_threads,
		     WORKER_QUEUE_MAX, err) < 0 ||
	    pool_new(&node->lease_pool, "lease", 1, LEASE_QUEUE_MAX, err) < 0 ||
	    start_outside(mem, node, err) < 0)
		return -1;
	warn_of_layers(node);
	template_log_findings(node->catalogue);
	heed_signals(up);
	if ((node->roles & ROLE_API) != 0 && start_serving(mem, up, err) < 0)
		return -1;
	if ((node->roles & (ROLE_SCHEDULER | ROLE_WORKER)) != 0)
		worker_start(node);
	if ((node->roles & ROLE_SCHEDULER) != 0) {
		retention_start(node);
		keepalive_start(node);
	}
	if ((node->roles & ROLE_WORKER) != 0)
		hooks_out_start(node);
	return front_start(&up->front, err);
}

void
node_run(struct node_up *up)
{
	loop_run(up->node.loop);
}

void
node_down(struct node_up *up)
{
	struct node *node = &up->node;

	forget_signals(up);
	front_close(&up->front);
	if (node->waits != NULL)
		http_waits_end(node->waits);
	pool_free(node->api_pool);
	pool_end(node->auth_pool);
	front_free(&up->front);
	/* What threads have in hand, then their answers, while those who asked are still there.
	 */
	pool_end(node->worker_pool);
	pool_end(node->lease_pool);
	budget_end(node->budget);
	if (node->loop != NULL)
		loop_settle(node->loop);
	run_host_free(node->host);
	worker_free(node);
	retention_free(node);
	keepalive_free(node);
	hooks_out_free(node);
	freshener_stop(node); /* the end of the last run may have begun a drain */
	pool_free(node->worker_pool);
	pool_free(node->lease_pool);
	pool_free(node->auth_pool);
	catalogue_free(node->catalogue);
	http_client_free(node->http);
	budget_close(&node->budget);
	if (node->data != node->control)
		db_pool_close(node->data);
	db_pool_close(node->control);
}
