/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/notice -- hints between nodes by NOTIFY: "due" (look at the queue), "gone" (ask for
 * your leases), "budget" (a provider refuses calls: sent with the row that says so). A hint is
 * sent after the commit it tells of, in a transaction of its own that does not wait for the
 * disk; at most one of a kind is on its way. Without them work is found by the tick.
 */
#include "base/crypto.h"
#include "base/log.h"
#include "db/listen.h"
#include "engine/budget.h"
#include "engine/worker_internal.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHANNEL "nango"
#define RECONNECT_MS 5000

enum notice { NOTICE_DUE, NOTICE_GONE, NOTICE_BUDGET, NOTICES };
static const char *const words[NOTICES] = {"due", "gone", "budget"};

struct notices {
	struct node *node;
	char id[17]; /* of this node, so that it does not heed itself */
	int stop_fd;
	pthread_t thread;
	bool has_thread;
};

/* ---- out ---- */

struct sending {
	struct node *node;
	enum notice what;
};

/* One a kind and node at a time: the flag falls before the statement, so nothing is missed. */
static atomic_bool is_sending[NOTICES];

static void
send_in_pool(void *arg)
{
	struct sending *sending = arg;
	struct node *node = sending->node;
	char statement[160];
	struct error err;
	struct db *db;

	atomic_store(&is_sending[sending->what], false);
	snprintf(statement, sizeof(statement),
		 "BEGIN; SET LOCAL synchronous_commit TO off; NOTIFY " CHANNEL
		 ", '%s %s'; COMMIT",
		 words[sending->what], node->id);
	if (db_acquire(node->control, &db, &err) == 0) {
		if (db_script(db, statement, &err) < 0)
			log_debug("worker", "no notice was sent: %s", err.message);
		db_release(db);
	}
	free(sending);
}

void
notices_send(struct node *node, const char *what)
{
	enum notice kind = strcmp(what, words[NOTICE_DUE]) == 0 ? NOTICE_DUE : NOTICE_GONE;
	struct sending *sending;

	if (atomic_exchange(&is_sending[kind], true))
		return;
	sending = malloc(sizeof(*sending));
	if (sending == NULL)
		abort();
	*sending = (struct sending){node, kind};
	if (pool_submit(node->worker_pool, send_in_pool, sending) < 0) {
		atomic_store(&is_sending[kind], false);
		free(sending);
	}
}

/* ---- in ---- */

static void
heed_due(void *arg)
{
	struct node *node = arg;

	if (node->worker != NULL)
		worker_look(node->worker);
}

static void
heed_gone(void *arg)
{
	struct node *node = arg;

	if (node->worker != NULL)
		lease_ask(node->worker);
}

static void
heed_budget_in_front(void *arg)
{
	budget_look(((struct node *)arg)->front_budget);
}

/* This node's own, too: its two loops do not know of each other. */
static void
heed_budget(void *arg)
{
	struct node *node = arg;

	budget_look(node->budget);
	if (node->front_budget != NULL)
		loop_post(node->front, heed_budget_in_front, node);
}

static void
heed(struct notices *notices, const char *payload)
{
	static loop_fn *const heeds[NOTICES] = {heed_due, heed_gone, heed_budget};

	for (size_t i = 0; i < NOTICES; i++) {
		size_t n = strlen(words[i]);

		if (strncmp(payload, words[i], n) == 0 && payload[n] == ' ' &&
		    (i == NOTICE_BUDGET || strcmp(payload + n + 1, notices->id) != 0))
			loop_post(notices->node->loop, heeds[i], notices->node);
	}
}

/* Whether it is time to stop. */
static bool
pause_before_reconnect(const struct notices *notices)
{
	struct pollfd fd = {.fd = notices->stop_fd, .events = POLLIN};

	return poll(&fd, 1, RECONNECT_MS) > 0;
}

static void *
listen_thread(void *arg)
{
	struct notices *notices = arg;
	char payload[DB_NOTICE_MAX];
	struct db_listener *listener;
	struct error err;
	int got;

	pthread_setname_np(pthread_self(), "listen");
	for (;;) {
		if (db_listen(notices->node->direct_url, CHANNEL, &listener, &err) < 0) {
			log_warn("worker", "no notices, work is found by the tick: %s",
				 err.message);
		} else {
			/* What was queued while nobody listened. */
			loop_post(notices->node->loop, heed_due, notices->node);
			while ((got = db_listen_wait(listener, notices->stop_fd, payload)) == 1)
				heed(notices, payload);
			db_listen_close(listener);
			if (got == 0)
				return NULL;
		}
		if (pause_before_reconnect(notices))
			return NULL;
	}
}

struct notices *
notices_start(struct node *node)
{
	struct notices *notices = calloc(1, sizeof(*notices));
	sigset_t all, before;

	if (notices == NULL)
		abort();
	notices->node = node;
	snprintf(notices->id, sizeof(notices->id), "%s", node->id);
	notices->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (notices->stop_fd < 0 || node->direct_url == NULL)
		return notices;
	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	notices->has_thread =
	    pthread_create(&notices->thread, NULL, listen_thread, notices) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return notices;
}

void
notices_stop(struct notices *notices)
{
	const uint64_t one = 1;

	if (notices == NULL)
		return;
	if (notices->has_thread && write(notices->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(notices->thread, NULL);
	if (notices->stop_fd >= 0)
		close(notices->stop_fd);
	free(notices);
}
