/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/bridge -- see bridge.h: the table itself, and a run from START to DONE.
 */
#include "runner/bridge.h"

#include "runner/channel.h"
#include "runner/death.h"
#include "runner/loader.h"

#include <stdio.h>
#include <unistd.h>

struct bridge bridge;

struct arena *
bridge_arena(void)
{
	return bridge.current == NULL ? &bridge.memory : &bridge.current->memory;
}

static void
run_checkpoint(struct nango_run *run, struct nango_value *out)
{
	(void)run;
	*out = bridge.checkpoint;
}

static void
run_metadata(struct nango_run *run, struct nango_value *out)
{
	(void)run;
	*out = bridge.metadata;
}

static void
run_input(struct nango_run *run, struct nango_value *out)
{
	(void)run;
	*out = bridge.input;
}

static void
run_output(struct nango_run *run, const char *json, size_t length)
{
	(void)run;
	record_close();
	channel_begin(RPC_OUTPUT);
	channel_bytes(json, length);
	channel_end();
}

static void
run_log(struct nango_run *run, int level, const char *text, size_t length)
{
	(void)run;
	record_close();
	channel_begin(RPC_LOG);
	channel_u32((uint32_t)(level < NANGO_DEBUG   ? NANGO_DEBUG
			       : level > NANGO_ERROR ? NANGO_ERROR
						     : level));
	channel_bytes(text, length > NANGO_LOG_BYTES_MAX ? NANGO_LOG_BYTES_MAX : length);
	channel_end();
	channel_flush(); /* a line is most wanted when the run crashes right after it */
}

__attribute__((noreturn)) static void
run_fail(struct nango_run *run, const char *code, const char *message, const char *payload)
{
	(void)run;
	record_close();
	channel_begin(RPC_FAIL);
	channel_string(code == NULL ? "" : code);
	channel_string(message == NULL ? "" : message);
	channel_string(payload);
	channel_end();
	channel_flush();
	_exit(RUNNER_EXIT_DEATH);
}

static void *
run_allocate(struct nango_run *run, size_t size)
{
	(void)run;
	return arena_zeroed(bridge_arena(), size);
}

static const char *
run_keep(struct nango_run *run, const char *text, size_t length)
{
	(void)run;
	return arena_text(&bridge.memory, text, length);
}

static const char *
run_connection_id(struct nango_run *run)
{
	(void)run;
	return bridge.connection_id;
}

static const struct nango_calls calls = {
    .size = sizeof(calls),
    .abi_major = NANGO_ABI_MAJOR,
    .abi_minor = NANGO_ABI_MINOR,
    .value_type = value_type,
    .value_at = value_at,
    .value_next = value_next,
    .value_next_member = value_next_member,
    .value_string = value_string,
    .value_integer = value_integer,
    .value_number = value_number,
    .value_boolean = value_boolean,
    .http = request_http,
    .paginate = request_paginate,
    .next_page = request_next_page,
    .page = request_page,
    .save_begin = record_begin,
    .save_end = record_end,
    .commit = record_commit,
    .writer_grow = writer_grow,
    .write_string = writer_string,
    .write_number = writer_number,
    .checkpoint = run_checkpoint,
    .metadata = run_metadata,
    .input = run_input,
    .output = run_output,
    .log = run_log,
    .fail = run_fail,
    .allocate = run_allocate,
    .keep = run_keep,
    .connection_id = run_connection_id,
    .change_begin = record_begin_change,
    .records_by_ids = lookup_by_ids,
    .records = request_records,
    .deletes_start = record_deletes_start,
    .deletes_end = record_deletes_end,
    .walk_complete = record_walk_complete,
    .clear_checkpoint = record_clear_checkpoint,
};

static struct nango_value
take_value(struct rpc_in *in)
{
	size_t length;
	const char *text = rpc_in_text(in, &length);

	return (struct nango_value){&calls, text, length};
}

/* The nango_function named by START. */
static nango_function *
bridge_start(const struct nango_plugin *plugin)
{
	struct rpc_in in = channel_receive(RPC_START, &bridge.memory);
	uint32_t version = rpc_in_u32(&in), kind = rpc_in_u32(&in);
	nango_function *function;
	const char *text, *name;
	size_t length;

	if (version != RPC_VERSION)
		death("runner lost",
		      "nango-runner speaks protocol %d, the server %u: install both from "
		      "one build",
		      RPC_VERSION, version);
	text = rpc_in_text(&in, &length);
	name = arena_text(&bridge.memory, text == NULL ? "" : text, length);
	text = rpc_in_text(&in, &length);
	bridge.connection_id = arena_text(&bridge.memory, text == NULL ? "" : text, length);
	bridge.checkpoint = take_value(&in);
	bridge.metadata = take_value(&in);
	bridge.input = take_value(&in);
	function = loader_find(plugin, (int)kind, name);
	if (function == NULL)
		death("load", "the plugin has no %s named \"%s\"",
		      kind == NANGO_KIND_SYNC ? "sync" : "action", name);
	return function;
}

void
bridge_run(const struct nango_plugin *plugin)
{
	nango_function *function;

	bridge.run.calls = &calls;
	channel_begin(RPC_HELLO);
	channel_u32(RPC_VERSION);
	channel_end(); /* goes out with the first message that follows */
	function = bridge_start(plugin);
	function(&bridge.run);
	if (record_is_pending())
		record_commit(&bridge.run, NULL, 0);
	channel_begin(RPC_DONE);
	channel_end();
	channel_flush();
	_exit(0);
}
