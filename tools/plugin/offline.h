/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline -- runs a sync in the real sandbox, with recordings in place of the provider and of
 * the record store.
 */
#ifndef NANGO_PLUGIN_OFFLINE_H
#define NANGO_PLUGIN_OFFLINE_H

#include "base/error.h"
#include "recording.h"
#include "run/backend.h"
#include "run/inspect.h"

#define OFFLINE_DEADLINE_MS 60000
#define OFFLINE_MEMORY_BYTES (256UL * 1024 * 1024)

struct offline_record {
	const char *model, *json;
	enum run_change change;
};

/* What came of it. */
struct offline_result {
	struct offline_record *records; /* committed, in the order of saving */
	size_t records_count;
	const char *checkpoint, *last_log; /* or NULL */
	const char *problem;	/* of the first record that does not fit its model, or NULL */
	const char *unrecorded; /* the first request that nothing was recorded for, or NULL */
	struct run_end end;
};

struct offline {
	TALLOC_CTX *mem;
	const char *runner; /* path of nango-runner */
	const void *bytes;  /* of the plugin */
	size_t length;
	const struct inspection *plugin;
	const struct recording *recording;
	const char *metadata, *checkpoint; /* JSON or NULL */
};

/* -1 only when the run could not be started; how it ended is in out->end. */
MUST_CHECK int offline_run(const struct offline *offline, const struct spec_sync *sync,
			   struct offline_result *out, struct error *err);

#endif
