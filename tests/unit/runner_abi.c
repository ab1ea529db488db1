/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_abi -- the golden dump of SDK ABI 1.2: sizes and offsets of everything that crosses
 * between a plugin and the runner. A row may never change; a new member is a new row, a raised
 * NANGO_ABI_MINOR and a line in sdk/ABI.md.
 */
#include <nango/plugin.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SIZE(type, size)                         \
	{                                        \
#type, sizeof(struct type), size \
	}
#define AT(type, member, offset)                                         \
	{                                                                \
#type "." #member, offsetof(struct type, member), offset \
	}

static const struct {
	const char *name;
	size_t is, was;
} rows[] = {
    SIZE(nango_value, 24),
    AT(nango_value, calls, 0),
    AT(nango_value, data, 8),
    AT(nango_value, length, 16),
    SIZE(nango_pair, 16),
    AT(nango_pair, name, 0),
    AT(nango_pair, value, 8),
    SIZE(nango_run, 8),
    SIZE(nango_pages, 8),
    SIZE(nango_request, 88),
    AT(nango_request, size, 0),
    AT(nango_request, retries, 4),
    AT(nango_request, method, 8),
    AT(nango_request, path, 16),
    AT(nango_request, query, 24),
    AT(nango_request, headers, 32),
    AT(nango_request, body, 40),
    AT(nango_request, body_length, 48),
    AT(nango_request, content_type, 56),
    AT(nango_request, accept, 64),
    AT(nango_request, timeout_ms, 72),
    AT(nango_request, pages, 80),
    SIZE(nango_pagination, 88),
    AT(nango_pagination, kind, 4),
    AT(nango_pagination, items, 8),
    AT(nango_pagination, limit_name, 16),
    AT(nango_pagination, limit, 24),
    AT(nango_pagination, start, 28),
    AT(nango_pagination, cursor_name, 32),
    AT(nango_pagination, cursor_path, 40),
    AT(nango_pagination, link_rel, 48),
    AT(nango_pagination, link_path, 56),
    AT(nango_pagination, offset_name, 64),
    AT(nango_pagination, by_page, 72),
    AT(nango_pagination, place, 76),
    AT(nango_pagination, more_path, 80),
    SIZE(nango_page, 48),
    AT(nango_page, status, 4),
    AT(nango_page, next, 8),
    AT(nango_page, body, 16),
    AT(nango_page, headers, 40),
    SIZE(nango_response, 48),
    AT(nango_response, status, 4),
    AT(nango_response, body, 8),
    AT(nango_response, headers, 32),
    AT(nango_response, is_json, 40),
    SIZE(nango_writer, 24),
    AT(nango_writer, run, 0),
    AT(nango_writer, at, 8),
    AT(nango_writer, end, 16),
    SIZE(nango_sync, 24),
    AT(nango_sync, name, 8),
    AT(nango_sync, run, 16),
    SIZE(nango_action, 24),
    AT(nango_action, name, 8),
    AT(nango_action, run, 16),
    SIZE(nango_plugin, 24),
    AT(nango_plugin, abi_major, 4),
    AT(nango_plugin, abi_minor, 6),
    AT(nango_plugin, syncs, 8),
    AT(nango_plugin, actions, 16),
    SIZE(nango_deletes, 16),
    AT(nango_deletes, complete, 4),
    AT(nango_deletes, force, 8),
    SIZE(nango_calls, 280), /* 216 in ABI 1.0, 272 in 1.1 */
    AT(nango_calls, abi_major, 4),
    AT(nango_calls, abi_minor, 6),
    AT(nango_calls, value_type, 8),
    AT(nango_calls, value_at, 16),
    AT(nango_calls, value_next, 24),
    AT(nango_calls, value_next_member, 32),
    AT(nango_calls, value_string, 40),
    AT(nango_calls, value_integer, 48),
    AT(nango_calls, value_number, 56),
    AT(nango_calls, value_boolean, 64),
    AT(nango_calls, http, 72),
    AT(nango_calls, paginate, 80),
    AT(nango_calls, next_page, 88),
    AT(nango_calls, save_begin, 96),
    AT(nango_calls, save_end, 104),
    AT(nango_calls, commit, 112),
    AT(nango_calls, writer_grow, 120),
    AT(nango_calls, write_string, 128),
    AT(nango_calls, write_number, 136),
    AT(nango_calls, checkpoint, 144),
    AT(nango_calls, metadata, 152),
    AT(nango_calls, input, 160),
    AT(nango_calls, output, 168),
    AT(nango_calls, log, 176),
    AT(nango_calls, fail, 184),
    AT(nango_calls, allocate, 192),
    AT(nango_calls, keep, 200),
    AT(nango_calls, connection_id, 208),
    AT(nango_calls, change_begin, 216),
    AT(nango_calls, records_by_ids, 224),
    AT(nango_calls, records, 232),
    AT(nango_calls, deletes_start, 240),
    AT(nango_calls, deletes_end, 248),
    AT(nango_calls, walk_complete, 256),
    AT(nango_calls, clear_checkpoint, 264),
    AT(nango_calls, page, 272),
};

static void
test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].is != rows[i].was)
			fail_msg("%s is %zu, ABI 1.2 says %zu", rows[i].name, rows[i].is,
				 rows[i].was);
	}
}

static void
test_constants(void **state)
{
	(void)state;
	assert_int_equal(NANGO_ABI_MAJOR, 1);
	assert_int_equal(NANGO_ABI_MINOR, 2);
	assert_int_equal(NANGO_DELETE, 2);
	assert_int_equal(NANGO_OBJECT, 6);
	assert_int_equal(NANGO_ERROR, 3);
	assert_int_equal(NANGO_PAGE_OFFSET, 3);
	assert_int_equal(NANGO_PLACE_BODY, 2);
	assert_int_equal(NANGO_KIND_EVENT, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden),
	    cmocka_unit_test(test_constants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
