/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_files -- nango-plugin template new: a template that passes its check at once.
 */
#ifndef NANGO_PLUGIN_TEMPLATE_FILES_H
#define NANGO_PLUGIN_TEMPLATE_FILES_H

#include "command.h"

int template_files_new(struct invocation *inv, struct error *err); /* an exit status */

#endif
