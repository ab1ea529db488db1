/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/wsse: a header computed with sha1sum and base64, and what must be refused.
 */
#include "auth/wsse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const unsigned char nonce[WSSE_NONCE_BYTES] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
						      0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
						      0xcc, 0xdd, 0xee, 0xff};

/* printf 00112233445566778899aabbccddeeff2014-03-20T12:51:45.000Zsecret | sha1sum | … */
static void
test_header(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct error err;
	char *text;

	(void)state;
	assert_int_equal(
	    wsse_header(mem, "customer001", "secret", nonce, 1395319905000, &text, &err), 0);
	assert_string_equal(
	    text, "UsernameToken Username=\"customer001\", "
		  "PasswordDigest=\"ODI0MGUyOWNkY2NiZWMyMmFhOTA5ZGY5YWJkMGVlZGUyZWY1MzI2Yg==\","
		  " Nonce=\"00112233445566778899aabbccddeeff\", "
		  "Created=\"2014-03-20T12:51:45.000Z\"");
	talloc_free(mem);
}

static void
test_nonce_is_made(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct error err;
	char *one, *two;

	(void)state;
	assert_int_equal(wsse_header(mem, "u", "p", NULL, 0, &one, &err), 0);
	assert_int_equal(wsse_header(mem, "u", "p", NULL, 0, &two, &err), 0);
	assert_int_equal(strlen(one), strlen(two));
	assert_string_not_equal(strstr(one, "Nonce="), strstr(two, "Nonce="));
	assert_int_equal(wsse_header(mem, "u", "p", NULL, -1, &two, &err), 0);
	assert_non_null(strstr(two, "Created=\"2"));
	assert_non_null(strstr(one, "Created=\"1970-01-01T00:00:00.000Z\""));
	talloc_free(mem);
}

static const struct {
	const char *why, *username, *password, *message;
} refusals[] = {
    {"no name", "", "p", "the user name is empty or over 1024 bytes"},
    {"no name at all", NULL, "p", "the user name is empty or over 1024 bytes"},
    {"no password", "u", "", "the password is empty or over 1024 bytes"},
    {"no password at all", "u", NULL, "the password is empty or over 1024 bytes"},
    {"a name that ends its quotes", "u\", PasswordDigest=\"x", "p",
     "the user name may hold no quotes, backslashes or control characters"},
    {"a name that escapes them", "u\\", "p",
     "the user name may hold no quotes, backslashes or control characters"},
    {"a name that adds a header", "u\r\nx: y", "p",
     "the user name may hold no quotes, backslashes or control characters"},
};

static void
test_refusals(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	char *text = talloc_zero_size(mem, WSSE_PART_MAX + 2), *out = NULL;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		int result = wsse_header(mem, refusals[i].username, refusals[i].password, nonce,
					 0, &out, &err);

		if (result == 0 || err.code != ERR_CREDENTIALS ||
		    strcmp(err.message, refusals[i].message) != 0)
			fail_msg("%s: %d %s", refusals[i].why, result, err.message);
	}
	memset(text, 'x', WSSE_PART_MAX + 1);
	assert_int_equal(wsse_header(mem, "u", text, nonce, 0, &out, &err), -1);
	assert_int_equal(wsse_header(mem, text, "p", nonce, 0, &out, &err), -1);
	assert_null(out);
	text[WSSE_PART_MAX] = '\0';
	assert_int_equal(wsse_header(mem, text, text, nonce, 0, &out, &err), 0);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_nonce_is_made),
	    cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
