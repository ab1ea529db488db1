/*
 * @PROVIDER@ -- items, oldest change first.
 *
 * Each page is stored together with its checkpoint, so a run that breaks off goes on after the
 * last page that was stored.
 */
#include <nango/plugin.h>
#include "models.h" /* written into build/ by nango-plugin build */

static void
sync_items(struct nango_run *run)
{
	struct items_checkpoint checkpoint = items_checkpoint(run);
	struct nango_pages *pages = nango_paginate(
	    run, NANGO_REQUEST(.path = "/items",
			       .query = NANGO_PAIRS({"sort", "updated_at"}, {"per_page", "100"},
						    {"updated_since", checkpoint.updated_at}),
			       .retries = 3,
			       .pages = NANGO_PAGINATION(.kind = NANGO_PAGE_LINK,
							 .link_rel = "next")));
	struct nango_value page;

	while (nango_next_page(pages, &page)) {
		nango_each (entry, page) {
			struct item item = item_read(run, entry);

			item_save(run, &item);
			checkpoint.updated_at = item.updated_at;
		}
		items_commit(run, &checkpoint);
	}
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "items", .run = sync_items)));
