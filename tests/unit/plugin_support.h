/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin_support -- a run inside the test's own process, for generated code and for plugins:
 * the table of calls over jsonspan, requests answered from a recording. The sandbox, the wire
 * and the template's pagination are left to the tests of the runner and of nangod.
 */
#ifndef NANGO_TESTS_PLUGIN_SUPPORT_H
#define NANGO_TESTS_PLUGIN_SUPPORT_H

#include "base/buf.h"
#include "nango/plugin.h"
#include "recording.h"

#include <setjmp.h>

#define STAND_RECORDS_MAX 1000

struct stand {
	struct nango_run run; /* first */
	struct nango_calls calls;
	TALLOC_CTX *mem, *page; /* page is freed at each commit and next page, as in a run */
	struct recording *recording;
	const char *checkpoint, *metadata, *input; /* JSON or NULL */
	struct buf record;			   /* the one being written */
	const char *model;
	uint32_t change;
	const char *stored; /* JSON list that lookups give */
	struct {
		const char *model, *json, *problem;
		uint32_t change;
	} records[STAND_RECORDS_MAX];
	size_t records_count, commits, requests, windows_opened, windows_closed;
	const char *output;
	const char *failure; /* "code: message" of nango_fail or of a wrong request */
	jmp_buf failed;
};

void stand_open(struct stand *stand);
void stand_close(struct stand *stand);

struct nango_value stand_value(struct stand *stand, const char *json);

/* Runs fn; false when it ended by nango_fail (stand->failure). */
bool stand_run(struct stand *stand, nango_function *fn);

#endif
