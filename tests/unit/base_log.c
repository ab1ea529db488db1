/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log: what looks like a secret is not written.
 */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *why, *text, *out;
} cases[] = {
    {"plain text stays", "run 12 of acme: 3 pages", "run 12 of acme: 3 pages"},
    {"a bearer token", "authorization: Bearer abc.def", "authorization: Bearer [redacted]"},
    {"a basic pair", "Authorization: Basic dTpw", "Authorization: Basic [redacted]"},
    {"a raw header value", "Authorization: abcdef", "Authorization: [redacted]"},
    {"a JSON member", "{\"apiKey\":\"k-1\",\"a\":1}", "{\"apiKey\":\"[redacted]\",\"a\":1}"},
    {"escaped JSON", "{\\\"password\\\": \\\"p\\\"}", "{\\\"password\\\": \\\"[redacted]\"}"},
    {"a form member", "grant=x&token=t1&next=2", "grant=x&token=[redacted]&next=2"},
    {"a setting", "NANGO_ENCRYPTION_KEY=abc=", "NANGO_ENCRYPTION_KEY=[redacted]"},
    {"a key of an environment", "secret_key: 1-2-3", "secret_key: [redacted]"},
    {"a password in a URL", "postgres://u:pw@host/db", "postgres://u:[redacted]@host/db"},
    {"a URL without one", "https://host:8080/a", "https://host:8080/a"},
    {"a cookie", "set-cookie: sid=1", "set-cookie: [redacted]"},
    {"the word alone is no secret", "the token was refused", "the token was refused"},
    {"part of a longer word is none", "tokens: 5", "tokens: 5"},
};

static void
test_redaction(void **state)
{
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		log_redact(out, sizeof(out), cases[i].text);
		if (strcmp(out, cases[i].out) != 0)
			fail_msg("%s: \"%s\"", cases[i].why, out);
	}
}

static void
test_small_buffer(void **state)
{
	char out[8];

	(void)state;
	log_redact(out, sizeof(out), "token=abcdefghijklmnop");
	assert_string_equal(out, "token=[");
}

static void
test_levels(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("warn"), LOG_WARN);
	assert_int_equal(log_level_parse("loud"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_redaction),
	    cmocka_unit_test(test_small_buffer),
	    cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
