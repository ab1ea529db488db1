/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/deploy -- a plugin file becomes what an integration runs.
 *
 * The file is read, never executed: inspection in a sandboxed helper, then the plan against
 * what is deployed, then one transaction. Runs under way finish on the build they started with.
 * Blocking; pool threads.
 */
#ifndef NANGO_ENGINE_DEPLOY_H
#define NANGO_ENGINE_DEPLOY_H

#include "base/json.h"
#include "engine/node.h"
#include "run/spec.h"
#include "store/environment.h"

/* *plan: the answer of POST /deployments, a tree of mem. */
MUST_CHECK int deploy_plugin(TALLOC_CTX *mem, struct node *node, const struct environment *env,
			     const char *integration_key, const void *bytes, size_t length,
			     bool is_dry_run, struct json_object **plan, struct error *err);

/* What is deployed to an integration; ERR_NOT_FOUND when nothing is. */
MUST_CHECK int deploy_spec(TALLOC_CTX *mem, struct db *db, int64_t integration_id,
			   struct spec **out, struct error *err);

/* Makes the schedules of a new connection. Nothing deployed: nothing to do. */
MUST_CHECK int deploy_connection(struct db *db, int64_t integration_id, int64_t connection_row,
				 struct error *err);

#endif
