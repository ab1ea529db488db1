/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/pre_delete -- what a template's x.pre_delete lists: requests that tell a provider that a
 * connection ends, such as the revocation of its tokens.
 */
#ifndef NANGO_AUTH_PRE_DELETE_H
#define NANGO_AUTH_PRE_DELETE_H

#include "auth/auth.h"

bool pre_delete_is_needed(const struct auth_grant *grant);

/* All of them, whatever one comes to; -1 with the first refusal. */
MUST_CHECK int pre_delete(struct auth_grant *grant, const struct auth_scheme *scheme,
			  struct error *err);

#endif
