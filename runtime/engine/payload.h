/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/payload -- a record's bytes as they are stored: raw, or sealed under a key of the
 * environment (NANGO_RECORDS_ENCRYPTION). Which it is stands beside each row, so both can be
 * read at any time. Sealed: version 1 (1 byte), nonce (12), ciphertext, tag (16); bound to
 * environment, connection, dataset and id. Any thread.
 */
#ifndef NANGO_ENGINE_PAYLOAD_H
#define NANGO_ENGINE_PAYLOAD_H

#include "base/buf.h"
#include "base/crypto.h"
#include "store/record.h"

/* What sealing adds. */
#define PAYLOAD_OVERHEAD (1 + CRYPTO_NONCE_BYTES + CRYPTO_TAG_BYTES)
/* No larger one is opened; records have ten megabytes. */
#define PAYLOAD_BYTES_MAX (128 * 1024 * 1024)

struct payload_codec {
	bool seals; /* what is written; reading goes by the row */
	int64_t environment_id;
	unsigned char key[CRYPTO_KEY_BYTES];
};

/* From the environment's record key (32 bytes). */
void payload_codec_init(struct payload_codec *codec, int64_t environment_id,
			const unsigned char record_key[CRYPTO_KEY_BYTES], bool seals);

struct payload_place {
	const struct dataset *dataset;
	const char *id;
	size_t id_length;
};

/* *data and *length become what is to be stored; the result says how. */
enum record_codec payload_encode(TALLOC_CTX *mem, const struct payload_codec *codec,
				 const struct payload_place *place, const char **data,
				 size_t *length);

/* *data and *length become the record. ERR_DECRYPT. */
MUST_CHECK int payload_decode(TALLOC_CTX *mem, const struct payload_codec *codec,
			      const struct payload_place *place, enum record_codec how,
			      const char **data, size_t *length, struct error *err);

#endif
