/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonhash and jsonmerge: what counts as a change, and what an update leaves.
 */
#include "base/jsonhash.h"
#include "base/jsonmerge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned char secret[JSONHASH_SECRET_BYTES];

static void
hash_of(unsigned char out[JSONHASH_BYTES], const char *json, const char *const *without)
{
	/* Exactly as many bytes as there are: the sanitizer sees a step too far. */
	char *copy = malloc(strlen(json));

	memcpy(copy, json, strlen(json));
	jsonhash(out, copy, strlen(json), secret, without);
	free(copy);
}

static const char *const volatile_paths[] = {"etag", "meta.at", NULL};

static const struct {
	const char *why, *a, *b;
	int is_same;
	const char *const *without;
} pairs[] = {
    {"itself", "{\"id\":1}", "{\"id\":1}", 1, NULL},
    {"order of members", "{\"id\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"id\":1}", 1, NULL},
    {"order of members within", "{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":2,\"x\":1}}", 1,
     NULL},
    {"order within an array's object", "[{\"x\":1,\"y\":2}]", "[{\"y\":2,\"x\":1}]", 1, NULL},
    {"white space", "{\"a\":[1,2],\"b\":{}}", " { \"a\" : [ 1 , 2 ] ,\n\"b\" : { } } ", 1,
     NULL},
    {"another value", "{\"id\":1}", "{\"id\":2}", 0, NULL},
    {"another name", "{\"id\":1}", "{\"ie\":1}", 0, NULL},
    {"a text is no number", "{\"id\":1}", "{\"id\":\"1\"}", 0, NULL},
    {"a number's text counts", "{\"a\":1}", "{\"a\":1.0}", 0, NULL},
    {"order of an array", "[1,2]", "[2,1]", 0, NULL},
    {"an array is no longer array", "[1,2]", "[1,2,2]", 0, NULL},
    {"values do not move between members", "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", 0, NULL},
    {"members do not move between levels", "{\"a\":{\"b\":1},\"c\":{}}",
     "{\"a\":{},\"c\":{\"b\":1}}", 0, NULL},
    {"arrays do not flatten", "[[1],2]", "[1,[2]]", 0, NULL},
    {"empty object, empty array", "{}", "[]", 0, NULL},
    {"null is not absent", "{\"a\":null}", "{}", 0, NULL},
    {"a member twice is not a member once", "{\"a\":1,\"a\":1}", "{\"a\":1}", 0, NULL},
    {"a member of a wrapped name", "{\"a\\\"b\":1}", "{\"a\\\"c\":1}", 0, NULL},
    {"a text of quotes", "{\"a\":\"\\\\\"}", "{\"a\":\"\\\"\"}", 0, NULL},
    {"volatile at the top", "{\"id\":1,\"etag\":\"a\"}", "{\"etag\":\"b\",\"id\":1}", 1,
     volatile_paths},
    {"volatile and absent", "{\"id\":1,\"etag\":\"a\"}", "{\"id\":1}", 1, volatile_paths},
    {"volatile within", "{\"meta\":{\"at\":1,\"by\":2}}", "{\"meta\":{\"at\":9,\"by\":2}}", 1,
     volatile_paths},
    {"its neighbour counts", "{\"meta\":{\"at\":1,\"by\":2}}", "{\"meta\":{\"at\":1,\"by\":3}}",
     0, volatile_paths},
    {"the same name elsewhere counts", "{\"at\":1}", "{\"at\":2}", 0, volatile_paths},
    {"volatile in a list's items", "{\"meta\":[{\"at\":1},[{\"at\":3}]]}",
     "{\"meta\":[{\"at\":2},[{\"at\":4}]]}", 1, volatile_paths},
    {"their neighbours count", "{\"meta\":[{\"at\":1,\"by\":1}]}",
     "{\"meta\":[{\"at\":1,\"by\":2}]}", 0, volatile_paths},
    {"how many items there are counts", "{\"meta\":[{\"at\":1}]}",
     "{\"meta\":[{\"at\":1},{\"at\":1}]}", 0, volatile_paths},
    {"the last of one name counts", "{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}", 0, NULL},
    {"the last of three", "{\"a\":1,\"a\":2,\"a\":3}", "{\"a\":1,\"a\":3,\"a\":2}", 0, NULL},
    {"within", "{\"o\":{\"b\":0,\"a\":1,\"a\":2}}", "{\"o\":{\"b\":0,\"a\":2,\"a\":1}}", 0,
     NULL},
    {"the other members' order does not", "{\"b\":0,\"a\":1,\"a\":2}",
     "{\"a\":1,\"b\":0,\"a\":2}", 1, NULL},
    {"volatile twice", "{\"etag\":1,\"etag\":2}", "{\"etag\":2,\"etag\":1}", 1, volatile_paths},
};

static void
test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		unsigned char a[JSONHASH_BYTES], b[JSONHASH_BYTES];

		hash_of(a, pairs[i].a, pairs[i].without);
		hash_of(b, pairs[i].b, pairs[i].without);
		if ((memcmp(a, b, sizeof(a)) == 0) != pairs[i].is_same)
			fail_msg("%s: %s and %s", pairs[i].why, pairs[i].a, pairs[i].b);
	}
}

/* {"m0":0,…} with the last of them twice, from the first on or not. */
static void
hash_of_many(unsigned char out[JSONHASH_BYTES], int count, bool is_reversed, int value,
	     int again)
{
	char *json = calloc(1, (size_t)count * 24 + 64), *at = json;

	*at++ = '{';
	for (int i = 0; i < count; i++) {
		int n = is_reversed ? count - 1 - i : i;

		at += sprintf(at, "\"m%d\":%d,", n, n == count - 1 ? value : 0);
	}
	sprintf(at, "\"m%d\":%d}", count - 1, again);
	hash_of(out, json, NULL);
	free(json);
}

static void
test_many_members(void **state)
{
	static const int counts[] = {1, 23, 24, 25, 26, 40, 64, 65, 500, 20000};
	unsigned char hash[JSONHASH_BYTES], other[JSONHASH_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		hash_of_many(hash, counts[i], false, 1, 2);
		hash_of_many(other, counts[i], true, 1, 2);
		assert_memory_equal(hash, other, sizeof(hash));
		hash_of_many(other, counts[i], false, 2, 1);
		if (memcmp(hash, other, sizeof(hash)) == 0)
			fail_msg("the last of %d members, twice: its order counts", counts[i]);
	}
}

static void
test_secret(void **state)
{
	unsigned char a[JSONHASH_BYTES], b[JSONHASH_BYTES];

	(void)state;
	hash_of(a, "{\"id\":\"1\"}", NULL);
	secret[0] ^= 1; /* names are keyed by its first bytes */
	hash_of(b, "{\"id\":\"1\"}", NULL);
	assert_memory_not_equal(a, b, sizeof(a));
	secret[0] ^= 1;
}

/* A value longer than what the hash handles as one block, and every way to cut it short. */
static void
test_long_and_cut(void **state)
{
	static const char *const json = "{\"id\":\"x\",\"n\":{\"a\":[1,{\"b\":\"\\\"\"}],\"t\":"
					"true},\"s\":\"0123456789abcdef\"}";
	unsigned char a[JSONHASH_BYTES], b[JSONHASH_BYTES];
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[0] = '"';
	text[sizeof(text) - 2] = '"';
	text[sizeof(text) - 1] = '\0';
	hash_of(a, text, NULL);
	text[1000] = 'y';
	hash_of(b, text, NULL);
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t n = 0; n < strlen(json); n++) {
		char *cut = malloc(n + 1);

		memcpy(cut, json, n);
		jsonhash(a, cut, n, secret, volatile_paths);
		free(cut);
	}
}

static const struct {
	const char *why, *base, *patch, *out;
} merges[] = {
    {"a member is replaced in its place", "{\"id\":1,\"a\":1,\"b\":2}", "{\"a\":9}",
     "{\"id\":1,\"a\":9,\"b\":2}"},
    {"a new member comes last", "{\"id\":1}", "{\"b\":2,\"a\":1}",
     "{\"id\":1,\"b\":2,\"a\":1}"},
    {"objects deeply", "{\"o\":{\"x\":1,\"y\":{\"z\":1}}}", "{\"o\":{\"y\":{\"w\":2}}}",
     "{\"o\":{\"x\":1,\"y\":{\"z\":1,\"w\":2}}}"},
    {"arrays are replaced", "{\"a\":[1,2,3]}", "{\"a\":[4]}", "{\"a\":[4]}"},
    {"null is a value", "{\"a\":{\"b\":1}}", "{\"a\":null}", "{\"a\":null}"},
    {"an object over a text", "{\"a\":\"x\"}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
    {"numbers keep their text", "{\"a\":1.50,\"b\":18446744073709551616}", "{\"c\":1e400}",
     "{\"a\":1.50,\"b\":18446744073709551616,\"c\":1e400}"},
    {"escaped names are names", "{\"\\u0061\":1}", "{\"a\":2}", "{\"\\u0061\":2}"},
    {"the last of several counts", "{\"a\":1,\"a\":2}", "{\"b\":1,\"b\":3}",
     "{\"a\":2,\"b\":3}"},
    {"nothing over something", "{\"a\":1}", "{}", "{\"a\":1}"},
    {"something over nothing", "{}", "{\"a\":1}", "{\"a\":1}"},
};

static void
test_merge(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct buf out;

		buf_init(&out, mem, 64);
		jsonmerge(&out, jsonspan_trim(merges[i].base, strlen(merges[i].base)),
			  jsonspan_trim(merges[i].patch, strlen(merges[i].patch)));
		if (strcmp(out.data, merges[i].out) != 0)
			fail_msg("%s: %s", merges[i].why, out.data);
		talloc_free(mem);
	}
}

/* ---- several patches ---- */

static struct jsonspan
span(const char *text)
{
	return jsonspan_trim(text, strlen(text));
}

static void
random_object(struct buf *out, unsigned *seed, int depth)
{
	static const char *const values[] = {"1", "null", "\"t\"", "[{\"a\":1}]", "{}"};
	int members = rand_r(seed) % 4;

	buf_addc(out, '{');
	for (int i = 0; i < members; i++) {
		int what = rand_r(seed) % (depth > 0 ? 8 : 5);

		/* "a", "b" and "c", the first now and then escaped */
		buf_addf(out, "%s\"%s\":", i > 0 ? "," : "",
			 (const char *const[]){"a", "b", "c", "\\u0061"}[rand_r(seed) % 4]);
		if (what < 5)
			buf_adds(out, values[what]);
		else
			random_object(out, seed, depth - 1);
	}
	buf_addc(out, '}');
}

#define PATCHES 5

/* All at once are what one after the other are, to the byte. */
static void
test_merge_all(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct jsonspan values[PATCHES + 1];
		struct buf out, step;

		for (size_t i = 0; i <= PATCHES; i++) {
			buf_init(&out, mem, 64);
			random_object(&out, &seed, 3);
			values[i] = span(out.data);
		}
		for (size_t i = 1; i <= PATCHES; i++) {
			buf_init(&step, mem, 64);
			jsonmerge(&step, i == 1 ? values[0] : span(out.data), values[i]);
			out = step;
		}
		buf_init(&step, mem, 64);
		jsonmerge_all(&step, values, PATCHES + 1);
		if (strcmp(step.data, out.data) != 0)
			fail_msg("%s instead of %s (round %d)", step.data, out.data, round);
		assert_int_equal(jsonspan_check(step.data, step.length, NULL), 0);
		talloc_free(mem);
	}
}

/* As long as all of them together, not as their number times that. */
static void
test_merge_many(void **state)
{
	enum { COUNT = 100000 };
	TALLOC_CTX *mem = talloc_new(NULL);
	struct jsonspan *values = talloc_array(mem, struct jsonspan, COUNT + 1);
	struct buf out;

	(void)state;
	values[0] = span("{\"id\":1,\"o\":{\"x\":1}}");
	for (int i = 1; i <= COUNT; i++)
		values[i] =
		    span(talloc_asprintf(mem, "{\"n\":%d,\"o\":{\"m%d\":%d}}", i, i % 3, i));
	buf_init(&out, mem, 64);
	jsonmerge_all(&out, values, COUNT + 1);
	assert_string_equal(out.data, "{\"id\":1,\"o\":{\"x\":1,\"m1\":100000,\"m2\":99998,"
				      "\"m0\":99999},\"n\":100000}");
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pairs),      cmocka_unit_test(test_many_members),
	    cmocka_unit_test(test_secret),     cmocka_unit_test(test_long_and_cut),
	    cmocka_unit_test(test_merge),      cmocka_unit_test(test_merge_all),
	    cmocka_unit_test(test_merge_many),
	};

	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (unsigned char)(i * 37 + 11);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
