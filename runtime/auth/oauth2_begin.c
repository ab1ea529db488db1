/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth2_begin -- the URL of the provider's page where a person agrees.
 */
#include "auth/client.h"
#include "auth/oauth2.h"
#include "base/buf.h"
#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>

/* code_challenge of RFC 7636: SHA-256 in base64url, without padding. */
static char *
challenge(TALLOC_CTX *mem, const char *verifier)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];
	char *text;

	crypto_sha256(digest, verifier, strlen(verifier));
	text = crypto_base64(mem, digest, sizeof(digest));
	for (char *p = text; *p != '\0'; p++)
		*p = (char)(*p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p);
	return text;
}

char *
oauth2_scopes(struct auth_grant *grant, const struct auth_flow *flow)
{
	struct json_object *body = template_body(grant->template);
	struct json_object *preset = json_array_in(body, "default_scopes");
	const char *list =
	    flow->scopes != NULL ? flow->scopes : json_string(grant->app, "scopes");
	const char *separator = json_string(body, "scope_separator");
	struct buf out;

	buf_init(&out, grant->mem, 256);
	if (separator == NULL)
		separator = " ";
	for (size_t i = 0;
	     list == NULL && preset != NULL && i < json_object_array_length(preset); i++)
		buf_addf(&out, "%s%s", i == 0 ? "" : separator,
			 json_object_get_string(json_object_array_get_idx(preset, i)));
	while (list != NULL && *list != '\0') {
		size_t length = strcspn(list, ",");
		const char *at = list, *end = list + length;

		while (at < end && *at == ' ')
			at++;
		while (end > at && end[-1] == ' ')
			end--;
		if (end > at && out.length > 0)
			buf_adds(&out, separator);
		buf_add(&out, at, (size_t)(end - at));
		list += length + (list[length] == ',');
	}
	return out.data;
}

static bool
skips(struct auth_grant *grant, const char *what)
{
	struct json_object *list =
	    json_array_in(template_body(grant->template), "authorization_url_skip_encode");

	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), what) ==
		    0)
			return true;
	return false;
}

/* What ties the way to this flow is put over by nobody. */
static bool
is_reserved(const char *name)
{
	static const char *const names[] = {
	    "client_id",      "redirect_uri",	       "state",	  "response_type",
	    "code_challenge", "code_challenge_method", "resource"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int
make_params(struct auth_grant *grant, const struct auth_flow *flow,
	    const struct expand_scope *scope, struct json_object **out, struct error *err)
{
	struct json_object *body = template_body(grant->template);
	struct json_object *params = json_own(grant->mem, json_object_new_object()), *more;
	struct token_request client = {0};
	const char *scopes = oauth2_scopes(grant, flow);

	if (client_of_app(grant, &client, err) < 0 ||
	    token_params(grant, scope, "authorization_params", true, &more, err) < 0)
		return -1;
	json_add(params, "response_type", "code");
	json_add(params, "client_id", client.client_id);
	json_add(params, "redirect_uri", flow->redirect_uri);
	if (scopes[0] != '\0')
		json_add(params, "scope", scopes);
	json_add(params, "state", flow->state);
	json_object_object_foreach (more, key, value)
		json_object_object_add(params, key, json_object_get(value));
	if (grant->resource != NULL)
		json_add(params, "resource", grant->resource);
	if (grant->needs_pkce || !json_boolean(body, "disable_pkce", false)) {
		json_add(params, "code_challenge", challenge(grant->mem, flow->verifier));
		json_add(params, "code_challenge_method", "S256");
	}
	if (flow->params != NULL) {
		json_object_object_foreach (flow->params, name, given)
			if (!is_reserved(name))
				token_put(params, name,
					  given == NULL ? NULL : json_object_get_string(given));
	}
	*out = params;
	return 0;
}

/* Blanks never stand in a URL as they are. */
static void
add_raw(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text <= ' ' || *text == '&' || *text == '#')
			buf_addf(out, "%%%02X", (unsigned char)*text);
		else
			buf_addc(out, *text);
	}
}

static void
add_query(struct auth_grant *grant, struct json_object *params, char before, struct buf *out)
{
	bool drops_empty =
	    json_boolean(template_body(grant->template), "authorization_url_skip_empty", false);
	bool has_raw_scope = skips(grant, "scopes");

	json_object_object_foreach (params, key, value) {
		const char *text = json_object_is_type(value, json_type_string)
				       ? json_object_get_string(value)
				       : json_text(grant->mem, value);

		if (drops_empty && text[0] == '\0')
			continue;
		buf_addc(out, before);
		before = '&';
		buf_add_url(out, key);
		buf_addc(out, '=');
		if (has_raw_scope && strcmp(key, "scope") == 0)
			add_raw(out, text);
		else
			buf_add_url(out, text);
	}
}

/* The first occurrence of each text. */
static char *
replace(struct auth_grant *grant, char *url)
{
	struct json_object *rows =
	    json_object_in(template_body(grant->template), "authorization_url_replacements");

	if (rows == NULL)
		return url;
	json_object_object_foreach (rows, from, to) {
		char *at = strstr(url, from);

		if (at != NULL)
			url = talloc_asprintf(grant->mem, "%.*s%s%s", (int)(at - url), url,
					      json_object_get_string(to), at + strlen(from));
	}
	return url;
}

static int
find_base(struct auth_grant *grant, const struct expand_scope *scope, char **base,
	  struct error *err)
{
	const char *from = json_string(template_body(grant->template), "authorization_url");

	if (grant->authorization_url != NULL) {
		*base = talloc_strdup(grant->mem, grant->authorization_url);
		return 0;
	}
	if (from == NULL)
		return error_set(err, ERR_TEMPLATE, "provider %s has no authorization_url",
				 template_name(grant->template));
	return expand(grant->mem, from, scope,
		      skips(grant, "base_url") ? EXPAND_TEXT : EXPAND_URL, base, err);
}

int
oauth2_page(struct auth_grant *grant, const struct expand_scope *scope,
	    struct json_object *params, char **url, struct error *err)
{
	const char *fragment =
	    json_string(template_body(grant->template), "authorization_url_fragment");
	struct buf out;
	char *base;

	if (find_base(grant, scope, &base, err) < 0)
		return -1;
	buf_init(&out, grant->mem, 1024);
	buf_adds(&out, base);
	if (fragment != NULL)
		buf_addf(&out, "%s%s", fragment[0] == '#' ? "" : "#", fragment);
	add_query(grant, params, strchr(out.data, '?') == NULL ? '?' : '&', &out);
	*url = replace(grant, out.data);
	return 0;
}

int
oauth2_begin(struct auth_grant *grant, const struct auth_flow *flow, char **url,
	     struct error *err)
{
	struct json_object *params;
	struct expand_scope scope;

	auth_scope(grant, &scope);
	if (make_params(grant, flow, &scope, &params, err) < 0)
		return -1;
	return oauth2_page(grant, &scope, params, url, err);
}
