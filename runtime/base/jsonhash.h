/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonhash -- 128 bits that say whether a JSON value is the same as before, whatever the order
 * of its members and the white space between its tokens. Everything else counts as it was
 * written: 1.0 is not 1, "\u0041" is not "A".
 *
 * An object's hash is the sum of its members' hashes, so nothing is sorted and no tree is made.
 * Only the order of members of one name counts, as only the last of them does. The secret keys
 * it: who does not know it cannot make two values of one hash. Bytes must have passed
 * jsonspan_check. Any thread.
 */
#ifndef NANGO_BASE_JSONHASH_H
#define NANGO_BASE_JSONHASH_H

#include <stddef.h>

#define JSONHASH_BYTES 16
#define JSONHASH_SECRET_BYTES 192 /* XXH3 wants at least 136 */

/*
 * without: dotted paths of members that do not count ("fetched_at", "meta.etag"), ends with
 * NULL; or NULL. A list stands for its items.
 */
void jsonhash(unsigned char out[JSONHASH_BYTES], const char *data, size_t length,
	      const unsigned char secret[JSONHASH_SECRET_BYTES], const char *const *without);

#endif
