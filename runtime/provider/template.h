/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/template -- what a provider's YAML says.
 *
 * templates/<name>.yaml, one provider a file; its body keeps the key order. Loaded once at the
 * start and immutable from then on: any thread may read.
 */
#ifndef NANGO_PROVIDER_TEMPLATE_H
#define NANGO_PROVIDER_TEMPLATE_H

#include "base/error.h"
#include "base/json.h"
#include <stddef.h>

#define TEMPLATES_MAX 4096

struct templates;
struct template;

/* Every *.yaml of dir. ERR_CONFIG with file:line:column. */
MUST_CHECK int templates_load(TALLOC_CTX *mem, const char *dir, struct templates **out,
			      struct error *err);
size_t templates_count(const struct templates *templates);
const struct template *templates_at(const struct templates *templates,
				    size_t index); /* by name */
const struct template *template_find(const struct templates *templates, const char *name);

const char *template_name(const struct template *template);
const char *template_display_name(const struct template *template);
const char *template_auth_mode(const struct template *template);
/* The body as JSON. Shared between threads: do not change it, nor take references. */
struct json_object *template_body(const struct template *template);
/* A copy of the body with name and logo_url, for GET /providers; the caller puts it. */
struct json_object *template_definition(const struct template *template,
					const char *server_url);

/*
 * Checks values (strings) against a section of field schemas ("credentials" or
 * "connection_config"): required, pattern, format, enum; adds defaults. at names the values in
 * errors. ERR_INVALID_BODY.
 */
MUST_CHECK int template_check_fields(const struct template *template, const char *section,
				     struct json_object *values, const char *at,
				     struct error *err);

#endif
