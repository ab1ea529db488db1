/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-echo's relay: GET is answered without end, as fast as it is read; POST with the length
 * of what came.
 */
#include "http_echo_relay.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES (16 * 1024)

static void
write_more(struct request *req)
{
	static const char piece[PIECE_BYTES] = "";

	while (relay_unsent(req) <= RELAY_HIGH) {
		relay_write(req, piece, sizeof(piece));
		relay_flush(req);
	}
}

static void
begin(struct request *req, const struct http_route *route)
{
	const struct http_field none = {0};
	size_t *count = talloc_zero(request_mem(req), size_t);

	(void)route;
	if (count == NULL)
		abort();
	relay_set_arg(req, count);
	if (strcmp(request_method(req), "POST") == 0)
		return;
	relay_head(req, 200, &none, -1);
	write_more(req);
}

static void
data(struct request *req, const char *bytes, size_t length)
{
	size_t *count = relay_arg(req);

	(void)bytes;
	*count += length;
}

static void
end(struct request *req)
{
	const size_t *count = relay_arg(req);
	struct json_object *out = json_object_new_object();

	json_object_object_add(out, "length", json_object_new_int64((int64_t)*count));
	response_json(relay_response(req), 200, out);
	relay_reply(req);
}

static void
gone(struct request *req)
{
	(void)req;
}

const struct http_relay echo_relay = {
    .begin = begin, .data = data, .end = end, .drained = write_more, .gone = gone};
