/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/integration_app -- the credentials of an integration: the app that the developer
 * registered with the provider.
 */
#ifndef NANGO_API_INTEGRATION_APP_H
#define NANGO_API_INTEGRATION_APP_H

#include "api/api.h"
#include "base/json.h"
#include "store/integration.h"

/*
 * Reads body.credentials, checked for the provider's auth mode, over what the integration has,
 * and integration_config (or custom) in place of it: settings that the template calls secret
 * are sealed, too, to its unique_key. was_key: what it was sealed to until now.
 */
MUST_CHECK int app_read(struct call *call, struct json_object *body,
			struct integration *integration, const char *was_key,
			struct error *err);

/* As GET shows them to a key that may read them; *out is the caller's, NULL: there are none. */
MUST_CHECK int app_json(struct call *call, const struct integration *integration,
			struct json_object **out, struct error *err);

#endif
