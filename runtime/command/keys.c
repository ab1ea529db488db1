/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nangod keys -- the environments' secret keys; `keys rotate` changes the master key.
 */
#include "command/command.h"
#include "command/node_up.h"
#include "auth/rotate.h"

#include <inttypes.h>
#include <stdio.h>

static const struct nangod_option options[] = {
    {"rotate", NULL, NULL, "seals all secrets anew with the first key of NANGO_ENCRYPTION_KEY"},
    {"--config", "FILE", NULL, "settings as YAML; the environment wins over it"},
    {NULL, NULL, NULL, NULL},
};

static int
rotate(struct node *node, struct error *err)
{
	int64_t count;

	if (rotate_all(node->control, node->vault, &count, err) < 0)
		return -1;
	printf("%" PRId64
	       " secrets were sealed anew with the first key. Once all nodes have it "
	       "first, the others can be taken out of NANGO_ENCRYPTION_KEY.\n",
	       count);
	return 0;
}

static int
run(TALLOC_CTX *mem, struct config *config, const struct nangod_options *given,
    struct error *err)
{
	struct node_up up = {.node = {.config = config}};
	int result;

	if (node_check_settings(config, true, err) < 0)
		return -1;
	result = node_open_database(mem, &up, config->database_url,
				    config->records_database_url, config->encryption_key, err);
	if (result == 0 && given->rotates)
		result = rotate(&up.node, err);
	for (size_t i = 0; result == 0 && !given->rotates && i < up.keys_count; i++)
		printf("%s %s\n", up.keys[i].name, up.keys[i].secret_key);
	node_down(&up);
	return result;
}

const struct nangod_command command_keys = {
    .name = "keys",
    .summary =
	"Prints each environment and its secret key; `keys rotate` seals all secrets anew.",
    .options = options,
    .run = run,
};
