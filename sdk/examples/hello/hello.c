/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello -- the smallest sync: one list, saved as it is, with nothing but the header.
 *
 *   cc -shared -fPIC -fvisibility=hidden $(pkg-config --cflags nango-sdk) hello.c -o hello.so
 *
 * With `nango-plugin generate` the models of plugin.yaml become structs, and records are
 * checked by the compiler; here they pass through as the provider wrote them.
 */
#include <nango/plugin.h>

static void
sync_greetings(struct nango_run *run)
{
	struct nango_response answer = nango_http(run, NANGO_REQUEST(.path = "/greetings"));

	nango_each (greeting, nango_get(answer.body, "greetings"))
		nango_save(run, "Greeting", greeting);
	nango_commit(run, NULL);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "greetings", .run = sync_greetings)));
