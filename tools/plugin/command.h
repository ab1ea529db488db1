/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command -- what a command of nango-plugin is: a row that help, the man page and the shell
 * completion are made from, and the function it runs.
 *
 * A command prints its result to standard output (one JSON line with --json) and returns an
 * exit status. When that is not 0 it has set err, and main reports it, once; a command that has
 * many faults to report says them itself and leaves err alone. A message reads
 * "file:line:column: text [E0103]\nhelp: text"; place, code and help may be missing.
 */
#ifndef NANGO_PLUGIN_COMMAND_H
#define NANGO_PLUGIN_COMMAND_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#define COMMAND_OPTIONS_MAX 12
#define COMMAND_ARGUMENTS_MAX 2

/* Exit statuses; scripts rely on them, so a number is never given a second meaning. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILURE = 1,
	STATUS_USAGE = 2,
	STATUS_NOT_FOUND = 4,
	STATUS_AUTH = 5,
	STATUS_BUILD = 10,
	STATUS_DEPLOY = 11,
};

struct command_option {
	const char *name;     /* without the dashes */
	char letter;	      /* or 0 */
	const char *argument; /* "DIR"; NULL: a flag */
	const char *doc;
};

struct invocation;

struct command {
	const char *name, *arguments; /* "[DIR]" */
	size_t arguments_min, arguments_max;
	const char *summary; /* one line */
	const char *doc;     /* paragraphs for --help and the man page */
	struct command_option options[COMMAND_OPTIONS_MAX]; /* ends with a NULL name */
	int (*run)(struct invocation *inv, struct error *err);
};

/* One call of the program. */
struct invocation {
	TALLOC_CTX *mem;
	const char *program; /* as it was called, to find its neighbours */
	const struct command *command;
	const char *arguments[COMMAND_ARGUMENTS_MAX + 1];
	const char *values[COMMAND_OPTIONS_MAX]; /* "" for a flag that was given */
	bool is_json, is_color;
};

/* The table, ending with NULL, and the options that every command takes. */
extern const struct command *const command_table[];
extern const struct command_option command_common_options[];

/* The option's value, "" for a flag; NULL when it was not given. */
const char *command_option(const struct invocation *inv, const char *name);

/* Sorts the words behind the program's name into *inv. STATUS_OK, or STATUS_USAGE and err. */
int command_parse(struct invocation *inv, int argc, char **argv, struct error *err);

void command_help(const struct command *command); /* NULL: of the program */

/* Rows, one a file. */
extern const struct command command_init, command_generate, command_build, command_check,
    command_test, command_deploy, command_list, command_runs, command_webhooks, command_replay,
    command_explain, command_completion, command_template, command_version;

#endif
