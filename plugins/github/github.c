/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github -- issues, oldest change first.
 *
 * https://docs.github.com/en/rest/issues/issues#list-repository-issues
 *
 * GitHub lists pull requests among the issues; they are skipped because the Issue model
 * promises only what a user would call an issue.
 *
 * The checkpoint. `since` is inclusive, so asking again from the last change that was stored
 * loses nothing that carries the same second. But one time cannot serve several repositories: a
 * change in the first, made while the last is read, would be older than what is seen there. So
 * `since` moves only when a whole pass is over, to the moment that pass began (less a margin
 * for two clocks), and within a pass the checkpoint says which repository it is at. What is
 * read twice is recognised as unchanged.
 *
 * XXX: while many pages are read, an issue that changes moves to the end of the list, and its
 * successors one place forward: one of them can slip from a page not yet read to one already
 * read. It comes with its next change.
 */
#include <nango/plugin.h>
#include "models.h"

#include <time.h>

#define CLOCK_MARGIN_SECONDS 300
#define REPOSITORIES_MAX 10000

struct repositories {
	const char **names; /* "owner/name"; live to the run's end */
	size_t count;
};

/* Days since 1970 as a date; gmtime would look for time zone files, which a run has not. */
static const char *
iso_time(struct nango_run *run, int64_t seconds)
{
	int64_t days = seconds / 86400, rest = seconds % 86400;
	int64_t era = (days + 719468) / 146097, day_of_era = (days + 719468) % 146097;
	int64_t year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
	    day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted = (5 * day_of_year + 2) / 153; /* months from March */
	int day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
	int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	int year = (int)(year_of_era + era * 400 + (month <= 2));

	return nango_format(run, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day,
			    (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

static void
add_repository(struct nango_run *run, struct repositories *list, const char *name)
{
	if (list->count == REPOSITORIES_MAX)
		nango_fail(run, "too_many_repositories",
			   "over %d repositories: name those to sync in the metadata, repos",
			   REPOSITORIES_MAX);
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count == 0 ? 1 : 2 * list->count;

		list->names = realloc(list->names, room * sizeof(*list->names));
	}
	list->names[list->count++] = nango_keep(run, name);
}

/* All of them first: a commit ends the life of the page that they stand on. */
static struct repositories
list_repositories(struct nango_run *run, const struct issues_metadata *metadata)
{
	struct repositories list = {0};
	struct nango_pages *pages;
	struct nango_value page;

	for (size_t i = 0; i < metadata->repos_count; i++)
		add_repository(run, &list, metadata->repos[i]);
	if (metadata->repos != NULL)
		return list;
	pages = nango_paginate(
	    run, NANGO_REQUEST(.path = "/user/repos", .retries = 10,
			       .pages = NANGO_PAGINATION(.kind = NANGO_PAGE_OFFSET,
							 .offset_name = "page", .by_page = 1,
							 .start = 1, .limit_name = "per_page",
							 .limit = 100)));
	while (nango_next_page(pages, &page)) {
		nango_each (entry, page) {
			struct api_repository repository = api_repository_read(run, entry);

			if (repository.problem == NULL && repository.has_issues)
				add_repository(run, &list, repository.full_name);
		}
	}
	return list;
}

static struct issue
flatten(const struct api_issue *in)
{
	struct issue out = {
	    .id = in->id,
	    .node_id = in->node_id,
	    .number = in->number,
	    .state = in->state,
	    .state_reason = in->state_reason,
	    .title = in->title,
	    .body = in->body,
	    .html_url = in->html_url,
	    .repository_url = in->repository_url,
	    .labels = in->labels,
	    .labels_count = in->labels_count,
	    .assignees = in->assignees,
	    .assignees_count = in->assignees_count,
	    .comments_count = in->comments,
	    .locked = in->locked,
	    .created_at = in->created_at,
	    .updated_at = in->updated_at,
	    .closed_at = in->closed_at,
	    .problem = in->problem,
	};

	if (in->user != NULL) {
		out.has_user_id = true;
		out.user_id = in->user->id;
		out.user_login = in->user->login;
	}
	if (in->assignee != NULL) {
		out.has_assignee_id = true;
		out.assignee_id = in->assignee->id;
		out.assignee_login = in->assignee->login;
	}
	if (in->milestone != NULL) {
		out.has_milestone_id = out.has_milestone_number = true;
		out.milestone_id = in->milestone->id;
		out.milestone_number = in->milestone->number;
		out.milestone_title = in->milestone->title;
	}
	if (in->closed_by != NULL) {
		out.has_closed_by_id = true;
		out.closed_by_id = in->closed_by->id;
		out.closed_by_login = in->closed_by->login;
	}
	return out;
}

static void
sync_repository(struct nango_run *run, const char *name, struct issues_checkpoint *checkpoint)
{
	const char *since =
	    checkpoint->updated_at != NULL ? checkpoint->updated_at : checkpoint->since;
	struct nango_pages *pages = nango_paginate(
	    run,
	    NANGO_REQUEST(.path = nango_format(run, "/repos/%s/issues", name), .retries = 10,
			  .query = NANGO_PAIRS({"state", "all"}, {"sort", "updated"},
					       {"direction", "asc"}, {"since", since}),
			  .pages = NANGO_PAGINATION(.kind = NANGO_PAGE_LINK, .link_rel = "next",
						    .limit_name = "per_page", .limit = 100)));
	struct nango_value page;

	checkpoint->repo = name;
	while (nango_next_page(pages, &page)) {
		nango_each (entry, page) {
			struct api_issue found = api_issue_read(run, entry);
			struct issue issue = flatten(&found);

			if (found.updated_at != NULL)
				checkpoint->updated_at = found.updated_at;
			if (!nango_has(entry, "pull_request"))
				issue_save(run, &issue);
		}
		issues_commit(run, checkpoint);
	}
	checkpoint->updated_at = NULL;
}

/* Where the pass that broke off was; 0 when it was nowhere, or its repository is gone. */
static size_t
resume_at(const struct repositories *list, const struct issues_checkpoint *checkpoint)
{
	if (checkpoint->repo != NULL)
		for (size_t i = 0; i < list->count; i++)
			if (strcmp(list->names[i], checkpoint->repo) == 0)
				return i;
	return 0;
}

static void
sync_issues(struct nango_run *run)
{
	struct issues_metadata metadata = issues_metadata(run);
	struct issues_checkpoint checkpoint = issues_checkpoint(run);
	struct repositories list;
	size_t first;

	if (checkpoint.started_at == NULL)
		checkpoint.started_at =
		    nango_keep(run, iso_time(run, (int64_t)time(NULL) - CLOCK_MARGIN_SECONDS));
	list = list_repositories(run, &metadata);
	first = resume_at(&list, &checkpoint);
	if (checkpoint.repo != NULL &&
	    (list.count == 0 || strcmp(list.names[first], checkpoint.repo) != 0))
		checkpoint.updated_at = NULL;
	for (size_t i = first; i < list.count; i++)
		sync_repository(run, list.names[i], &checkpoint);

	checkpoint = (struct issues_checkpoint){.since = checkpoint.started_at};
	issues_commit(run, &checkpoint);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "issues", .run = sync_issues)));
