/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/canonical -- see canonical.h. Buffers are made as large as they can become, because
 * what a growing one leaves behind is not wiped.
 */
#include "auth/canonical.h"
#include "base/crypto.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name, *begin, *port;
} schemes[] = {
    {"http", "http://", ":80"},
    {"https", "https://", ":443"},
};

static int
bad_url(struct error *err, const char *why)
{
	return error_set(err, ERR_BAD_REQUEST, "the URL to sign %s", why);
}

/* The length of a host without a port that its scheme implies, or none. */
static size_t
host_length(const char *host, size_t length, const char *implied)
{
	size_t port = strlen(implied);

	if (length > port && strncmp(host + length - port, implied, port) == 0)
		return length - port;
	return length > 1 && host[length - 1] == ':' ? length - 1 : length;
}

int
canonical_url_split(TALLOC_CTX *mem, const char *url, struct canonical_url *out,
		    struct error *err)
{
	size_t i = 0, n = strlen(url), host, path, query;
	const char *at;

	if (n > CANONICAL_URL_MAX)
		return bad_url(err, "is over 32768 bytes");
	for (size_t k = 0; k < n; k++)
		if ((unsigned char)url[k] <= ' ' || url[k] == 127)
			return bad_url(err, "holds a space or control character");
	while (i < 2 && strncasecmp(url, schemes[i].begin, strlen(schemes[i].begin)) != 0)
		i++;
	if (i == 2)
		return bad_url(err, "does not begin with http:// or https://");
	at = url + strlen(schemes[i].begin);
	host = strcspn(at, "/?#");
	if (host == 0 || strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.-_:[]") < host)
		return bad_url(err, "has no host, a user, or a host with strange characters");
	path = strcspn(at + host, "?#");
	query = at[host + path] == '?' ? strcspn(at + host + path + 1, "#") : 0;
	out->scheme = schemes[i].name;
	out->host = talloc_strndup(mem, at, host_length(at, host, schemes[i].port));
	out->path = path == 0 ? "/" : talloc_strndup(mem, at + host, path);
	out->query = query == 0 ? "" : crypto_secret(mem, at + host + path + 1, query);
	return 0;
}

bool
canonical_is_quotable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127 || *text == '"' || *text == '\\')
			return false;
	return true;
}

char *
canonical_take(TALLOC_CTX *mem, struct buf *buf)
{
	char *out = crypto_secret(mem, buf->data, buf->length);

	crypto_wipe(buf->data, buf->capacity);
	buf_done(buf);
	return out;
}

static int
digit_of(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10;
}

char *
canonical_decode(TALLOC_CTX *mem, const char *text, size_t length, size_t *out_length)
{
	char *out = crypto_secret(mem, text, length);
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		if (out[i] == '%' && i + 2 < length && isxdigit((unsigned char)out[i + 1]) &&
		    isxdigit((unsigned char)out[i + 2])) {
			out[n++] = (char)(digit_of(out[i + 1]) << 4 | digit_of(out[i + 2]));
			i += 2;
		} else {
			out[n++] = out[i];
		}
	}
	out[n] = '\0';
	*out_length = n;
	return out;
}

void
canonical_encode(struct buf *out, const char *bytes, size_t length)
{
	for (size_t at = 0; at <= length; at += strlen(bytes + at) + 1) {
		if (at > 0)
			buf_adds(out, "%00");
		buf_add_url(out, bytes + at);
	}
}

static char *
encoded(TALLOC_CTX *mem, const char *bytes, size_t length)
{
	struct buf buf;

	buf_init(&buf, mem, 3 * length + 4);
	canonical_encode(&buf, bytes, length);
	return canonical_take(mem, &buf);
}

/* As forms write it; "+" can be turned first, because one that is meant is written %2B. */
static char *
recoded(TALLOC_CTX *mem, const char *text, size_t length)
{
	char *spaced = crypto_secret(mem, text, length), *bytes, *out;

	for (size_t i = 0; i < length; i++)
		if (spaced[i] == '+')
			spaced[i] = ' ';
	bytes = canonical_decode(mem, spaced, length, &length);
	out = encoded(mem, bytes, length);
	talloc_free(spaced);
	talloc_free(bytes);
	return out;
}

void
canonical_pairs_init(struct canonical_pairs *pairs, TALLOC_CTX *mem)
{
	*pairs = (struct canonical_pairs){.mem = mem};
}

static void
append(struct canonical_pairs *pairs, const char *name, const char *value)
{
	size_t count = pairs->count;

	if ((count & (count - 1)) == 0) /* room for 1, 2, 4, 8 … */
		pairs->items =
		    talloc_realloc_size(pairs->mem, pairs->items,
					(count == 0 ? 1 : 2 * count) * sizeof(pairs->items[0]));
	if (pairs->items == NULL)
		abort();
	pairs->items[pairs->count++] = (struct canonical_pair){name, value, count};
}

void
canonical_pairs_add(struct canonical_pairs *pairs, const char *name, const char *value)
{
	append(pairs, encoded(pairs->mem, name, strlen(name)),
	       encoded(pairs->mem, value, strlen(value)));
}

int
canonical_pairs_parse(struct canonical_pairs *pairs, const char *text, size_t length,
		      struct error *err)
{
	size_t at = 0;

	if (length > CANONICAL_FORM_MAX)
		return error_set(err, ERR_BAD_REQUEST,
				 "the form to sign is over 1048576 bytes");
	while (at < length) {
		const char *end = memchr(text + at, '&', length - at), *equals;
		size_t n = end == NULL ? length - at : (size_t)(end - text) - at, name;

		if (pairs->count == CANONICAL_PAIRS_MAX)
			return error_set(err, ERR_BAD_REQUEST,
					 "the request to sign has over %d parameters",
					 CANONICAL_PAIRS_MAX);
		equals = memchr(text + at, '=', n);
		name = equals == NULL ? n : (size_t)(equals - text) - at;
		if (n > 0)
			append(pairs, recoded(pairs->mem, text + at, name),
			       name == n ? "" : recoded(pairs->mem, equals + 1, n - name - 1));
		at += n + 1;
	}
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct canonical_pair *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order != 0 ? order : strcmp(left->value, right->value);
}

void
canonical_pairs_sort(struct canonical_pairs *pairs)
{
	if (pairs->count > 0)
		qsort(pairs->items, pairs->count, sizeof(pairs->items[0]), compare);
}

static int
compare_place(const void *a, const void *b)
{
	const struct canonical_pair *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order != 0 ? order : left->place < right->place ? -1 : 1;
}

void
canonical_pairs_first(struct canonical_pairs *pairs)
{
	size_t kept = 0;

	if (pairs->count > 0)
		qsort(pairs->items, pairs->count, sizeof(pairs->items[0]), compare_place);
	for (size_t i = 0; i < pairs->count; i++)
		if (kept == 0 || strcmp(pairs->items[kept - 1].name, pairs->items[i].name) != 0)
			pairs->items[kept++] = pairs->items[i];
	pairs->count = kept;
}

char *
canonical_pairs_text(TALLOC_CTX *mem, const struct canonical_pairs *pairs)
{
	size_t length = 1;
	struct buf buf;

	for (size_t i = 0; i < pairs->count; i++)
		length += strlen(pairs->items[i].name) + strlen(pairs->items[i].value) + 2;
	buf_init(&buf, mem, length);
	for (size_t i = 0; i < pairs->count; i++) {
		if (i > 0)
			buf_addc(&buf, '&');
		buf_adds(&buf, pairs->items[i].name);
		buf_addc(&buf, '=');
		buf_adds(&buf, pairs->items[i].value);
	}
	return canonical_take(mem, &buf);
}

char *
canonical_path_once(TALLOC_CTX *mem, const char *path)
{
	char *spaced = talloc_strdup(mem, path), *bytes, *piece;
	size_t length;
	struct buf out;

	for (char *at = spaced; *at != '\0'; at++)
		if (*at == '+')
			*at = ' '; /* as s3 reads it */
	bytes = canonical_decode(mem, spaced, strlen(spaced), &length);
	buf_init(&out, mem, 3 * length + 4);
	for (piece = bytes; piece <= bytes + length;) {
		char *slash = memchr(piece, '/', (size_t)(bytes + length - piece));
		char *end = slash == NULL ? bytes + length : slash;

		*end = '\0';
		canonical_encode(&out, piece, (size_t)(end - piece));
		if (slash != NULL)
			buf_addc(&out, '/');
		piece = end + 1;
	}
	return out.data;
}

char *
canonical_path_twice(TALLOC_CTX *mem, const char *path)
{
	struct buf out;

	buf_init(&out, mem, 3 * strlen(path) + 4);
	for (const char *at = path; *at != '\0';) {
		size_t n = strcspn(at, "/");
		char *piece = talloc_strndup(mem, at, n);

		if (strcmp(piece, "..") == 0) {
			while (out.length > 0 && out.data[out.length - 1] != '/')
				out.length--;
			out.length -= out.length > 0;
			out.data[out.length] = '\0';
		} else if (n > 0 && strcmp(piece, ".") != 0) {
			buf_addc(&out, '/');
			buf_add_url(&out, piece);
		}
		talloc_free(piece);
		at += n + (at[n] == '/');
	}
	if (out.length == 0 || path[strlen(path) - 1] == '/')
		buf_addc(&out, '/');
	return out.data;
}
