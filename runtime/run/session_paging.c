/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_paging -- how a plugin says that its provider pages, as settings for
 * run/paginate.
 */
#include "run/session_fetch.h"

#include "base/buf.h"

#include <nango/plugin.h>

static void
add_member(struct buf *json, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buf_adds(json, json->length > 1 ? "," : "");
	buf_add_json_str(json, name);
	buf_addc(json, ':');
	buf_add_json_str(json, text);
}

static void
add_number(struct buf *json, const char *name, uint32_t number)
{
	buf_addf(json, "%s\"%s\":%u", json->length > 1 ? "," : "", name, number);
}

static void
add_place(struct buf *json, uint32_t place)
{
	if (place == NANGO_PLACE_QUERY || place == NANGO_PLACE_BODY)
		buf_addf(json, "%s\"in_body\":%s", json->length > 1 ? "," : "",
			 place == NANGO_PLACE_BODY ? "true" : "false");
}

const char *
paging_take(TALLOC_CTX *mem, struct rpc_in *in)
{
	static const char *const kinds[] = {[NANGO_PAGE_LINK] = "link",
					    [NANGO_PAGE_CURSOR] = "cursor",
					    [NANGO_PAGE_OFFSET] = "offset"};
	struct buf json;
	uint32_t kind, number;

	if (rpc_in_u32(in) == 0)
		return NULL;
	buf_init(&json, mem, 256);
	buf_addc(&json, '{');
	kind = rpc_in_u32(in);
	if (kind <= NANGO_PAGE_OFFSET)
		add_member(&json, "type", kinds[kind]);
	add_member(&json, "response_path", ask_take_string(mem, in));
	add_member(&json, "limit_name_in_request", ask_take_string(mem, in));
	number = rpc_in_u32(in);
	if (number != 0)
		add_number(&json, "limit", number);
	number = rpc_in_u32(in);
	if (number != 0)
		add_number(&json, "offset_start_value", number);
	add_member(&json, "cursor_name_in_request", ask_take_string(mem, in));
	add_member(&json, "cursor_path_in_response", ask_take_string(mem, in));
	add_member(&json, "link_rel_in_response_header", ask_take_string(mem, in));
	add_member(&json, "link_path_in_response_body", ask_take_string(mem, in));
	add_member(&json, "offset_name_in_request", ask_take_string(mem, in));
	if (rpc_in_u32(in) != 0)
		add_member(&json, "offset_calculation_method", "per-page");
	add_place(&json, rpc_in_u32(in));
	add_member(&json, "more_path_in_response", ask_take_string(mem, in));
	buf_addc(&json, '}');
	return json.data;
}
