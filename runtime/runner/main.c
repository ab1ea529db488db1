/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-runner -- runs a plugin, sandboxed. Started by nangod and nango-plugin, never by hand:
 *
 *   nango-runner zygote PARENT MASK   loads the plugin it is sent over descriptor 3, then forks
 *   nango-runner probe PARENT MASK    says over descriptor 3 which layers this kernel offers
 */
#include "runner/bridge.h"
#include "runner/death.h"
#include "runner/loader.h"
#include "runner/sandbox.h"
#include "runner/zygote.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
usage(void)
{
	fprintf(stderr,
		"nango-runner runs the plugins of nangod, which starts it itself.\n"
		"It speaks SDK ABI %d.%d and protocol %d.\n",
		NANGO_ABI_MAJOR, NANGO_ABI_MINOR, RPC_VERSION);
	return 2;
}

int
main(int argc, char **argv)
{
	const struct nango_plugin *plugin;
	char layers[SANDBOX_LAYERS_MAX];
	int plugin_fd;
	unsigned mask;
	pid_t parent;

	if (argc != 4)
		return usage();
	parent = (pid_t)atoi(argv[2]);
	mask = (unsigned)atoi(argv[3]);
	close_range(RUNNER_FD + 1, ~0u, 0);
	if (strcmp(argv[1], "probe") == 0) {
		sandbox_enter(mask, parent, layers);
		zygote_ready(layers);
		return 0;
	}
	if (strcmp(argv[1], "zygote") != 0)
		return usage();
	plugin_fd = zygote_receive_load();
	zygote_prepare();
	loader_prepare(plugin_fd);
	sandbox_enter(mask, parent, layers);
	plugin = loader_load(plugin_fd);
	sandbox_serve();
	zygote_ready(layers);
	zygote_serve(plugin);
}
