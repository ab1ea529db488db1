/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heavy -- a plugin for the tests of sizes: records of exactly so many bytes, in one page. The
 * text that fills one up differs from record to record. Or it reads what is stored, as a list
 * or by the ids, and expects `count` records.
 */
#include <nango/plugin.h>
#include "models.h"

static void
save_block(struct nango_run *run, int64_t n, const char *tag, size_t bytes)
{
	const char *head =
	    nango_format(run, "{\"id\":\"%lld\",\"tag\":\"%s\",\"fill\":\"", (long long)n, tag);
	size_t used = strlen(head);
	struct nango_value value = {run->calls, NULL, bytes};
	char *text = nango_allocate(run, bytes);

	memcpy(text, head, used);
	for (size_t i = used; i < bytes - 2; i++)
		text[i] = (char)('a' + (i * 7 + (size_t)n) % 26);
	memcpy(text + bytes - 2, "\"}", 2);
	value.data = text;
	nango_save(run, "Block", value);
}

static int64_t
walk_all(struct nango_run *run)
{
	struct nango_pages *pages = nango_records(run, "Block");
	struct nango_value page;
	int64_t found = 0;

	while (nango_next_page(pages, &page))
		nango_each (one, page)
			found += nango_has(one, "id");
	return found;
}

static int64_t
pick_by_ids(struct nango_run *run, int64_t count)
{
	const char **ids = nango_allocate(run, sizeof(*ids) * (size_t)count);
	int64_t found = 0;

	for (int64_t n = 1; n <= count; n++)
		ids[n - 1] = nango_format(run, "%lld", (long long)n);
	nango_each (one, nango_records_by_ids(run, "Block", ids, (size_t)count))
		found += nango_has(one, "id");
	return found;
}

static void
sync_heavy(struct nango_run *run)
{
	struct heavy_metadata wanted = heavy_metadata(run);

	if (wanted.reads != NULL) {
		int64_t found = strcmp(wanted.reads, "list") == 0
				    ? walk_all(run)
				    : pick_by_ids(run, wanted.count);

		if (found != wanted.count)
			nango_fail(run, "wrong_count", "%lld records were found",
				   (long long)found);
		return;
	}
	for (int64_t n = 1; n <= wanted.count; n++)
		save_block(run, n, wanted.tag, (size_t)wanted.bytes);
	if (wanted.last > 0)
		save_block(run, wanted.count + 1, wanted.tag, (size_t)wanted.last);
	nango_commit(run, NULL);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "heavy", .run = sync_heavy)));
