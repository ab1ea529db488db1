/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/zygote -- the loop of a loaded plugin: forks a run for each FORK, reports each end.
 */
#ifndef NANGO_RUNNER_ZYGOTE_H
#define NANGO_RUNNER_ZYGOTE_H

#include <nango/plugin.h>

/* Before the sandbox: opens what tells of children that ended. */
void zygote_prepare(void);

/* Waits for the first packet, LOAD; the plugin's descriptor. */
int zygote_receive_load(void);

void zygote_ready(const char *layers);
__attribute__((noreturn)) void zygote_serve(const struct nango_plugin *plugin);

#endif
