/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/template_sign -- headers of a template that sign the request: ${awsSigV4(…)}, or those
 * that name what is signed, such as ${method} and ${path}.
 *
 * They cannot be filled before the request is there. So all headers of such a template are
 * filled as it leaves, each try anew, and ${now} is the same in all of them.
 */
#ifndef NANGO_ENGINE_TEMPLATE_SIGN_H
#define NANGO_ENGINE_TEMPLATE_SIGN_H

#include "provider/expand.h"
#include "run/fetch.h"

/* Does any of a template's proxy.headers sign? NULL: no. */
bool template_signs(struct json_object *headers);

/* Makes target sign so; what the scope holds must live as long as the target. */
void template_sign(TALLOC_CTX *mem, struct json_object *headers,
		   const struct expand_scope *scope, struct fetch_target *target);

#endif
