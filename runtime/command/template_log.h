/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/template_log -- what is said of templates while the server runs.
 */
#ifndef NANGO_COMMAND_TEMPLATE_LOG_H
#define NANGO_COMMAND_TEMPLATE_LOG_H

#include "provider/catalogue.h"

/* A line for each oddity of a user's file, and for each template of it that is left out. */
void template_log_findings(struct catalogue *catalogue);

/* Reads the templates anew and logs what came of it. Any thread. */
void template_log_reload(struct catalogue *catalogue);

#endif
