/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/specs -- the specs of builds, read and parsed once a process: a build never changes.
 */
#ifndef NANGO_ENGINE_SPECS_H
#define NANGO_ENGINE_SPECS_H

#include "db/db.h"
#include "run/spec.h"

#define SPECS_MAX 256 /* builds that are kept; others are read anew each time */

/* *out is shared and read-only: it lives as long as the process, or as mem. Any thread. */
MUST_CHECK int specs_find(TALLOC_CTX *mem, struct db *control, const unsigned char sha256[32],
			  const struct spec **out, struct error *err);

#endif
