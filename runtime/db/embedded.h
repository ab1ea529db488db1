/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/embedded -- the private Postgres of `nangod dev`.
 *
 * A direct child on a Unix socket only, in a short private folder. Started by root it runs as
 * nango, postgres or nobody, whichever exists first: Postgres refuses root. It ends with its
 * parent, also when that is killed, and is started again when it crashes. All calls come from
 * the main thread: the kernel ties a child's death signal to the thread that forked it.
 */
#ifndef NANGO_DB_EMBEDDED_H
#define NANGO_DB_EMBEDDED_H

#include "base/error.h"
#include "base/loop.h"
#include <talloc.h>

#define EMBEDDED_START_MS 30000 /* to accept connections; after a crash it recovers first */
#define EMBEDDED_STOP_MS 15000
#define EMBEDDED_RESTARTS 5 /* within a minute, then nangod gives up */

struct embedded;

/* bindir may be NULL: it is looked for. Makes the cluster when data_dir has none. */
MUST_CHECK int embedded_start(TALLOC_CTX *mem, const char *data_dir, const char *bindir,
			      struct embedded **out, struct error *err);
const char *embedded_url(const struct embedded *pg);
int embedded_pid(const struct embedded *pg);

/* Looks after the child from now on; gave_up is called when it cannot be kept up. */
void embedded_watch(struct embedded *pg, struct loop *loop, loop_fn *gave_up, void *arg);

void embedded_stop(struct embedded *pg); /* a clean stop; frees; NULL is fine */

#endif
