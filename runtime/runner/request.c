/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/request -- HTTP and pages, as messages; rpc/README.md has the layout of a request.
 */
#include "base/jsonspan.h"
#include "runner/bridge.h"
#include "runner/channel.h"
#include "runner/death.h"

#include <stdlib.h>

static void
put_pairs(const struct nango_pair *pairs)
{
	uint32_t count = 0;

	for (const struct nango_pair *p = pairs; p != NULL && p->name != NULL; p++)
		count += p->value != NULL;
	channel_u32(count);
	for (const struct nango_pair *p = pairs; p != NULL && p->name != NULL; p++) {
		if (p->value == NULL)
			continue;
		channel_string(p->name);
		channel_string(p->value);
	}
}

static void
put_request(const struct nango_request *r)
{
	size_t length = r->body == NULL	      ? 0
			: r->body_length == 0 ? strlen(r->body)
					      : r->body_length;
	uint32_t count = 0;

	if (r->path == NULL)
		death("failed", "a request needs a .path");
	channel_string(r->method == NULL ? "GET" : r->method);
	channel_string(r->path);
	put_pairs(r->query);
	put_pairs(r->headers);
	channel_string(r->content_type);
	channel_text(r->body, length);
	channel_u32(r->retries);
	channel_u32(r->timeout_ms);
	while (r->accept != NULL && r->accept[count] != 0)
		count++;
	channel_u32(count);
	for (uint32_t i = 0; i < count; i++)
		channel_u32(r->accept[i]);
}

static const struct nango_pair *
take_headers(struct rpc_in *in, struct arena *arena)
{
	uint32_t count = rpc_in_u32(in);
	struct nango_pair *pairs = arena_zeroed(arena, (count + 1) * sizeof(*pairs));
	size_t length;

	for (uint32_t i = 0; i < count; i++) {
		const char *name = rpc_in_text(in, &length);

		pairs[i].name = arena_text(arena, name == NULL ? "" : name, length);
		name = rpc_in_text(in, &length);
		pairs[i].value = arena_text(arena, name == NULL ? "" : name, length);
	}
	return pairs;
}

void
request_http(struct nango_run *run, const struct nango_request *request,
	     struct nango_response *response)
{
	struct rpc_in in;
	struct jsonspan body;

	record_close();
	channel_begin(RPC_HTTP);
	put_request(request);
	channel_end();
	channel_flush();
	in = channel_receive(RPC_ANSWER, bridge_arena());
	response->status = rpc_in_u32(&in);
	response->headers = take_headers(&in, bridge_arena());
	body = (struct jsonspan){in.at, (size_t)(in.end - in.at)};
	response->is_json = jsonspan_check(body.data, body.length, NULL) == 0;
	if (response->is_json)
		body = jsonspan_trim(body.data, body.length);
	response->body = (struct nango_value){run->calls, body.data, body.length};
}

static void
put_pagination(const struct nango_pagination *p)
{
	channel_u32(p != NULL);
	if (p == NULL)
		return;
	channel_u32(p->kind);
	channel_string(p->items);
	channel_string(p->limit_name);
	channel_u32(p->limit);
	channel_u32(p->start);
	channel_string(p->cursor_name);
	channel_string(p->cursor_path);
	channel_string(p->link_rel);
	channel_string(p->link_path);
	channel_string(p->offset_name);
	channel_u32(p->by_page);
	channel_u32(p->place); /* was reserved, and zero, before ABI 1.2 */
	channel_string(p->size < sizeof(*p) ? NULL : p->more_path);
}

static struct iteration *
iteration_new(struct nango_run *run)
{
	struct iteration *it = arena_zeroed(bridge_arena(), sizeof(*it));

	it->pages.calls = run->calls;
	it->parent = bridge.current;
	it->older = bridge.newest;
	bridge.newest = it;
	return it;
}

struct nango_pages *
request_paginate(struct nango_run *run, const struct nango_request *request)
{
	static uint32_t numbers;
	struct iteration *it = iteration_new(run);

	it->number = ++numbers;
	record_close();
	channel_begin(RPC_PAGINATE);
	channel_u32(it->number);
	put_request(request);
	put_pagination(request->pages);
	channel_end();
	channel_flush(); /* now, so that the first page is fetched while the plugin goes on */
	return &it->pages;
}

struct nango_pages *
request_records(struct nango_run *run, const char *model)
{
	struct iteration *it = iteration_new(run);

	it->model = arena_text(bridge_arena(), model, strlen(model));
	return &it->pages;
}

static void
leave(struct iteration *it)
{
	if (!it->is_over && it->model == NULL) {
		channel_begin(RPC_LEAVE);
		channel_u32(it->number);
		channel_end();
	}
	it->is_over = true;
	arena_free(&it->memory);
}

static bool
is_within(const struct iteration *inner, const struct iteration *outer)
{
	while (inner != NULL && inner != outer)
		inner = inner->parent;
	return inner == outer;
}

/* Iterations that were begun under this one live in its memory and end with its page. */
static void
forget_inner(const struct iteration *it)
{
	struct iteration **link = &bridge.newest;

	while (*link != NULL) {
		struct iteration *inner = *link;

		if (inner == it || !is_within(inner->parent, it)) {
			link = &inner->older;
			continue;
		}
		*link = inner->older;
		leave(inner);
	}
}

static bool
over(struct iteration *it)
{
	it->is_over = true;
	arena_free(&it->memory);
	bridge.current = it->parent;
	return false;
}

/* The cursor must outlive the page that it came with. */
static bool
next_records(struct iteration *it, struct nango_value *page)
{
	char *cursor = it->cursor == NULL ? NULL : strdup(it->cursor);
	bool is_first = it->cursor == NULL;

	arena_reset(&it->memory);
	if (it->number++ > 0 && is_first)
		return over(it);
	*page = lookup_page(it->model, cursor, &it->memory, &it->cursor);
	free(cursor);
	it->page = (struct nango_page){
	    .size = sizeof(it->page), .status = 200, .next = it->cursor, .body = *page};
	bridge.current = it;
	return true;
}

/* A page without a list, which a link may lead to, is an empty one. */
static void
take_page(struct iteration *it, struct rpc_in *in, struct nango_value *list)
{
	size_t length;
	const char *next = rpc_in_text(in, &length);
	uint32_t at, bytes;

	it->page = (struct nango_page){.size = sizeof(it->page)};
	it->page.next = next == NULL ? NULL : arena_text(&it->memory, next, length);
	it->page.status = rpc_in_u32(in);
	it->page.headers = take_headers(in, &it->memory);
	at = rpc_in_u32(in);
	bytes = rpc_in_u32(in);
	it->page.body =
	    (struct nango_value){bridge.run.calls, in->at, (size_t)(in->end - in->at)};
	*list = bytes == 0 ? (struct nango_value){bridge.run.calls, "[]", 2}
			   : (struct nango_value){bridge.run.calls, in->at + at, bytes};
}

bool
request_next_page(struct nango_pages *pages, struct nango_value *page)
{
	struct iteration *it = (struct iteration *)pages;
	struct rpc_in in;

	*page = (struct nango_value){bridge.run.calls, NULL, 0};
	if (it->is_over)
		return false;
	record_close();
	forget_inner(it);
	if (it->model != NULL)
		return next_records(it, page);
	arena_reset(&it->memory);
	channel_begin(RPC_NEXT);
	channel_u32(it->number);
	channel_end();
	channel_flush();
	in = channel_receive(RPC_PAGE, &it->memory);
	if (rpc_in_u32(&in) == 0)
		return over(it);
	bridge.current = it;
	take_page(it, &in, page);
	return true;
}

void
request_page(struct nango_pages *pages, struct nango_page *out)
{
	struct iteration *it = (struct iteration *)pages;
	uint32_t size = out->size < sizeof(it->page) ? out->size : (uint32_t)sizeof(it->page);

	memcpy(out, &it->page, size);
	out->size = size;
}
