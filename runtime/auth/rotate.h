/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/rotate -- all that is sealed, sealed anew with the first of several master keys, while
 * nodes that hold all of them go on.
 */
#ifndef NANGO_AUTH_ROTATE_H
#define NANGO_AUTH_ROTATE_H

#include "auth/vault.h"

/*
 * What somebody changes at the same time is left to them: they seal with the first key, too. At
 * the end the other keys' canaries go: a node that has only those is refused. *count: values
 * that were sealed anew. ERR_DECRYPT names the table of a value that no key opens; what was
 * done stays done, and the call can be repeated.
 */
MUST_CHECK int rotate_all(struct db_pool *pool, const struct vault *vault, int64_t *count,
			  struct error *err);

#endif
