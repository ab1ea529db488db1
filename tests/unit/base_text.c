/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: YAML with places, JSON of our own, times, ids, base64, sealing, settings.
 */
#include "base/clock.h"
#include "base/config.h"
#include "base/crypto.h"
#include "base/id.h"
#include "base/json.h"
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *why, *text, *message; /* NULL: it is read */
} yaml_cases[] = {
    {"a mapping", "a: 1\nb: [x, 'y']\n", NULL},
    {"an alias is the same node", "a: &x [1]\nb: *x\n", NULL},
    {"duplicate keys", "a: 1\nb: 2\na: 3\n",
     "t:3:1: duplicate key \"a\" (first at line 1): remove one"},
    {"merge keys", "a: &x {k: 1}\nb:\n  <<: *x\n",
     "t:3:3: merge keys (<<) are not supported: write the members out"},
    {"aliases of aliases, more than anybody wrote",
     "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
     "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
     "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
     "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
     "e: [*d, *d, *d, *d]\n",
     "t:5:9: too many nodes"},
    {"tags", "a: !!int 1\n", "t:1:4: tags (!…) are not supported"},
    {"two documents", "a: 1\n---\nb: 2\n", "t:2:1: only one document a file"},
    {"nothing", "", "t: the document is empty"},
    {"only a comment", "# x\n", "t: the document is empty"},
    {"a list as key", "[1]: 2\n", "t:1:1: a key must be plain text"},
    {"an unknown alias", "a: *x\n", "t:1:4: no such anchor before this place"},
    {"a tab", "a:\n\t- 1\n", "t:2:1: found character that cannot start any token"},
    {"an open bracket", "a: [1\n", "t:2:1: did not find expected ',' or ']'"},
};

static void
test_yaml(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(yaml_cases) / sizeof(yaml_cases[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct yaml_node *root;
		struct error err = {0};
		int result = yaml_parse(mem, "t", yaml_cases[i].text,
					strlen(yaml_cases[i].text), &root, &err);

		if ((result == 0) != (yaml_cases[i].message == NULL) ||
		    (result < 0 && strcmp(err.message, yaml_cases[i].message) != 0))
			fail_msg("%s: %s", yaml_cases[i].why, err.message);
		talloc_free(mem);
	}
}

static void
test_yaml_scalars(void **state)
{
	static const char text[] = "[on, no, 1.10, '2', 3, true, ~, 1e3, 0x10, 12abc, \"\"]";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct yaml_node *root;
	struct error err;

	(void)state;
	assert_int_equal(yaml_parse(mem, "t", text, strlen(text), &root, &err), 0);
	assert_string_equal(root->items[0]->text, "on");
	assert_string_equal(root->items[2]->text, "1.10");
	assert_string_equal(
	    json_text(mem, json_own(mem, yaml_to_json(root))),
	    "[\"on\",\"no\",1.10,\"2\",3,true,null,1e3,\"0x10\",\"12abc\",\"\"]");
	talloc_free(mem);
}

static void
test_yaml_bombs(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct yaml_node *root;
	struct error err;
	char deep[4096];

	(void)state;
	memset(deep, '[', sizeof(deep));
	assert_int_equal(yaml_parse(mem, "t", deep, sizeof(deep), &root, &err), -1);
	assert_non_null(strstr(err.message, "nested too deeply"));
	talloc_free(mem);
}

static void
test_json(void **state)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {{"{\"a\":1}", 0},
		    {"5", 0},
		    {"\"x\"", 0},
		    {"null", 0},
		    {"{'a':1}", -1},
		    {"NaN", -1},
		    {"01", -1},
		    {"[1,]", -1},
		    {"{\"a\":1}x", -1},
		    {"\"\\ud800\"", -1},
		    {"", -1},
		    {"18446744073709551615", 0},
		    {"18446744073709551616", -1},
		    {"[1,-99999999999999999999]", -1},
		    {"\"99999999999999999999\"", 0},
		    {"99999999999999999999.5", 0},
		    {"1e400", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct json_object *tree;
		struct error err;

		if (json_parse(mem, rows[i].text, strlen(rows[i].text), &tree, &err) !=
		    rows[i].result)
			fail_msg("%s", rows[i].text);
		talloc_free(mem);
	}
}

static void
test_json_sorted(void **state)
{
	static const char text[] = "{\"b\":[{\"d\":1,\"c\":null}],\"a\":\"x/y\"}";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct json_object *tree;
	struct error err;

	(void)state;
	assert_int_equal(json_parse(mem, text, strlen(text), &tree, &err), 0);
	assert_string_equal(json_text_sorted(mem, tree),
			    "{\"a\":\"x/y\",\"b\":[{\"c\":null,\"d\":1}]}");
	assert_string_equal(json_text_shared(mem, tree), text);
	talloc_free(mem);
}

static void
test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} rows[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    {"2026-11-23T20:25:00.123Z", 1795465500123},
	    {"2026-11-23T21:25:00.123456+01:00", 1795465500123},
	    {"2026-11-23 20:25:00Z", 1795465500000},
	    {"Mon, 23 Nov 2026 20:25:00 GMT", 1795465500000},
	    {"2026-11-23", -1},
	    {"2026-11-23T20:25:00", -1},
	    {"2026-11-23T20:25:00.Z", -1},
	    {"2026-11-23T20:25:00Zx", -1},
	    {"", -1},
	};
	char text[CLOCK_ISO_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = -1;

		if (clock_parse(rows[i].text, &ms) < 0)
			ms = -1;
		if (ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].text, (long long)ms);
	}
	clock_iso(text, 1795465500123);
	assert_string_equal(text, "2026-11-23T20:25:00.123Z");
}

static void
test_ids(void **state)
{
	char one[ID_UUID_MAX], two[ID_UUID_MAX];

	(void)state;
	id_uuid4(one);
	id_uuid4(two);
	assert_true(id_is_uuid4(one));
	assert_string_not_equal(one, two);
	assert_false(id_is_uuid4("00000000-0000-1000-8000-000000000000")); /* version 1 */
	assert_false(id_is_uuid4("00000000-0000-4000-7000-000000000000")); /* variant */
	assert_false(id_is_uuid4("00000000-0000-4000-8000-00000000000"));
	assert_false(id_is_uuid4("00000000-0000-4000-8000-00000000000g"));
}

static void
test_base64(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	size_t length;

	(void)state;
	assert_string_equal(crypto_base64(mem, "ab", 2), "YWI=");
	assert_string_equal((char *)crypto_unbase64(mem, "YWI=", &length), "ab");
	assert_int_equal(length, 2);
	assert_null(crypto_unbase64(mem, "YWI", &length));
	assert_null(crypto_unbase64(mem, "Y=I=", &length));
	assert_null(crypto_unbase64(mem, "YW-_", &length));
	assert_null(crypto_unbase64(mem, "", &length));
	assert_string_equal(crypto_base64url(mem, "\xfb\xff\xfe~", 4), "-__-fg");
	assert_memory_equal(crypto_unbase64url(mem, "-__-fg.", 6, &length), "\xfb\xff\xfe~", 4);
	assert_int_equal(length, 4);
	assert_null(crypto_unbase64url(mem, "-__-fh", 6, &length)); /* bits of no byte */
	assert_null(crypto_unbase64url(mem, "-__-f", 5, &length));
	assert_null(crypto_unbase64url(mem, "+__-fg", 6, &length));
	assert_null(crypto_unbase64url(mem, "-__-fg==", 8, &length));
	assert_null(crypto_unbase64url(mem, "-__\0fg", 6, &length));
	assert_memory_equal(crypto_unhex(mem, "00fFA9", &length), "\0\xff\xa9", 3);
	assert_int_equal(length, 3);
	assert_null(crypto_unhex(mem, "0", &length));
	assert_null(crypto_unhex(mem, "0g", &length));
	talloc_free(mem);
}

/* RFC 5869 has no vector without salt and with this length but test case 3's start. */
static void
test_derive(void **state)
{
	unsigned char key[32] = {1}, a[32], b[32];

	(void)state;
	crypto_derive(a, key, "one");
	crypto_derive(b, key, "two");
	assert_memory_not_equal(a, b, 32);
	crypto_derive(b, key, "one");
	assert_memory_equal(a, b, 32);
}

static void
test_seal(void **state)
{
	unsigned char key[32] = {7}, nonce[12] = {9}, sealed[5 + 16], open[5];
	struct error err;

	(void)state;
	crypto_seal(sealed, key, nonce, "place", 5, "hello", 5);
	assert_int_equal(crypto_open(open, key, nonce, "place", 5, sealed, 21, &err), 0);
	assert_memory_equal(open, "hello", 5);
	assert_int_equal(crypto_open(open, key, nonce, "other", 5, sealed, 21, &err), -1);
	assert_int_equal(err.code, ERR_DECRYPT);
	sealed[0] ^= 1;
	assert_int_equal(crypto_open(open, key, nonce, "place", 5, sealed, 21, &err), -1);
}

static void
test_config(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct config config;
	struct error err;

	(void)state;
	unsetenv("NANGO_RUNS_MAX");
	unsetenv("NANGO_LOG");
	assert_int_equal(config_load(mem, NULL, &config, &err), 0);
	assert_int_equal(config.runs_max, 200);
	assert_string_equal(config.log_level, "info");
	setenv("NANGO_RUNS_MAX", "5", 1);
	assert_int_equal(config_load(mem, NULL, &config, &err), 0);
	assert_int_equal(config.runs_max, 5);
	assert_int_equal(config_set(mem, &config, "NANGO_LOG", "err", &err), -1);
	assert_string_equal(err.message,
			    "NANGO_LOG is \"err\": give one of debug|info|warn|error");
	unsetenv("NANGO_RUNS_MAX");
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_yaml),	cmocka_unit_test(test_yaml_scalars),
	    cmocka_unit_test(test_yaml_bombs),	cmocka_unit_test(test_json),
	    cmocka_unit_test(test_json_sorted), cmocka_unit_test(test_times),
	    cmocka_unit_test(test_ids),		cmocka_unit_test(test_base64),
	    cmocka_unit_test(test_derive),	cmocka_unit_test(test_seal),
	    cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
