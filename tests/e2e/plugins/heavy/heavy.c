/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heavy -- a plugin for the tests of sizes: records of exactly so many bytes, in one page. The
 * text that fills one up differs from record to record.
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

static void
sync_heavy(struct nango_run *run)
{
	struct heavy_metadata wanted = heavy_metadata(run);

	for (int64_t n = 1; n <= wanted.count; n++)
		save_block(run, n, wanted.tag, (size_t)wanted.bytes);
	if (wanted.last > 0)
		save_block(run, wanted.count + 1, wanted.tag, (size_t)wanted.last);
	nango_commit(run, NULL);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "heavy", .run = sync_heavy)));
