/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc -- the wire format: headers that are refused, fields that are cut short, and what was put
 * is what is read.
 */
#include "rpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_headers(void **state)
{
	static const struct {
		const char *why;
		unsigned char bytes[RPC_HEADER_BYTES];
		enum rpc_direction direction;
		const char *fault;
	} rows[] = {
	    {"a HELLO", {4, 0, 0, 0, RPC_HELLO, 0, 0, 0}, RPC_FROM_RUN, NULL},
	    {"the largest HELLO", {16, 0, 0, 0, RPC_HELLO, 0, 0, 0}, RPC_FROM_RUN, NULL},
	    {"one byte more",
	     {17, 0, 0, 0, RPC_HELLO, 0, 0, 0},
	     RPC_FROM_RUN,
	     "a message over its maximum"},
	    {"4 GiB",
	     {255, 255, 255, 255, RPC_SAVE, 0, 0, 0},
	     RPC_FROM_RUN,
	     "a message over its maximum"},
	    {"an empty DONE", {0, 0, 0, 0, RPC_DONE, 0, 0, 0}, RPC_FROM_RUN, NULL},
	    {"a DONE with more",
	     {1, 0, 0, 0, RPC_DONE, 0, 0, 0},
	     RPC_FROM_RUN,
	     "a message over its maximum"},
	    {"no type", {0, 0, 0, 0, 0, 0, 0, 0}, RPC_FROM_RUN, "unknown message"},
	    {"a type too high",
	     {0, 0, 0, 0, RPC_COUNT, 0, 0, 0},
	     RPC_FROM_RUN,
	     "unknown message"},
	    {"the high byte", {0, 0, 0, 0, RPC_DONE, 1, 0, 0}, RPC_FROM_RUN, "unknown message"},
	    {"the zero is not zero",
	     {0, 0, 0, 0, RPC_DONE, 0, 1, 0},
	     RPC_FROM_RUN,
	     "unknown message"},
	    {"what only the server says",
	     {0, 0, 0, 0, RPC_ANSWER, 0, 0, 0},
	     RPC_FROM_RUN,
	     "a message of the other side"},
	    {"what only a zygote says",
	     {12, 0, 0, 0, RPC_STARTED, 0, 0, 0},
	     RPC_FROM_RUN,
	     "a message of the other side"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rpc_header header;
		const char *fault = rpc_header_read(rows[i].bytes, rows[i].direction, &header);

		if ((fault == NULL) != (rows[i].fault == NULL) ||
		    (fault != NULL && strcmp(fault, rows[i].fault) != 0))
			fail_msg("%s: %s", rows[i].why, fault == NULL ? "taken" : fault);
	}
}

static void
test_fields(void **state)
{
	char bytes[64], *end;
	struct rpc_in in;
	size_t length;

	(void)state;
	end = rpc_put_u32(bytes, 0x89abcdef);
	end = rpc_put_u64(end, 0x0123456789abcdef);
	end = rpc_put_text(end, "text", 4);
	end = rpc_put_text(end, NULL, 0);
	end = rpc_put_text(end, "", 0);
	for (size_t cut = 0; cut <= (size_t)(end - bytes); cut++) {
		char *copy = malloc(cut + 1); /* AddressSanitizer guards its end */
		const char *text;

		memcpy(copy, bytes, cut);
		copy = realloc(copy, cut == 0 ? 1 : cut);
		in = rpc_in(copy, cut);
		assert_int_equal(rpc_in_u32(&in), cut < 4 ? 0 : 0x89abcdef);
		assert_true(rpc_in_u64(&in) == (cut < 12 ? 0 : 0x0123456789abcdef));
		text = rpc_in_text(&in, &length);
		assert_int_equal(text != NULL, cut >= 20);
		assert_int_equal(length, cut >= 20 ? 4 : 0);
		assert_null(rpc_in_text(&in, &length));
		text = rpc_in_text(&in, &length);
		assert_int_equal(text != NULL, cut >= 28);
		assert_int_equal(rpc_in_is_over(&in), cut == 28);
		free(copy);
	}
	in = rpc_in(bytes, (size_t)(end - bytes));
	rpc_in_u32(&in);
	assert_false(rpc_in_is_over(&in)); /* more is left */
}

/* A text whose length says more than the payload has. */
static void
test_long_text(void **state)
{
	char bytes[8];
	struct rpc_in in;
	size_t length;

	(void)state;
	rpc_put_u32(bytes, 0xfffffffe);
	in = rpc_in(bytes, sizeof(bytes));
	assert_null(rpc_in_text(&in, &length));
	assert_true(in.is_bad);
}

static void
test_table(void **state)
{
	(void)state;
	for (int type = 1; type < RPC_COUNT; type++) {
		assert_true(strlen(rpc_name((enum rpc_type)type)) > 0);
		assert_true(strlen(rpc_doc((enum rpc_type)type)) > 10);
		assert_true(rpc_max((enum rpc_type)type) <= 128u << 20);
	}
	/* Numbers are never given again: a runner of another build would misread them. */
	assert_int_equal(RPC_LOAD, 1);
	assert_int_equal(RPC_HELLO, 11);
	assert_int_equal(RPC_DONE, 21);
	assert_int_equal(RPC_LEAVE, 22);
	assert_int_equal(RPC_LOOKUP, 24);
	assert_int_equal(RPC_COUNT, 25);
	assert_int_equal(RPC_VERSION, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_long_text),
	    cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
