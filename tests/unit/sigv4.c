/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/sigv4: the vectors of Amazon's test suite and of the documentation of s3, and what must
 * be refused. tests/e2e/auth-signers.test.mjs has random requests.
 */
#include "auth/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct sigv4_keys suite_keys = {
    .id = "AKIDEXAMPLE",
    .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
static const struct sigv4_scope suite_scope = {
    .region = "us-east-1",
    .service = "service",
    .time_s = 1440938160, /* 20150830T123600Z */
    .is_bare = true,
};

#define HOST "https://example.amazonaws.com"
#define HEADERS(...) ((const struct sigv4_header[]){__VA_ARGS__})

static const struct {
	const char *name, *method, *url;
	const struct sigv4_header *headers;
	size_t header_count;
	const char *body, *signature;
} suite[] = {
    {"get-vanilla", "GET", HOST "/", NULL, 0, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-query-order-key-case", "GET", HOST "/?Param2=value2&Param1=value1", NULL, 0,
     "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-utf8", "GET", HOST "/\xe1\x88\xb4", NULL, 0, "",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-unreserved", "GET",
     HOST "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", NULL, 0, "",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-slash-dot-slash", "GET", HOST "/./", NULL, 0, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-relative", "GET", HOST "/example/..", NULL, 0, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-relative-relative", "GET", HOST "/example1/example2/../..", NULL, 0, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-slash", "GET", HOST "//", NULL, 0, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-slashes", "GET", HOST "//example//", NULL, 0, "",
     "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
    {"get-slash-pointless-dot", "GET", HOST "/./example", NULL, 0, "",
     "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    {"get-header-key-duplicate", "GET", HOST "/",
     HEADERS({"My-Header1", "value2"}, {"MY-HEADER1", "value2"}, {"my-header1", "value1"}), 3,
     "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {"get-header-value-trim", "GET", HOST "/",
     HEADERS({"My-Header1", " value1"}, {"My-Header2", " \"a   b \t c\" "}), 2, "",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"post-x-www-form-urlencoded", "POST", HOST "/",
     HEADERS({"Content-Type", "application/x-www-form-urlencoded"}), 1, "Param1=value1",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    {"a host of its own", "GET", "https://192.0.2.1:8443/",
     HEADERS({"HOST", "example.amazonaws.com"}), 1, "",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"what is changed on the way is not signed", "GET", HOST ":443/",
     HEADERS({"User-Agent", "x"}, {"connection", "close"}, {"Authorization", "Bearer x"},
	     {"X-Amz-Date", "another"}, {"x-amz-content-sha256", "another"}),
     5, "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
};

static void
expect(const char *name, const struct sigv4_keys *keys, const struct sigv4_scope *scope,
       const struct sigv4_request *request, const char *signature)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct sigv4_signed out = {.count = 0};
	struct error err = {0};
	const char *text;

	if (sigv4_sign(mem, keys, scope, request, &out, &err) < 0)
		fail_msg("%s: %s", name, err.message);
	assert_string_equal(out.headers[0].name, "authorization");
	text = strstr(out.headers[0].value, ", Signature=");
	if (text == NULL || strcmp(text + 12, signature) != 0)
		fail_msg("%s: %s", name, out.headers[0].value);
	talloc_free(mem);
}

static void
test_suite(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(suite) / sizeof(suite[0]); i++) {
		struct sigv4_request request = {
		    .method = suite[i].method,
		    .url = suite[i].url,
		    .headers = suite[i].headers,
		    .header_count = suite[i].header_count,
		    .body = suite[i].body,
		    .body_length = strlen(suite[i].body),
		};

		expect(suite[i].name, &suite_keys, &suite_scope, &request, suite[i].signature);
	}
}

#define BUCKET "https://examplebucket.s3.amazonaws.com"

static const struct {
	const char *name, *method, *url;
	const struct sigv4_header *headers;
	size_t header_count;
	const char *body, *signature;
} s3_documentation[] = {
    {"GET Bucket Lifecycle", "GET", BUCKET "/?lifecycle", NULL, 0, "",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET Bucket (List Objects)", "GET", BUCKET "?max-keys=2&prefix=J", NULL, 0, "",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    {"PUT Object", "PUT", BUCKET "/test$file.text",
     HEADERS({"Date", "Fri, 24 May 2013 00:00:00 GMT"},
	     {"x-amz-storage-class", "REDUCED_REDUNDANCY"}),
     2, "Welcome to Amazon S3.",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"PUT Object, its name encoded", "PUT", BUCKET "/test%24file.text",
     HEADERS({"Date", "Fri, 24 May 2013 00:00:00 GMT"},
	     {"x-amz-storage-class", "REDUCED_REDUNDANCY"}),
     2, "Welcome to Amazon S3.",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
};

static void
test_s3(void **state)
{
	const struct sigv4_keys keys = {.id = "AKIAIOSFODNN7EXAMPLE",
					.secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
	const struct sigv4_scope scope = {
	    .region = "us-east-1", .service = "s3", .time_s = 1369353600};

	(void)state;
	for (size_t i = 0; i < sizeof(s3_documentation) / sizeof(s3_documentation[0]); i++) {
		struct sigv4_request request = {
		    .method = s3_documentation[i].method,
		    .url = s3_documentation[i].url,
		    .headers = s3_documentation[i].headers,
		    .header_count = s3_documentation[i].header_count,
		    .body = s3_documentation[i].body,
		    .body_length = strlen(s3_documentation[i].body),
		};

		expect(s3_documentation[i].name, &keys, &scope, &request,
		       s3_documentation[i].signature);
	}
}

static void
test_headers(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct sigv4_keys keys = {.id = "id", .secret = "s", .session_token = "to/ken=="};
	const struct sigv4_scope scope = {.region = "eu-1", .service = "s3", .time_s = 0};
	struct sigv4_request request = {
	    .method = "PUT", .url = "https://b.example:9000/x", .body_sha256 = SIGV4_UNSIGNED};
	struct sigv4_signed out;
	struct error err;
	static const char *const expected[][2] = {
	    {"x-amz-date", "19700101T000000Z"},
	    {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"},
	    {"x-amz-security-token", "to/ken=="},
	};
	static const char start[] =
	    "AWS4-HMAC-SHA256 Credential=id/19700101/eu-1/s3/aws4_request, SignedHeaders="
	    "host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature=";

	(void)state;
	assert_int_equal(sigv4_sign(mem, &keys, &scope, &request, &out, &err), 0);
	assert_int_equal(out.count, 4);
	assert_memory_equal(out.headers[0].value, start, strlen(start));
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(out.headers[i + 1].name, expected[i][0]);
		assert_string_equal(out.headers[i + 1].value, expected[i][1]);
	}
	talloc_free(mem);
}

#define LETTERS_65 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *why;
	struct sigv4_keys keys;
	const char *region, *service, *message;
} credential_cases[] = {
    {"no region",
     {"i", "s", NULL},
     "",
     "s3",
     "the AWS region must be 1 to 64 of a-z, 0-9 and -"},
    {"no region at all",
     {"i", "s", NULL},
     NULL,
     "s3",
     "the AWS region must be 1 to 64 of a-z, 0-9 and -"},
    {"a region that is another host",
     {"i", "s", NULL},
     "evil.example/",
     "s3",
     "the AWS region must be 1 to 64 of a-z, 0-9 and -"},
    {"a long region",
     {"i", "s", NULL},
     LETTERS_65,
     "s3",
     "the AWS region must be 1 to 64 of a-z, 0-9 and -"},
    {"a service in capitals",
     {"i", "s", NULL},
     "eu",
     "S3",
     "the AWS service must be 1 to 64 of a-z, 0-9 and -"},
    {"no id",
     {"", "s", NULL},
     "eu",
     "s3",
     "the AWS access key id is empty, too long or has strange characters"},
    {"an id that adds to the scope",
     {"i/20200101", "s", NULL},
     "eu",
     "s3",
     "the AWS access key id is empty, too long or has strange characters"},
    {"an id that adds a header",
     {"i\r\nx: y", "s", NULL},
     "eu",
     "s3",
     "the AWS access key id is empty, too long or has strange characters"},
    {"an id with a DEL",
     {"i\x7f", "s", NULL},
     "eu",
     "s3",
     "the AWS access key id is empty, too long or has strange characters"},
    {"an id of no ASCII",
     {"\xc3\xa4", "s", NULL},
     "eu",
     "s3",
     "the AWS access key id is empty, too long or has strange characters"},
    {"no secret",
     {"i", "", NULL},
     "eu",
     "s3",
     "the AWS secret access key is empty or too long"},
    {"no secret at all",
     {"i", NULL, NULL},
     "eu",
     "s3",
     "the AWS secret access key is empty or too long"},
    {"an empty token",
     {"i", "s", ""},
     "eu",
     "s3",
     "the AWS session token is empty, too long or has strange characters"},
    {"a token that adds a header",
     {"i", "s", "t\r\nx: y"},
     "eu",
     "s3",
     "the AWS session token is empty, too long or has strange characters"},
};

static void
test_credentials(void **state)
{
	const struct sigv4_request request = {.method = "GET", .url = HOST};

	(void)state;
	for (size_t i = 0; i < sizeof(credential_cases) / sizeof(credential_cases[0]); i++) {
		const struct sigv4_scope scope = {.region = credential_cases[i].region,
						  .service = credential_cases[i].service};
		struct sigv4_signed out;
		struct error err = {0};
		int result =
		    sigv4_sign(NULL, &credential_cases[i].keys, &scope, &request, &out, &err);

		if (result == 0 || err.code != ERR_CREDENTIALS ||
		    strcmp(err.message, credential_cases[i].message) != 0)
			fail_msg("%s: %d %s", credential_cases[i].why, result, err.message);
	}
}

static const struct {
	const char *why, *method, *url, *hash;
	struct sigv4_header header;
	const char *message;
} request_cases[] = {
    {"a user in the URL",
     "GET",
     "https://u@h/",
     NULL,
     {"a", "b"},
     "the URL to sign has no host, a user, or a host with strange characters"},
    {"a relative URL",
     "GET",
     "/a",
     NULL,
     {"a", "b"},
     "the URL to sign does not begin with http:// or https://"},
    {"two lines of method", "GET\n/", HOST, NULL, {"a", "b"}, "the method to sign is none"},
    {"no method", "", HOST, NULL, {"a", "b"}, "the method to sign is none"},
    {"a hash in capitals",
     "GET",
     HOST,
     "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
     {"a", "b"},
     "the hash of the body must be 64 small hexadecimal digits"},
    {"a short hash",
     "GET",
     HOST,
     "e3b0",
     {"a", "b"},
     "the hash of the body must be 64 small hexadecimal digits"},
    {"another word",
     "GET",
     HOST,
     "unsigned-payload",
     {"a", "b"},
     "the hash of the body must be 64 small hexadecimal digits"},
    {"a header within a header",
     "GET",
     HOST,
     NULL,
     {"a", "b\r\nc: d"},
     "a header to sign holds a control character"},
    {"a DEL", "GET", HOST, NULL, {"a", "b\x7f"}, "a header to sign holds a control character"},
    {"a name with a colon",
     "GET",
     HOST,
     NULL,
     {"a:b", "c"},
     "a header to sign has a name that is none"},
    {"no name", "GET", HOST, NULL, {"", "c"}, "a header to sign has a name that is none"},
};

static void
test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(request_cases) / sizeof(request_cases[0]); i++) {
		const struct sigv4_request request = {.method = request_cases[i].method,
						      .url = request_cases[i].url,
						      .headers = &request_cases[i].header,
						      .header_count = 1,
						      .body_sha256 = request_cases[i].hash};
		struct sigv4_signed out;
		struct error err = {0};
		int result = sigv4_sign(NULL, &suite_keys, &suite_scope, &request, &out, &err);

		if (result == 0 || err.code != ERR_BAD_REQUEST ||
		    strcmp(err.message, request_cases[i].message) != 0)
			fail_msg("%s: %d %s", request_cases[i].why, result, err.message);
	}
}

static const struct {
	size_t id, secret, token;
	int result;
} length_cases[] = {
    {128, 1024, 16384, 0},
    {129, 1024, 16384, -1},
    {128, 1025, 16384, -1},
    {128, 1024, 16385, -1},
};

static void
test_lengths(void **state)
{
	const struct sigv4_request request = {.method = "GET", .url = HOST};
	TALLOC_CTX *mem = talloc_new(NULL);
	char *text = talloc_zero_size(mem, 16385 + 1);

	(void)state;
	memset(text, 'x', 16385);
	for (size_t i = 0; i < sizeof(length_cases) / sizeof(length_cases[0]); i++) {
		struct sigv4_keys keys = {
		    .id = text + 16385 - length_cases[i].id,
		    .secret = text + 16385 - length_cases[i].secret,
		    .session_token = text + 16385 - length_cases[i].token,
		};
		struct sigv4_signed out;
		struct error err;

		assert_int_equal(sigv4_sign(mem, &keys, &suite_scope, &request, &out, &err),
				 length_cases[i].result);
	}
	talloc_free(mem);
}

static void
test_limits(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct sigv4_header *headers =
	    talloc_array(mem, struct sigv4_header, SIGV4_HEADERS_MAX + 1);
	struct sigv4_keys keys = {.id = "i", .secret = "s", .session_token = "t"};
	struct sigv4_scope scope = suite_scope;
	struct sigv4_request request = {.method = "GET", .url = HOST, .headers = headers};
	struct sigv4_signed out;
	struct error err;
	char *text = talloc_zero_size(mem, 65536 + 2);

	(void)state;
	memset(text, 'v', 65536 + 1);
	for (unsigned i = 0; i <= SIGV4_HEADERS_MAX; i++)
		headers[i] =
		    (struct sigv4_header){talloc_asprintf(mem, "h%u", i), text + 65530};
	scope.is_bare = false;
	request.header_count = SIGV4_HEADERS_MAX;
	assert_int_equal(sigv4_sign(mem, &keys, &scope, &request, &out, &err), 0);
	request.header_count++;
	assert_int_equal(sigv4_sign(mem, &keys, &scope, &request, &out, &err), -1);
	assert_string_equal(err.message, "over 256 headers to sign");
	request.header_count = 1;
	headers[0].value = text;
	assert_int_equal(sigv4_sign(mem, &keys, &scope, &request, &out, &err), -1);
	assert_string_equal(err.message, "a header to sign is over 65536 bytes");
	headers[0].value = text + 1;
	assert_int_equal(sigv4_sign(mem, &keys, &scope, &request, &out, &err), 0);
	scope.time_s = 253402300799;
	assert_int_equal(sigv4_sign(mem, &keys, &scope, &request, &out, &err), 0);
	scope.time_s++;
	assert_int_equal(sigv4_sign(mem, &keys, &scope, &request, &out, &err), -1);
	scope.time_s = INT64_MAX;
	assert_int_equal(sigv4_sign(mem, &keys, &scope, &request, &out, &err), -1);
	assert_string_equal(err.message, "the time is beyond the year 9999");
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_suite),    cmocka_unit_test(test_s3),
	    cmocka_unit_test(test_headers),  cmocka_unit_test(test_credentials),
	    cmocka_unit_test(test_requests), cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
