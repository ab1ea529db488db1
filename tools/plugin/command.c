/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command -- the table, and how a command line is read against it.
 */
#include "command.h"
#include "run/suggest.h"

#include <stdio.h>
#include <string.h>

const struct command *const command_table[] = {
    &command_init,	 &command_generate, &command_build,
    &command_check,	 &command_test,	    &command_deploy,
    &command_list,	 &command_runs,	    &command_webhooks,
    &command_replay,	 &command_template, &command_explain,
    &command_completion, &command_version,  NULL,
};

const struct command_option command_common_options[] = {
    {"json", 0, NULL, "Print one JSON line instead of text for people"},
    {"color", 0, "WHEN", "auto, always or never; NO_COLOR in the environment means never"},
    {"help", 'h', NULL, "Say what the command does and takes"},
    {0},
};

#define VERBS_MAX 32

const char *
command_option(const struct invocation *inv, const char *name)
{
	for (size_t i = 0; inv->command->options[i].name != NULL; i++)
		if (strcmp(inv->command->options[i].name, name) == 0)
			return inv->values[i];
	return NULL;
}

static int
unknown_command(const char *word, struct error *err)
{
	const char *names[VERBS_MAX] = {0};
	const char *near;

	for (size_t i = 0; command_table[i] != NULL; i++)
		names[i] = command_table[i]->name;
	near = suggest_word(word, names);
	error_set(err, ERR_USAGE, "there is no command \"%.64s\" [E0001]\nhelp: %s%s", word,
		  near == NULL ? "nango-plugin --help lists them"
			       : "did you mean nango-plugin ",
		  near == NULL ? "" : near);
	return STATUS_USAGE;
}

static int
unknown_option(const struct command *command, const char *word, struct error *err)
{
	const char *names[COMMAND_OPTIONS_MAX + 4] = {0};
	const char *near;
	size_t n = 0;

	for (size_t i = 0; command->options[i].name != NULL; i++)
		names[n++] = command->options[i].name;
	for (size_t i = 0; command_common_options[i].name != NULL; i++)
		names[n++] = command_common_options[i].name;
	near = suggest_word(word, names);
	if (near != NULL)
		error_set(err, ERR_USAGE,
			  "%s has no option --%.64s [E0002]\nhelp: did you mean --%s?",
			  command->name, word, near);
	else
		error_set(
		    err, ERR_USAGE,
		    "%s has no option --%.64s [E0002]\nhelp: nango-plugin %s --help lists them",
		    command->name, word, command->name);
	return STATUS_USAGE;
}

static int
set_color(struct invocation *inv, const char *value, struct error *err)
{
	if (strcmp(value, "always") == 0 || strcmp(value, "never") == 0) {
		inv->is_color = value[0] == 'a';
		return STATUS_OK;
	}
	if (strcmp(value, "auto") == 0)
		return STATUS_OK;
	error_set(err, ERR_USAGE, "--color is auto, always or never, not \"%.40s\" [E0003]",
		  value);
	return STATUS_USAGE;
}

static const struct command_option *
find_option(const struct command_option *options, const char *name, size_t length, char letter)
{
	for (; options->name != NULL; options++) {
		if (letter != 0 && options->letter == letter)
			return options;
		if (letter == 0 && strlen(options->name) == length &&
		    strncmp(options->name, name, length) == 0)
			return options;
	}
	return NULL;
}

static int
set_option(struct invocation *inv, const struct command_option *option, const char *value,
	   struct error *err)
{
	if (option >= inv->command->options &&
	    option < inv->command->options + COMMAND_OPTIONS_MAX) {
		inv->values[option - inv->command->options] = value;
		return STATUS_OK;
	}
	if (strcmp(option->name, "color") == 0)
		return set_color(inv, value, err);
	return STATUS_OK; /* json and help were seen before */
}

/* One option and, when it takes one, its value; *at moves past what was used. */
static int
read_option(struct invocation *inv, int argc, char **argv, int *at, struct error *err)
{
	const char *word = argv[*at], *equals = strchr(word, '=');
	bool is_long = word[1] == '-';
	const char *name = word + (is_long ? 2 : 1);
	size_t length = is_long && equals != NULL ? (size_t)(equals - name) : strlen(name);
	char letter = is_long ? 0 : (char)(length == 1 ? name[0] : 1);
	const struct command_option *option =
	    find_option(inv->command->options, name, length, letter);

	if (option == NULL)
		option = find_option(command_common_options, name, length, letter);
	if (option == NULL)
		return unknown_option(inv->command, talloc_strndup(inv->mem, name, length),
				      err);
	if (option->argument == NULL) {
		if (is_long && equals != NULL) {
			error_set(err, ERR_USAGE, "--%s takes no value [E0003]", option->name);
			return STATUS_USAGE;
		}
		return set_option(inv, option, "", err);
	}
	if (is_long && equals != NULL)
		return set_option(inv, option, equals + 1, err);
	if (*at + 1 >= argc) {
		error_set(err, ERR_USAGE, "--%s needs a value [E0003]\nhelp: --%s %s",
			  option->name, option->name, option->argument);
		return STATUS_USAGE;
	}
	return set_option(inv, option, argv[++*at], err);
}

static int
read_words(struct invocation *inv, int argc, char **argv, struct error *err)
{
	size_t count = 0;
	bool is_over = false;
	int status;

	for (int i = 2; i < argc; i++) {
		if (!is_over && strcmp(argv[i], "--") == 0) {
			is_over = true;
		} else if (!is_over && argv[i][0] == '-' && argv[i][1] != '\0') {
			status = read_option(inv, argc, argv, &i, err);
			if (status != STATUS_OK)
				return status;
		} else if (count == inv->command->arguments_max) {
			error_set(
			    err, ERR_USAGE,
			    "\"%.64s\" is one word too many [E0003]\nhelp: nango-plugin %s %s",
			    argv[i], inv->command->name, inv->command->arguments);
			return STATUS_USAGE;
		} else {
			inv->arguments[count++] = argv[i];
		}
	}
	if (count >= inv->command->arguments_min)
		return STATUS_OK;
	error_set(err, ERR_USAGE, "%s needs %s [E0003]\nhelp: nango-plugin %s %s",
		  inv->command->name, inv->command->arguments, inv->command->name,
		  inv->command->arguments);
	return STATUS_USAGE;
}

int
command_parse(struct invocation *inv, int argc, char **argv, struct error *err)
{
	for (size_t i = 0; command_table[i] != NULL; i++)
		if (strcmp(command_table[i]->name, argv[1]) == 0)
			inv->command = command_table[i];
	if (inv->command == NULL)
		return unknown_command(argv[1], err);
	return read_words(inv, argc, argv, err);
}

static void
help_options(const struct command_option *options)
{
	char left[64];

	for (; options->name != NULL; options++) {
		snprintf(left, sizeof(left), "%s%c%s--%s%s%s",
			 options->letter != 0 ? "-" : "  ",
			 options->letter != 0 ? options->letter : ' ',
			 options->letter != 0 ? ", " : " ", options->name,
			 options->argument != NULL ? " " : "",
			 options->argument != NULL ? options->argument : "");
		printf("  %-26s %s\n", left, options->doc);
	}
}

void
command_help(const struct command *command)
{
	if (command != NULL) {
		printf("nango-plugin %s%s%s -- %s\n\n%s\n\nOptions:\n", command->name,
		       command->arguments[0] != '\0' ? " " : "", command->arguments,
		       command->summary, command->doc);
		help_options(command->options);
		help_options(command_common_options);
		return;
	}
	puts("nango-plugin -- write, build and deploy integrations in C\n\n"
	     "Usage: nango-plugin COMMAND [ARGUMENTS] [OPTIONS]\n");
	for (size_t i = 0; command_table[i] != NULL; i++)
		printf("  %-11s %s\n", command_table[i]->name, command_table[i]->summary);
	puts("\nnango-plugin COMMAND --help says more. Exit status: 0 done, 1 failure, 2 "
	     "usage,\n"
	     "4 not found, 5 key refused, 10 build failed, 11 deployment failed.");
}
