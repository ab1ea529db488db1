/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages -- a plugin for the end-to-end tests: pages asked for in the body, and what is told of
 * a page beside its list.
 */
#include <nango/plugin.h>
#include "models.h"

#include <string.h>

static const char *
etag(const struct nango_page *page)
{
	const struct nango_pair *h = page->headers;

	while (h->name != NULL && strcmp(h->name, "etag") != 0)
		h++;
	return h->value;
}

static const char *
save_page(struct nango_run *run, struct nango_pages *pages, struct nango_value list,
	  uint32_t number)
{
	struct nango_page page = nango_page(pages);
	struct page record = {.id = nango_format(run, "%u", number),
			      .next = page.next,
			      .status = page.status,
			      .etag = etag(&page)};

	record.total = nango_integer(page.body, "paging.total", 0);
	record.has_total = record.total > 0;
	nango_each (item, list)
		record.items++;
	page_save(run, &record);
	return page.next;
}

static void
sync_search(struct nango_run *run)
{
	struct search_checkpoint checkpoint = {0};
	struct nango_pages *pages = nango_paginate(
	    run,
	    NANGO_REQUEST(.method = "POST", .path = "/search", .body = "{\"q\":1.5}",
			  .pages =
			      NANGO_PAGINATION(.kind = NANGO_PAGE_CURSOR, .items = "results",
					       .limit_name = "paging.limit", .limit = 2,
					       .cursor_name = "paging.after",
					       .cursor_path = "paging.next",
					       .more_path = "!paging.done")));
	struct nango_value list;
	uint32_t number = 0;

	while (nango_next_page(pages, &list)) {
		checkpoint.after = save_page(run, pages, list, ++number);
		search_commit(run, &checkpoint);
	}
}

static void
sync_query(struct nango_run *run)
{
	struct nango_pages *pages = nango_paginate(
	    run, NANGO_REQUEST(.method = "POST", .path = "/query", .body = "q=1",
			       .content_type = "application/x-www-form-urlencoded",
			       .pages = NANGO_PAGINATION(.kind = NANGO_PAGE_OFFSET,
							 .offset_name = "page.start",
							 .place = NANGO_PLACE_QUERY)));
	struct nango_value list;
	uint32_t number = 0;

	while (nango_next_page(pages, &list))
		save_page(run, pages, list, ++number);
	nango_commit(run, NULL);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "search", .run = sync_search),
				  NANGO_SYNC(.name = "query", .run = sync_query)));
