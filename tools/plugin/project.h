/* SPDX-License-Identifier: Apache-2.0 */
/*
 * project -- a plugin's folder: its plugin.yaml, its sources, where its build goes; and the
 * small file and process helpers that the commands share.
 *
 *     plugin.yaml  *.c          what the author writes
 *     build/                    what is made: models.h, <provider>.so …
 */
#ifndef NANGO_PLUGIN_PROJECT_H
#define NANGO_PLUGIN_PROJECT_H

#include "command.h"
#include "run/inspect.h"
#include "run/spec.h"

#define PROJECT_SOURCES_MAX 200

struct project {
	const char *directory; /* as given, "." by default */
	const char *yaml;      /* path of plugin.yaml */
	const char *build;     /* directory of what is made */
	struct spec *spec;
	const char **sources; /* paths, sorted, ending with NULL */
	size_t sources_count;
};

/* Reads plugin.yaml and finds the sources. build NULL: DIR/build. Makes no directory. */
MUST_CHECK int project_open(TALLOC_CTX *mem, const char *directory, const char *build,
			    struct project *out, struct error *err);

MUST_CHECK int project_make_directory(const char *path,
				      struct error *err); /* and its parents */
MUST_CHECK int project_read_file(TALLOC_CTX *mem, const char *path, size_t max, char **out,
				 size_t *length, struct error *err);
/* Whole or not at all (a new file, then rename). The file is left alone when it is the same. */
MUST_CHECK int project_write_file(const char *path, const char *data, size_t length,
				  struct error *err);

/* Runs a program found in PATH and waits; its output is ours. The exit status, or -1 and err.
 */
MUST_CHECK int project_spawn(const char *const *argv, struct error *err);

/* The path of a helper program: $VARIABLE, beside the program, or where it is installed. */
const char *project_helper(const struct invocation *inv, const char *variable,
			   const char *name);
/* The directory that holds nango/plugin.h, or NULL when pkg-config must know. */
const char *project_sdk_include(const struct invocation *inv);

/*
 * The shared object that a command was given: a file, or a plugin's folder whose build is meant
 * (then *project is filled, else zeroed).
 */
MUST_CHECK int project_find_object(const struct invocation *inv, const char *argument,
				   struct project *project, const char **path,
				   struct error *err);

#endif
