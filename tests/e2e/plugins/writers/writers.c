/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writers -- a plugin for the race test: five syncs that write into one dataset without pause,
 * some ids of their own and some that all of them write, and one that makes short runs.
 */
#include <nango/plugin.h>
#include "models.h"

#define PAGE 20
#define SHARED 50

static void
write_row(struct nango_run *run, const char *id, const char *by, int64_t at)
{
	struct row row = {.id = id, .by = by, .at = at};

	row_save(run, &row);
}

static void
write_rounds(struct nango_run *run, const char *by, int64_t rounds)
{
	for (int64_t round = 0; round < rounds; round++) {
		for (int i = 0; i < PAGE; i++) {
			write_row(run,
				  nango_format(run, "%s-%lld", by,
					       (long long)(round * PAGE + i) % 2000),
				  by, round);
			write_row(run,
				  nango_format(run, "shared-%d", (int)((round + i) % SHARED)),
				  by, round);
		}
		nango_commit(run, NULL);
	}
}

#define WRITER(name)                                                                 \
	static void sync_##name(struct nango_run *run)                               \
	{                                                                            \
		struct name##_metadata metadata = name##_metadata(run);              \
                                                                                     \
		write_rounds(run, #name, metadata.has_rounds ? metadata.rounds : 1); \
	}

WRITER(first)
WRITER(second)
WRITER(third)
WRITER(fourth)
WRITER(fifth)

static void
sync_touch(struct nango_run *run)
{
	nango_delete_id(run, "Row", "shared-7");
	write_row(run, "touched", "touch", nango_integer(nango_checkpoint(run), "n", 0));
	nango_commit(run, NULL);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "first", .run = sync_first),
				  NANGO_SYNC(.name = "second", .run = sync_second),
				  NANGO_SYNC(.name = "third", .run = sync_third),
				  NANGO_SYNC(.name = "fourth", .run = sync_fourth),
				  NANGO_SYNC(.name = "fifth", .run = sync_fifth),
				  NANGO_SYNC(.name = "touch", .run = sync_touch)));
