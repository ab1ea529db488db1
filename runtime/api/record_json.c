/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/record_json -- see record_json.h. Written once for each record of each page, so times and
 * cursors are put together by hand.
 */
#include "api/record_json.h"
#include "base/clock.h"
#include "base/crypto.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define US 1000000

static void
add_base64(struct buf *out, const char *text, size_t length)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *)text;
	char *at = buf_reserve(out, (length + 2) / 3 * 4 + 1), *from = at;

	for (; length > 0; in += 3, length = length > 3 ? length - 3 : 0) {
		unsigned three = (unsigned)in[0] << 16 |
				 (length > 1 ? (unsigned)in[1] << 8 : 0) |
				 (length > 2 ? in[2] : 0);

		*at++ = alphabet[three >> 18];
		*at++ = alphabet[three >> 12 & 63];
		*at++ = length > 1 ? alphabet[three >> 6 & 63] : '=';
		*at++ = length > 2 ? alphabet[three & 63] : '=';
	}
	*at = '\0';
	out->length += (size_t)(at - from);
}

/* Digits of a number that is not negative; what is behind them. */
static char *
put_number(char *at, int64_t value)
{
	char digits[20];
	int n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

void
cursor_add(struct buf *out, const struct dataset *d, int64_t seq)
{
	char text[96] = "1:", *at = text + 2;

	at = put_number(at, d->id);
	*at++ = ':';
	at = put_number(at, d->epoch);
	*at++ = ':';
	at = put_number(at, seq);
	add_base64(out, text, (size_t)(at - text));
}

int
cursor_read(TALLOC_CTX *mem, const char *name, const char *cursor, const struct dataset *d,
	    int64_t *seq, struct error *err)
{
	size_t length = 0;
	char *text =
	    strlen(cursor) > CURSOR_MAX ? NULL : (char *)crypto_unbase64(mem, cursor, &length);
	int64_t id, epoch;
	int used = 0;

	if (text == NULL || strlen(text) != length ||
	    sscanf(text, "1:%" SCNd64 ":%" SCNd64 ":%" SCNd64 "%n", &id, &epoch, seq, &used) !=
		3 ||
	    (size_t)used != length || id != d->id || *seq < 0)
		return error_set_at(
		    err, ERR_INVALID_CURSOR, name,
		    "the cursor was not given out for this model of this connection, or its "
		    "dataset was removed since: read it again without a cursor");
	if (epoch != d->epoch)
		return error_set_at(
		    err, ERR_STALE_CURSOR, name,
		    "the dataset was emptied since this cursor was given out: read it "
		    "again without a cursor");
	if (*seq > d->seq)
		return error_set_at(err, ERR_INVALID_CURSOR, name,
				    "the cursor is beyond the newest change");
	return 0;
}

/* Microseconds, as the records' own clock has them. Records of one page share their seconds. */
static void
add_time(struct buf *out, const char *name, size_t name_length, int64_t us)
{
	static _Thread_local int64_t second = -1;
	static _Thread_local char iso[CLOCK_ISO_MAX];
	int64_t fraction = us % US;
	char *at;

	buf_add(out, name, name_length);
	if (us == 0) {
		buf_add(out, "null", 4);
		return;
	}
	if (us / US != second) {
		second = us / US;
		clock_iso(iso, second * 1000);
	}
	at = buf_reserve(out, 40);
	*at++ = '"';
	memcpy(at, iso, 19);
	at += 19;
	*at++ = '.';
	for (int i = 5; i >= 0; i--, fraction /= 10)
		at[i] = (char)('0' + fraction % 10);
	memcpy(at + 6, "+00:00\"", 8);
	out->length += 34;
}

#define ADD_TIME(out, name, us) add_time(out, name, sizeof(name) - 1, us)

static void
add_metadata(struct buf *out, const struct dataset *dataset, const struct record_read *r)
{
	static const char *const actions[] = {[RECORD_ADDED] = ",\"last_action\":\"ADDED\"",
					      [RECORD_UPDATED] = ",\"last_action\":\"UPDATED\"",
					      [RECORD_DELETED] =
						  ",\"last_action\":\"DELETED\""};

	ADD_TIME(out, "\"_nango_metadata\":{\"first_seen_at\":", r->first_seen_us);
	ADD_TIME(out, ",\"last_modified_at\":", r->last_modified_us);
	buf_adds(out, actions[r->action]);
	ADD_TIME(out, ",\"deleted_at\":", r->deleted_us);
	ADD_TIME(out, ",\"pruned_at\":", r->pruned_us);
	buf_adds(out, ",\"cursor\":\"");
	cursor_add(out, dataset, r->seq);
	buf_add(out, "\"}", 2);
}

/* The payload up to its last brace, a comma, and the metadata. */
void
record_json_add(struct buf *out, const struct dataset *dataset, const struct record_read *r)
{
	size_t n = r->payload_length;

	if (r->payload == NULL) { /* pruned: the id is all that is left */
		buf_adds(out, "{\"id\":");
		buf_add_json_str(out, r->external_id);
	} else {
		while (n > 0 && r->payload[n - 1] != '}')
			n--;
		buf_add(out, r->payload, n > 0 ? n - 1 : 0);
	}
	buf_addc(out, ',');
	add_metadata(out, dataset, r);
	buf_addc(out, '}');
}
