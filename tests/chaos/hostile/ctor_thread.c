/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/ctor_thread -- a constructor that starts a thread: it would not survive the fork.
 */
#include <nango/plugin.h>

#include <pthread.h>

static void *
start(void *arg)
{
	return arg;
}

__attribute__((constructor)) static void
construct(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, start, NULL);
}

static void
good(struct nango_run *run)
{
	nango_save(run, "Item", (struct nango_value){run->calls, "{\"id\":1}", 8});
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "good", .run = good)));
