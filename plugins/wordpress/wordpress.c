/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wordpress -- posts and users of one site.
 *
 * https://developer.wordpress.org/rest-api/reference/posts/
 *
 * Posts come oldest change first. WordPress knows times in seconds only, and modified_after
 * means strictly after. If the checkpoint were the last time that was seen, a post saved in
 * that same second just after it was read would never be asked for again. So the checkpoint is
 * the last time *before* that one: the newest second is read again by the next run, and what
 * did not change in it is recognised as such. While all posts share one second (an import),
 * there is no time before it, and the checkpoint stays where it was.
 *
 * status=any and context=edit need a user who may edit: an application password
 * (Users → Profile → Application Passwords) of an editor or administrator.
 *
 * XXX: as with any list that is sorted by its changes, a post that changes while the pages are
 * read moves its successors one place forward, so that one can be missed until it changes
 * again.
 */
#include <nango/plugin.h>
#include "models.h"

#define PAGE_SIZE 100

/* WordPress's *_gmt times have no zone. An empty one ("0000-…") has not happened yet. */
static const char *
with_zone(struct nango_run *run, const char *gmt)
{
	if (gmt == NULL || strncmp(gmt, "0000-", 5) == 0)
		return NULL;
	return strchr(gmt, 'Z') != NULL ? gmt : nango_format(run, "%sZ", gmt);
}

static const char *
text_of(const struct api_text *text)
{
	return text == NULL ? NULL : text->rendered;
}

static struct post
flatten_post(struct nango_run *run, const struct api_post *in)
{
	return (struct post){
	    .id = in->id,
	    .slug = in->slug,
	    .status = in->status,
	    .type = in->type,
	    .link = in->link,
	    .title = text_of(in->title),
	    .excerpt = text_of(in->excerpt),
	    .content = text_of(in->content),
	    .author_id = in->author,
	    .categories = in->categories,
	    .categories_count = in->categories_count,
	    .tags = in->tags,
	    .tags_count = in->tags_count,
	    .created_at = with_zone(run, in->date_gmt),
	    .modified_at = with_zone(run, in->modified_gmt),
	    .problem = in->problem,
	};
}

static void
sync_posts(struct nango_run *run)
{
	struct posts_checkpoint checkpoint = posts_checkpoint(run);
	const char *newest = NULL; /* the second that the next run reads again */
	struct nango_pages *pages = nango_paginate(
	    run,
	    NANGO_REQUEST(.path = "/wp-json/wp/v2/posts", .retries = 5,
			  .query = NANGO_PAIRS({"orderby", "modified"}, {"order", "asc"},
					       {"status", "any"},
					       {"modified_after", checkpoint.modified_after}),
			  .pages =
			      NANGO_PAGINATION(.kind = NANGO_PAGE_LINK, .link_rel = "next",
					       .limit_name = "per_page", .limit = PAGE_SIZE)));
	struct nango_value page;

	while (nango_next_page(pages, &page)) {
		nango_each (entry, page) {
			struct api_post found = api_post_read(run, entry);
			struct post post = flatten_post(run, &found);

			if (post.modified_at != NULL && newest != NULL &&
			    strcmp(post.modified_at, newest) > 0)
				checkpoint.modified_after = newest;
			if (post.modified_at != NULL &&
			    (newest == NULL || strcmp(post.modified_at, newest) > 0))
				newest = post.modified_at;
			post_save(run, &post);
		}
		newest = nango_keep(run, newest);
		posts_commit(run, &checkpoint);
	}
}

static struct user
flatten_user(const struct api_user *in)
{
	return (struct user){
	    .id = in->id,
	    .username = in->username,
	    .name = in->name,
	    .first_name = in->first_name,
	    .last_name = in->last_name,
	    .email = in->email,
	    .url = in->url,
	    .link = in->link,
	    .roles = in->roles,
	    .roles_count = in->roles_count,
	    .registered_at = in->registered_date,
	    .problem = in->problem,
	};
}

/* The API has no time of change for users: all of them, every time; the hashes tell changes. */
static void
sync_users(struct nango_run *run)
{
	struct nango_pages *pages = nango_paginate(
	    run,
	    NANGO_REQUEST(.path = "/wp-json/wp/v2/users", .retries = 5,
			  .query = NANGO_PAIRS({"context", "edit"}, {"orderby", "id"},
					       {"order", "asc"}),
			  .pages =
			      NANGO_PAGINATION(.kind = NANGO_PAGE_LINK, .link_rel = "next",
					       .limit_name = "per_page", .limit = PAGE_SIZE)));
	struct nango_value page;

	while (nango_next_page(pages, &page)) {
		nango_each (entry, page) {
			struct api_user found = api_user_read(run, entry);
			struct user user = flatten_user(&found);

			user_save(run, &user);
		}
		users_commit(run);
	}
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "posts", .run = sync_posts),
				  NANGO_SYNC(.name = "users", .run = sync_users)));
