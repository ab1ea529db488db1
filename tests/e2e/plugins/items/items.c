/* SPDX-License-Identifier: Apache-2.0 */
/*
 * items -- a plugin for the end-to-end tests: pages of a made-up API, one commit a page.
 */
#include <nango/plugin.h>
#include "models.h"

#include <stdlib.h>
#include <sys/socket.h>

static bool
sync_page(struct nango_run *run, int64_t number, struct items_checkpoint *checkpoint)
{
	struct nango_response response = nango_http(
	    run, NANGO_REQUEST(.path = "/items", .retries = 2,
			       .query = NANGO_PAIRS(
				   {"page", nango_format(run, "%lld", (long long)number)})));
	bool has_any = false;

	nango_each (entry, response.body) {
		struct item item = item_read(run, entry);

		item_save(run, &item);
		has_any = true;
	}
	if (!has_any)
		return false;
	checkpoint->has_page = true;
	checkpoint->page = number;
	items_commit(run, checkpoint);
	return true;
}

static void
sync_items(struct nango_run *run)
{
	struct items_checkpoint checkpoint = items_checkpoint(run);
	int64_t number = checkpoint.has_page ? checkpoint.page + 1 : 1;

	while (sync_page(run, number, &checkpoint))
		number++;
	checkpoint.has_page = false;
	items_commit(run, &checkpoint);
}

static void
misbehave(struct nango_run *run)
{
	const char *how = nango_string(nango_metadata(run), "how");

	if (how == NULL || strcmp(how, "fail") == 0)
		nango_fail(run, "no_way", "the test wanted it: %d", 42);
	if (strcmp(how, "crash") == 0)
		*(volatile int *)8 = 1;
	if (strcmp(how, "connect") == 0)
		socket(AF_INET, SOCK_STREAM, 0);
	if (strcmp(how, "upstream") == 0)
		nango_http(run, NANGO_REQUEST(.path = "/teapot"));
	if (strcmp(how, "exit") == 0)
		exit(0);
	for (;;)
		; /* "spin" */
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "items", .run = sync_items),
				  NANGO_SYNC(.name = "misbehave", .run = misbehave)));
