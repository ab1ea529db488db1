/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nangod -- a table of contents: options, settings, modules up in order, loop, modules down.
 */
#include "config.h"

#include "command/command.h"
#include "base/fault.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct nangod_command *const commands[] = {
    &command_dev, &command_serve, &command_migrate, &command_keys, &command_db,
};

static void
print_help(FILE *out)
{
	fprintf(out,
		"nangod %s: the server of the runtime for product integrations\n\n"
		"usage: nangod COMMAND [OPTION ...]\n\n",
		PACKAGE_VERSION);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\nnangod COMMAND --help shows a command's options; man nangod has the "
		     "settings.\n");
}

static int
is_option(const char *argument, const char *name)
{
	return argument != NULL && strcmp(argument, name) == 0;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL, *fault = getenv("NANGO_FAULT");

	signal(SIGPIPE, SIG_IGN);
	if (fault != NULL && fault_arm(fault) < 0) {
		fprintf(stderr, "nangod: NANGO_FAULT names no socket that listens: %s\n",
			fault);
		return NANGOD_USAGE;
	}
	if (name == NULL || is_option(name, "--help") || is_option(name, "-h") ||
	    is_option(name, "help")) {
		print_help(name == NULL ? stderr : stdout);
		return name == NULL ? NANGOD_USAGE : 0;
	}
	if (is_option(name, "--version")) {
		printf("nangod %s\n", PACKAGE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return nangod_command_run(commands[i], argc - 1, argv + 1);
	fprintf(stderr, "nangod: there is no command \"%s\": see nangod --help\n", name);
	return NANGOD_USAGE;
}
