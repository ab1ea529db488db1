/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/app -- an app that people install at the provider: the way there, and the token of an
 * installation.
 */
#ifndef NANGO_AUTH_APP_H
#define NANGO_AUTH_APP_H

#include "auth/token.h"

/* The app's page at the provider with a parameter (the flow's state) behind it. */
MUST_CHECK int app_install_url(struct auth_grant *grant, const char *parameter,
			       const char *state, char **url, struct error *err);

/* The scheme's begin: that page, with the state. */
MUST_CHECK int app_begin(struct auth_grant *grant, const struct auth_flow *flow, char **url,
			 struct error *err);

/*
 * {access_token, expires_at, raw} of the installation that the connection's settings name,
 * for a JWT that the app's key signs. *out belongs to the grant. *expires_ms is its end.
 */
MUST_CHECK int app_token(struct auth_grant *grant, struct json_object **out,
			 int64_t *expires_ms, struct error *err);

/* Parameters of the callback that redirect_uri_metadata names, unless the setting is there. */
void app_keep_callback(struct auth_grant *grant, struct json_object *query);
/* The same, and installation_id, without which it is ERR_PROVIDER. */
MUST_CHECK int app_keep_installation(struct auth_grant *grant, struct json_object *query,
				     struct error *err);

#endif
