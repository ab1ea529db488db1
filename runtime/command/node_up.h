/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/node_up -- brings a node's modules up in order, turns the loop, brings them down.
 */
#ifndef NANGO_COMMAND_NODE_UP_H
#define NANGO_COMMAND_NODE_UP_H

#include "command/front.h"

struct node_keys { /* of one environment, for people */
	const char *name, *secret_key;
};

struct node_up {
	struct node node;
	struct front front;
	struct node_keys *keys; /* of all environments, once the database is there */
	size_t keys_count;
	char *url; /* where it listens */
	struct event *on_term, *on_interrupt, *on_hangup;
	bool has_terminal;
	int exit_code;
};

/* ERR_CONFIG, which says what to do, when the database or the master key is not set. */
MUST_CHECK int node_check_settings(const struct config *config, bool needs_key,
				   struct error *err);
/* Database pools, migrations, vault, environments. Settings must be complete. */
MUST_CHECK int node_open_database(TALLOC_CTX *mem, struct node_up *up, const char *control_url,
				  const char *data_url, const char *encryption_key,
				  struct error *err);
/*
 * The rest; it listens and works from here on, as soon as the loop turns. Before anybody can
 * know of it, SIGTERM and SIGINT mean a stop in good order; until then they end the process at
 * once.
 */
MUST_CHECK int node_start(TALLOC_CTX *mem, struct node_up *up, struct error *err);
/* Turns the loop until SIGTERM, SIGINT or a fault; stops runs and requests in good order. */
void node_run(struct node_up *up);
void node_stop(struct node_up *up); /* from the loop: ends node_run */
void node_down(struct node_up *up); /* frees; fine at any stage */

#endif
