/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issues -- issues of one repository, oldest change first: what a plugin reads like.
 *
 * GitHub lists pull requests among the issues; they are skipped because the Issue model
 * promises only what a user would call an issue.
 */
#include <nango/plugin.h>
#include "models.h" /* written by nango-plugin generate */

static void
sync_issues(struct nango_run *run)
{
	struct issues_metadata metadata = issues_metadata(run);
	struct issues_checkpoint checkpoint = issues_checkpoint(run);
	struct nango_pages *pages = nango_paginate(
	    run, NANGO_REQUEST(.path = nango_format(run, "/repos/%s/issues", metadata.repo),
			       .query = NANGO_PAIRS({"state", "all"}, {"sort", "updated"},
						    {"direction", "asc"},
						    {"since", checkpoint.updated_at}),
			       .retries = 3));
	struct nango_value page;

	while (nango_next_page(pages, &page)) {
		nango_each (item, page) {
			if (nango_has(item, "pull_request"))
				continue;
			struct issue issue = issue_read(run, item);

			issue_save(run, &issue);
			checkpoint.updated_at = issue.updated_at;
		}
		issues_commit(
		    run, &checkpoint); /* page and checkpoint, or neither; keeps its strings */
	}
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "issues", .run = sync_issues)));
