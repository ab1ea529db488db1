/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth1 -- see oauth1.h.
 */
#include "auth/oauth1.h"
#include "auth/canonical.h"
#include "base/clock.h"
#include "base/crypto.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const method_names[] = {
    [OAUTH1_HMAC_SHA1] = "HMAC-SHA1",
    [OAUTH1_HMAC_SHA256] = "HMAC-SHA256",
    [OAUTH1_PLAINTEXT] = "PLAINTEXT",
};

#define PARAMETERS 9
#define TIMESTAMP_MAX 24

struct parameter {
	const char *name, *value; /* value NULL: not sent */
};

/* In the order of their names; signature is NULL while it is being made. */
static void
parameters_of(const struct oauth1 *oauth, const char *signature, char timestamp[TIMESTAMP_MAX],
	      struct parameter out[PARAMETERS])
{
	const struct parameter all[PARAMETERS] = {
	    {"oauth_callback", oauth->callback},
	    {"oauth_consumer_key", oauth->consumer_key},
	    {"oauth_nonce", oauth->nonce},
	    {"oauth_signature", signature},
	    {"oauth_signature_method", method_names[oauth->method]},
	    {"oauth_timestamp", timestamp},
	    {"oauth_token", oauth->token},
	    {"oauth_verifier", oauth->verifier},
	    {"oauth_version", oauth->is_versionless ? NULL : "1.0"},
	};

	snprintf(timestamp, TIMESTAMP_MAX, "%" PRId64, oauth->timestamp_s);
	memcpy(out, all, sizeof(all));
}

void
oauth1_fresh(char nonce[OAUTH1_NONCE_MAX], int64_t *timestamp_s)
{
	unsigned char bytes[(OAUTH1_NONCE_MAX - 1) / 2];

	crypto_random(bytes, sizeof(bytes));
	crypto_hex(nonce, bytes, sizeof(bytes));
	*timestamp_s = clock_wall_ms() / 1000;
}

/* Section 3.4.1.2: no query, no default port, host in lower case. */
static char *
base_uri(TALLOC_CTX *mem, const struct canonical_url *url)
{
	char *host = talloc_strdup(mem, url->host);

	for (char *at = host; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return talloc_asprintf(mem, "%s://%s%s", url->scheme, host, url->path);
}

static int
base_string(TALLOC_CTX *scratch, const struct oauth1 *oauth,
	    const struct oauth1_request *request, struct buf *out, struct error *err)
{
	struct parameter own[PARAMETERS];
	char timestamp[TIMESTAMP_MAX];
	struct canonical_pairs pairs;
	struct canonical_url url;
	char *uri, *text;

	canonical_pairs_init(&pairs, scratch);
	if (canonical_url_split(scratch, request->url, &url, err) < 0 ||
	    canonical_pairs_parse(&pairs, url.query, strlen(url.query), err) < 0 ||
	    canonical_pairs_parse(&pairs, request->form == NULL ? "" : request->form,
				  request->form == NULL ? 0 : request->form_length, err) < 0)
		return -1;
	parameters_of(oauth, NULL, timestamp, own);
	for (size_t i = 0; i < PARAMETERS; i++)
		if (own[i].value != NULL)
			canonical_pairs_add(&pairs, own[i].name, own[i].value);
	canonical_pairs_sort(&pairs);
	text = canonical_pairs_text(scratch, &pairs);
	uri = base_uri(scratch, &url);
	buf_init(out, scratch, strlen(request->method) + 3 * (strlen(uri) + strlen(text)) + 3);
	for (const char *at = request->method; *at != '\0'; at++)
		buf_addc(out, (char)toupper((unsigned char)*at));
	buf_addc(out, '&');
	buf_add_url(out, uri);
	buf_addc(out, '&');
	buf_add_url(out, text);
	return 0;
}

int
oauth1_base_string(TALLOC_CTX *mem, const struct oauth1 *oauth,
		   const struct oauth1_request *request, char **out, struct error *err)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	struct buf buf;
	int result = base_string(scratch, oauth, request, &buf, err);

	if (result == 0)
		*out = canonical_take(mem, &buf);
	talloc_free(scratch);
	return result;
}

/* Section 3.4.4: what PLAINTEXT sends, and HMAC's key. */
static char *
key_text(TALLOC_CTX *mem, const struct oauth1 *oauth)
{
	const char *consumer = oauth->consumer_secret == NULL ? "" : oauth->consumer_secret;
	const char *token = oauth->token_secret == NULL ? "" : oauth->token_secret;
	struct buf buf;

	buf_init(&buf, mem, 3 * (strlen(consumer) + strlen(token)) + 2);
	buf_add_url(&buf, consumer);
	buf_addc(&buf, '&');
	buf_add_url(&buf, token);
	return canonical_take(mem, &buf);
}

static int
signature_of(TALLOC_CTX *scratch, const struct oauth1 *oauth,
	     const struct oauth1_request *request, char **out, struct error *err)
{
	char *key = key_text(scratch, oauth), *base;
	unsigned char digest[CRYPTO_HASH_MAX];
	size_t length;

	if (oauth1_base_string(scratch, oauth, request, &base, err) < 0)
		return -1;
	if (oauth->method == OAUTH1_PLAINTEXT) {
		*out = key;
		return 0;
	}
	length =
	    crypto_hmac(digest, oauth->method == OAUTH1_HMAC_SHA1 ? CRYPTO_SHA1 : CRYPTO_SHA256,
			key, strlen(key), base, strlen(base));
	*out = crypto_base64(scratch, digest, length);
	return 0;
}

static char *
header_text(TALLOC_CTX *mem, const struct oauth1 *oauth, const char *signature)
{
	struct parameter all[PARAMETERS];
	size_t length = sizeof("OAuth realm=\"\"") + (oauth->realm ? strlen(oauth->realm) : 0);
	const char *separator = "";
	char timestamp[TIMESTAMP_MAX];
	struct buf buf;

	parameters_of(oauth, signature, timestamp, all);
	for (size_t i = 0; i < PARAMETERS; i++)
		if (all[i].value != NULL)
			length += strlen(all[i].name) + 3 * strlen(all[i].value) + 5;
	buf_init(&buf, mem, length);
	buf_adds(&buf, "OAuth ");
	if (oauth->realm != NULL) {
		buf_adds(&buf, "realm=\"");
		buf_adds(&buf, oauth->realm);
		buf_adds(&buf, "\"");
		separator = ", ";
	}
	for (size_t i = 0; i < PARAMETERS; i++) {
		if (all[i].value == NULL)
			continue;
		buf_adds(&buf, separator);
		buf_adds(&buf, all[i].name);
		buf_adds(&buf, "=\"");
		buf_add_url(&buf, all[i].value);
		buf_adds(&buf, "\"");
		separator = ", ";
	}
	return canonical_take(mem, &buf);
}

int
oauth1_header(TALLOC_CTX *mem, const struct oauth1 *oauth, const struct oauth1_request *request,
	      char **out, struct error *err)
{
	TALLOC_CTX *scratch;
	char *signature;
	int result;

	if (oauth->consumer_key == NULL || oauth->consumer_key[0] == '\0')
		return error_set(err, ERR_CREDENTIALS, "the consumer key is empty");
	if (oauth->realm != NULL && !canonical_is_quotable(oauth->realm))
		return error_set(
		    err, ERR_CREDENTIALS,
		    "the realm may hold no quotes, backslashes or control characters");
	scratch = talloc_new(NULL);
	result = signature_of(scratch, oauth, request, &signature, err);
	if (result == 0)
		*out = header_text(mem, oauth, signature);
	talloc_free(scratch);
	return result;
}
