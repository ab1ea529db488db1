/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contacts -- the plugin of the benchmarks: what a list costs that is read into structs,
 * written from them, and committed page by page.
 */
#include <nango/plugin.h>
#include "models.h"

static void
sync_contacts(struct nango_run *run)
{
	struct nango_pages *pages = nango_paginate(
	    run,
	    NANGO_REQUEST(.path = "/contacts",
			  .pages = NANGO_PAGINATION(.kind = NANGO_PAGE_LINK, .link_rel = "next",
						    .limit_name = "limit", .limit = 1000)));
	struct nango_value page;

	while (nango_next_page(pages, &page)) {
		nango_each (entry, page) {
			struct contact contact = contact_read(run, entry);

			contact_save(run, &contact);
		}
		nango_commit(run, NULL);
	}
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "contacts", .run = sync_contacts)));
