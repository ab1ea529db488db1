/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/descriptors -- as many files and sockets as the system lets this process have; a
 * warning where the settings may need more.
 */
#ifndef NANGO_COMMAND_DESCRIPTORS_H
#define NANGO_COMMAND_DESCRIPTORS_H

#include "base/config.h"

void descriptors_raise(const struct config *config);

#endif
