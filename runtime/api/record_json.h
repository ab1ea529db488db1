/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/record_json -- a record as the API shows it, and the cursors that point into a feed.
 *
 * Payloads are never parsed: `_nango_metadata` is spliced in before the last brace. A cursor is
 * "1:<dataset>:<epoch>:<seq>" in base64: it says which dataset it belongs to, and a cursor from
 * before the dataset was emptied is an error rather than a silence.
 */
#ifndef NANGO_API_RECORD_JSON_H
#define NANGO_API_RECORD_JSON_H

#include "base/buf.h"
#include "store/feed.h"

#define CURSOR_MAX 1000

void cursor_add(struct buf *out, const struct dataset *dataset, int64_t seq);
/* ERR_INVALID_CURSOR, ERR_STALE_CURSOR; name is the parameter's. */
MUST_CHECK int cursor_read(TALLOC_CTX *mem, const char *name, const char *cursor,
			   const struct dataset *dataset, int64_t *seq, struct error *err);

void record_json_add(struct buf *out, const struct dataset *dataset,
		     const struct record_read *record);

#endif
