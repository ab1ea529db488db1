/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/verify -- whether credentials work: the request that the template names for it.
 */
#ifndef NANGO_ENGINE_VERIFY_H
#define NANGO_ENGINE_VERIFY_H

#include "engine/grant.h"

/*
 * proxy.verification of the grant's template; without one there is nothing to do. Any of its
 * endpoints may answer with 2xx, or as x.verification says. ERR_TEST_FAILED with what the
 * provider answered. Blocks.
 */
MUST_CHECK int verify_grant(TALLOC_CTX *mem, struct node *node, struct grant *grant,
			    struct error *err);

#endif
