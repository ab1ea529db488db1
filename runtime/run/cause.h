/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/cause -- the named ends of a run; the table is cause.def. Any thread may call.
 */
#ifndef NANGO_RUN_CAUSE_H
#define NANGO_RUN_CAUSE_H

#include <stdbool.h>

#define CAUSE_MAX 64 /* bytes of a cause with its NUL, as in struct run_end */

enum cause_row {
#define CAUSE(name, text, doc) name##_ROW,
#include "run/cause.def"
#undef CAUSE
	CAUSE_COUNT
};

/* The texts without a number or name, for run_cancel and for comparing. */
#define CAUSE_CANCELLED "cancelled"
#define CAUSE_LOST_LEASE "lost lease"
#define CAUSE_DEADLINE "deadline"

const char *cause_text(enum cause_row row); /* as in the table, with %d or %s */
const char *cause_doc(enum cause_row row);
bool cause_is_known(const char *cause); /* does it fit a row? For tests and docs. */

/* The sentence of the row that a cause fits; "" when it fits none. */
const char *cause_explain(const char *cause);

#endif
