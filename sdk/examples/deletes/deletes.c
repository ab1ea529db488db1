/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deletes -- how deletions are found, both ways: by what a full list does not hold any more,
 * and by what the API says.
 */
#include <nango/plugin.h>
#include "models.h" /* written by nango-plugin generate */

#include <stdio.h>

/* plugin.yaml says track_deletes, so a walk over all pages is all that is needed. */
static void
sync_contacts(struct nango_run *run)
{
	struct nango_pages *pages =
	    nango_paginate(run, NANGO_REQUEST(.path = "/contacts", .retries = 3,
					      .pages = NANGO_PAGINATION(.kind = NANGO_PAGE_LINK,
									.link_rel = "next")));
	struct nango_value page;

	while (nango_next_page(pages, &page)) {
		nango_each (item, page) {
			struct contact contact = contact_read(run, item);

			contact_save(run, &contact);
		}
		contacts_commit(run);
	}
}

/* The first load, within a window: a run that dies in it leaves the window open, and the next
 * one starts the walk again; at its end what neither of them saw is deleted. */
static void
load_all(struct nango_run *run, struct orders_checkpoint *checkpoint)
{
	struct nango_pages *pages =
	    nango_paginate(run, NANGO_REQUEST(.path = "/orders", .retries = 3,
					      .pages = NANGO_PAGINATION(.kind = NANGO_PAGE_LINK,
									.link_rel = "next")));
	struct nango_value page;

	checkpoint->since = nango_keep(
	    run, nango_string(nango_http(run, NANGO_REQUEST(.path = "/now")).body, "now"));
	nango_track_deletes_start(run, "Order");
	while (nango_next_page(pages, &page)) {
		nango_each (item, page) {
			struct order order = order_read(run, item);

			order_save(run, &order);
		}
		nango_commit(run, NULL);
	}
	nango_track_deletes_end(run, "Order", NULL);
	orders_commit(run, checkpoint); /* the window's end and the checkpoint, or neither */
}

static void
apply(struct nango_run *run, const struct event *event)
{
	struct order order = {.id = event->order_id, .note = "changed by an event"};
	size_t known;

	if (strcmp(event->kind, "deleted") == 0) {
		order_delete(run, event->order_id);
		return;
	}
	order_by_ids(run, NANGO_TEXTS(event->order_id), 1, &known);
	if (event->order != NULL && known == 0)
		order_save(run, event->order);
	else
		order_update(run, &order, NANGO_TEXTS("note")); /* its other members stay */
}

static void
sync_orders(struct nango_run *run)
{
	struct orders_checkpoint checkpoint = orders_checkpoint(run);
	struct nango_pages *pages;
	struct nango_value page;

	if (checkpoint.since == NULL) {
		load_all(run, &checkpoint);
		return;
	}
	pages =
	    nango_paginate(run, NANGO_REQUEST(.path = "/events",
					      .query = NANGO_PAIRS({"since", checkpoint.since}),
					      .pages = NANGO_PAGINATION(.kind = NANGO_PAGE_LINK,
									.link_rel = "next")));
	while (nango_next_page(pages, &page)) {
		nango_each (item, page) {
			struct event event = event_read(run, item);

			if (event.problem != NULL)
				nango_fail(run, "unknown_event", "an event: %s", event.problem);
			apply(run, &event);
			checkpoint.since = event.at;
		}
		orders_commit(run, &checkpoint);
	}
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "contacts", .run = sync_contacts),
				  NANGO_SYNC(.name = "orders", .run = sync_orders)));
