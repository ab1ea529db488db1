/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/budget -- a node's part in the rate budgets that all nodes share (run/budget.h).
 *
 * The buckets are rows of nango.budget. A node leases a few slots of each bucket at a time, for
 * calls that wait or are about to come, in one statement for all of them and one at a time;
 * slots that nobody took go back. Calls that wait take turns by connection. A call that counts
 * in several limits leaves when each has a slot, and holds none while it waits.
 *
 * A refusal blocks the narrowest scope that declares a limit for the call, or its connection
 * where none does; one of another connection meanwhile blocks the wider scope, too. The row is
 * the truth: a notice makes the other nodes look at once, and they look every second anyway.
 */
#ifndef NANGO_ENGINE_BUDGET_H
#define NANGO_ENGINE_BUDGET_H

#include "engine/node.h"
#include "run/budget.h"

#define BUDGET_SLICE_US 250000 /* slots of so much time are asked for at once, at least one */
#define BUDGET_LOOK_MS 1000
#define BUDGET_WIDE_BLOCK_MAX_MS 600000 /* of what is wider than a connection */
#define BUDGET_BLOCK_MAX_MS 86400000
#define BUDGET_STRIKE_MS                                                     \
	1000 /* of a refusal that tells no time; doubles when it comes again \
	      */
#define BUDGET_STRIKE_MAX_MS 60000

/*
 * Of a loop of the node's, before anything is sent from it: node->budget of its own, and
 * node->front_budget of the front's. The two lease apart, as two nodes do.
 */
MUST_CHECK int budget_open(struct node *node, struct loop *loop, struct budget **out,
			   struct error *err);
void budget_look(struct budget *budget); /* a notice came: loop's thread; NULL is fine */
void budget_end(struct budget *budget);	 /* its thread has done its last statement */
void budget_close(struct budget **budget);

/* What a target's calls count in, of its template; NULL when there is no connection yet. */
struct connection;
const struct budget_scopes *budget_scopes_of(TALLOC_CTX *mem, struct json_object *template_body,
					     const struct connection *connection,
					     const char *base_url);

#endif
