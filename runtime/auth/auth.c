/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth -- the table of auth modes, and what they share; see auth.h.
 */
#include "auth/auth.h"
#include "base/buf.h"
#include "base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_MAX 16384
#define REDACT_MIN 6 /* shorter texts are words that anything may hold */

static const struct auth_scheme *const schemes[] = {
    &auth_api_key,	  &auth_app,
    &auth_aws_sigv4,	  &auth_basic,
    &auth_bill,		  &auth_custom,
    &auth_install_plugin, &auth_jwt,
    &auth_mcp_oauth2,	  &auth_mcp_oauth2_generic,
    &auth_none,		  &auth_oauth1,
    &auth_oauth2,	  &auth_oauth2_cc,
    &auth_signature,	  &auth_tba,
    &auth_two_step,
};

const struct auth_scheme *const *
auth_schemes(size_t *count)
{
	*count = sizeof(schemes) / sizeof(schemes[0]);
	return schemes;
}

const struct auth_scheme *
auth_scheme_find(const char *mode)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strcmp(schemes[i]->mode, mode) == 0)
			return schemes[i];
	return NULL;
}

int
auth_text(struct json_object *given, const char *key, size_t min, size_t max, const char **out,
	  struct error *err)
{
	const char *text = json_string(given, key);
	char at[ERROR_AT_MAX];

	snprintf(at, sizeof(at), "credentials.%s", key);
	if (text == NULL)
		return error_set_at(err, ERR_INVALID_BODY, at, "%s is required", at);
	if (strlen(text) != (size_t)json_object_get_string_len(json_member(given, key)))
		return error_set_at(err, ERR_INVALID_BODY, at, "%s holds a control character",
				    at);
	if (strlen(text) < min || strlen(text) > max)
		return error_set_at(err, ERR_INVALID_BODY, at, "%s must have %zu to %zu bytes",
				    at, min, max);
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f) /* it goes into a header */
			return error_set_at(err, ERR_INVALID_BODY, at,
					    "%s holds a control character", at);
	*out = text;
	return 0;
}

int
auth_text_if(struct json_object *given, const char *key, size_t max, const char **out,
	     struct error *err)
{
	struct json_object *value;

	*out = NULL;
	if (!json_object_object_get_ex(given, key, &value) || value == NULL)
		return 0;
	return auth_text(given, key, 1, max, out, err);
}

int
auth_fields(const struct template *template, struct json_object *given, struct json_object *out,
	    struct error *err)
{
	struct json_object *fields = json_object_in(template_body(template), "credentials");

	if (fields == NULL)
		return 0;
	json_object_object_foreach (fields, key, schema) {
		struct json_object *value = json_member(given, key);

		(void)schema;
		if (value == NULL || json_object_object_get_ex(out, key, NULL))
			continue;
		if (!json_object_is_type(value, json_type_string) ||
		    json_object_get_string_len(value) > FIELD_MAX ||
		    strlen(json_object_get_string(value)) !=
			(size_t)json_object_get_string_len(value))
			return error_set_at(err, ERR_INVALID_BODY, "credentials",
					    "credentials.%s must be a text of at most %d bytes "
					    "without U+0000",
					    key, FIELD_MAX);
		json_object_object_add(out, key, json_object_get(value));
	}
	return 0;
}

void
auth_keep(struct json_object *out, struct json_object *from)
{
	if (from == NULL)
		return;
	json_object_object_foreach (from, key, value)
		if (!json_object_object_get_ex(out, key, NULL))
			json_object_object_add(out, key, json_object_get(value));
}

char *
auth_bearer(TALLOC_CTX *mem, const char *token)
{
	char *text, *out;

	if (token == NULL)
		return NULL;
	text = talloc_asprintf(mem, "Bearer %s", token);
	out = crypto_secret(mem, text, strlen(text));
	crypto_wipe(text, strlen(text));
	talloc_free(text);
	return out;
}

/* ---- names ---- */

static void
put_all(struct json_object *into, struct json_object *from)
{
	if (from == NULL)
		return;
	json_object_object_foreach (from, key, value)
		json_object_object_add(into, key, json_object_get(value));
}

void
auth_scope(const struct auth_grant *grant, struct expand_scope *out)
{
	struct json_object *override = json_object_in(grant->credentials, "config_override");
	struct json_object *values = json_own(grant->mem, json_object_new_object());
	struct json_object *config = json_own(grant->mem, json_object_new_object());
	const char *id = json_string(override, "client_id");
	const char *secret = json_string(override, "client_secret");
	const char *token = json_string(grant->credentials, "access_token");

	if (token == NULL)
		token = json_string(grant->credentials, "token");
	if (token == NULL)
		token = json_string(json_object_in(grant->credentials, "app"), "access_token");
	if (id == NULL)
		id = json_string(grant->app, "client_id");
	if (secret == NULL)
		secret = json_string(grant->app, "client_secret");
	if (id != NULL)
		json_add(values, "clientId", id);
	if (secret != NULL)
		json_add(values, "clientSecret", secret);
	if (token != NULL)
		json_add(values, "accessToken", token);
	put_all(config, grant->settings);
	put_all(config, grant->config);
	*out = (struct expand_scope){.values = values,
				     .credentials = grant->credentials,
				     .connection_config = config,
				     .metadata = grant->metadata,
				     .assertion_option = grant->options};
}

/* ---- secrets ---- */

#define BASE64_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="

/* An escape of JSON and its byte; 0: there is none, or what it stands for is not ASCII. */
static size_t
escape_at(const char *text, char *byte)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	char digits[5] = {0}, *end;
	const char *name;

	if (text[0] != '\\' || text[1] == '\0')
		return 0;
	name = strchr(names, text[1]);
	if (name != NULL) {
		*byte = bytes[name - names];
		return 2;
	}
	if (text[1] != 'u')
		return 0;
	strncpy(digits, text + 2, 4);
	*byte = (char)strtol(digits, &end, 16);
	return end == digits + 4 && *byte > 0 && strncmp(digits, "00", 2) == 0 ? 6 : 0;
}

/* Bytes of text that are the secret as a JSON string has it; 0: they are not. */
static size_t
escaped_length(const char *text, const char *secret)
{
	const char *at = text;

	for (; *secret != '\0'; secret++) {
		char byte = *at;
		size_t n = escape_at(at, &byte);

		if (byte != *secret)
			return 0;
		at += n > 0 ? n : 1;
	}
	return (size_t)(at - text);
}

static void
star(char *text, const char *secret)
{
	size_t length = strlen(secret), found;

	for (char *at = text; *at != '\0'; at += found) {
		found = strncmp(at, secret, length) == 0 ? length : escaped_length(at, secret);
		memset(at, '*', found);
		found += found == 0;
	}
}

/* All of the base64 around each place that holds part. */
static void
star_around(char *text, const char *part)
{
	for (char *at = text; (at = strstr(at, part)) != NULL;) {
		char *begin = at;

		while (begin > text && strchr(BASE64_CHARS, begin[-1]) != NULL)
			begin--;
		at += strspn(at, BASE64_CHARS);
		memset(begin, '*', (size_t)(at - begin));
	}
}

/*
 * As base64 has it behind any text, such as an id and a colon: at each of the three places in a
 * group of bytes the digits that the secret alone decides.
 */
static void
star_base64(char *text, const char *secret)
{
	static const size_t first[] = {0, 2, 3};
	size_t length = strlen(secret);
	char *padded = talloc_zero_size(text, length + 3);

	if (padded == NULL)
		abort();
	for (size_t before = 0; before < 3; before++) {
		char *code;

		memcpy(padded + before, secret, length);
		code = crypto_base64(text, padded, before + length);
		code[(before + length) * 8 / 6] = '\0';
		star_around(text, code + first[before]);
		for (char *p = code; *p != '\0'; p++)
			*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
		star_around(text, code + first[before]);
		crypto_wipe(code, strlen(code));
		talloc_free(code);
	}
	crypto_wipe(padded, length + 2);
	talloc_free(padded);
}

/* As it is, as it stands in a URL or in JSON, and either in base64. */
static void
replace(char *text, const char *secret)
{
	struct buf encoded;

	if (strlen(secret) < REDACT_MIN)
		return;
	star(text, secret);
	star_base64(text, secret);
	buf_init(&encoded, text, 64);
	buf_add_url(&encoded, secret);
	star(text, encoded.data);
	star_base64(text, encoded.data);
	crypto_wipe(encoded.data, encoded.length);
}

static void
redact_tree(char *text, struct json_object *tree)
{
	if (json_object_is_type(tree, json_type_string)) {
		replace(text, json_object_get_string(tree));
	} else if (json_object_is_type(tree, json_type_object)) {
		json_object_object_foreach (tree, key, value)
			if (strcmp(key, "type") != 0 && strcmp(key, "expires_at") != 0 &&
			    strcmp(key, "client_id") != 0 && strcmp(key, "scopes") != 0 &&
			    strcmp(key, "raw") != 0)
				redact_tree(text, value);
	}
}

char *
auth_redact(const struct auth_grant *grant, const char *text)
{
	char *out = talloc_strdup(grant->mem, text);

	if (out == NULL)
		abort();
	redact_tree(out, grant->app);
	redact_tree(out, grant->credentials);
	redact_tree(out, grant->options);
	return out;
}
