/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/lookup -- stored records that a plugin asks for, by ids or one page after another:
 * what was committed and is not deleted. On the loop's thread; Postgres is asked on a pool
 * thread.
 */
#ifndef NANGO_ENGINE_LOOKUP_H
#define NANGO_ENGINE_LOOKUP_H

#include "engine/ingest.h"
#include "engine/node.h"

/* done is called once, on the loop's thread; the run may be over by then. */
void lookup_start(struct node *node, const struct ingest *ingest,
		  const struct run_lookup *asked, run_lookup_done *done, void *arg);

#endif
