/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/lookup -- stored records: by their ids, or all of them page by page.
 */
#include "base/jsonspan.h"
#include "runner/bridge.h"
#include "runner/channel.h"
#include "runner/death.h"

#define PAGE_RECORDS 1000

/* Sends a LOOKUP that was filled up to its ids, and gives the answer. */
static struct jsonspan
ask(const char *cursor, struct arena *arena)
{
	struct rpc_in in;

	channel_string(cursor);
	channel_u32(PAGE_RECORDS);
	channel_end();
	channel_flush();
	in = channel_receive(RPC_RECORDS, arena);
	return jsonspan_trim(in.at, (size_t)(in.end - in.at));
}

static struct nango_value
records_of(struct jsonspan answer)
{
	struct jsonspan list = jsonspan_member(answer, "records");

	return (struct nango_value){bridge.run.calls, list.data, list.length};
}

/* A list of texts as JSON, in memory of the arena. */
static const char *
ids_json(const char *const *ids, size_t count, struct arena *arena)
{
	size_t room = 3;
	char *json, *at;

	for (size_t i = 0; i < count; i++)
		room += 3 + 6 * strlen(ids[i] == NULL ? "" : ids[i]);
	at = json = arena_take(arena, room);
	*at++ = '[';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ',';
		at = writer_quote(at, ids[i] == NULL ? "" : ids[i]);
	}
	memcpy(at, "]", 2);
	return json;
}

void
lookup_by_ids(struct nango_run *run, const char *model, const char *const *ids, size_t count,
	      struct nango_value *out)
{
	const char *json;

	if (count > NANGO_IDS_MAX)
		death("failed", "%zu records were looked up at once; at most %d are allowed",
		      count, NANGO_IDS_MAX);
	*out = (struct nango_value){run->calls, "[]", 2};
	if (count == 0)
		return;
	json = ids_json(ids, count, bridge_arena());
	record_close();
	channel_begin(RPC_LOOKUP);
	channel_string(model);
	channel_string(json);
	*out = records_of(ask(NULL, bridge_arena()));
}

struct nango_value
lookup_page(const char *model, const char *cursor, struct arena *arena, const char **next)
{
	struct jsonspan answer, behind;
	char *text;

	channel_begin(RPC_LOOKUP);
	channel_string(model);
	channel_string(NULL);
	answer = ask(cursor, arena);
	behind = jsonspan_member(answer, "cursor");
	*next = NULL;
	if (jsonspan_type(behind) == JSONSPAN_STRING) {
		text = arena_take(arena, behind.length + 1);
		*next = jsonspan_unescape(behind, text) < 0 ? NULL : text;
	}
	return records_of(answer);
}
