/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json -- see json.h.
 */
#include "base/json.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/jsonspan.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A talloc chunk that puts its tree when it goes. */
struct json_owner {
	struct json_object *tree;
};

static int
json_owner_destructor(struct json_owner *owner)
{
	json_object_put(owner->tree);
	return 0;
}

struct json_object *
json_own(TALLOC_CTX *mem, struct json_object *tree)
{
	struct json_owner *owner = talloc_zero(mem, struct json_owner);

	if (owner == NULL)
		abort();
	owner->tree = tree;
	talloc_set_destructor(owner, json_owner_destructor);
	return tree;
}

#define DIGITS_MAX 20 /* of 2^64 - 1 */

static size_t
digits_at(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

/* Does an integer of so many digits fit json-c's int64 or, without a sign, uint64? */
static bool
integer_fits(const char *digits, size_t count, bool is_negative)
{
	char copy[DIGITS_MAX + 1];
	unsigned long long value;

	if (count > DIGITS_MAX)
		return false;
	memcpy(copy, digits, count);
	copy[count] = '\0';
	errno = 0;
	value = strtoull(copy, NULL, 10);
	return errno == 0 && (!is_negative || value <= (unsigned long long)INT64_MAX + 1);
}

/*
 * json-c turns an integer beyond 64 bits into the nearest that it has. What would be changed
 * silently is refused: the offset of such a number, or -1.
 */
static long
big_integer_at(const char *text, size_t length)
{
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		size_t digits = in_string ? 0 : digits_at(text + i, length - i);
		bool is_integer =
		    i + digits >= length || strchr(".eE", text[i + digits]) == NULL;

		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		if (digits == 0)
			continue;
		if (is_integer && !integer_fits(text + i, digits, i > 0 && text[i - 1] == '-'))
			return (long)i;
		i += digits;
		while (!is_integer && i < length &&
		       memchr("0123456789+-.eE", text[i], 15) != NULL)
			i++;
		i--;
	}
	return -1;
}

int
json_parse(TALLOC_CTX *mem, const char *text, size_t length, struct json_object **out,
	   struct error *err)
{
	struct jsonspan_fault fault;
	struct json_tokener *tokener;
	struct json_object *tree;
	int line, column;
	long big;

	if (length > INT_MAX)
		return error_set(err, ERR_INVALID_JSON, "the JSON text is over 2 GiB");
	if (jsonspan_check(text, length, &fault) < 0) {
		jsonspan_place(text, fault.offset, &line, &column);
		return error_set(err, ERR_INVALID_JSON, "line %d, column %d: %s", line, column,
				 fault.reason);
	}
	big = big_integer_at(text, length);
	if (big >= 0) {
		jsonspan_place(text, (size_t)big, &line, &column);
		return error_set(
		    err, ERR_INVALID_JSON,
		    "line %d, column %d: an integer beyond 64 bits: send it as a string", line,
		    column);
	}
	tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (tokener == NULL)
		abort();
	json_tokener_set_flags(tokener,
			       JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	tree = json_tokener_parse_ex(tokener, text, (int)length);
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		tree =
		    json_tokener_parse_ex(tokener, " ", 1); /* a bare number ends only here */
	if (json_tokener_get_error(tokener) != json_tokener_success) {
		error_set(err, ERR_INVALID_JSON, "%s (nesting over %d levels is refused)",
			  json_tokener_error_desc(json_tokener_get_error(tokener)),
			  JSON_DEPTH_MAX);
		json_tokener_free(tokener);
		return -1;
	}
	json_tokener_free(tokener);
	*out = json_own(mem, tree);
	return 0;
}

/* ---- secrets ---- */

/* As json_object_delete_fn: the bytes are the tree's own, and about to be freed. */
static void
wipe_text(struct json_object *text, void *mark)
{
	(void)mark;
	crypto_wipe((void *)(uintptr_t)json_object_get_string(text),
		    (size_t)json_object_get_string_len(text));
}

void
json_mark_secret(struct json_object *tree)
{
	static char mark;

	if (json_object_is_type(tree, json_type_string)) {
		if (json_object_get_userdata(tree) == NULL)
			json_object_set_userdata(tree, &mark, wipe_text);
	} else if (json_object_is_type(tree, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(tree); i++)
			json_mark_secret(json_object_array_get_idx(tree, i));
	} else if (json_object_is_type(tree, json_type_object)) {
		json_object_object_foreach (tree, key, value) {
			(void)key;
			json_mark_secret(value);
		}
	}
}

struct json_object *
json_own_secret(TALLOC_CTX *mem, struct json_object *tree)
{
	json_mark_secret(tree);
	return json_own(mem, tree);
}

int
json_parse_secret(TALLOC_CTX *mem, const char *text, size_t length, struct json_object **out,
		  struct error *err)
{
	if (json_parse(mem, text, length, out, err) < 0)
		return -1;
	json_mark_secret(*out);
	return 0;
}

/* ---- texts ---- */

char *
json_text_secret(TALLOC_CTX *mem, struct json_object *tree)
{
	size_t length;
	const char *text = json_object_to_json_string_length(
	    tree, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	char *copy = crypto_secret(mem, text, length);

	if (tree != NULL) /* json-c has a constant for that */
		crypto_wipe((void *)(uintptr_t)text, length);
	return copy;
}

char *
json_text(TALLOC_CTX *mem, struct json_object *tree)
{
	const char *text = json_object_to_json_string_ext(
	    tree, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy = talloc_strdup(mem, text);

	if (copy == NULL)
		abort();
	return copy;
}

char *
json_text_shared(TALLOC_CTX *mem, struct json_object *tree)
{
	struct json_object *copy = NULL;
	char *text;

	if (json_object_deep_copy(tree, &copy, NULL) != 0)
		abort();
	text = json_text(mem, copy);
	json_object_put(copy);
	return text;
}

static int
key_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
json_add_sorted(struct buf *buf, struct json_object *tree)
{
	size_t n = 0, i = 0;
	const char **keys;

	if (json_object_is_type(tree, json_type_array)) {
		buf_addc(buf, '[');
		for (n = json_object_array_length(tree); i < n; i++) {
			if (i > 0)
				buf_addc(buf, ',');
			json_add_sorted(buf, json_object_array_get_idx(tree, i));
		}
		buf_addc(buf, ']');
		return;
	}
	if (!json_object_is_type(tree, json_type_object)) {
		buf_adds(buf,
			 json_object_to_json_string_ext(
			     tree, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		return;
	}
	keys = talloc_array(buf->owner, const char *,
			    (unsigned)json_object_object_length(tree) + 1);
	if (keys == NULL)
		abort();
	json_object_object_foreach (tree, key, value) {
		(void)value;
		keys[n++] = key;
	}
	qsort(keys, n, sizeof(*keys), key_compare);
	buf_addc(buf, '{');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(buf, ',');
		buf_add_json_str(buf, keys[i]);
		buf_addc(buf, ':');
		json_add_sorted(buf, json_object_object_get(tree, keys[i]));
	}
	buf_addc(buf, '}');
	talloc_free(keys);
}

char *
json_text_sorted(TALLOC_CTX *mem, struct json_object *tree)
{
	struct buf buf;

	buf_init(&buf, mem, 256);
	json_add_sorted(&buf, tree);
	return buf.data;
}

static struct json_object *
json_member_of(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value = json_member(object, key);

	return json_object_is_type(value, type) ? value : NULL;
}

struct json_object *
json_member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, key, &value);
	return value;
}

const char *
json_string(struct json_object *object, const char *key)
{
	struct json_object *value = json_member_of(object, key, json_type_string);

	return value == NULL ? NULL : json_object_get_string(value);
}

struct json_object *
json_object_in(struct json_object *object, const char *key)
{
	return json_member_of(object, key, json_type_object);
}

struct json_object *
json_array_in(struct json_object *object, const char *key)
{
	return json_member_of(object, key, json_type_array);
}

bool
json_boolean(struct json_object *object, const char *key, bool otherwise)
{
	struct json_object *value = json_member_of(object, key, json_type_boolean);

	return value == NULL ? otherwise : json_object_get_boolean(value);
}

int64_t
json_integer(struct json_object *object, const char *key, int64_t otherwise)
{
	struct json_object *value = json_member_of(object, key, json_type_int);

	return value == NULL ? otherwise : json_object_get_int64(value);
}

void
json_add(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text == NULL ? NULL : json_object_new_string(text));
}

void
json_add_integer(struct json_object *object, const char *key, int64_t number)
{
	json_object_object_add(object, key, json_object_new_int64(number));
}

void
json_add_boolean(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}
