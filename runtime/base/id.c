/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id -- see id.h.
 */
#include "base/id.h"
#include "base/crypto.h"

#include <ctype.h>
#include <string.h>

#define UUID_BYTES 16
#define AHEAD 32 /* made at once: each request has one, and a system call for each is dear */

static void
take_random(unsigned char out[UUID_BYTES])
{
	static _Thread_local unsigned char bytes[AHEAD][UUID_BYTES];
	static _Thread_local size_t left;

	if (left == 0) {
		crypto_random(bytes, sizeof(bytes));
		left = AHEAD;
	}
	memcpy(out, bytes[--left], UUID_BYTES);
	crypto_wipe(bytes[left], UUID_BYTES);
}

void
id_uuid4(char out[ID_UUID_MAX])
{
	static const size_t parts[] = {8, 4, 4, 4, 12};
	unsigned char bytes[UUID_BYTES];
	char hex[2 * UUID_BYTES + 1];
	const char *from = hex;
	char *at = out;

	take_random(bytes);
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	crypto_hex(hex, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		memcpy(at, from, parts[i]);
		at += parts[i];
		from += parts[i];
		*at++ = '-';
	}
	at[-1] = '\0';
}

int
id_is_uuid4(const char *text)
{
	if (strlen(text) != 36)
		return 0;
	for (int i = 0; i < 36; i++) {
		int c = tolower((unsigned char)text[i]);

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (c != '-')
				return 0;
		} else if (!isxdigit(c)) {
			return 0;
		}
	}
	return text[14] == '4' && strchr("89abAB", text[19]) != NULL;
}
