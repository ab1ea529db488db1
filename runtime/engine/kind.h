/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/kind -- the kinds of runs and the limits of each, from the settings.
 */
#ifndef NANGO_ENGINE_KIND_H
#define NANGO_ENGINE_KIND_H

#include "base/config.h"

/* kind: QUEUE_KIND_SYNC …, as in the queue. */
int64_t kind_deadline_ms(const struct config *config, int64_t kind); /* of a run */
int64_t kind_start_ms(const struct config *config, int64_t kind);    /* of its wait before */
const char *kind_name(int64_t kind);				     /* "sync" */
int64_t kind_find(const char *name);				     /* 0: no such kind */

#endif
