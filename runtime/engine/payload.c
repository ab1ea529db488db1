/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/payload -- see payload.h.
 */
#include "engine/payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1
#define AAD_MAX (128 + RECORD_ID_MAX)

void
payload_codec_init(struct payload_codec *codec, int64_t environment_id,
		   const unsigned char record_key[CRYPTO_KEY_BYTES], bool seals)
{
	codec->seals = seals;
	codec->environment_id = environment_id;
	crypto_derive(codec->key, record_key, "nango record payload");
}

static size_t
aad_make(char out[AAD_MAX], const struct payload_codec *codec,
	 const struct payload_place *place)
{
	size_t length = place->id_length > RECORD_ID_MAX ? RECORD_ID_MAX : place->id_length;
	int n =
	    snprintf(out, AAD_MAX, "record:%" PRId64 ":%" PRId64 ":%" PRId64 ":",
		     codec->environment_id, place->dataset->connection_row, place->dataset->id);

	memcpy(out + n, place->id, length);
	return (size_t)n + length;
}

enum record_codec
payload_encode(TALLOC_CTX *mem, const struct payload_codec *codec,
	       const struct payload_place *place, const char **data, size_t *length)
{
	char aad[AAD_MAX];
	unsigned char *out;

	if (!codec->seals)
		return RECORD_RAW;
	out = talloc_size(mem, *length + PAYLOAD_OVERHEAD);
	if (out == NULL)
		abort();
	out[0] = VERSION;
	crypto_random(out + 1, CRYPTO_NONCE_BYTES);
	crypto_seal(out + 1 + CRYPTO_NONCE_BYTES, codec->key, out + 1, aad,
		    aad_make(aad, codec, place), *data, *length);
	*data = (const char *)out;
	*length += PAYLOAD_OVERHEAD;
	return RECORD_SEALED;
}

int
payload_decode(TALLOC_CTX *mem, const struct payload_codec *codec,
	       const struct payload_place *place, enum record_codec how, const char **data,
	       size_t *length, struct error *err)
{
	const unsigned char *sealed = (const unsigned char *)*data;
	char aad[AAD_MAX];
	unsigned char *out;

	if (how == RECORD_RAW || *data == NULL)
		return 0;
	if (how != RECORD_SEALED || *length < PAYLOAD_OVERHEAD || sealed[0] != VERSION)
		return error_set(err, ERR_DECRYPT, "a stored record has an unknown form (%d)",
				 (int)how);
	if (*length > PAYLOAD_BYTES_MAX)
		return error_set(err, ERR_DECRYPT,
				 "a stored record of %zu bytes is larger than any that is "
				 "opened: save it anew",
				 *length);
	out = talloc_size(mem, *length);
	if (out == NULL)
		abort();
	if (crypto_open(out, codec->key, sealed + 1, aad, aad_make(aad, codec, place),
			sealed + 1 + CRYPTO_NONCE_BYTES, *length - 1 - CRYPTO_NONCE_BYTES,
			err) < 0)
		return -1;
	*data = (const char *)out;
	*length -= PAYLOAD_OVERHEAD;
	return 0;
}
