/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_redact: the forms in which a provider may send a secret back, none of which is shown.
 */
#include "auth/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define APP "{\"client_id\":\"the-app\",\"client_secret\":\"abc/def\\\"+ghi\"}"
#define CREDENTIALS                                                                     \
	"{\"type\":\"BASIC\",\"username\":\"somebody\",\"password\":\"pa\\\\ss w?rd\"," \
	"\"key\":\"line one\\nline two\",\"pin\":\"12345\"}"

static const struct {
	const char *why, *text, *shown;
} cases[] = {
    {"as it is", "no abc/def\"+ghi here", "no ************ here"},
    {"in a URL", "?s=abc%2Fdef%22%2Bghi&x", "?s=******************&x"},
    {"in JSON", "{\"s\":\"abc/def\\\"+ghi\"}", "{\"s\":\"*************\"}"},
    {"in JSON with slashes escaped, too", "\"abc\\/def\\\"+ghi\"", "\"**************\""},
    {"in JSON by numbers", "\"abc\\u002Fdef\\u0022+ghi\"", "\"**********************\""},
    {"a backslash in JSON", "\"pa\\\\ss w?rd\"", "\"***********\""},
    {"a backslash as it is", "pa\\ss w?rd", "**********"},
    {"lines in JSON", "\"line one\\nline two\"", "\"******************\""},
    /* printf 'the-app:abc/def"+ghi' | base64 */
    {"Basic", "Basic dGhlLWFwcDphYmMvZGVmIitnaGk= was refused",
     "Basic **************************** was refused"},
    /* printf 'a:abc/def"+ghi' | base64 */
    {"behind another id", "YTphYmMvZGVmIitnaGk=", "********************"},
    {"behind none", "<YWJjL2RlZiIrZ2hp>", "<****************>"},
    /* printf 'the-app:abc%%2Fdef%%22%%2Bghi' | base64 */
    {"Basic, each part encoded as in a form",
     "dGhlLWFwcDphYmMlMkZkZWYlMjIlMkJnaGk=", "************************************"},
    /* printf 'xx:pa\\ss w?rd>>?' | base64 | tr +/ -_ */
    {"base64 as in URLs", "eHg6cGFcc3Mgdz9yZD4-Pw==", "************************"},
    {"both in one text", "abc/def\"+ghi abc\\/def\\\"+ghi", "************ **************"},
    {"an id is no secret, nor is a short word", "the-app 12345", "the-app 12345"},
    {"what only begins like one", "abc/def\\", "abc/def\\"},
    {"an escape that is cut off", "abc\\u00", "abc\\u00"},
};

static void
test_forms(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct auth_grant grant = {.mem = mem};
	struct error err;

	(void)state;
	assert_int_equal(json_parse(mem, APP, strlen(APP), &grant.app, &err), 0);
	assert_int_equal(
	    json_parse(mem, CREDENTIALS, strlen(CREDENTIALS), &grant.credentials, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *shown = auth_redact(&grant, cases[i].text);

		if (strcmp(shown, cases[i].shown) != 0)
			fail_msg("%s: %s", cases[i].why, shown);
	}
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
