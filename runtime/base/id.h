/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id -- random identifiers. UUID v4 in lower case with dashes (RFC 9562).
 */
#ifndef NANGO_BASE_ID_H
#define NANGO_BASE_ID_H

#define ID_UUID_MAX 37 /* 36 characters and the NUL */

void id_uuid4(char out[ID_UUID_MAX]);
int id_is_uuid4(const char *text); /* 1 or 0; either case of letters */

#endif
