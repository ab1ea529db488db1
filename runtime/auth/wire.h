/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/wire -- requests of flows in the form in which they are signed.
 */
#ifndef NANGO_AUTH_WIRE_H
#define NANGO_AUTH_WIRE_H

#include "auth/auth.h"

/* The same request; it lives as long as that, and mem. */
struct auth_wire wire_of(TALLOC_CTX *mem, const struct auth_request *request);

/* Fields that end with a NULL name, in place of any of the same name. */
void wire_put(struct auth_request *request, const struct auth_field *fields);

/* Signs as the mode does; one that signs nothing changes nothing. */
MUST_CHECK int wire_sign(const struct auth_grant *grant, const struct auth_scheme *scheme,
			 struct auth_request *request, struct error *err);

#endif
