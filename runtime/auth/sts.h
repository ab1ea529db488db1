/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/sts -- a server of the integration's own in place of AWS STS: it is told a role and
 * gives keys for a while.
 */
#ifndef NANGO_AUTH_STS_H
#define NANGO_AUTH_STS_H

#include "auth/auth.h"

/* What settings say (stsMode is custom); otherwise AWS STS is asked. */
bool sts_is_own(const struct auth_grant *grant);

/*
 * *out: AccessKeyId, SecretAccessKey, SessionToken, Expiration where it is told. Of the
 * settings stsEndpointUrl, stsAuthType (none, api_key, basic), stsAuthHeader, stsApiKey,
 * stsAuthUsername, stsAuthPassword. ERR_CREDENTIALS when one is missing, ERR_PROVIDER.
 */
MUST_CHECK int sts_ask(struct auth_grant *grant, const char *region, const char *service,
		       struct json_object **out, struct error *err);

#endif
