/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/sigv4 -- see sigv4.h. Where Amazon's text leaves a choice (repeated parameters of s3,
 * "+" in its paths, dots in paths) it is made as npm's aws4 makes it.
 */
#include "auth/sigv4.h"
#include "auth/canonical.h"
#include "base/crypto.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define KEY_ID_MAX 128
#define SECRET_MAX 1024
#define TOKEN_MAX 16384
#define HEADER_VALUE_MAX 65536
#define STAMP_MAX sizeof("20130524T000000Z")
#define DAY_LENGTH 8
#define HEX_MAX (2 * CRYPTO_SHA256_BYTES + 1)

/* These sign the path as it is decoded and encoded once; all others encode what they get. */
static const char *const s3_services[] = {"s3", "s3-outposts", "s3-object-lambda", "s3express"};

/* Made here, or changed by what is on the way. */
static const char *const unsigned_headers[] = {
    "authorization",
    "connection",
    "expect",
    "presigned-expires",
    "range",
    "user-agent",
    "transfer-encoding",
    "x-amzn-trace-id",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
};

struct signing {
	TALLOC_CTX *scratch;
	const struct sigv4_keys *keys;
	const struct sigv4_scope *scope;
	const struct sigv4_request *request;
	struct canonical_url url;
	bool is_s3;
	char stamp[STAMP_MAX]; /* 20130524T000000Z; the day are the first eight */
	char body_hash[HEX_MAX];
	struct sigv4_header headers[SIGV4_HEADERS_MAX + 4]; /* sorted, names in lower case */
	size_t header_count;
};

static bool
is_one_of(const char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(list[i], text) == 0)
			return true;
	return false;
}

#define IS_ONE_OF(list, text) is_one_of(list, sizeof(list) / sizeof((list)[0]), text)

static bool
is_label(const char *text)
{
	size_t n = text == NULL ? 0 : strlen(text);

	return n > 0 && n <= 64 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* Printing characters of ASCII, none of the given ones. */
static bool
is_plain(const char *text, size_t max, const char *except)
{
	size_t n = text == NULL ? 0 : strlen(text);

	if (n == 0 || n > max || strcspn(text, except) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] == 127)
			return false;
	return true;
}

static int
check_scope(const struct sigv4_keys *keys, const struct sigv4_scope *scope, struct error *err)
{
	if (!is_label(scope->region))
		return error_set(err, ERR_CREDENTIALS,
				 "the AWS region must be 1 to 64 of a-z, 0-9 and -");
	if (!is_label(scope->service))
		return error_set(err, ERR_CREDENTIALS,
				 "the AWS service must be 1 to 64 of a-z, 0-9 and -");
	if (!is_plain(keys->id, KEY_ID_MAX, "/,"))
		return error_set(err, ERR_CREDENTIALS,
				 "the AWS access key id is empty, too long or has strange "
				 "characters");
	if (keys->secret == NULL || keys->secret[0] == '\0' ||
	    strlen(keys->secret) > SECRET_MAX)
		return error_set(err, ERR_CREDENTIALS,
				 "the AWS secret access key is empty or too long");
	if (keys->session_token != NULL && !is_plain(keys->session_token, TOKEN_MAX, ""))
		return error_set(
		    err, ERR_CREDENTIALS,
		    "the AWS session token is empty, too long or has strange characters");
	return 0;
}

static int
hash_body(const struct sigv4_request *request, char out[HEX_MAX], struct error *err)
{
	const char *given = request->body_sha256;
	unsigned char digest[CRYPTO_SHA256_BYTES];

	if (given == NULL) {
		crypto_sha256(digest, request->body, request->body_length);
		crypto_hex(out, digest, sizeof(digest));
		return 0;
	}
	if (strcmp(given, SIGV4_UNSIGNED) != 0 &&
	    (strlen(given) != HEX_MAX - 1 || strspn(given, "0123456789abcdef") != HEX_MAX - 1))
		return error_set(err, ERR_BAD_REQUEST,
				 "the hash of the body must be 64 small hexadecimal digits");
	memcpy(out, given, strlen(given) + 1);
	return 0;
}

/* Without white space at its ends, and one space for what is between. */
static int
header_value(TALLOC_CTX *mem, const char *value, const char **out, struct error *err)
{
	size_t n = strlen(value), length = 0;
	char *text;

	if (n > HEADER_VALUE_MAX)
		return error_set(err, ERR_BAD_REQUEST, "a header to sign is over %d bytes",
				 HEADER_VALUE_MAX);
	text = crypto_secret(mem, value, n);
	for (size_t i = 0; i < n; i++) {
		if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 127)
			return error_set(err, ERR_BAD_REQUEST,
					 "a header to sign holds a control character");
		if (value[i] != ' ' && value[i] != '\t')
			text[length++] = value[i];
		else if (length > 0 && text[length - 1] != ' ')
			text[length++] = ' ';
	}
	if (length > 0 && text[length - 1] == ' ')
		length--;
	text[length] = '\0';
	*out = text;
	return 0;
}

/* In the order of names; behind those of the same name. */
static void
insert_header(struct signing *s, const char *name, const char *value)
{
	size_t at = s->header_count++;

	while (at > 0 && strcmp(s->headers[at - 1].name, name) > 0) {
		s->headers[at] = s->headers[at - 1];
		at--;
	}
	s->headers[at] = (struct sigv4_header){name, value};
}

static int
add_given_header(struct signing *s, const struct sigv4_header *header, bool *has_host,
		 struct error *err)
{
	const char *value = "";
	char *name;

	if (IS_ONE_OF(unsigned_headers, header->name))
		return 0;
	if (!is_plain(header->name, 256, "\"(),/:;<=>?@[\\]{}"))
		return error_set(err, ERR_BAD_REQUEST,
				 "a header to sign has a name that is none");
	if (header_value(s->scratch, header->value, &value, err) < 0)
		return -1;
	name = talloc_strdup(s->scratch, header->name);
	for (char *at = name; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	*has_host |= strcmp(name, "host") == 0;
	insert_header(s, name, value);
	return 0;
}

static int
add_headers(struct signing *s, struct error *err)
{
	bool has_host = false;

	if (s->request->header_count > SIGV4_HEADERS_MAX)
		return error_set(err, ERR_BAD_REQUEST, "over %d headers to sign",
				 SIGV4_HEADERS_MAX);
	for (size_t i = 0; i < s->request->header_count; i++)
		if (add_given_header(s, &s->request->headers[i], &has_host, err) < 0)
			return -1;
	if (!has_host)
		insert_header(s, "host", s->url.host);
	insert_header(s, "x-amz-date", s->stamp);
	if (!s->scope->is_bare)
		insert_header(s, "x-amz-content-sha256", s->body_hash);
	if (s->keys->session_token != NULL)
		insert_header(s, "x-amz-security-token", s->keys->session_token);
	return 0;
}

static int
query_text(struct signing *s, char **out, struct error *err)
{
	struct canonical_pairs pairs;

	canonical_pairs_init(&pairs, s->scratch);
	if (canonical_pairs_parse(&pairs, s->url.query, strlen(s->url.query), err) < 0)
		return -1;
	if (s->is_s3)
		canonical_pairs_first(&pairs); /* s3 looks at the first of a name only */
	else
		canonical_pairs_sort(&pairs);
	*out = canonical_pairs_text(s->scratch, &pairs);
	return 0;
}

static bool
is_repeated(const struct signing *s, size_t i)
{
	return i > 0 && strcmp(s->headers[i].name, s->headers[i - 1].name) == 0;
}

static char *
signed_names(const struct signing *s)
{
	struct buf out;

	buf_init(&out, s->scratch, 1024);
	for (size_t i = 0; i < s->header_count; i++) {
		if (is_repeated(s, i))
			continue;
		if (i > 0)
			buf_addc(&out, ';');
		buf_adds(&out, s->headers[i].name);
	}
	return out.data;
}

/* Values of one name are joined by commas, in their order. */
static void
put_headers(const struct signing *s, struct buf *out)
{
	for (size_t i = 0; i < s->header_count; i++) {
		if (is_repeated(s, i)) {
			buf_addc(out, ',');
		} else {
			buf_adds(out, i > 0 ? "\n" : "");
			buf_adds(out, s->headers[i].name);
			buf_addc(out, ':');
		}
		buf_adds(out, s->headers[i].value);
	}
	buf_addc(out, '\n');
}

static int
canonical_request(struct signing *s, const char *names, char **out, struct error *err)
{
	char *path = s->is_s3 ? canonical_path_once(s->scratch, s->url.path)
			      : canonical_path_twice(s->scratch, s->url.path);
	const char *lines[] = {s->request->method, path, NULL};
	size_t length = strlen(s->request->method) + strlen(path) + strlen(names) + HEX_MAX + 8;
	struct buf buf;
	char *query;

	if (query_text(s, &query, err) < 0)
		return -1;
	lines[2] = query;
	length += strlen(query);
	for (size_t i = 0; i < s->header_count; i++)
		length += strlen(s->headers[i].name) + strlen(s->headers[i].value) + 2;
	buf_init(&buf, s->scratch, length);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		buf_adds(&buf, lines[i]);
		buf_addc(&buf, '\n');
	}
	put_headers(s, &buf);
	buf_addc(&buf, '\n');
	buf_adds(&buf, names);
	buf_addc(&buf, '\n');
	buf_adds(&buf, s->body_hash);
	*out = canonical_take(s->scratch, &buf);
	return 0;
}

/* HMAC of one part with the key that the part before gave. */
static void
sign_parts(const struct signing *s, const char *text, char out[HEX_MAX])
{
	char *first = talloc_asprintf(s->scratch, "AWS4%s", s->keys->secret);
	char *day = talloc_strndup(s->scratch, s->stamp, DAY_LENGTH);
	const char *parts[] = {day, s->scope->region, s->scope->service, "aws4_request", text};
	unsigned char key[CRYPTO_SHA256_BYTES];

	crypto_hmac_sha256(key, first, strlen(first), parts[0], strlen(parts[0]));
	for (size_t i = 1; i < sizeof(parts) / sizeof(parts[0]); i++)
		crypto_hmac_sha256(key, key, sizeof(key), parts[i], strlen(parts[i]));
	crypto_hex(out, key, sizeof(key)); /* the last of them is the signature */
	crypto_wipe(first, strlen(first));
}

static int
authorization(struct signing *s, char **out, struct error *err)
{
	char *names = signed_names(s), *scope, *request, *text, hex[HEX_MAX];
	unsigned char digest[CRYPTO_SHA256_BYTES];

	if (canonical_request(s, names, &request, err) < 0)
		return -1;
	crypto_sha256(digest, request, strlen(request));
	crypto_hex(hex, digest, sizeof(digest));
	scope = talloc_asprintf(s->scratch, "%.*s/%s/%s/aws4_request", DAY_LENGTH, s->stamp,
				s->scope->region, s->scope->service);
	text =
	    talloc_asprintf(s->scratch, "AWS4-HMAC-SHA256\n%s\n%s\n%s", s->stamp, scope, hex);
	sign_parts(s, text, hex);
	*out = talloc_asprintf(
	    s->scratch, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
	    s->keys->id, scope, names, hex);
	return 0;
}

static void
put_out(TALLOC_CTX *mem, struct sigv4_signed *out, const char *name, const char *value)
{
	out->headers[out->count++] =
	    (struct sigv4_header){name, crypto_secret(mem, value, strlen(value))};
}

static int
sign(struct signing *s, TALLOC_CTX *mem, struct sigv4_signed *out, struct error *err)
{
	time_t now = (time_t)s->scope->time_s;
	struct tm tm;
	char *text;

	if (!is_plain(s->request->method, 32, ""))
		return error_set(err, ERR_BAD_REQUEST, "the method to sign is none");
	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(s->stamp, sizeof(s->stamp), "%Y%m%dT%H%M%SZ", &tm) != STAMP_MAX - 1)
		return error_set(err, ERR_BAD_REQUEST, "the time is beyond the year 9999");
	if (canonical_url_split(s->scratch, s->request->url, &s->url, err) < 0 ||
	    hash_body(s->request, s->body_hash, err) < 0 || add_headers(s, err) < 0 ||
	    authorization(s, &text, err) < 0)
		return -1;
	out->count = 0;
	put_out(mem, out, "authorization", text);
	put_out(mem, out, "x-amz-date", s->stamp);
	if (!s->scope->is_bare)
		put_out(mem, out, "x-amz-content-sha256", s->body_hash);
	if (s->keys->session_token != NULL)
		put_out(mem, out, "x-amz-security-token", s->keys->session_token);
	return 0;
}

int
sigv4_sign(TALLOC_CTX *mem, const struct sigv4_keys *keys, const struct sigv4_scope *scope,
	   const struct sigv4_request *request, struct sigv4_signed *out, struct error *err)
{
	struct signing s = {.keys = keys, .scope = scope, .request = request};
	int result;

	if (check_scope(keys, scope, err) < 0)
		return -1;
	s.scratch = talloc_new(NULL);
	s.is_s3 = IS_ONE_OF(s3_services, scope->service);
	result = sign(&s, mem, out, err);
	talloc_free(s.scratch);
	return result;
}
