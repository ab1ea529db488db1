/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/wsse -- the UsernameToken of WSSE in a header (X-WSSE), as the auth mode SIGNATURE has
 * it. Any thread.
 */
#ifndef NANGO_AUTH_WSSE_H
#define NANGO_AUTH_WSSE_H

#include "base/error.h"

#include <stdint.h>
#include <talloc.h>

#define WSSE_NONCE_BYTES 16
#define WSSE_PART_MAX 1024

/*
 * UsernameToken Username="…", PasswordDigest="…", Nonce="…", Created="…", wiped when it is
 * freed. A nonce of NULL is made, a time below 0 is now. The digest is the base64 of the
 * hexadecimal digits of SHA-1(nonce in hexadecimal digits, created, password): not of its
 * bytes, as OASIS has it. ERR_CREDENTIALS when name or password is empty, too long, or the name
 * cannot be quoted.
 */
MUST_CHECK int wsse_header(TALLOC_CTX *mem, const char *username, const char *password,
			   const unsigned char nonce[WSSE_NONCE_BYTES], int64_t created_ms,
			   char **out, struct error *err);

#endif
