/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/check -- see check.h.
 */
#include "api/check.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 255

static const struct {
	json_type type;
	const char *word;
} kinds[] = {
    [CHECK_STRING] = {json_type_string, "a string"},
    [CHECK_BOOLEAN] = {json_type_boolean, "true or false"},
    [CHECK_INTEGER] = {json_type_int, "a whole number"},
    [CHECK_OBJECT] = {json_type_object, "an object"},
    [CHECK_ARRAY] = {json_type_array, "a list"},
    [CHECK_TEXTS] = {json_type_object, "an object of strings"},
};

static int
check_texts(const char *name, struct json_object *value, size_t max, struct error *err)
{
	json_object_object_foreach (value, key, text) {
		char at[ERROR_AT_MAX];

		if (json_object_is_type(text, json_type_string) &&
		    (size_t)json_object_get_string_len(text) <= max &&
		    strlen(json_object_get_string(text)) ==
			(size_t)json_object_get_string_len(text))
			continue;
		snprintf(at, sizeof(at), "%s.%s", name, key);
		return error_set_at(err, ERR_INVALID_BODY, at,
				    "must be a string of at most %zu bytes, without U+0000",
				    max);
	}
	return 0;
}

static int
check_member_value(const struct check_member *m, struct json_object *value, struct error *err)
{
	size_t max = m->max == 0 ? TEXT_MAX : m->max;

	if (value == NULL && m->may_be_null)
		return 0;
	if (m->kind == CHECK_ANY)
		return 0;
	if (!json_object_is_type(value, kinds[m->kind].type))
		return error_set_at(err, ERR_INVALID_BODY, m->name, "must be %s",
				    kinds[m->kind].word);
	if (m->kind == CHECK_STRING && (size_t)json_object_get_string_len(value) > max)
		return error_set_at(err, ERR_INVALID_BODY, m->name, "is over %zu bytes", max);
	if (m->kind == CHECK_STRING &&
	    strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return error_set_at(err, ERR_INVALID_BODY, m->name, "holds U+0000");
	if (m->kind == CHECK_STRING && m->is_required && json_object_get_string_len(value) == 0)
		return error_set_at(err, ERR_INVALID_BODY, m->name, "is empty");
	return m->kind == CHECK_TEXTS ? check_texts(m->name, value, max, err) : 0;
}

static const struct check_member *
member_find(const struct check_member *members, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	return NULL;
}

int
check_body(struct json_object *body, const struct check_member *members, size_t count,
	   struct error *err)
{
	if (!json_object_is_type(body, json_type_object))
		return error_set_at(err, ERR_INVALID_BODY, "",
				    "the body must be a JSON object");
	json_object_object_foreach (body, name, value) {
		const struct check_member *member = member_find(members, count, name);

		if (member == NULL)
			return error_set_at(err, ERR_INVALID_BODY, name,
					    "there is no member \"%s\"", name);
		if (check_member_value(member, value, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (members[i].is_required &&
		    !json_object_object_get_ex(body, members[i].name, NULL))
			return error_set_at(err, ERR_INVALID_BODY, members[i].name,
					    "is required");
	return 0;
}

int
call_body(struct call *call, const struct check_member *members, size_t count,
	  struct json_object **out, struct error *err)
{
	struct json_object *body;

	if (request_json(call->req, &body, err) < 0)
		return -1;
	if (body == NULL)
		body = json_own(call->mem, json_object_new_object());
	if (check_body(body, members, count, err) < 0)
		return -1;
	*out = body;
	return 0;
}

int
check_query(struct call *call, const char *const *names, struct error *err)
{
	size_t count;
	const struct http_field *fields = request_queries(call->req, &count);

	for (size_t i = 0; i < count; i++) {
		bool is_known = false;

		for (const char *const *name = names; *name != NULL && !is_known; name++) {
			size_t n = strlen(*name);

			is_known = (*name)[n - 1] == '['
				       ? strncmp(fields[i].name, *name, n) == 0
				       : strcmp(fields[i].name, *name) == 0;
		}
		if (!is_known)
			return error_set_at(err, ERR_INVALID_QUERY, fields[i].name,
					    "there is no parameter \"%s\"", fields[i].name);
	}
	return 0;
}

int
check_name(enum check_name kind, const char *text, enum error_code code, const char *at,
	   struct error *err)
{
	/* Beside letters and digits; the sets of the API that the official clients were made
	 * for. */
	static const char *const others[] = {
	    [NAME_INTEGRATION] = "~:.@ _-",
	    [NAME_CONNECTION] = ",.;:=+~[]|@${}\"'\\/_ -",
	    [NAME_FUNCTION] = "_-",
	    [NAME_MODEL] = "_-",
	    [NAME_TAG] = "_./-",
	};
	size_t length = strlen(text), max = kind == NAME_TAG ? 64 : TEXT_MAX;

	if (length == 0 || length > max)
		return error_set_at(err, code, at, "must have 1 to %zu characters", max);
	if ((kind == NAME_MODEL && !isupper((unsigned char)text[0])) ||
	    (kind == NAME_TAG && !isalpha((unsigned char)text[0])))
		return error_set_at(err, code, at, "\"%s\" begins with the wrong character",
				    text);
	for (const char *p = text; *p != '\0'; p++)
		if (!(isascii((unsigned char)*p) && isalnum((unsigned char)*p)) &&
		    strchr(others[kind], *p) == NULL)
			return error_set_at(err, code, at,
					    "\"%s\" may hold letters, digits and %s only", text,
					    others[kind]);
	return 0;
}

int
query_integer(struct call *call, const char *name, int64_t min, int64_t max, int64_t otherwise,
	      int64_t *out, struct error *err)
{
	const char *text = request_query(call->req, name);
	char *end;
	long long number;

	if (text == NULL || text[0] == '\0') {
		*out = otherwise;
		return 0;
	}
	errno = 0;
	number = strtoll(text, &end, 10);
	if (*end != '\0' || errno != 0 || number < min || number > max)
		return error_set_at(err, ERR_INVALID_QUERY, name,
				    "must be a whole number from %" PRId64 " to %" PRId64, min,
				    max);
	*out = number;
	return 0;
}
