/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/verify_expect -- see verify_expect.h.
 */
#include "engine/verify_expect.h"
#include "auth/token.h"
#include "run/fetch_rules.h"

#include <string.h>

static bool
has_status(struct json_object *rules, int status)
{
	struct json_object *list = json_array_in(rules, "status");

	if (list == NULL)
		return status >= 200 && status <= 299;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (fetch_status_matches(
			json_object_get_string(json_object_array_get_idx(list, i)), status))
			return true;
	return false;
}

/* A path that must be there, with a text where one is named. */
static int
check_path(TALLOC_CTX *mem, struct json_object *rules, const struct expand_scope *scope,
	   const struct http_incoming *answer, struct error *err)
{
	const char *at = json_string(rules, "at"), *equals = json_string(rules, "equals"),
		   *text;
	struct json_object *tree, *found;
	char *wanted;

	if (at == NULL)
		return 0;
	if (json_parse(mem, answer->body, answer->body_length, &tree, err) < 0)
		return error_set(err, ERR_TEST_FAILED, "%d without JSON", answer->status);
	found = token_at(tree, at);
	if (found == NULL)
		return error_set(err, ERR_TEST_FAILED, "%d without %s", answer->status, at);
	if (equals == NULL)
		return 0;
	if (expand(mem, equals, scope, EXPAND_TEXT, &wanted, err) < 0)
		return -1;
	text = token_text_at(mem, tree, at);
	if (text == NULL || strcmp(text, wanted) != 0)
		return error_set(err, ERR_TEST_FAILED, "%d with another %s", answer->status,
				 at);
	return 0;
}

int
verify_expected(TALLOC_CTX *mem, struct json_object *rules, const struct expand_scope *scope,
		const struct http_incoming *answer, struct error *err)
{
	const char *contains = json_string(rules, "contains");
	const char *lacks = json_string(rules, "lacks");

	if (!has_status(rules, answer->status))
		return error_set(err, ERR_TEST_FAILED, "%d", answer->status);
	if (contains != NULL && strstr(answer->body, contains) == NULL)
		return error_set(err, ERR_TEST_FAILED, "%d without \"%.80s\"", answer->status,
				 contains);
	if (lacks != NULL && strstr(answer->body, lacks) != NULL)
		return error_set(err, ERR_TEST_FAILED, "%d with \"%.80s\"", answer->status,
				 lacks);
	return check_path(mem, rules, scope, answer, err);
}
