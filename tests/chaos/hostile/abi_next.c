/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/abi_next -- says that it was built for an SDK of the next major version.
 */
#include <nango/plugin.h>

extern __attribute__((visibility("default"))) const struct nango_plugin nango_plugin_v1;
const struct nango_plugin nango_plugin_v1 = {
    .size = sizeof(struct nango_plugin), .abi_major = NANGO_ABI_MAJOR + 1, .abi_minor = 0};
