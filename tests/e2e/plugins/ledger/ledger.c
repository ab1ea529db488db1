/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger -- a plugin for the crash tests: a page of /ledger is a list of what to do with
 * records, {"ops": [{"save": {…}}, {"update": {…}}, {"delete": {…}}], "is_last": false}. The
 * whole walk is one delete window; its last page closes it and clears the checkpoint.
 */
#include <nango/plugin.h>
#include "models.h"

static void
apply(struct nango_run *run, struct nango_value op)
{
	if (nango_has(op, "save"))
		nango_save(run, "Entry", nango_get(op, "save"));
	if (nango_has(op, "update"))
		nango_update(run, "Entry", nango_get(op, "update"));
	if (nango_has(op, "delete"))
		nango_delete(run, "Entry", nango_get(op, "delete"));
}

static void
sync_ledger(struct nango_run *run)
{
	struct ledger_checkpoint checkpoint = ledger_checkpoint(run);
	int64_t number = checkpoint.has_page ? checkpoint.page : 0;

	if (number == 0)
		nango_track_deletes_start(run, "Entry");
	for (;;) {
		struct nango_response page =
		    nango_http(run, NANGO_REQUEST(.path = nango_format(run, "/ledger?page=%lld",
								       (long long)++number)));

		nango_each (op, nango_get(page.body, "ops"))
			apply(run, op);
		if (nango_boolean(page.body, "is_last", true))
			break;
		checkpoint.has_page = true;
		checkpoint.page = number;
		ledger_commit(run, &checkpoint);
	}
	nango_track_deletes_end(run, "Entry", NANGO_DELETES(.complete = 1));
	nango_clear_checkpoint(run);
	nango_commit(run, NULL);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "ledger", .run = sync_ledger)));
