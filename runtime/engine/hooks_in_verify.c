/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_in_verify -- see hooks_in_verify.h.
 */
#include "engine/hooks_in_verify.h"
#include "base/buf.h"
#include "base/crypto.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE_S 300
#define SIGNATURE_MAX 1024
#define SECONDS_MAX (INT64_C(1) << 35) /* above: milliseconds */

struct check {
	TALLOC_CTX *mem;
	struct json_object *rules;
	const struct hooks_received *received;
	const char *value;     /* of the signature's header */
	const char *timestamp; /* NULL: none */
	const char *secret;    /* or a public key */
	struct buf text;       /* what is signed */
	unsigned char sum[CRYPTO_HASH_MAX];
	size_t length;
};

const char *
hooks_received_header(const struct hooks_received *received, const char *name)
{
	for (const struct http_field *f = received->headers; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f->value;
	return NULL;
}

static bool
is(struct json_object *rules, const char *key, const char *word)
{
	const char *text = json_string(rules, key);

	return text != NULL && strcmp(text, word) == 0;
}

/* The next item of a list that one of these parts, blanks around it left out; NULL: no more. */
static char *
next_item(TALLOC_CTX *mem, const char **at, const char *separators)
{
	size_t length;
	char *item;

	*at += strspn(*at, separators);
	if (**at == '\0')
		return NULL;
	length = strcspn(*at, separators);
	item = talloc_strndup(mem, *at, length);
	if (item == NULL)
		abort();
	*at += length;
	return item;
}

/* ---- what is signed ---- */

/* t=1700000000,v1=… : the time stands beside the signatures. */
static void
find_timestamp(struct check *c)
{
	const char *name = json_string(c->rules, "timestamp"), *at = c->value;
	char *item;

	if (name != NULL)
		c->timestamp = hooks_received_header(c->received, name);
	if (!is(c->rules, "format", "pairs"))
		return;
	while ((item = next_item(c->mem, &at, ", ")) != NULL)
		if (strncmp(item, "t=", 2) == 0)
			c->timestamp = item + 2;
}

static void
add_part(const struct check *c, struct buf *out, const char *name, size_t length)
{
	const struct hooks_received *r = c->received;
	const char *id = json_string(c->rules, "id");

	if (length == 4 && strncmp(name, "body", 4) == 0)
		buf_add(out, r->body, r->body_length);
	else if (length == 9 && strncmp(name, "timestamp", 9) == 0)
		buf_adds(out, c->timestamp == NULL ? "" : c->timestamp);
	else if (length == 6 && strncmp(name, "method", 6) == 0)
		buf_adds(out, r->method);
	else if (length == 3 && strncmp(name, "url", 3) == 0)
		buf_adds(out, r->url);
	else if (length == 2 && strncmp(name, "id", 2) == 0 && id != NULL &&
		 hooks_received_header(r, id) != NULL)
		buf_adds(out, hooks_received_header(r, id));
}

/* The body may hold anything, so the names are filled in here and not by expand(). */
static void
write_signed(const struct check *c, struct buf *out)
{
	const char *text = json_string(c->rules, "signed"), *open;

	if (text == NULL)
		text = "${body}";
	while ((open = strstr(text, "${")) != NULL) {
		const char *close = strchr(open, '}');

		if (close == NULL)
			break;
		buf_add(out, text, (size_t)(open - text));
		add_part(c, out, open + 2, (size_t)(close - open - 2));
		text = close + 1;
	}
	buf_adds(out, text);
}

static bool
is_by_key(const struct check *c)
{
	return is(c->rules, "scheme", "rsa") || is(c->rules, "scheme", "ed25519");
}

static void
sum_up(struct check *c)
{
	enum crypto_hash hash = is(c->rules, "algorithm", "sha1") ? CRYPTO_SHA1 : CRYPTO_SHA256;
	bool is_hash = is(c->rules, "scheme", "hash");
	static const char whsec[] = "whsec_";
	const char *secret = c->secret;
	unsigned char *bytes = NULL;
	size_t length = strlen(secret);

	buf_init(&c->text, c->mem, c->received->body_length + 256);
	if (is_hash)
		buf_adds(&c->text, secret);
	write_signed(c, &c->text);
	if (is_hash) {
		c->length = crypto_digest(c->sum, hash, c->text.data, c->text.length);
		crypto_wipe(c->text.data, c->text.length);
		return;
	}
	if (is_by_key(c))
		return;
	if (strncmp(secret, whsec, strlen(whsec)) == 0 && is(c->rules, "format", "standard"))
		bytes = crypto_unbase64(c->mem, secret + strlen(whsec), &length);
	c->length =
	    crypto_hmac(c->sum, hash, bytes == NULL ? (const void *)secret : bytes,
			bytes == NULL ? strlen(secret) : length, c->text.data, c->text.length);
	if (bytes != NULL)
		crypto_wipe(bytes, length);
}

/* ---- what was sent ---- */

static bool
equals(const struct check *c, const char *signature)
{
	bool is_base64 = is(c->rules, "encoding", "base64");
	unsigned char *bytes;
	size_t length;

	if (strlen(signature) > SIGNATURE_MAX)
		return false;
	bytes = is_base64 ? crypto_unbase64(c->mem, signature, &length)
			  : crypto_unhex(c->mem, signature, &length);
	if (bytes == NULL)
		return false;
	if (is_by_key(c))
		return crypto_verify(
		    c->secret, is(c->rules, "scheme", "rsa") ? CRYPTO_RS256 : CRYPTO_EDDSA,
		    c->text.data, c->text.length, bytes, length);
	return length == c->length && crypto_equal(bytes, c->sum, length);
}

/* Several are sent while a secret is changed; one that fits is enough. */
static bool
any_equals(const struct check *c)
{
	bool is_pairs = is(c->rules, "format", "pairs");
	bool is_standard = is(c->rules, "format", "standard");
	const char *prefix = is_pairs ? "v1=" : is_standard ? "v1," : NULL, *at = c->value;
	char *item;

	if (prefix == NULL)
		prefix = json_string(c->rules, "prefix");
	while ((item = next_item(c->mem, &at, is_standard ? " " : ", ")) != NULL) {
		if (prefix != NULL && strncmp(item, prefix, strlen(prefix)) != 0)
			continue;
		if (equals(c, item + (prefix == NULL ? 0 : strlen(prefix))))
			return true;
	}
	return false;
}

static bool
is_in_time(const struct check *c)
{
	int64_t tolerance_s = json_integer(c->rules, "tolerance", TOLERANCE_S), at;
	bool is_timed =
	    json_string(c->rules, "timestamp") != NULL || is(c->rules, "format", "pairs");
	char *end;

	if (!is_timed)
		return true;
	if (c->timestamp == NULL)
		return false;
	at = strtoll(c->timestamp, &end, 10);
	if (end == c->timestamp || *end != '\0' || at <= 0)
		return false;
	if (at < SECONDS_MAX)
		at *= 1000;
	return at > c->received->now_ms - tolerance_s * 1000 &&
	       at < c->received->now_ms + tolerance_s * 1000;
}

static bool
is_the_token(const struct check *c, const char *secret)
{
	const char *prefix = json_string(c->rules, "prefix"), *value = c->value;

	if (prefix != NULL && strncmp(value, prefix, strlen(prefix)) != 0)
		return false;
	value += prefix == NULL ? 0 : strlen(prefix);
	return strlen(value) == strlen(secret) && crypto_equal(value, secret, strlen(secret));
}

int
hooks_in_verify(TALLOC_CTX *mem, struct json_object *rules, const char *secret,
		const struct hooks_received *received, struct error *err)
{
	const char *header = json_string(rules, "header");
	struct check c = {.mem = mem, .rules = rules, .received = received};

	if (rules == NULL)
		return 0;
	if (json_string(rules, "key") != NULL)
		secret = json_string(rules, "key");
	if (secret == NULL || secret[0] == '\0')
		return error_set(err, ERR_WEBHOOK_SIGNATURE,
				 "the integration has no %s, without which no webhook is "
				 "believed",
				 json_string(rules, "secret") == NULL
				     ? "webhook_secret"
				     : json_string(rules, "secret"));
	c.value = hooks_received_header(received, header);
	if (c.value == NULL)
		return error_set(err, ERR_WEBHOOK_UNSIGNED, "the header %s is missing", header);
	if (is(rules, "scheme", "token"))
		return is_the_token(&c, secret)
			   ? 0
			   : error_set(err, ERR_WEBHOOK_SIGNATURE, "%s is another", header);
	c.secret = secret;
	find_timestamp(&c);
	sum_up(&c);
	if (!any_equals(&c))
		return error_set(err, ERR_WEBHOOK_SIGNATURE,
				 "%s is not the signature of this body", header);
	return is_in_time(&c)
		   ? 0
		   : error_set(err, ERR_WEBHOOK_SIGNATURE, "it is signed for another time");
}
