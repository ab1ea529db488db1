/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin completion -- a script for the shell, made from the table of commands.
 *     eval "$(nango-plugin completion bash)"
 */
#include "command.h"

#include <stdio.h>
#include <string.h>

static void
print_options(const struct command_option *options)
{
	for (; options->name != NULL; options++)
		printf(" --%s", options->name);
}

static void
print_bash(void)
{
	puts("# bash completion for nango-plugin, made by: nango-plugin completion bash\n"
	     "_nango_plugin()\n{\n"
	     "\tlocal word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n"
	     "\tif [ \"$COMP_CWORD\" -eq 1 ]; then");
	printf("\t\twords=\"");
	for (size_t i = 0; command_table[i] != NULL; i++)
		printf("%s%s", i > 0 ? " " : "", command_table[i]->name);
	puts("\"\n\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n\t\treturn\n\tfi\n"
	     "\tcase \"${COMP_WORDS[1]}\" in");
	for (size_t i = 0; command_table[i] != NULL; i++) {
		printf("\t%s) words=\"", command_table[i]->name);
		print_options(command_table[i]->options);
		print_options(command_common_options);
		puts("\" ;;");
	}
	puts("\tesac\n"
	     "\tcase \"$word\" in\n"
	     "\t-*) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
	     "\t*) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
	     "\tesac\n}\n"
	     "complete -o filenames -F _nango_plugin nango-plugin");
}

static int
run(struct invocation *inv, struct error *err)
{
	if (strcmp(inv->arguments[0], "bash") != 0) {
		error_set(err, ERR_USAGE,
			  "there is no completion for \"%.40s\" [E0003]\nhelp: bash",
			  inv->arguments[0]);
		return STATUS_USAGE;
	}
	print_bash();
	return STATUS_OK;
}

const struct command command_completion = {
    .name = "completion",
    .arguments = "bash",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "Print a completion script for the shell",
    .doc = "Put this into ~/.bashrc:  eval \"$(nango-plugin completion bash)\"",
    .options = {{0}},
    .run = run,
};
