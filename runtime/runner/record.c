/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/record -- staged records, delete windows and commits. A record is written straight
 * into the outgoing frame; the frame is sent when it holds 1,000 records or 256 KiB, or when
 * anything else is to be said. A commit is not waited for: see nango/plugin.h.
 */
#include "runner/bridge.h"
#include "runner/channel.h"
#include "runner/death.h"

#include <stdlib.h>

#define FRAME_RECORDS_MAX 1000
#define FRAME_BYTES_SOFT (256 * 1024) /* what the server reads while the next is written */
#define MODEL_BYTES_MAX 255
#define PROBLEM_BYTES_MAX 1000
#define ROOM_FIRST 2048

static struct {
	bool is_open;	/* a SAVE frame is being filled */
	bool is_inside; /* between record_begin and record_end */
	bool is_pending;
	bool is_clearing; /* the next commit removes the checkpoint */
	char model[MODEL_BYTES_MAX + 1];
	uint32_t change;
	size_t count_at, record_at; /* places in the payload */
	uint32_t count;
} saves;

bool
record_is_pending(void)
{
	return saves.is_pending;
}

void
record_close(void)
{
	if (saves.is_inside)
		death("protocol violation",
		      "a record of %s was begun and not ended before another call",
		      saves.model);
	if (!saves.is_open)
		return;
	rpc_put_u32(channel_payload(saves.count_at), saves.count);
	channel_end();
	saves.is_open = false;
}

static size_t
model_length(const char *model)
{
	size_t length = strlen(model);

	if (length > MODEL_BYTES_MAX)
		death("invalid record", "a model's name has %zu bytes; at most %d are allowed",
		      length, MODEL_BYTES_MAX);
	return length;
}

static void
frame_open(const char *model, uint32_t change)
{
	size_t length = model_length(model);

	memcpy(saves.model, model, length + 1);
	saves.change = change;
	channel_begin(RPC_SAVE);
	channel_text(model, length);
	channel_u32(change);
	saves.count_at = channel_length();
	channel_u32(0);
	saves.count = 0;
	saves.is_open = true;
}

static void
writer_place(struct nango_writer *writer, size_t used, size_t room)
{
	writer->at = channel_room(used + room) + used;
	writer->end = writer->at + room;
}

void
record_begin_change(struct nango_run *run, const char *model, uint32_t change,
		    struct nango_writer *writer)
{
	if (saves.is_inside ||
	    (saves.is_open && (saves.change != change || strcmp(saves.model, model) != 0)))
		record_close();
	if (!saves.is_open)
		frame_open(model, change);
	saves.record_at = channel_length();
	channel_u32(0);
	saves.is_inside = saves.is_pending = true;
	writer->run = run;
	writer_place(writer, 0, ROOM_FIRST);
}

void
record_begin(struct nango_run *run, const char *model, struct nango_writer *writer)
{
	record_begin_change(run, model, NANGO_SAVE, writer);
}

static size_t
record_length(const struct nango_writer *writer)
{
	size_t length = (size_t)(writer->at - channel_payload(saves.record_at + 4));

	if (length > NANGO_RECORD_BYTES_MAX)
		death("invalid record", "a record of %s is larger than %d bytes", saves.model,
		      NANGO_RECORD_BYTES_MAX);
	return length;
}

void
writer_grow(struct nango_writer *writer, size_t room)
{
	size_t used = record_length(writer);

	if (room > NANGO_RECORD_BYTES_MAX)
		death("invalid record", "a record of %s is larger than %d bytes", saves.model,
		      NANGO_RECORD_BYTES_MAX);
	writer_place(writer, used, room + used / 2 + ROOM_FIRST);
}

void
record_end(struct nango_writer *writer, const char *problem)
{
	size_t length = record_length(writer);

	rpc_put_u32(channel_payload(saves.record_at), (uint32_t)length);
	channel_advance(length);
	channel_text(problem, problem == NULL ? 0 : strnlen(problem, PROBLEM_BYTES_MAX));
	saves.count++;
	saves.is_inside = false;
	*writer = (struct nango_writer){writer->run, NULL, NULL};
	if (saves.count < FRAME_RECORDS_MAX && channel_length() < FRAME_BYTES_SOFT)
		return;
	record_close();
	channel_flush();
}

/* ---- windows ---------------------------------------------------------------------------- */

static void
window(const char *model, uint32_t flags)
{
	record_close();
	channel_begin(RPC_WINDOW);
	channel_text(model, model == NULL ? 0 : model_length(model));
	channel_u32(flags);
	channel_end();
	if (model != NULL)
		saves.is_pending = true;
}

void
record_deletes_start(struct nango_run *run, const char *model)
{
	(void)run;
	window(model, RPC_WINDOW_OPENS);
}

void
record_deletes_end(struct nango_run *run, const char *model,
		   const struct nango_deletes *options)
{
	uint32_t flags = RPC_WINDOW_CLOSES;

	(void)run;
	if (options != NULL && options->complete != 0)
		flags |= RPC_WINDOW_VOUCHED;
	if (options != NULL && options->force != 0)
		flags |= RPC_WINDOW_OVERRIDES;
	window(model, flags);
}

void
record_walk_complete(struct nango_run *run)
{
	(void)run;
	window(NULL, RPC_WINDOW_VOUCHED);
}

/* ---- commits ---------------------------------------------------------------------------- */

void
record_clear_checkpoint(struct nango_run *run)
{
	(void)run;
	saves.is_clearing = saves.is_pending = true;
}

void
record_commit(struct nango_run *run, const char *checkpoint, size_t length)
{
	bool is_clearing = saves.is_clearing && checkpoint == NULL;

	record_close();
	channel_begin(RPC_COMMIT);
	channel_u32(is_clearing);
	channel_text(checkpoint, length);
	channel_end();
	channel_flush();
	saves.is_pending = saves.is_clearing = false;
	if (checkpoint != NULL)
		bridge.checkpoint = (struct nango_value){
		    run->calls, arena_text(&bridge.memory, checkpoint, length), length};
	else if (is_clearing)
		bridge.checkpoint = (struct nango_value){run->calls, NULL, 0};
}
