/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand -- see expand.h.
 *
 *   template    = alternative { "||" alternative }
 *   alternative = { literal | "${" inside "}" }           balanced braces
 *   inside      = function "(" argument { "," argument } ")" | name
 *   argument    = as alternative, whatever it holds but a comma that parts arguments
 *
 * What is not closed is a literal. In URLs a value is percent-encoded as encodeURIComponent
 * does, but for one that begins the text (it is a whole URL) and for "host:port" in the place
 * of a host.
 */
#include "base/clock.h"
#include "base/crypto.h"
#include "provider/expand_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

/* "host" or "host:8080" behind "://" and before a path: the colon stays. */
static bool
is_authority(const char *before, const char *text)
{
	const char *host = strstr(before, "://"), *port = strchr(text, ':');
	size_t length = port == NULL ? strlen(text) : (size_t)(port - text);

	if (host == NULL || host[3 + strcspn(host + 3, "/?#")] != '\0' || port == NULL)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '.')
			return false;
	return length > 0 && port[1] != '\0' &&
	       port[1 + strspn(port + 1, "0123456789")] == '\0';
}

static void
add_encoded(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x80 && (isalnum(c) || strchr("-_.!~*'()", c) != NULL))
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

static void
add_value(const struct expansion *x, struct buf *out, const char *text, bool is_first)
{
	if (x->mode == EXPAND_URL && !is_first && !is_authority(out->data, text))
		add_encoded(out, text);
	else
		buf_adds(out, text);
}

/* ---- the grammar ---- */

static int expand_text(struct expansion *x, const char *text, size_t length, struct buf *out);

/* The index behind the brace that closes the one at text[0]; 0 when there is none. */
static size_t
closing(const char *text, size_t length)
{
	int depth = 0;

	for (size_t i = 0; i < length; i++) {
		depth += text[i] == '{';
		depth -= text[i] == '}';
		if (depth == 0)
			return i + 1;
	}
	return 0;
}

/* The length of the placeholder at text[0]; 0 when none begins there. */
static size_t
placeholder_length(const char *text, size_t length)
{
	size_t end;

	if (length < 3 || text[0] != '$' || text[1] != '{')
		return 0;
	end = closing(text + 1, length - 1);
	return end == 0 ? 0 : end + 1;
}

static int
fault(struct expansion *x, const char *text)
{
	if (x->visitor != NULL) {
		x->visitor->fault(x->visitor->arg, text);
		return 0;
	}
	return error_set(x->err, ERR_TEMPLATE, "%s", text);
}

struct argument {
	const char *text;
	size_t length;
};

/* Where the commas outside placeholders part the text; the number of arguments, 0: too many. */
static size_t
split(const struct expand_function *fn, const char *text, size_t length, struct argument *out)
{
	size_t count = 0, from = 0;

	for (size_t i = 0; fn->arguments_max > 1 && i < length; i++) {
		size_t skip = placeholder_length(text + i, length - i);

		if (skip > 0) {
			i += skip - 1;
		} else if (text[i] == ',') {
			if (count == EXPAND_ARGUMENTS_MAX - 1)
				return 0;
			if (fn->arguments_max == 2) /* the message may hold commas itself */
				count = from = 0;
			out[count++] = (struct argument){text + from, i - from};
			from = i + 1;
		}
	}
	out[count++] = (struct argument){text + from, length - from};
	for (size_t i = 1; i < count; i++) {
		while (out[i].length > 0 && isspace((unsigned char)out[i].text[0])) {
			out[i].text++;
			out[i].length--;
		}
		while (out[i].length > 0 &&
		       isspace((unsigned char)out[i].text[out[i].length - 1]))
			out[i].length--;
	}
	return count;
}

static int
expand_arguments(struct expansion *x, const struct argument *arguments, size_t count,
		 struct buf *out)
{
	enum expand_mode mode = x->mode;
	int result = 0;

	x->mode = EXPAND_TEXT; /* what a function works on is not part of a URL yet */
	for (size_t i = 0; i < count; i++) {
		buf_init(&out[i], x->mem, 256);
		if (result == 0)
			result =
			    expand_text(x, arguments[i].text, arguments[i].length, &out[i]);
	}
	x->mode = mode;
	return result;
}

static int
call_function(struct expansion *x, const struct expand_function *fn, const char *text,
	      size_t length, struct buf *out)
{
	struct argument arguments[EXPAND_ARGUMENTS_MAX];
	size_t count = split(fn, text, length, arguments);
	struct buf expanded[EXPAND_ARGUMENTS_MAX];
	char *texts[EXPAND_ARGUMENTS_MAX];
	int result;

	if (count < fn->arguments_min || count > fn->arguments_max)
		return fault(x, talloc_asprintf(x->mem, "%s() takes %zu arguments, not %zu",
						fn->name, fn->arguments_min, count));
	result = expand_arguments(x, arguments, count, expanded);
	for (size_t i = 0; i < count; i++)
		texts[i] = expanded[i].data;
	if (result == 0 && x->visitor == NULL)
		result = fn->call(x, texts, count, out);
	for (size_t i = 0; i < count; i++) {
		crypto_wipe(expanded[i].data, expanded[i].length);
		buf_done(&expanded[i]);
	}
	return result;
}

static int
expand_call(struct expansion *x, const char *inside, size_t length, size_t name_length,
	    struct buf *out, bool is_first)
{
	const struct expand_function *fn = expand_function_find(inside, name_length);
	const char *name = talloc_strndup(x->mem, inside, name_length);
	struct buf value;
	int result;

	if (fn == NULL && x->visitor != NULL)
		return fault(x, talloc_asprintf(x->mem, "there is no function %s()", name));
	if (fn == NULL)
		return error_set_at(x->err, ERR_NOT_FOUND, name, "there is no function %s()",
				    name);
	buf_init(&value, x->mem, 256);
	result =
	    call_function(x, fn, inside + name_length + 1, length - name_length - 2, &value);
	if (result == 0)
		add_value(x, out, value.data, is_first);
	crypto_wipe(value.data, value.length);
	buf_done(&value);
	return result;
}

static int
expand_inside(struct expansion *x, const char *inside, size_t length, struct buf *out,
	      bool is_first)
{
	size_t n = 0;
	const char *text;
	char *name;

	while (n < length && isalnum((unsigned char)inside[n]))
		n++;
	if (n > 0 && n + 1 < length && inside[n] == '(' && inside[length - 1] == ')')
		return expand_call(x, inside, length, n, out, is_first);
	name = talloc_strndup(x->mem, inside, length);
	if (x->visitor != NULL) {
		x->visitor->name(x->visitor->arg, name);
		return 0;
	}
	if (expand_name(x, name, &text) < 0)
		return -1;
	add_value(x, out, text, is_first);
	return 0;
}

static int
expand_text(struct expansion *x, const char *text, size_t length, struct buf *out)
{
	size_t i = 0;
	int result = 0;

	if (++x->depth > EXPAND_DEPTH_MAX)
		result = fault(x, "placeholders are nested too deeply");
	while (i < length && result == 0 && x->depth <= EXPAND_DEPTH_MAX) {
		size_t n = placeholder_length(text + i, length - i);

		if (n == 0) {
			buf_addc(out, text[i++]);
		} else {
			result =
			    expand_inside(x, text + i + 2, n - 3, out, i == 0 && x->depth == 1);
			i += n;
		}
		if (result == 0 && out->length > EXPAND_BYTES_MAX)
			result = fault(x, "the expanded text is too long");
	}
	x->depth--;
	return result;
}

/* The length of the alternative at text, without the || behind it. */
static size_t
alternative_length(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++) {
		size_t skip = placeholder_length(text + i, length - i);

		if (skip > 0)
			i += skip - 1;
		else if (text[i] == '|' && text[i + 1] == '|')
			return i;
	}
	return length;
}

static int
expand_template(struct expansion *x, const char *template, struct buf *out)
{
	bool is_one = x->mode == EXPAND_WHOLE || template[alternative_length(template)] == '\0';
	const char *at = template;
	int result;

	if (strlen(template) > EXPAND_TEMPLATE_MAX)
		return fault(x, "the template is too long");
	if (is_one)
		return expand_text(x, template, strlen(template), out);
	for (;;) {
		size_t length = alternative_length(at), n = length, skip = 0;

		while (skip < n && isspace((unsigned char)at[skip]))
			skip++;
		while (n > skip && isspace((unsigned char)at[n - 1]))
			n--;
		buf_reset(out);
		x->depth = 0;
		result = expand_text(x, at + skip, n - skip, out);
		if (at[length] == '\0' ||
		    (x->visitor == NULL && (result == 0 || x->err->code != ERR_NOT_FOUND)))
			return result;
		at += length + 2;
	}
}

/* ---- outside ---- */

void
expand_moment_set(struct expand_moment *moment)
{
	moment->now_ms = clock_wall_ms();
	id_uuid4(moment->random);
}

int
expand(TALLOC_CTX *mem, const char *template, const struct expand_scope *scope,
       enum expand_mode mode, char **out, struct error *err)
{
	TALLOC_CTX *scratch = talloc_new(mem);
	struct expansion x = {.mem = scratch, .scope = scope, .mode = mode, .err = err};
	struct buf buf;
	int result;

	if (scope->moment != NULL)
		x.moment = *scope->moment;
	else
		expand_moment_set(&x.moment);
	buf_init(&buf, scratch, 256);
	result = expand_template(&x, template, &buf);
	if (result == 0)
		*out = crypto_secret(mem, buf.data, buf.length);
	crypto_wipe(buf.data, buf.length);
	talloc_free(scratch);
	return result;
}

void
expand_visit(const char *template, const struct expand_visitor *visitor)
{
	static const struct expand_scope nothing;
	TALLOC_CTX *scratch = talloc_new(NULL);
	struct error err;
	struct expansion x = {
	    .mem = scratch, .scope = &nothing, .visitor = visitor, .err = &err};
	struct buf buf;

	buf_init(&buf, scratch, 256);
	(void)!expand_template(&x, template, &buf);
	talloc_free(scratch);
}
