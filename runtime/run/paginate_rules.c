/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate_rules -- see paginate_rules.h.
 */
#include "run/paginate_rules.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static const char *
setting(struct json_object *own, struct json_object *rules, const char *key)
{
	struct json_object *value = json_member(own, key);

	if (value == NULL)
		value = json_member(rules, key);
	return value == NULL ? NULL : json_object_get_string(value);
}

/* Numbers come as such or, from YAML with quotes, as text. */
static int
setting_number(struct json_object *own, struct json_object *rules, const char *key,
	       int64_t otherwise, int64_t *out, struct error *err)
{
	const char *text = setting(own, rules, key);
	char *end;

	*out = otherwise;
	if (text == NULL)
		return 0;
	*out = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || *out < 0)
		return error_set_at(
		    err, ERR_BAD_REQUEST, key,
		    "the pagination setting %s must be a number, not \"%.100s\"", key, text);
	return 0;
}

static int
parse_settings(TALLOC_CTX *mem, const char *text, enum error_code code,
	       struct json_object **out, struct error *err)
{
	*out = NULL;
	if (text == NULL)
		return 0;
	if (json_parse(mem, text, strlen(text), out, err) < 0) {
		err->code = code;
		return error_prefix(err, "the pagination settings are not JSON: ");
	}
	if (!json_object_is_type(*out, json_type_object))
		return error_set(err, code, "the pagination settings are not a JSON object");
	return 0;
}

static enum paginate_place
setting_place(struct json_object *own, struct json_object *rules)
{
	struct json_object *from = json_member(own, "in_body") != NULL ? own : rules;

	if (json_member(from, "in_body") == NULL)
		return PAGINATE_BY_METHOD;
	return json_boolean(from, "in_body", false) ? PAGINATE_IN_BODY : PAGINATE_IN_QUERY;
}

static int
read_rules(struct json_object *own, struct json_object *rules, struct paginate_rules *out,
	   struct error *err)
{
	const char *method = setting(own, rules, "offset_calculation_method");

	out->type = setting(own, rules, "type");
	out->link_rel = setting(own, rules, "link_rel_in_response_header");
	out->link_path = setting(own, rules, "link_path_in_response_body");
	out->cursor_name = setting(own, rules, "cursor_name_in_request");
	out->cursor_path = setting(own, rules, "cursor_path_in_response");
	out->offset_name = setting(own, rules, "offset_name_in_request");
	out->limit_name = setting(own, rules, "limit_name_in_request");
	out->response_path = setting(own, rules, "response_path");
	out->more_path = setting(own, rules, "more_path_in_response");
	out->more_means_end = out->more_path != NULL && *out->more_path == '!';
	if (out->more_means_end)
		out->more_path++;
	out->is_per_page = method != NULL && strcmp(method, "per-page") == 0;
	out->has_own_limit = json_member(own, "limit") != NULL;
	out->place = setting_place(own, rules);
	if (out->has_own_limit && out->limit_name == NULL)
		return error_set_at(err, ERR_BAD_REQUEST, "limit",
				    "limit needs limit_name_in_request, and there is none");
	if (setting_number(own, rules, "offset_start_value", 0, &out->start, err) < 0)
		return -1;
	return setting_number(own, rules, "limit", 0, &out->limit, err);
}

int
paginate_rules_read(TALLOC_CTX *mem, const char *template_json, const char *override_json,
		    struct paginate_rules *out, struct error *err)
{
	struct json_object *own, *rules;
	struct paginate_rules read = {0};

	if (parse_settings(mem, template_json, ERR_TEMPLATE, &rules, err) < 0 ||
	    parse_settings(mem, override_json, ERR_BAD_REQUEST, &own, err) < 0 ||
	    read_rules(own, rules, &read, err) < 0)
		return -1;
	*out = read;
	return 0;
}
