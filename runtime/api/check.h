/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/check -- the shape of bodies and names, by tables.
 */
#ifndef NANGO_API_CHECK_H
#define NANGO_API_CHECK_H

#include "api/api.h"
#include "base/json.h"

enum check_kind {
	CHECK_STRING,
	CHECK_BOOLEAN,
	CHECK_INTEGER,
	CHECK_OBJECT,
	CHECK_ARRAY,
	CHECK_ANY,
	CHECK_TEXTS
};

struct check_member {
	const char *name;
	enum check_kind kind;
	bool is_required, may_be_null;
	size_t max; /* bytes of a string; 0: 255 */
};

/* ERR_INVALID_BODY at the member: unknown, missing, of another kind, too long. */
MUST_CHECK int check_body(struct json_object *body, const struct check_member *members,
			  size_t count, struct error *err);

/* The request's JSON object, checked; a missing body is an empty object. */
MUST_CHECK int call_body(struct call *call, const struct check_member *members, size_t count,
			 struct json_object **out, struct error *err);

/* ERR_INVALID_QUERY for a parameter that is not among names (ends with NULL). */
MUST_CHECK int check_query(struct call *call, const char *const *names, struct error *err);

enum check_name { NAME_INTEGRATION, NAME_CONNECTION, NAME_FUNCTION, NAME_MODEL, NAME_TAG };
/* Characters and length of a name; code says where it came from. at: the member's name. */
MUST_CHECK int check_name(enum check_name kind, const char *text, enum error_code code,
			  const char *at, struct error *err);

/* Whole number within bounds from the query; otherwise when it is absent. */
MUST_CHECK int query_integer(struct call *call, const char *name, int64_t min, int64_t max,
			     int64_t otherwise, int64_t *out, struct error *err);

#endif
