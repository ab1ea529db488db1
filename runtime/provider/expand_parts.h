/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand_parts -- what the three files of expand share.
 */
#ifndef NANGO_PROVIDER_EXPAND_PARTS_H
#define NANGO_PROVIDER_EXPAND_PARTS_H

#include "base/buf.h"
#include "provider/expand.h"

struct expansion {
	TALLOC_CTX *mem; /* scratch */
	const struct expand_scope *scope;
	enum expand_mode mode;
	int depth;
	struct expand_moment moment;
	const struct expand_visitor *visitor; /* NULL: values are wanted */
	struct error *err;
};

/* Arguments: one is the whole text; of two the last comma parts them; more are a list. */
struct expand_function {
	const char *name;
	size_t arguments_min, arguments_max;
	int (*call)(struct expansion *x, char *const *arguments, size_t count, struct buf *out);
};

const struct expand_function *expand_function_find(const char *name, size_t length);

/* The value of a name as text, in x->mem or in the scope; ERR_NOT_FOUND. */
MUST_CHECK int expand_name(struct expansion *x, const char *name, const char **out);

/* "${now…}" with offset and format; false when the name is no such thing. */
bool expand_now(TALLOC_CTX *mem, const char *name, int64_t now_ms, const char **out);

#endif
