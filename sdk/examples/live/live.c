/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live -- posts of a public demonstration API that asks for no account; for `quickstart
 * --live`.
 *
 * https://jsonplaceholder.typicode.com/guide/
 */
#include <nango/plugin.h>
#include "models.h"

static void
sync_posts(struct nango_run *run)
{
	struct nango_response answer =
	    nango_http(run, NANGO_REQUEST(.path = "/posts", .retries = 3));

	nango_each (entry, answer.body) {
		struct api_post in = api_post_read(run, entry);
		struct post out = {.id = in.id,
				   .title = in.title,
				   .user_id = in.user_id,
				   .body = in.body,
				   .problem = in.problem};

		post_save(run, &out);
	}
	nango_commit(run, NULL);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "posts", .run = sync_posts)));
