/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server -- the nangod that a command talks to: where it is, with which key, one request.
 *
 * NANGO_HOSTPORT and NANGO_SECRET_KEY_<ENV> come from the environment, else from the nearest
 * .env file in this folder or one above, as the reference's CLI has it.
 */
#ifndef NANGO_PLUGIN_SERVER_H
#define NANGO_PLUGIN_SERVER_H

#include "base/error.h"
#include <stddef.h>
#include <talloc.h>

struct server {
	const char *url, *key; /* without a slash at the end */
	const char *environment;
};

/* STATUS_OK; STATUS_AUTH when there is no key; STATUS_USAGE. */
int server_find(TALLOC_CTX *mem, const char *environment, struct server *out,
		struct error *err);

struct server_answer {
	int status;
	const char *body;
	size_t body_length;
};

/* POSTs bytes and waits. path begins with '/'. ERR_NETWORK when there is no answer. */
MUST_CHECK int server_post(TALLOC_CTX *mem, const struct server *server, const char *path,
			   const char *content_type, const void *body, size_t length,
			   struct server_answer *out, struct error *err);

/* GETs as a connection of an integration (NULL: of none); otherwise likewise. */
MUST_CHECK int server_get(TALLOC_CTX *mem, const struct server *server, const char *path,
			  const char *integration, const char *connection,
			  struct server_answer *out, struct error *err);

/* Fills err for an answer that is no success, or for none; both return an exit status. */
int server_refused(TALLOC_CTX *mem, const struct server *server,
		   const struct server_answer *answer, const char *what, struct error *err);
int server_silent(const struct server *server, const struct error *why, struct error *err);

/* A setting from the environment or .env; NULL when it is nowhere. */
const char *server_setting(TALLOC_CTX *mem, const char *name);

#endif
