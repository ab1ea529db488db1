/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonmerge -- one JSON object laid over another, objects deeply, everything else replaced.
 * Bytes stay as they were written: numbers keep their text, members their order; members that
 * only the patch has follow at the end. null is a value, it removes nothing. All must have
 * passed jsonspan_check. Any thread.
 */
#ifndef NANGO_BASE_JSONMERGE_H
#define NANGO_BASE_JSONMERGE_H

#include "base/buf.h"
#include "base/jsonspan.h"

/* Appends the result to out. Where one of the two is no object, the patch is the result. */
void jsonmerge(struct buf *out, struct jsonspan base, struct jsonspan patch);

/* The same of a value (count of at least 1) and all that is laid over it, one after the other;
 * it takes as long as one patch of all their bytes. */
void jsonmerge_all(struct buf *out, const struct jsonspan *values, size_t count);

#endif
