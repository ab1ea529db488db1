/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/oauth1 and auth/canonical: the examples of RFC 5849, and what must be refused.
 * tests/e2e/auth-signers.test.mjs has random requests.
 */
#include "auth/canonical.h"
#include "auth/oauth1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Section 3.4.1.1: names in any order, doubled, without value, with "=" and "%" in them. */
static void
test_base_string(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct oauth1 oauth = {
	    .consumer_key = "9djdj82h48djs9d2",
	    .token = "kkk9d7dh3k39sjv7",
	    .nonce = "7d8f3e4a",
	    .timestamp_s = 137131201,
	    .realm = "Example",
	    .is_versionless = true,
	};
	struct oauth1_request request = {
	    .method = "POST",
	    .url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b#fragment",
	    .form = "c2&a3=2+q&",
	    .form_length = 10,
	};
	struct error err;
	char *text;

	(void)state;
	assert_int_equal(oauth1_base_string(mem, &oauth, &request, &text, &err), 0);
	assert_string_equal(text, "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%"
				  "3D2%2520q%26a3%3Da%26b5%3D"
				  "%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%"
				  "3D9djdj82h48djs9d2%26oauth_nonc"
				  "e%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_"
				  "timestamp%3D137131201%26oau"
				  "th_token%3Dkkk9d7dh3k39sjv7");
	talloc_free(mem);
}

static const struct {
	const char *why;
	struct oauth1 oauth;
	struct oauth1_request request;
	const char *header;
} headers[] = {
    {"RFC 5849, 1.2: temporary credentials",
     {.consumer_key = "dpf43f3p2l4k3l03",
      .consumer_secret = "kd94hf93k423kf44",
      .callback = "http://printer.example.com/ready",
      .realm = "Photos",
      .nonce = "wIjqoS",
      .timestamp_s = 137131200,
      .is_versionless = true},
     {.method = "POST", .url = "https://photos.example.net/initiate"},
     "OAuth realm=\"Photos\", oauth_callback=\"http%3A%2F%2Fprinter.example.com%2Fready\", "
     "oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_nonce=\"wIjqoS\", "
     "oauth_signature=\"74KNZJeDHnMBp0EMJ9ZHt%2FXKycU%3D\", "
     "oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"137131200\""},
    {"RFC 5849, 1.2: token credentials",
     {.consumer_key = "dpf43f3p2l4k3l03",
      .consumer_secret = "kd94hf93k423kf44",
      .token = "hh5s93j4hdidpola",
      .token_secret = "hdhd0244k9j7ao03",
      .verifier = "hfdp7dh39dks9884",
      .nonce = "walatlh",
      .timestamp_s = 137131201,
      .is_versionless = true},
     {.method = "POST", .url = "https://photos.example.net/token"},
     "OAuth oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_nonce=\"walatlh\", "
     "oauth_signature=\"gKgrFCywp7rO0OXSjdot%2FIHF7IU%3D\", "
     "oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"137131201\", "
     "oauth_token=\"hh5s93j4hdidpola\", oauth_verifier=\"hfdp7dh39dks9884\""},
    {"RFC 5849, 1.2: a photo",
     {.consumer_key = "dpf43f3p2l4k3l03",
      .consumer_secret = "kd94hf93k423kf44",
      .token = "nnch734d00sl2jdk",
      .token_secret = "pfkkdhi9sl3r4s00",
      .nonce = "chapoH",
      .timestamp_s = 137131202,
      .is_versionless = true},
     {.method = "get",
      .url = "http://photos.example.net/photos?file=vacation.jpg&size=original"},
     "OAuth oauth_consumer_key=\"dpf43f3p2l4k3l03\", oauth_nonce=\"chapoH\", "
     "oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\", "
     "oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"137131202\", "
     "oauth_token=\"nnch734d00sl2jdk\""},
    {"PLAINTEXT of secrets with characters that are encoded twice",
     {.method = OAUTH1_PLAINTEXT,
      .consumer_key = "k",
      .consumer_secret = "a&b",
      .token = "",
      .token_secret = "\xc3\xa4",
      .nonce = "n",
      .timestamp_s = 1},
     {.method = "GET", .url = "https://h/"},
     "OAuth oauth_consumer_key=\"k\", oauth_nonce=\"n\", "
     "oauth_signature=\"a%2526b%26%25C3%25A4\", oauth_signature_method=\"PLAINTEXT\", "
     "oauth_timestamp=\"1\", oauth_token=\"\", oauth_version=\"1.0\""},
    {"PLAINTEXT without secrets",
     {.method = OAUTH1_PLAINTEXT, .consumer_key = "k", .nonce = "n", .timestamp_s = 1},
     {.method = "GET", .url = "https://h/"},
     "OAuth oauth_consumer_key=\"k\", oauth_nonce=\"n\", oauth_signature=\"%26\", "
     "oauth_signature_method=\"PLAINTEXT\", oauth_timestamp=\"1\", oauth_version=\"1.0\""},
};

static void
test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct error err = {0};
		char *text = NULL;

		if (oauth1_header(mem, &headers[i].oauth, &headers[i].request, &text, &err) <
			0 ||
		    strcmp(text, headers[i].header) != 0)
			fail_msg("%s: %s%s", headers[i].why, err.message, text);
		talloc_free(mem);
	}
}

static const struct {
	const char *why, *url, *base; /* base: of scheme, host, path; NULL: refused */
} urls[] = {
    {"no path", "https://example.com", "https://example.com/"},
    {"a query behind the host", "https://example.com?a=1", "https://example.com/"},
    {"a fragment behind the host", "https://example.com#a", "https://example.com/"},
    {"the port of https", "HTTPS://example.com:443/a", "https://example.com/a"},
    {"the port of the other scheme", "http://example.com:443/a", "http://example.com:443/a"},
    {"a port that ends like it", "http://example.com:8080/", "http://example.com:8080/"},
    {"an empty port", "http://example.com:/", "http://example.com/"},
    {"IPv6", "http://[2001:DB8::80]/A", "http://[2001:db8::80]/A"},
    {"IPv6 with a port", "http://[::1]:80/", "http://[::1]/"},
    {"the path is as it is", "http://h/a%2fb/../c;p//", "http://h/a%2fb/../c;p//"},
    {"another scheme", "ftp://example.com/", NULL},
    {"no scheme", "example.com/", NULL},
    {"nothing", "", NULL},
    {"no host", "https:///a", NULL},
    {"a user", "https://u:p@example.com/", NULL},
    {"a host in letters of no ASCII", "https://ex\xc3\xa4mple.com/", NULL},
    {"a backslash before a user", "https://example.com\\@evil/", NULL},
    {"a space", "https://example.com/a b", NULL},
    {"a line end", "https://example.com/a\r\nx: y", NULL},
    {"a DEL", "https://example.com/\x7f", NULL},
};

static void
test_urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct oauth1 oauth = {.consumer_key = "k", .nonce = "n"};
		struct oauth1_request request = {.method = "GET", .url = urls[i].url};
		struct error err = {0};
		char *text = NULL, *middle = NULL, *query = NULL;
		size_t length;
		int result = oauth1_base_string(mem, &oauth, &request, &text, &err);

		if (result == 0) {
			query = strrchr(text, '&');
			middle = canonical_decode(mem, text + 4, (size_t)(query - text) - 4,
						  &length);
		}
		if ((result == 0) != (urls[i].base != NULL) ||
		    (result == 0 && strcmp(middle, urls[i].base) != 0) ||
		    (result < 0 && err.code != ERR_BAD_REQUEST))
			fail_msg("%s: %d %s %s", urls[i].why, result, middle, err.message);
		talloc_free(mem);
	}
}

static const struct {
	const char *why, *query, *text;
} queries[] = {
    {"nothing", "", ""},
    {"empty parts are none", "&&a=1&&", "a=1"},
    {"no value and an empty one", "b&a=", "a=&b="},
    {"an equals sign in a value", "a=b=c", "a=b%3Dc"},
    {"an empty name", "=x", "=x"},
    {"sorted by what is encoded", "b=1&%7Eb=1&a=2&a=1&A=3&a%20=0",
     "A=3&a=1&a=2&a%20=0&b=1&~b=1"},
    {"a name that begins another", "ab=1&a=2&a-=3", "a=2&a-=3&ab=1"},
    {"plus and space", "a=b+c%2Bd%20e", "a=b%20c%2Bd%20e"},
    {"small hexadecimal digits", "a=%c3%a4", "a=%C3%A4"},
    {"no hexadecimal digits", "a=%&b=%4&c=%4z&d=%z4&e=100%25",
     "a=%25&b=%254&c=%254z&d=%25z4&e=100%25"},
    {"what need not be encoded", "a=%41%2D%7E%5F%2E", "a=A-~_."},
    {"a NUL", "a=x%00y%00&b=%00", "a=x%00y%00&b=%00"},
    {"bytes of no UTF-8", "a=\xff%FE", "a=%FF%FE"},
    {"brackets", "a[]=1&a[]=0", "a%5B%5D=0&a%5B%5D=1"},
};

static void
test_queries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct canonical_pairs pairs;
		struct error err;
		char *text;

		canonical_pairs_init(&pairs, mem);
		assert_int_equal(canonical_pairs_parse(&pairs, queries[i].query,
						       strlen(queries[i].query), &err),
				 0);
		canonical_pairs_sort(&pairs);
		text = canonical_pairs_text(mem, &pairs);
		if (strcmp(text, queries[i].text) != 0)
			fail_msg("%s: %s", queries[i].why, text);
		talloc_free(mem);
	}
}

static void
test_limits(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct oauth1 oauth = {.consumer_key = "k", .nonce = "n"};
	struct oauth1_request request = {.method = "POST", .url = "https://h/"};
	char *text = talloc_zero_size(mem, CANONICAL_FORM_MAX + 2), *out = NULL;
	struct error err = {0};

	(void)state;
	memset(text, 'a', CANONICAL_FORM_MAX + 1);
	request.form = text;
	request.form_length = CANONICAL_FORM_MAX;
	assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), 0);
	request.form_length = CANONICAL_FORM_MAX + 1;
	assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), -1);
	assert_string_equal(err.message, "the form to sign is over 1048576 bytes");
	for (size_t i = 0; i <= CANONICAL_PAIRS_MAX; i++)
		text[2 * i + 1] = '&';
	request.form_length = 2 * (CANONICAL_PAIRS_MAX);
	assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), 0);
	request.form_length += 1;
	assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), -1);
	assert_string_equal(err.message, "the request to sign has over 4096 parameters");
	request.form = NULL;
	request.url = memcpy(text, "https://h/", 10);
	memset(text + 10, 'a', CANONICAL_URL_MAX);
	text[CANONICAL_URL_MAX + 1] = '\0';
	assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), -1);
	assert_string_equal(err.message, "the URL to sign is over 32768 bytes");
	text[CANONICAL_URL_MAX] = '\0';
	assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), 0);
	talloc_free(mem);
}

static void
test_refusals(void **state)
{
	static const char *const realms[] = {"a\"b", "a\\", "a\r\nx: y", "\x7f"};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct oauth1 oauth = {.consumer_key = "k", .nonce = "n"};
	struct oauth1_request request = {.method = "POST", .url = "https://h/"};
	struct error err = {0};
	char *out = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(realms) / sizeof(realms[0]); i++) {
		oauth.realm = realms[i];
		assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), -1);
		assert_int_equal(err.code, ERR_CREDENTIALS);
	}
	oauth.realm = NULL;
	oauth.consumer_key = "";
	assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), -1);
	assert_string_equal(err.message, "the consumer key is empty");
	oauth.consumer_key = NULL;
	assert_int_equal(oauth1_header(mem, &oauth, &request, &out, &err), -1);
	assert_null(out);
	talloc_free(mem);
}

static void
test_fresh(void **state)
{
	char one[OAUTH1_NONCE_MAX], two[OAUTH1_NONCE_MAX];
	int64_t now = 0;

	(void)state;
	oauth1_fresh(one, &now);
	oauth1_fresh(two, &now);
	assert_int_equal(strlen(one), OAUTH1_NONCE_MAX - 1);
	assert_string_not_equal(one, two);
	assert_true(now > 1700000000 && now < 100000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_base_string), cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_urls),	cmocka_unit_test(test_queries),
	    cmocka_unit_test(test_limits),	cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
