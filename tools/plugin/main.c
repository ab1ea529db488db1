/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin -- the tool of those who write plugins.
 *
 * Results go to standard output, errors to standard error. Nothing is asked when standard input
 * is not a terminal: a script must never hang on a question.
 */
#include "command.h"
#include "report.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --json and --help count wherever they stand, also on a line that is wrong otherwise. */
static bool
has_word(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], word) == 0)
			return true;
	return false;
}

static bool
may_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no == NULL || no[0] == '\0') && isatty(STDERR_FILENO) &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

static int
run(struct invocation *inv, int argc, char **argv)
{
	struct error err = {0};
	int status = command_parse(inv, argc, argv, &err);

	if (inv->command != NULL &&
	    (has_word(argc, argv, "--help") || has_word(argc, argv, "-h"))) {
		command_help(inv->command);
		return STATUS_OK;
	}
	if (status == STATUS_OK)
		status = inv->command->run(inv, &err);
	if (status != STATUS_OK && err.code != ERR_NONE)
		report_error(inv, &err);
	return status;
}

int
main(int argc, char **argv)
{
	static char version[] = "version";
	struct invocation inv = {.program = argv[0]};
	int status;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		command_help(NULL);
		return argc < 2 ? STATUS_USAGE : STATUS_OK;
	}
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = version;
	inv.mem = talloc_new(NULL);
	inv.is_json = has_word(argc, argv, "--json");
	inv.is_color = may_color();
	status = run(&inv, argc, argv);
	talloc_free(inv.mem);
	if (fflush(stdout) != 0 && status == STATUS_OK)
		status = STATUS_FAILURE;
	return status;
}
