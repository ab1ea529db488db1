/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand -- see expand.h.
 *
 *   text        = { literal | "${" inside "}" }          balanced braces
 *   inside      = name | function "(" text { "," text } ")"
 *   template    = text [ " || " template ]               at the top level only
 */
#include "provider/expand.h"
#include "base/buf.h"
#include "base/crypto.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct expansion {
	TALLOC_CTX *mem;
	const struct expand_scope *scope;
	enum expand_mode mode;
	int depth;
	struct error *err;
};

/* ---- names ---- */

static struct json_object *
by_path(struct json_object *object, const char *path)
{
	struct json_object *flat = json_member(object, path);
	char part[256];

	while (*path != '\0' && object != NULL) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(part))
			return flat;
		memcpy(part, path, n);
		part[n] = '\0';
		object = json_member(object, part);
		path += n + (path[n] == '.');
	}
	return object != NULL ? object : flat;
}

static const struct {
	const char *prefix;
	size_t offset;
} sources[] = {
    {"credentials.", offsetof(struct expand_scope, credentials)},
    {"connectionConfig.", offsetof(struct expand_scope, connection_config)},
    {"metadata.", offsetof(struct expand_scope, metadata)},
};

static struct json_object *
look_up(const struct expand_scope *scope, const char *name)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		size_t n = strlen(sources[i].prefix);

		if (strncmp(name, sources[i].prefix, n) == 0)
			return by_path(*(struct json_object *const *)((const char *)scope +
								      sources[i].offset),
				       name + n);
	}
	if (strcmp(name, "accessToken") == 0)
		name = "access_token";
	return by_path(scope->credentials, name);
}

static int
add_name(struct expansion *x, struct buf *out, const char *name, bool is_first)
{
	struct json_object *value = look_up(x->scope, name);
	const char *text;

	if (value == NULL || json_object_is_type(value, json_type_object) ||
	    json_object_is_type(value, json_type_array) ||
	    (text = json_object_get_string(value))[0] == '\0')
		return error_set_at(x->err, ERR_NOT_FOUND, name, "${%s} has no value", name);
	if (x->mode == EXPAND_URL && !is_first)
		buf_add_url(out, text);
	else
		buf_adds(out, text);
	return 0;
}

/* ---- functions: a new one is a row ---- */

static void
fn_base64(struct expansion *x, struct buf *out, char **arguments)
{
	buf_adds(out, crypto_base64(x->mem, arguments[0], strlen(arguments[0])));
}

static const struct expand_function {
	const char *name;
	size_t arguments; /* two-argument functions split at the last comma of the top level */
	void (*call)(struct expansion *x, struct buf *out, char **arguments);
} functions[] = {
    {"base64", 1, fn_base64},
};

/* ---- the grammar ---- */

static int expand_text(struct expansion *x, const char *text, size_t length, struct buf *out);

/* The index behind the bracket that closes the one at text[0]; 0 when there is none. */
static size_t
closing(const char *text, size_t length, char open, char close)
{
	int depth = 0;

	for (size_t i = 0; i < length; i++) {
		depth += text[i] == open;
		depth -= text[i] == close;
		if (depth == 0)
			return i + 1;
	}
	return 0;
}

static const struct expand_function *
function_at(const char *inside, size_t length)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		size_t n = strlen(functions[i].name);

		if (length > n + 1 && strncmp(inside, functions[i].name, n) == 0 &&
		    inside[n] == '(' && closing(inside + n, length - n, '(', ')') == length - n)
			return &functions[i];
	}
	return NULL;
}

static int
call_function(struct expansion *x, const struct expand_function *fn, const char *inside,
	      size_t length, struct buf *out)
{
	size_t n = strlen(fn->name) + 1;
	char *arguments[1];
	enum expand_mode mode = x->mode;
	struct buf argument;
	int result;

	buf_init(&argument, x->mem, 256);
	x->mode = EXPAND_TEXT; /* what a function works on is not part of a URL yet */
	result = expand_text(x, inside + n, length - n - 1, &argument);
	x->mode = mode;
	if (result == 0) {
		arguments[0] = argument.data;
		fn->call(x, out, arguments);
	}
	crypto_wipe(argument.data, argument.length);
	return result;
}

static int
expand_inside(struct expansion *x, const char *inside, size_t length, struct buf *out,
	      bool is_first)
{
	const struct expand_function *fn = function_at(inside, length);
	char *name;
	int result;

	if (fn != NULL)
		return call_function(x, fn, inside, length, out);
	name = talloc_strndup(x->mem, inside, length);
	result = add_name(x, out, name, is_first);
	talloc_free(name);
	return result;
}

static int
expand_text(struct expansion *x, const char *text, size_t length, struct buf *out)
{
	size_t i = 0;
	int result = 0;

	if (++x->depth > EXPAND_DEPTH_MAX)
		return error_set(x->err, ERR_TEMPLATE, "placeholders are nested too deeply");
	while (i < length && result == 0) {
		size_t end = 0;

		if (text[i] == '$' && i + 1 < length && text[i + 1] == '{')
			end = closing(text + i + 1, length - i - 1, '{', '}');
		if (end == 0) {
			buf_addc(out, text[i++]);
		} else {
			result = expand_inside(x, text + i + 2, end - 2, out,
					       i == 0 && x->depth == 1);
			i += end + 1;
		}
		if (out->length > EXPAND_BYTES_MAX)
			result =
			    error_set(x->err, ERR_TEMPLATE,
				      "the expanded text is over %d bytes", EXPAND_BYTES_MAX);
	}
	x->depth--;
	return result;
}

/* The length of the alternative at text: up to " || " outside braces. */
static size_t
alternative_length(const char *text)
{
	int depth = 0;

	for (size_t i = 0; text[i] != '\0'; i++) {
		depth += text[i] == '{';
		depth -= text[i] == '}';
		if (depth == 0 && text[i] == '|' && text[i + 1] == '|')
			return i;
	}
	return strlen(text);
}

int
expand(TALLOC_CTX *mem, const char *template, const struct expand_scope *scope,
       enum expand_mode mode, char **out, struct error *err)
{
	TALLOC_CTX *scratch = talloc_new(mem);
	struct expansion x = {.mem = scratch, .scope = scope, .mode = mode, .err = err};
	const char *at = template;
	struct buf buf;
	int result;

	buf_init(&buf, scratch, 256);
	for (;;) {
		size_t length = alternative_length(at), n = length, skip = 0;

		while (skip < n && isspace((unsigned char)at[skip]))
			skip++;
		while (n > skip && isspace((unsigned char)at[n - 1]))
			n--;
		buf_reset(&buf);
		x.depth = 0;
		result = expand_text(&x, at + skip, n - skip, &buf);
		if (result == 0 || at[length] == '\0' || err->code != ERR_NOT_FOUND)
			break;
		at += length + 2;
	}
	if (result == 0)
		*out = crypto_secret(mem, buf.data, buf.length);
	crypto_wipe(buf.data, buf.length);
	talloc_free(scratch);
	return result;
}
