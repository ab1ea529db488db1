/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_forward -- see hooks_forward.h.
 *
 * The payload is kept as a text within the facts and put into the body as it is, so that no
 * number and no order of members is changed on the way.
 */
#include "engine/hooks_forward.h"
#include "base/buf.h"

#include <string.h>

/* Of the hop, of the provider's own credentials, or ours; "-" at the end: whatever follows. */
static const char *const not_passed_on[] = {
    "host",
    "authorization",
    "connection",
    "keep-alive",
    "content-length",
    "content-type",
    "content-encoding",
    "cookie",
    "set-cookie",
    "referer",
    "user-agent",
    "sec-",
    "proxy-",
    "www-",
    "server",
    "transfer-",
    "te",
    "upgrade",
    "trailer",
    "expect",
    "webhook-",
    "x-nango-",
};

static bool
passes(const struct hooks_forward *forward, const struct http_field *field)
{
	if (strlen(field->value) > HOOKS_FORWARD_HEADER_MAX ||
	    (forward->secret_header != NULL &&
	     strcmp(field->name, forward->secret_header) == 0))
		return false;
	for (size_t i = 0; i < sizeof(not_passed_on) / sizeof(not_passed_on[0]); i++) {
		size_t length = strlen(not_passed_on[i]);

		if (strncmp(field->name, not_passed_on[i], length) == 0 &&
		    (field->name[length] == '\0' || not_passed_on[i][length - 1] == '-'))
			return false;
	}
	return true;
}

char *
hooks_forward_facts(TALLOC_CTX *mem, const struct hooks_forward *forward)
{
	struct json_object *facts = json_own(mem, json_object_new_object());
	struct json_object *headers = json_object_new_object();
	size_t count = 0;

	json_add(facts, "from", forward->provider);
	json_add(facts, "providerConfigKey", forward->integration_key);
	if (forward->connection_id != NULL)
		json_add(facts, "connectionId", forward->connection_id);
	json_add(facts, "payload", forward->payload);
	json_object_object_add(facts, "headers", headers);
	for (const struct http_field *f = forward->headers;
	     f->name != NULL && count < HOOKS_FORWARD_HEADERS_MAX; f++)
		if (passes(forward, f)) {
			json_add(headers, f->name, f->value);
			count++;
		}
	return json_text(mem, facts);
}

int
hooks_forward_body(TALLOC_CTX *mem, const struct outbox_event *event, char **out,
		   struct error *err)
{
	static const char *const before[] = {"connectionId", "from"};
	struct json_object *facts;
	struct buf body;

	if (json_parse(mem, event->facts, strlen(event->facts), &facts, err) < 0)
		return -1;
	buf_init(&body, mem, 1024);
	if (json_string(facts, "connectionId") == NULL) {
		buf_adds(&body, json_string(facts, "payload"));
		*out = body.data;
		return 0;
	}
	for (size_t i = 0; i < 2; i++)
		buf_addf(&body, "%c\"%s\":%s", i == 0 ? '{' : ',', before[i],
			 json_text(mem, json_member(facts, before[i])));
	buf_addf(&body, ",\"payload\":%s", json_string(facts, "payload"));
	buf_addf(&body, ",\"providerConfigKey\":%s,\"type\":\"forward\"}",
		 json_text(mem, json_member(facts, "providerConfigKey")));
	*out = body.data;
	return 0;
}

void
hooks_forward_headers(TALLOC_CTX *mem, const struct outbox_event *event, struct http_field *out)
{
	struct json_object *facts, *headers;
	struct error none;

	out->name = NULL;
	if (strcmp(event->kind, OUTBOX_FORWARD) != 0 ||
	    json_parse(mem, event->facts, strlen(event->facts), &facts, &none) < 0)
		return;
	headers = json_object_in(facts, "headers");
	if (headers == NULL)
		return;
	json_object_object_foreach (headers, name, value)
		*out++ = (struct http_field){talloc_strdup(mem, name),
					     talloc_strdup(mem, json_object_get_string(value))};
	out->name = NULL;
}
