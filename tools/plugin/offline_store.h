/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offline_store -- what a run without a server has committed: enough of a record store for
 * lookups, updates, deletions and delete windows. In memory, one run, one thread.
 */
#ifndef NANGO_PLUGIN_OFFLINE_STORE_H
#define NANGO_PLUGIN_OFFLINE_STORE_H

#include "base/buf.h"
#include "run/backend.h"
#include <talloc.h>

struct offline_store;

struct offline_store *offline_store_new(TALLOC_CTX *mem);

/* Windows are opened before the records and closed behind them. Records with a problem are
 * left out. */
void offline_store_commit(struct offline_store *store, const struct run_page *page);

/* As run_backend.lookup answers. */
void offline_store_find(const struct offline_store *store, const struct run_lookup *asked,
			struct buf *out);

/* from with the members of over in it, objects deeply; both are objects. */
void offline_merge(struct buf *out, struct jsonspan from, struct jsonspan over);

#endif
