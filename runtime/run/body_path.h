/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/body_path -- a place in an API's answer by the dotted paths of templates.
 */
#ifndef NANGO_RUN_BODY_PATH_H
#define NANGO_RUN_BODY_PATH_H

#include "base/jsonspan.h"
#include <talloc.h>

#define BODY_PATH_DEPTH_MAX 32 /* parts of a path */
#define BODY_TEXT_MAX 8192     /* bytes of a cursor or link */

/*
 * "data.pages[0].next", "data[-1].id" of the last item. A member of that whole name goes first,
 * since names may hold dots
 * ("@odata.nextLink"). Absent when a part leads nowhere. value was checked by jsonspan_check.
 */
struct jsonspan body_path_find(TALLOC_CTX *mem, struct jsonspan value, const char *path);

int64_t body_count(struct jsonspan items); /* of a list; 0 for what is none */

/* A string, or a number's digits as they stand; NULL for what is neither, blank or too long. */
char *body_text(TALLOC_CTX *mem, struct jsonspan value);

/*
 * The object's bytes with this value at the place, and the objects on the way to it where they
 * were missing. value is one JSON value. Lists on the way are replaced, not entered.
 */
char *body_path_put(TALLOC_CTX *mem, struct jsonspan object, const char *path,
		    struct jsonspan value);

#endif
