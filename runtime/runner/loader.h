/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/loader -- brings the plugin into the sandboxed process. Faults end the process with
 * the cause "load" or "abi" and a message that says what to do.
 */
#ifndef NANGO_RUNNER_LOADER_H
#define NANGO_RUNNER_LOADER_H

#include <nango/plugin.h>

#define LOADER_BYTES_MAX (16 * 1024 * 1024)
#define LOADER_RESIDENT_MAX \
	(16 * 1024 * 1024) /* after loading: the cost of a fork grows with it */

/* Before the sandbox: opens what must be open, and loads the libraries that the plugin names.
 */
void loader_prepare(int plugin_fd);

/* Inside the sandbox. Closes plugin_fd. */
const struct nango_plugin *loader_load(int plugin_fd);

/* The function of that kind (enum nango_kind) and name, or NULL. */
nango_function *loader_find(const struct nango_plugin *plugin, int kind, const char *name);

#endif
