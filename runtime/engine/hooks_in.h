/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_in -- webhooks that providers send: which connections they are about, as the
 * template's x.webhook says, and that the app is told. They are in the outbox, and so on disk,
 * before the provider has its answer.
 */
#ifndef NANGO_ENGINE_HOOKS_IN_H
#define NANGO_ENGINE_HOOKS_IN_H

#include "engine/hooks_in_verify.h"
#include "engine/node.h"
#include "store/integration.h"

#define HOOKS_IN_CONNECTIONS_MAX 1000 /* that one event is about */
#define HOOKS_IN_EVENTS_MAX 1000      /* of one webhook */

struct hooks_in {
	TALLOC_CTX *mem;
	struct node *node;
	const struct integration *integration;
	struct json_object *rules; /* x.webhook */
	struct hooks_received received;
	const struct http_field *query; /* ends with a NULL name */
	/* Out: */
	struct json_object *payload; /* the body, a form as an object; NULL: it is empty */
	bool is_json;		     /* the body's own text is passed on */
	const char *challenge;	     /* to be sent back as it is; NULL: none was asked for */
};

/* Reads the body. ERR_WEBHOOK_PAYLOAD when it says to be JSON and is not. */
MUST_CHECK int hooks_in_read(struct hooks_in *in, struct error *err);

/* Finds whom it is about and writes it down for the app; in one transaction. */
MUST_CHECK int hooks_in_forward(struct hooks_in *in, struct db *db, struct error *err);

#endif
