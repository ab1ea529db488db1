/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate_ask -- the request of an iteration, changed from page to page: a parameter goes
 * into the query as text, or into the JSON body, where a number is a number and a dotted name
 * is a place within objects.
 *
 * The body is edited as bytes: what the plugin wrote around the parameter stays as it stands.
 */
#ifndef NANGO_RUN_PAGINATE_ASK_H
#define NANGO_RUN_PAGINATE_ASK_H

#include "base/error.h"
#include "run/backend.h"
#include "run/paginate.h"

/* place: what the settings say of in_body. The strings are copied; *out belongs to mem. */
MUST_CHECK int paginate_ask_new(TALLOC_CTX *mem, const struct run_request *request,
				enum paginate_place place, struct paginate_ask **out,
				struct error *err);

const char *paginate_ask_text(TALLOC_CTX *mem, struct paginate_ask *ask, const char *name);

/* value: one JSON value, a string or a number. Replaces that of this name, or adds it. */
void paginate_ask_set(struct paginate_ask *ask, const char *name, struct jsonspan value);
void paginate_ask_set_number(struct paginate_ask *ask, const char *name, int64_t number);

/* From now on it is this path, without a query; the body stays. */
void paginate_ask_follow(struct paginate_ask *ask, const char *path);

#endif
