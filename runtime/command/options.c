/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/options -- from each command's table come parsing and --help.
 */
#include "command/command.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static void
print_command_help(const struct nangod_command *command)
{
	printf("usage: nangod %s [OPTION ...]\n\n%s\n\n", command->name, command->summary);
	for (const struct nangod_option *o = command->options; o->name != NULL; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", o->name,
			 o->value_name == NULL ? "" : " ",
			 o->value_name == NULL ? "" : o->value_name);
		printf("  %-26s %s\n", left, o->doc);
	}
}

static const struct nangod_option *
find_option(const struct nangod_command *command, const char *name, size_t length)
{
	for (const struct nangod_option *o = command->options; o->name != NULL; o++)
		if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
			return o;
	return NULL;
}

/* --name VALUE and --name=VALUE; *used counts the arguments taken. */
static int
read_option(const struct nangod_command *command, int argc, char **argv, int *used,
	    const struct nangod_option **option, const char **value, struct error *err)
{
	const char *equals = strchr(argv[0], '=');
	size_t length = equals == NULL ? strlen(argv[0]) : (size_t)(equals - argv[0]);

	*used = 1;
	*value = equals == NULL ? NULL : equals + 1;
	*option = find_option(command, argv[0], length);
	if (*option == NULL)
		return error_set(err, ERR_USAGE,
				 "there is no option \"%s\": see nangod %s --help", argv[0],
				 command->name);
	if ((*option)->value_name == NULL)
		return *value == NULL
			   ? 0
			   : error_set(err, ERR_USAGE, "%s takes no value", (*option)->name);
	if (*value == NULL) {
		if (argc < 2)
			return error_set(err, ERR_USAGE, "%s needs a value: %s",
					 (*option)->name, (*option)->value_name);
		*value = argv[1];
		*used = 2;
	}
	return 0;
}

struct setting {
	const char *env, *value;
};

static int
read_options(const struct nangod_command *command, int argc, char **argv,
	     struct nangod_options *out, struct setting *settings, size_t *count,
	     struct error *err)
{
	const struct nangod_option *option;
	const char *value;
	int used;

	for (int i = 1; i < argc; i += used) {
		if (read_option(command, argc - i, argv + i, &used, &option, &value, err) < 0)
			return -1;
		if (option->env != NULL)
			settings[(*count)++] = (struct setting){option->env, value};
		else if (strcmp(option->name, "--json") == 0)
			out->is_json = true;
		else if (strcmp(option->name, "--bump-epochs") == 0)
			out->bumps_epochs = true;
		else if (strcmp(option->name, "rotate") == 0)
			out->rotates = true;
		else
			out->config_file = value;
	}
	return 0;
}

static int
run_command(TALLOC_CTX *mem, const struct nangod_command *command, int argc, char **argv,
	    struct error *err)
{
	struct nangod_options options = {0};
	struct setting *settings = talloc_zero_array(mem, struct setting, (unsigned)argc + 1);
	size_t count = 0;
	struct config config;

	if (read_options(command, argc, argv, &options, settings, &count, err) < 0 ||
	    config_load(mem, options.config_file, &config, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (config_set(mem, &config, settings[i].env, settings[i].value, err) < 0)
			return -1;
	log_set((enum log_level)log_level_parse(config.log_level),
		strcmp(config.log_format, "json") == 0 ? LOG_JSON : LOG_HUMAN);
	return command->run(mem, &config, &options, err);
}

int
nangod_command_run(const struct nangod_command *command, int argc, char **argv)
{
	TALLOC_CTX *mem;
	struct error err = {0};
	int code = NANGOD_OK;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_command_help(command);
			return NANGOD_OK;
		}
	}
	mem = talloc_new(NULL);
	if (run_command(mem, command, argc, argv, &err) < 0) {
		fprintf(stderr, "nangod: %s\n", err.message);
		code = err.code == ERR_USAGE ? NANGOD_USAGE : NANGOD_FAILED;
	}
	talloc_free(mem);
	return code;
}
