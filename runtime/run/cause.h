/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/cause -- the named ends of a run; the table is cause.def. Any thread may call.
 */
#ifndef NANGO_RUN_CAUSE_H
#define NANGO_RUN_CAUSE_H

#include <stdbool.h>

enum cause_row {
#define CAUSE(name, text, doc) name,
#include "run/cause.def"
#undef CAUSE
	CAUSE_COUNT
};

const char *cause_text(enum cause_row row); /* as in the table, with %d or %s */
const char *cause_doc(enum cause_row row);

bool cause_fits(const char *cause, enum cause_row row);
bool cause_is_known(const char *cause); /* does it fit any row? */

/* The sentence of the row that a cause fits; "" when it fits none. */
const char *cause_explain(const char *cause);

#endif
