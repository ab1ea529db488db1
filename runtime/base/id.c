/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id -- see id.h.
 */
#include "base/id.h"
#include "base/crypto.h"

#include <ctype.h>
#include <string.h>

void
id_uuid4(char out[ID_UUID_MAX])
{
	static const char dashes[] = {8, 13, 18, 23};
	unsigned char bytes[16];
	char hex[33];
	size_t from = 0;

	crypto_random(bytes, sizeof(bytes));
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	crypto_hex(hex, bytes, sizeof(bytes));
	for (int i = 0; i < 36; i++)
		out[i] = memchr(dashes, i, sizeof(dashes)) != NULL ? '-' : hex[from++];
	out[36] = '\0';
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
