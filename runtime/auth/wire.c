/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/wire -- see wire.h.
 */
#include "auth/wire.h"

#include <stdlib.h>
#include <string.h>

struct auth_wire
wire_of(TALLOC_CTX *mem, const struct auth_request *request)
{
	unsigned count = (unsigned)json_object_object_length(request->headers), n = 0;
	struct auth_field *fields = talloc_zero_array(mem, struct auth_field, count + 1);

	if (fields == NULL)
		abort();
	json_object_object_foreach (request->headers, name, value)
		fields[n++] = (struct auth_field){name, json_object_get_string(value)};
	return (struct auth_wire){.method = request->method,
				  .url = request->url,
				  .headers = fields,
				  .body = request->body,
				  .body_length =
				      request->body == NULL ? 0 : strlen(request->body)};
}

void
wire_put(struct auth_request *request, const struct auth_field *fields)
{
	for (; fields->name != NULL; fields++)
		json_add(request->headers, fields->name, fields->value);
}

int
wire_sign(const struct auth_grant *grant, const struct auth_scheme *scheme,
	  struct auth_request *request, struct error *err)
{
	struct auth_wire wire = wire_of(grant->mem, request);
	struct auth_field fields[AUTH_SIGNED_MAX + 1];

	if (scheme->sign == NULL)
		return 0;
	if (scheme->sign(grant, grant->mem, &wire, fields, err) < 0)
		return -1;
	wire_put(request, fields);
	return 0;
}
