/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report -- an error as a person wants to see it: what, where with the line itself, and the
 * fix.
 */
#ifndef NANGO_PLUGIN_REPORT_H
#define NANGO_PLUGIN_REPORT_H

#include "command.h"

/* A message taken apart; strings belong to mem, NULL or 0 where the message has none. */
struct report {
	const char *code, *text, *help, *file;
	int line, column;
};

void report_split(TALLOC_CTX *mem, const char *message, struct report *out);

/* To standard error, or with --json as one line to standard output. */
void report_error(const struct invocation *inv, const struct error *err);

/* A fault of many: to standard error, in the same shape. help may be NULL. */
void report_finding(const struct invocation *inv, const char *message, const char *help,
		    bool is_warning);

#endif
