/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_in_verify -- whether a webhook comes from its provider: what x.webhook.verify of
 * a template says about signatures. Pure: the time is given.
 */
#ifndef NANGO_ENGINE_HOOKS_IN_VERIFY_H
#define NANGO_ENGINE_HOOKS_IN_VERIFY_H

#include "base/error.h"
#include "base/json.h"
#include "http/server.h" /* struct http_field */

struct hooks_received {
	const char *method, *url; /* url: as the provider was given it, with its query */
	const struct http_field *headers; /* lower-case names; ends with a NULL name */
	const char *body;
	size_t body_length;
	int64_t now_ms;
};

const char *hooks_received_header(const struct hooks_received *received, const char *name);

/*
 * rules NULL: the provider signs nothing. Without a secret nothing is believed.
 * ERR_WEBHOOK_UNSIGNED, ERR_WEBHOOK_SIGNATURE.
 */
MUST_CHECK int hooks_in_verify(TALLOC_CTX *mem, struct json_object *rules, const char *secret,
			       const struct hooks_received *received, struct error *err);

#endif
