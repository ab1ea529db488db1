/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command -- what the commands of the server program share.
 */
#ifndef NANGO_COMMAND_COMMAND_H
#define NANGO_COMMAND_COMMAND_H

#include "base/config.h"
#include <stdbool.h>

/* Exit codes of all commands. */
enum { NANGOD_OK = 0, NANGOD_FAILED = 1, NANGOD_USAGE = 2 };

struct nangod_options {
	const char *config_file;
	bool is_json, bumps_epochs, rotates;
};

/* env is the setting an option sets (table: config.def), or NULL for those of nangod_options.
 */
struct nangod_option {
	const char *name, *value_name, *env, *doc;
};

struct nangod_command {
	const char *name, *summary;
	const struct nangod_option *options; /* ends with a NULL name */
	int (*run)(TALLOC_CTX *mem, struct config *config, const struct nangod_options *options,
		   struct error *err);
};

extern const struct nangod_command command_dev, command_serve, command_migrate, command_keys,
    command_db;

/* Reads options and settings, runs, prints an error; the exit code. */
int nangod_command_run(const struct nangod_command *command, int argc, char **argv);

#endif
