/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/target -- where a connection's requests go, and with which credentials.
 */
#ifndef NANGO_ENGINE_TARGET_H
#define NANGO_ENGINE_TARGET_H

#include "engine/node.h"
#include "provider/expand.h"
#include "run/fetch.h"
#include "store/refresh.h"

/* Opens the connection's credentials; all of it belongs to mem and is wiped with it. */
MUST_CHECK int target_open(TALLOC_CTX *mem, struct node *node,
			   const struct connection *connection,
			   const struct refresh_state *state, struct fetch_target *out,
			   const char **paginate_json, struct error *err);

/* The same for a grant that is not stored yet, with names as auth_scope gives them. */
struct grant;
MUST_CHECK int target_of_grant(TALLOC_CTX *mem, const struct grant *grant,
			       const struct expand_scope *scope, struct fetch_target *out,
			       struct error *err);

#endif
