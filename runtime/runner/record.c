/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/record -- saves and commits. A record is written straight into the outgoing frame; the
 * frame is sent when it holds 1,000 records or 1 MiB, or when anything else is to be said.
 */
#include "runner/bridge.h"
#include "runner/channel.h"
#include "runner/death.h"

#include <stdio.h>
#include <stdlib.h>

#define FRAME_RECORDS_MAX 1000
#define FRAME_BYTES_SOFT (1024 * 1024)
#define MODEL_BYTES_MAX 255
#define ROOM_FIRST 512

static struct {
	bool is_open;	/* a SAVE frame is being filled */
	bool is_inside; /* between record_begin and record_end */
	bool is_pending;
	char model[MODEL_BYTES_MAX + 1];
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

static void
frame_open(const char *model)
{
	size_t length = strlen(model);

	if (length > MODEL_BYTES_MAX)
		death("invalid record", "a model's name has %zu bytes; at most %d are allowed",
		      length, MODEL_BYTES_MAX);
	memcpy(saves.model, model, length + 1);
	channel_begin(RPC_SAVE);
	channel_text(model, length);
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
record_begin(struct nango_run *run, const char *model, struct nango_writer *writer)
{
	if (saves.is_inside || (saves.is_open && strcmp(saves.model, model) != 0))
		record_close();
	if (!saves.is_open)
		frame_open(model);
	saves.record_at = channel_length();
	channel_u32(0);
	saves.is_inside = saves.is_pending = true;
	writer->run = run;
	writer_place(writer, 0, ROOM_FIRST);
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
record_grow(struct nango_writer *writer, size_t room)
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
	channel_text(problem, problem == NULL ? 0 : strnlen(problem, 1000));
	saves.count++;
	saves.is_inside = false;
	*writer = (struct nango_writer){writer->run, NULL, NULL};
	if (saves.count < FRAME_RECORDS_MAX && channel_length() < FRAME_BYTES_SOFT)
		return;
	record_close();
	channel_flush();
}

static void
put(struct nango_writer *writer, const char *bytes, size_t length)
{
	if ((size_t)(writer->end - writer->at) < length)
		record_grow(writer, length);
	memcpy(writer->at, bytes, length);
	writer->at += length;
}

static void
put_escaped(struct nango_writer *writer, unsigned char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	char text[8] = {'\\'};

	for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
		if (c == (unsigned char)shorts[i]) {
			text[1] = shorts[i + 1];
			put(writer, text, 2);
			return;
		}
	}
	snprintf(text, sizeof(text), "\\u%04x", c);
	put(writer, text, 6);
}

void
record_write_string(struct nango_writer *writer, const char *text)
{
	const char *from = text, *at = text;

	if (text == NULL) {
		put(writer, "null", 4);
		return;
	}
	put(writer, "\"", 1);
	for (; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		put(writer, from, (size_t)(at - from));
		put_escaped(writer, c);
		from = at + 1;
	}
	put(writer, from, (size_t)(at - from));
	put(writer, "\"", 1);
}

size_t
record_number(char out[32], double number)
{
	/* Only numbers below DBL_MIN have fewer digits than 15 and more than those printed. */
	bool is_subnormal = __builtin_fabs(number) < 2.2250738585072014e-308;
	int length = 0;

	/* JSON has no word for them; the model's check then names the member. */
	if (!__builtin_isfinite(number))
		return (size_t)snprintf(out, 32, "null");
	for (int digits = is_subnormal ? 1 : 15; digits <= 17; digits++) {
		length = snprintf(out, 32, "%.*g", digits, number);
		if (strtod(out, NULL) == number)
			break;
	}
	return (size_t)length;
}

void
record_write_number(struct nango_writer *writer, double number)
{
	char text[32];

	put(writer, text, record_number(text, number));
}

void
record_commit(struct nango_run *run, const char *checkpoint, size_t length)
{
	record_close();
	channel_begin(RPC_COMMIT);
	channel_text(checkpoint, length);
	channel_end();
	channel_flush();
	channel_receive(RPC_COMMITTED, bridge_arena());
	saves.is_pending = false;
	if (checkpoint != NULL)
		bridge.checkpoint = (struct nango_value){
		    run->calls, arena_text(&bridge.memory, checkpoint, length), length};
}
