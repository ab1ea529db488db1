/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/place -- where things are: programs and templates beside this one (a build tree) or
 * installed, the data folder, URLs for people.
 */
#ifndef NANGO_COMMAND_PLACE_H
#define NANGO_COMMAND_PLACE_H

#include "base/config.h"

/* Fills runner, inspector and templates_dir where the settings leave them open. */
MUST_CHECK int place_programs(TALLOC_CTX *mem, struct config *config, struct error *err);

/* The data folder of `nangod dev`, absolute. */
MUST_CHECK int place_data_dir(TALLOC_CTX *mem, const char *given, char **out,
			      struct error *err);

/* "127.0.0.1:0" and the port it got: "http://127.0.0.1:41233". */
char *place_url(TALLOC_CTX *mem, const char *listen, int port);

/* The 32-byte key in FILE as base64; made, readable by its owner alone, when there is none. */
MUST_CHECK int place_key_file(TALLOC_CTX *mem, const char *file, char **out, struct error *err);

#endif
