/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks: what becomes of a delivery after an attempt, and what bodies say.
 */
#include "engine/hooks_message.h"
#include "engine/hooks_retry.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HOUR INT64_C(3600000)
#define MIDDLE 32767 /* a jitter that changes a wait by less than a millionth */

static const struct {
	const char *why;
	struct hooks_attempt attempt;
	const char *state;
	int64_t wait_ms; /* about */
} verdicts[] = {
    {"any 2xx is success", {.status = 200, .number = 1}, "delivered", 0},
    {"also the last of them", {.status = 299, .number = 9}, "delivered", 0},
    {"success is success however old", {.status = 204, .age_ms = 999 * HOUR}, "delivered", 0},
    {"redirects are not followed", {.status = 302, .number = 1}, "dead", 0},
    {"the receiver does not want it", {.status = 410, .number = 1}, "dead", 0},
    {"nor understands it", {.status = 400, .number = 1}, "dead", 0},
    {"its proxy took too long", {.status = 408, .number = 1}, "due", 5000},
    {"it has too much to do", {.status = 429, .number = 1}, "due", 5000},
    {"it is broken", {.status = 500, .number = 1}, "due", 5000},
    {"it is being deployed", {.status = 503, .number = 2}, "due", 30000},
    {"statuses beyond 5xx pass like those", {.status = 599, .number = 3}, "due", 120000},
    {"no answer passes", {.code = ERR_NETWORK, .number = 5}, "due", HOUR / 2},
    {"the waits grow to half a day", {.code = ERR_NETWORK, .number = 10}, "due", 12 * HOUR},
    {"and stay there", {.status = 500, .number = 11}, "due", 12 * HOUR},
    {"an address that is refused stays so", {.code = ERR_EGRESS, .number = 1}, "dead", 0},
    {"a URL that is none stays so", {.code = ERR_BAD_REQUEST, .number = 1}, "dead", 0},
    {"the last wait ends within the ceiling",
     {.status = 500, .number = 11, .age_ms = 60 * HOUR - 1000},
     "due",
     12 * HOUR},
    {"one beyond it is not begun",
     {.status = 500, .number = 11, .age_ms = 60 * HOUR + 1000},
     "dead",
     0},
    {"Retry-After in seconds",
     {.status = 429, .number = 1, .retry_after = "120"},
     "due",
     120000},
    {"one that is shorter than our wait is no reason to hurry",
     {.status = 429, .number = 2, .retry_after = "1"},
     "due",
     30000},
    {"Retry-After as a date",
     {.status = 503, .number = 1, .retry_after = "Thu, 01 Jan 1970 00:10:00 GMT"},
     "due",
     600000},
    {"a date that is over",
     {.status = 503, .number = 1, .retry_after = "Wed, 31 Dec 1969 00:00:00 GMT"},
     "due",
     5000},
    {"nonsense is not heeded",
     {.status = 503, .number = 1, .retry_after = "soon"},
     "due",
     5000},
    {"nor is a month",
     {.status = 503, .number = 1, .retry_after = "2592000"},
     "due",
     24 * HOUR},
    {"nor more than 64 bits",
     {.status = 503, .number = 1, .retry_after = "99999999999999999999"},
     "due",
     24 * HOUR},
};

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct hooks_verdict v =
		    hooks_decide(&verdicts[i].attempt, 72 * HOUR, MIDDLE, 0);
		int64_t off = v.wait_ms - verdicts[i].wait_ms;

		if (strcmp(v.state, verdicts[i].state) != 0 || off > 500 || off < -500)
			fail_msg("%s: %s after %lld ms", verdicts[i].why, v.state,
				 (long long)v.wait_ms);
	}
}

static void
test_jitter(void **state)
{
	const struct hooks_attempt attempt = {.status = 500, .number = 6};

	(void)state;
	assert_int_equal(hooks_decide(&attempt, 72 * HOUR, 0, 0).wait_ms, HOUR * 8 / 10);
	assert_int_equal(hooks_decide(&attempt, 72 * HOUR, UINT16_MAX, 0).wait_ms,
			 HOUR * 12 / 10);
	assert_string_equal(hooks_decide(&attempt, 0, 0, 0).state, "dead");
}

static const struct {
	const char *why;
	struct outbox_event event;
	const char *body;
} bodies[] = {
    {"changes of a model",
     {.kind = OUTBOX_SYNC,
      .model = "Item",
      .added = 1,
      .deleted = 2,
      .created_ms = 1700000000123,
      .facts = "{\"connectionId\":\"c\",\"providerConfigKey\":\"p\",\"syncName\":\"s\","
	       "\"syncVariant\":\"base\",\"syncType\":\"INITIAL\",\"startedAt\":\"x\"}",
      .outcome = "{\"checkpoints\":{\"to\":{\"b\":1,\"a\":1.10},\"from\":null},"
		 "\"failedAt\":\"y\",\"error\":{\"type\":\"t\"}}"},
     "{\"checkpoints\":{\"from\":null,\"to\":{\"a\":1.10,\"b\":1}},\"connectionId\":\"c\","
     "\"from\":\"nango\",\"model\":\"Item\",\"modifiedAfter\":\"2023-11-14T22:13:20.123Z\","
     "\"providerConfigKey\":\"p\",\"queryTimeStamp\":\"2023-11-14T22:13:20.123Z\","
     "\"responseResults\":{\"added\":1,\"deleted\":2,\"updated\":0},\"success\":true,"
     "\"syncName\":\"s\",\"syncType\":\"INITIAL\",\"syncVariant\":\"base\","
     "\"type\":\"sync\"}"},
    {"a failure, whose payload is taken over",
     {.kind = OUTBOX_SYNC_ERROR,
      .model = "Item",
      .facts = "{\"connectionId\":\"c\",\"startedAt\":\"x\"}",
      .outcome = "{\"failedAt\":\"y\",\"error\":{\"type\":\"t\",\"description\":\"d\","
		 "\"payload\":[1]}}"},
     "{\"connectionId\":\"c\",\"error\":{\"description\":\"d\",\"payload\":[1],"
     "\"type\":\"t\"},\"failedAt\":\"y\",\"from\":\"nango\",\"model\":\"Item\","
     "\"startedAt\":\"x\",\"success\":false,\"type\":\"sync\"}"},
    {"characters are escaped as JSON.stringify does",
     {.kind = OUTBOX_AUTH_CREATION,
      .facts = "{\"a\":\"\\u002f\\u00e9\\u2028\\u0001\\n\\\"\\\\\"}",
      .outcome = "{}"},
     "{\"a\":\"/\303\251\342\200\250\\u0001\\n\\\"\\\\\",\"from\":\"nango\","
     "\"type\":\"auth\"}"},
};

static void
test_bodies(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct outbox_event unknown = {.kind = "other", .facts = "{}", .outcome = "{}"};
	struct error err;
	char *body;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		if (hooks_body(mem, &bodies[i].event, &body, &err) < 0)
			fail_msg("%s: %s", bodies[i].why, err.message);
		assert_string_equal(body, bodies[i].body);
	}
	assert_int_equal(hooks_body(mem, &unknown, &body, &err), -1);
	talloc_free(mem);
}

static const struct {
	const char *why;
	struct outbox_event event;
	struct webhook_settings settings;
	bool is_wanted;
} wishes[] = {
    {"changes always", {.kind = OUTBOX_SYNC, .deleted = 1}, {0}, true},
    {"no changes: never", {.kind = OUTBOX_SYNC}, {.on_sync_error = true}, false},
    {"unless asked for", {.kind = OUTBOX_SYNC}, {.on_sync_completion_always = true}, true},
    {"failures if asked for", {.kind = OUTBOX_SYNC_ERROR}, {.on_sync_error = true}, true},
    {"and else not", {.kind = OUTBOX_SYNC_ERROR, .added = 1}, {0}, false},
    {"creation", {.kind = OUTBOX_AUTH_CREATION}, {.on_auth_creation = true}, true},
    {"no creation", {.kind = OUTBOX_AUTH_CREATION}, {0}, false},
    {"an override has no switch", {.kind = OUTBOX_AUTH_OVERRIDE}, {0}, true},
    {"refresh", {.kind = OUTBOX_AUTH_REFRESH}, {.on_auth_refresh_error = true}, true},
    {"no refresh", {.kind = OUTBOX_AUTH_REFRESH}, {.on_auth_creation = true}, false},
};

static void
test_wishes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (hooks_is_wanted(&wishes[i].settings, &wishes[i].event) !=
		    wishes[i].is_wanted)
			fail_msg("%s", wishes[i].why);
}

/* The keys are sorted, and what is not known is absent. */
static void
test_auth_facts(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct hooks_auth auth = {.operation = "refresh",
					.connection_id = "c",
					.integration_key = "k",
					.provider = "p",
					.auth_mode = "OAUTH2",
					.environment = "dev",
					.error_type = "refresh_token_external_error",
					.error_description = "no"};
	struct outbox_event event = {.kind = OUTBOX_AUTH_REFRESH, .outcome = "{}"};
	struct error err;
	char *body;

	(void)state;
	event.facts = hooks_auth_facts(mem, &auth);
	assert_int_equal(hooks_body(mem, &event, &body, &err), 0);
	assert_string_equal(
	    body,
	    "{\"authMode\":\"OAUTH2\",\"connectionId\":\"c\",\"environment\":\"dev\","
	    "\"error\":{\"description\":\"no\",\"type\":\"refresh_token_external_error\"},"
	    "\"from\":\"nango\",\"operation\":\"refresh\",\"provider\":\"p\","
	    "\"providerConfigKey\":\"k\",\"success\":false,\"type\":\"auth\"}");
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),   cmocka_unit_test(test_jitter),
	    cmocka_unit_test(test_bodies),     cmocka_unit_test(test_wishes),
	    cmocka_unit_test(test_auth_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
