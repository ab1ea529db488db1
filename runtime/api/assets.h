/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/assets -- files that are linked into nangod; assets.c is made by tools/dev/embed-file.
 */
#ifndef NANGO_API_ASSETS_H
#define NANGO_API_ASSETS_H

#include <stddef.h>

extern const unsigned char asset_openapi_yaml[];
extern const size_t asset_openapi_yaml_length;
extern const unsigned char asset_console_css[];
extern const size_t asset_console_css_length;

#endif
