/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/catalogue -- the set of templates that is in force, and how another takes its place.
 *
 * Sets are counted: who uses one keeps it until their context is freed, so a reload never takes
 * anything from a request that is under way. Any thread may use and reload.
 */
#ifndef NANGO_PROVIDER_CATALOGUE_H
#define NANGO_PROVIDER_CATALOGUE_H

#include "provider/template.h"

struct catalogue;

/* dir and file as for templates_load; they must outlive it. */
MUST_CHECK int catalogue_open(const char *dir, const char *file, struct catalogue **out,
			      struct error *err);
void catalogue_free(struct catalogue *catalogue); /* NULL is fine; users may still be there */

/* The set in force; it stays until mem is freed. */
const struct templates *catalogue_use(struct catalogue *catalogue, TALLOC_CTX *mem);

/* Reads everything anew. When that fails the set stays what it was. */
MUST_CHECK int catalogue_reload(struct catalogue *catalogue, struct error *err);

#endif
