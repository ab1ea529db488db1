/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/template -- what a provider's YAML says.
 *
 * A set is made of templates/<name>.yaml, one provider a file, and of a user's own file in the
 * reference's format, many providers in one; a name of the latter takes the place of ours.
 * Bodies keep the order of keys. A set is immutable once it is loaded: any thread may read it.
 * Who holds it, and how a new one takes its place: catalogue.h.
 */
#ifndef NANGO_PROVIDER_TEMPLATE_H
#define NANGO_PROVIDER_TEMPLATE_H

#include "base/error.h"
#include "base/json.h"
#include "provider/finding.h"
#include <stddef.h>

#define TEMPLATES_MAX 4096	/* in a folder, in a file */
#define TEMPLATE_ALIASES_MAX 16 /* alias of an alias of … */

struct templates;
struct template;

/*
 * Every *.yaml of dir, and file; either may be NULL. Faults are findings, and the template that
 * has an error is left out; -1 (ERR_CONFIG) only for what cannot be read at all.
 */
MUST_CHECK int templates_read(TALLOC_CTX *mem, const char *dir, const char *file,
			      struct templates **out, struct error *err);
/* As templates_read, and an error in one of ours is an error of the call. */
MUST_CHECK int templates_load(TALLOC_CTX *mem, const char *dir, const char *file,
			      struct templates **out, struct error *err);

/* Whether a file holds many providers, each a mapping, in the reference's format. */
MUST_CHECK int templates_is_catalogue(const char *file, bool *out, struct error *err);

const struct findings *templates_findings(const struct templates *templates);
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

/* Fields that the server fills are nobody's to give in a form. */
void template_drop_automated(const struct template *template, const char *section,
			     struct json_object *values);

/* The defaults, empty ones too, of what was not given: before a mode reads its fields. */
void template_fill_fields(const struct template *template, const char *section,
			  struct json_object *values);

/*
 * Checks values (strings) against a section of field schemas ("credentials" or
 * "connection_config"): required, pattern, format, enum; adds defaults. at names the values in
 * errors. ERR_INVALID_BODY.
 */
MUST_CHECK int template_check_fields(const struct template *template, const char *section,
				     struct json_object *values, const char *at,
				     struct error *err);

#endif
