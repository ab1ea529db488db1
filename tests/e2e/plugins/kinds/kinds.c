/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds -- a plugin for the tests of the queue's kinds: a sync, and an action of the same name,
 * which plugin.yaml could not name. Both ask the provider once, and end when it answers.
 */
#include <nango/plugin.h>
#include "models.h"

static void
sync_work(struct nango_run *run)
{
	nango_http(run, NANGO_REQUEST(.path = "/sync"));
}

static void
action_work(struct nango_run *run)
{
	nango_http(run, NANGO_REQUEST(.path = "/action"));
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "work", .run = sync_work)),
	     .actions = NANGO_ACTIONS(NANGO_ACTION(.name = "work", .run = action_work)));
