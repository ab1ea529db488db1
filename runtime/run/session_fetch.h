/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_fetch -- a request as a run asked for it; shared by session_fetch.c and
 * session_iterate.c.
 */
#ifndef NANGO_RUN_SESSION_FETCH_H
#define NANGO_RUN_SESSION_FETCH_H

#include "http/server.h" /* struct http_field */
#include "rpc/frame.h"
#include "run/session.h"

#include <talloc.h>

struct ask {
	struct run_request request;
	uint16_t *accept; /* statuses beside 2xx */
	uint32_t accept_count;
};

/* Reads one; in->is_bad when it is damaged. */
struct ask *ask_take(TALLOC_CTX *mem, struct rpc_in *in);
char *ask_take_string(TALLOC_CTX *mem, struct rpc_in *in); /* NULL: none */

bool ask_accepts(const struct ask *ask, int status);

/* What to say of an answer that ends the run: GET /x answered 404: {"message":"Not Found"} */
void ask_describe(char *out, size_t size, const struct ask *ask, const struct run_response *r);
void ask_stop(struct session *session, int status, const char *code, const char *message);

/* An answer's headers in a frame: u32 n and n times (text name, text value). */
size_t fields_bytes(const struct http_field *fields);
char *fields_put(char *at, const struct http_field *fields);

/* session_paging.c: the plugin's own paging in the words of a template's proxy.paginate; NULL
 * when it has none. */
const char *paging_take(TALLOC_CTX *mem, struct rpc_in *in);

#endif
