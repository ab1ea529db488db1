/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texts -- files that are part of the program, as lines; each list ends with NULL. Made at
 * build time from prelude.h and skeleton/ (see include.am), so that they stay real files with
 * their own highlighting and checks.
 */
#ifndef NANGO_PLUGIN_TEXTS_H
#define NANGO_PLUGIN_TEXTS_H

extern const char *const texts_prelude[];
extern const char *const texts_skeleton_plugin[]; /* plugin.c */
extern const char *const texts_skeleton_spec[];	  /* plugin.yaml */
extern const char *const texts_skeleton_test[];	  /* tests/items.test.json */
extern const char *const texts_skeleton_ignore[];
extern const char *const texts_skeleton_env[];
extern const char *const texts_skeleton_template[]; /* a provider's */

#endif
