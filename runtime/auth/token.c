/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/token -- see token.h; what is read from answers is in token_answer.c.
 */
#include "auth/client.h"
#include "auth/token.h"
#include "base/buf.h"
#include "base/crypto.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SAID_MAX 300 /* bytes of a refusal that are shown */

/* ---- bodies ---- */

static const char *
scalar(TALLOC_CTX *mem, struct json_object *value)
{
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value)
							    : json_text(mem, value);
}

/* application/x-www-form-urlencoded, which a query takes, too. */
static char *
form(TALLOC_CTX *mem, struct json_object *params)
{
	struct buf buf;

	buf_init(&buf, mem, 512);
	json_object_object_foreach (params, key, value) {
		if (value == NULL)
			continue;
		if (buf.length > 0)
			buf_addc(&buf, '&');
		buf_add_url(&buf, key);
		buf_addc(&buf, '=');
		buf_add_url(&buf, scalar(mem, value));
	}
	return buf.data;
}

static void
xml_text(struct buf *buf, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '<')
			buf_adds(buf, "&lt;");
		else if (*text == '>')
			buf_adds(buf, "&gt;");
		else if (*text == '&')
			buf_adds(buf, "&amp;");
		else
			buf_addc(buf, *text);
	}
}

/* A mapping as elements; keys come from templates and are names. */
static void
xml(TALLOC_CTX *mem, struct buf *buf, struct json_object *tree)
{
	if (!json_object_is_type(tree, json_type_object)) {
		xml_text(buf, scalar(mem, tree));
		return;
	}
	json_object_object_foreach (tree, key, value) {
		buf_addf(buf, "<%s>", key);
		if (value != NULL)
			xml(mem, buf, value);
		buf_addf(buf, "</%.*s>", (int)strcspn(key, " "), key);
	}
}

static const char *
xml_document(TALLOC_CTX *mem, struct json_object *params)
{
	struct buf buf;

	buf_init(&buf, mem, 1024);
	buf_adds(&buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
	xml(mem, &buf, params);
	return buf.data;
}

/* ---- who asks ---- */

static void
add_basic(struct auth_grant *grant, const struct token_request *r, struct json_object *headers)
{
	bool is_form = r->client == TOKEN_CLIENT_BASIC_FORM;
	const char *parts[] = {r->client_id, r->client_secret};
	struct buf pair, header;
	char *encoded;

	buf_init(&pair, grant->mem, 256);
	buf_init(&header, grant->mem, 256);
	for (size_t i = 0; i < 2; i++) {
		const char *part = parts[i] == NULL ? "" : parts[i];

		if (is_form)
			buf_add_url(&pair, part);
		else
			buf_adds(&pair, part);
		if (i == 0)
			buf_addc(&pair, ':');
	}
	encoded = crypto_base64(grant->mem, pair.data, pair.length);
	buf_addf(&header, "Basic %s", encoded);
	json_add(headers, "authorization", header.data);
	crypto_wipe(pair.data, pair.length);
	crypto_wipe(encoded, strlen(encoded));
	crypto_wipe(header.data, header.length);
}

static int
add_client(struct auth_grant *grant, const struct token_request *r, struct json_object *params,
	   struct json_object *headers, struct error *err)
{
	bool is_login = r->client == TOKEN_CLIENT_LOGIN;

	if (r->client == TOKEN_CLIENT_BASIC || r->client == TOKEN_CLIENT_BASIC_FORM)
		add_basic(grant, r, headers);
	if (r->client == TOKEN_CLIENT_ASSERTION)
		return client_assertion(grant, r, params, err);
	if (r->client != TOKEN_CLIENT_BODY && !is_login)
		return 0;
	if (r->client_id != NULL)
		token_put(params, is_login ? "username" : "client_id", r->client_id);
	if (r->client_secret != NULL)
		token_put(params, is_login ? "password" : "client_secret", r->client_secret);
	return 0;
}

/* ---- sending ---- */

static struct json_object *
copy_object(TALLOC_CTX *mem, struct json_object *from)
{
	struct json_object *to = json_own(mem, json_object_new_object());

	if (from != NULL) {
		json_object_object_foreach (from, key, value)
			json_object_object_add(to, key, json_object_get(value));
	}
	return to;
}

static void
set_body(struct auth_grant *grant, const struct token_request *r, struct json_object *params,
	 struct auth_request *out)
{
	const char *format = r->format == NULL ? "form" : r->format;
	const char *type = "application/x-www-form-urlencoded";

	if (strcmp(out->method, "GET") == 0 || strcmp(format, "query") == 0) {
		const char *query = form(grant->mem, params);

		if (query[0] != '\0')
			out->url =
			    talloc_asprintf(grant->mem, "%s%c%s", out->url,
					    strchr(out->url, '?') == NULL ? '?' : '&', query);
		return;
	}
	if (strcmp(format, "json") == 0) {
		type = "application/json";
		out->body = json_text(grant->mem, params);
	} else if (strcmp(format, "xml") == 0) {
		type = "application/xml";
		out->body = xml_document(grant->mem, params);
	} else {
		out->body = form(grant->mem, params);
	}
	if (json_member(out->headers, "content-type") == NULL)
		json_add(out->headers, "content-type", type);
}

/* What a refusal says, as one short line without any of our secrets. */
static const char *
said(struct auth_grant *grant, const char *body)
{
	char *text = auth_redact(grant, body);

	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	if (strlen(text) > SAID_MAX) {
		size_t end = SAID_MAX;

		while (((unsigned char)text[end] & 0xc0) == 0x80)
			end--;
		text[end] = '\0';
	}
	return text;
}

/* Without its query; no secret that a path may hold. */
static const char *
shown(struct auth_grant *grant, const char *url)
{
	char *text = auth_redact(grant, url);

	text[strcspn(text, "?")] = '\0';
	return text;
}

/* The token is the answer, all of it. */
static bool
is_whole_text(const struct auth_grant *grant)
{
	struct json_object *rules =
	    json_object_in(template_body(grant->template), "token_response");
	const char *path = json_string(rules, "token");

	return path != NULL && path[0] == '\0';
}

static int
read_answer(struct auth_grant *grant, const char *url, const struct auth_answer *answer,
	    struct json_object **out, struct error *err)
{
	if (answer->body_length == 0) {
		*out = json_own(grant->mem, json_object_new_object());
		return 0;
	}
	if (json_parse(grant->mem, answer->body, answer->body_length, out, err) == 0)
		return 0;
	if (is_whole_text(grant)) {
		*out = json_own(grant->mem, json_object_new_string(answer->body));
		return 0;
	}
	if (token_from_form(grant->mem, answer->body, out) == 0)
		return 0;
	return error_set(err, ERR_PROVIDER, "%s answered with neither JSON nor a form: %s",
			 shown(grant, url), said(grant, answer->body));
}

int
token_ask(struct auth_grant *grant, const struct token_request *r, struct auth_answer *out,
	  struct error *err)
{
	struct json_object *params = copy_object(grant->mem, r->params);
	struct auth_request request = {.method = r->method == NULL ? "POST" : r->method,
				       .url = r->url,
				       .headers = copy_object(grant->mem, r->headers)};

	if (json_string(grant->credentials, "client_certificate") != NULL) {
		request.certificate = json_string(grant->credentials, "client_certificate");
		request.private_key = json_string(grant->credentials, "client_private_key");
	}
	if (json_member(request.headers, "accept") == NULL)
		json_add(request.headers, "accept", "application/json");
	if (add_client(grant, r, params, request.headers, err) < 0)
		return -1;
	set_body(grant, r, params, &request);
	if ((r->sign != NULL && r->sign(r->sign_arg, grant->mem, &request, err) < 0) ||
	    grant->send(grant->send_arg, grant->mem, &request, out, err) < 0)
		return -1;
	grant->answer_headers = out->headers;
	if (out->status < 200 || out->status > 299)
		return error_set(err, ERR_PROVIDER, "%s answered %d: %s", shown(grant, r->url),
				 out->status, said(grant, out->body));
	return 0;
}

int
token_send(struct auth_grant *grant, const struct token_request *r, struct json_object **out,
	   struct error *err)
{
	struct auth_answer answer;

	if (token_ask(grant, r, &answer, err) < 0)
		return -1;
	return read_answer(grant, r->url, &answer, out, err);
}

/* ---- parameters ---- */

void
token_put(struct json_object *params, const char *key, const char *value)
{
	if (value == NULL)
		json_object_object_del(params, key);
	else
		json_add(params, key, value);
}

struct filling {
	struct auth_grant *grant;
	const struct expand_scope *scope;
	enum expand_mode mode;
	bool is_strict;
	struct error *err;
};

static int fill(const struct filling *f, struct json_object *from, struct json_object **out);

static int
fill_mapping(const struct filling *f, struct json_object *from, struct json_object *to)
{
	json_object_object_foreach (from, key, value) {
		struct json_object *filled;

		if (fill(f, value, &filled) < 0)
			return -1;
		if (filled != NULL)
			json_object_object_add(to, key, filled);
	}
	return 0;
}

/* An item that comes to a list separated by commas is several. */
static int
fill_list(const struct filling *f, struct json_object *from, struct json_object *to)
{
	for (size_t i = 0; i < json_object_array_length(from); i++) {
		struct json_object *filled;
		const char *text;

		if (fill(f, json_object_array_get_idx(from, i), &filled) < 0)
			return -1;
		if (!json_object_is_type(filled, json_type_string)) {
			if (filled != NULL)
				json_object_array_add(to, filled);
			continue;
		}
		text = json_object_get_string(filled);
		while (*text != '\0') {
			size_t length = strcspn(text, ",");

			json_object_array_add(to,
					      json_object_new_string_len(text, (int)length));
			text += length + (text[length] == ',');
		}
		json_object_put(filled);
	}
	return 0;
}

/* *out is the caller's to put; NULL: it did not resolve. */
static int
fill(const struct filling *f, struct json_object *from, struct json_object **out)
{
	bool is_mapping = json_object_is_type(from, json_type_object);
	char *text;

	*out = NULL;
	if (is_mapping || json_object_is_type(from, json_type_array)) {
		*out = is_mapping ? json_object_new_object() : json_object_new_array();
		if ((is_mapping ? fill_mapping(f, from, *out) : fill_list(f, from, *out)) == 0)
			return 0;
		json_object_put(*out);
		return -1;
	}
	if (!json_object_is_type(from, json_type_string)) {
		*out = json_tokener_parse(json_text_shared(f->grant->mem, from));
		return 0;
	}
	if (expand(f->grant->mem, json_object_get_string(from), f->scope, f->mode, &text,
		   f->err) == 0) {
		*out = json_object_new_string(text);
		return 0;
	}
	return f->is_strict || f->err->code != ERR_NOT_FOUND ? -1 : 0;
}

int
token_fill(struct auth_grant *grant, const struct expand_scope *scope, enum expand_mode mode,
	   bool is_strict, struct json_object *from, struct json_object **out,
	   struct error *err)
{
	const struct filling f = {grant, scope, mode, is_strict, err};

	if (from == NULL) {
		*out = json_own(grant->mem, json_object_new_object());
		return 0;
	}
	if (fill(&f, from, out) < 0)
		return -1;
	json_own(grant->mem, *out);
	return 0;
}

int
token_params(struct auth_grant *grant, const struct expand_scope *scope, const char *section,
	     bool is_strict, struct json_object **out, struct error *err)
{
	return token_fill(grant, scope, EXPAND_TEXT, is_strict,
			  json_object_in(template_body(grant->template), section), out, err);
}
