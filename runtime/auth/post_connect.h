/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/post_connect -- what a template's x.post_connect lists, once credentials are there:
 * settings of the connection that the provider alone knows, such as which host an account is
 * at.
 */
#ifndef NANGO_AUTH_POST_CONNECT_H
#define NANGO_AUTH_POST_CONNECT_H

#include "auth/token.h"

/* Settings that a person gave stay. ERR_PROVIDER when a step that is not optional finds
 * nothing. */
MUST_CHECK int post_connect(struct auth_grant *grant, const struct auth_scheme *scheme,
			    struct error *err);

#endif
