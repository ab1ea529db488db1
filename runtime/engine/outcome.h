/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/outcome -- how a run ended, between its fence, which is closed with it, and its row,
 * which is written from it later.
 */
#ifndef NANGO_ENGINE_OUTCOME_H
#define NANGO_ENGINE_OUTCOME_H

#include "store/fence.h"
#include "store/queue.h"

/* What the run's row needs and the fence has no column for. */
char *outcome_json(TALLOC_CTX *mem, const struct run_outcome *outcome);

/* The run's pages and counts so far, and, of a closed fence, how it ended. Texts belong to mem.
 * run_id and token are not touched. */
MUST_CHECK int outcome_read(TALLOC_CTX *mem, const struct fence *fence, struct run_outcome *out,
			    struct error *err);

#endif
