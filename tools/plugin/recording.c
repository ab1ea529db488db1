/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recording -- reading the files. Bodies are kept as the bytes that stand in the file: a number
 * that passed through a double on its way would not be what the provider sent.
 */
#include "recording.h"
#include "base/json.h"
#include "project.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *
span_text(TALLOC_CTX *mem, struct jsonspan span)
{
	char *out;

	if (jsonspan_type(span) != JSONSPAN_STRING)
		return talloc_strndup(mem, span.data, span.length);
	out = talloc_size(mem, span.length + 1);
	if (out == NULL)
		abort();
	return jsonspan_unescape(span, out) < 0 ? "" : out;
}

void
recording_pairs_add(TALLOC_CTX *mem, struct recording_pairs *pairs, const char *name,
		    const char *value)
{
	if ((pairs->count & (pairs->count - 1)) == 0)
		pairs->at =
		    talloc_realloc(mem, pairs->at, struct recording_pair,
				   (unsigned)(pairs->count == 0 ? 2 : 2 * pairs->count));
	if (pairs->at == NULL)
		abort();
	pairs->at[pairs->count++] = (struct recording_pair){name, value};
}

char *
recording_decode(TALLOC_CTX *mem, const char *text, size_t length)
{
	char *out = talloc_size(mem, length + 1), *to = out;

	if (out == NULL)
		abort();
	for (size_t i = 0; i < length; i++) {
		char hex[3] = {0};

		if (text[i] == '%' && i + 2 < length && isxdigit((unsigned char)text[i + 1]) &&
		    isxdigit((unsigned char)text[i + 2])) {
			memcpy(hex, text + i + 1, 2);
			*to++ = (char)strtol(hex, NULL, 16);
			i += 2;
		} else {
			*to++ = text[i];
		}
	}
	*to = '\0';
	return out;
}

const char *
recording_canonical(TALLOC_CTX *mem, const char *text, size_t length)
{
	struct json_object *tree;
	struct error ignored;

	if (json_parse(mem, text, length, &tree, &ignored) < 0)
		return talloc_strndup(mem, text, length);
	return json_text_sorted(mem, tree);
}

/* An object's members as texts. Null is left out; a list is joined by commas, as clients do. */
static void
read_pairs(TALLOC_CTX *mem, struct jsonspan object, bool is_lower, struct recording_pairs *out)
{
	struct jsonspan key, value, item;
	size_t cursor = 0;

	while (jsonspan_next_member(object, &cursor, &key, &value)) {
		char *name = talloc_strdup(mem, span_text(mem, key)), *text;
		size_t inner = 0;

		for (char *c = name; is_lower && *c != '\0'; c++)
			*c = (char)tolower((unsigned char)*c);
		if (jsonspan_type(value) == JSONSPAN_NULL)
			continue;
		if (jsonspan_type(value) != JSONSPAN_ARRAY) {
			recording_pairs_add(mem, out, name, span_text(mem, value));
			continue;
		}
		text = talloc_strdup(mem, "");
		while (jsonspan_next_item(value, &inner, &item))
			text = talloc_asprintf_append(text, "%s%s", text[0] != '\0' ? "," : "",
						      span_text(mem, item));
		recording_pairs_add(mem, out, name, text);
	}
}

/* Paths may stand with or without the first slash, with a query, and percent-encoded. */
static void
read_path(TALLOC_CTX *mem, const char *text, struct exchange *out)
{
	size_t length = strcspn(text, "?");
	const char *at = text[length] == '?' ? text + length + 1 : "";

	out->path = recording_decode(mem, text, length);
	if (out->path[0] != '/')
		out->path = talloc_asprintf(mem, "/%s", out->path);
	while (*at != '\0') {
		size_t pair = strcspn(at, "&"), name = strcspn(at, "=&");
		size_t value = name < pair ? name + 1 : pair;

		recording_pairs_add(mem, &out->params, recording_decode(mem, at, name),
				    recording_decode(mem, at + value, pair - value));
		at += pair + (at[pair] == '&');
	}
}

static void
read_answer(TALLOC_CTX *mem, struct jsonspan entry, struct exchange *out)
{
	struct jsonspan status = jsonspan_member(entry, "status");
	struct jsonspan body = jsonspan_member(entry, "response");
	int64_t number = 200;

	if (jsonspan_type(status) == JSONSPAN_NUMBER)
		jsonspan_integer(status, &number);
	out->status = number >= 100 && number <= 599 ? (int)number : 200;
	read_pairs(mem, jsonspan_member(entry, "headers"), true, &out->answer_headers);
	out->body = "";
	out->is_json = true;
	if (body.data == NULL || (out->status == 204 || jsonspan_type(body) == JSONSPAN_NULL))
		return;
	out->body = body.data;
	out->body_length = body.length;
	for (size_t i = 0; i < out->answer_headers.count; i++)
		if (strcmp(out->answer_headers.at[i].name, "content-type") == 0 &&
		    strstr(out->answer_headers.at[i].value, "json") == NULL)
			out->is_json = false;
	if (out->is_json || jsonspan_type(body) != JSONSPAN_STRING)
		return;
	out->body = span_text(mem, body);
	out->body_length = strlen(out->body);
}

static void
add_exchange(struct recording *recording, const char *file, const char *method,
	     const char *path, struct jsonspan entry)
{
	struct jsonspan request = jsonspan_member(entry, "request");
	struct jsonspan data = jsonspan_member(request, "data");
	struct exchange *out;
	size_t n = recording->count;

	if ((n & (n - 1)) == 0)
		recording->exchanges =
		    talloc_realloc(recording->mem, recording->exchanges, struct exchange,
				   (unsigned)(n == 0 ? 2 : 2 * n));
	if (recording->exchanges == NULL)
		abort();
	out = &recording->exchanges[recording->count++];
	*out = (struct exchange){.file = file, .method = method};
	read_path(recording->mem, path, out);
	if (request.data != NULL) {
		read_pairs(recording->mem, jsonspan_member(request, "params"), false,
			   &out->params);
		read_pairs(recording->mem, jsonspan_member(request, "headers"), true,
			   &out->headers);
	}
	/* "sha1:…" stands for a long body that was not written down. */
	if (data.data != NULL && jsonspan_type(data) != JSONSPAN_NULL) {
		const char *text = span_text(recording->mem, data);

		if (strncmp(text, "sha1:", 5) != 0)
			out->data = recording_canonical(recording->mem, text, strlen(text));
	}
	read_answer(recording->mem, entry, out);
}

static void
add_method(struct recording *recording, const char *file, struct jsonspan method_key,
	   struct jsonspan paths)
{
	char *method = talloc_strdup(recording->mem, span_text(recording->mem, method_key));
	struct jsonspan key, value, entry;
	size_t cursor = 0;

	for (char *c = method; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	while (jsonspan_next_member(paths, &cursor, &key, &value)) {
		const char *path = span_text(recording->mem, key);
		size_t inner = 0;

		if (jsonspan_type(value) == JSONSPAN_OBJECT)
			add_exchange(recording, file, method, path, value);
		while (jsonspan_type(value) == JSONSPAN_ARRAY &&
		       jsonspan_next_item(value, &inner, &entry))
			if (jsonspan_type(entry) == JSONSPAN_OBJECT)
				add_exchange(recording, file, method, path, entry);
	}
}

static int
load_file(struct recording *recording, const char *path, bool is_one_of_many, struct error *err)
{
	struct jsonspan root, api, key, value;
	struct jsonspan_fault fault;
	size_t length, cursor = 0;
	int line, column;
	char *text;

	if (project_read_file(recording->mem, path, RECORDING_BYTES_MAX, &text, &length, err) <
	    0)
		return -1;
	if (jsonspan_check(text, length, &fault) < 0) {
		jsonspan_place(text, fault.offset, &line, &column);
		return error_set(err, ERR_INVALID_JSON, "%s:%d:%d: %s [E0502]", path, line,
				 column, fault.reason);
	}
	root = jsonspan_trim(text, length);
	api = jsonspan_member(root, "api");
	if (jsonspan_type(api) != JSONSPAN_OBJECT) {
		if (is_one_of_many)
			return 0;
		return error_set(err, ERR_INVALID_JSON,
				 "%s holds no object `api` [E0501]\nhelp: "
				 "{\"api\": {\"get\": {\"/items\": {\"response\": []}}}}",
				 path);
	}
	while (jsonspan_next_member(api, &cursor, &key, &value))
		add_method(recording, path, key, value);
	recording->files++;
	return 0;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
load_folder(struct recording *recording, const char *path, struct error *err)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, NULL), result = 0;
	const char **names =
	    talloc_zero_array(recording->mem, const char *, (unsigned)count + 1);
	size_t used = 0;

	for (int i = 0; i < count; i++) {
		size_t n = strlen(entries[i]->d_name);

		if (n > 5 && strcmp(entries[i]->d_name + n - 5, ".json") == 0)
			names[used++] =
			    talloc_asprintf(recording->mem, "%s/%s", path, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	qsort(names, used, sizeof(*names), compare_texts);
	for (size_t i = 0; i < used && result == 0; i++)
		result = load_file(recording, names[i], true, err);
	return result;
}

int
recording_load(struct recording *recording, const char *path, struct error *err)
{
	struct stat status;
	int result;

	if (stat(path, &status) != 0)
		return error_set_errno(err, ERR_NOT_FOUND, "cannot read %s", path);
	result = S_ISDIR(status.st_mode) ? load_folder(recording, path, err)
					 : load_file(recording, path, false, err);
	if (result == 0 && recording->count == 0)
		return error_set(err, ERR_NOT_FOUND, "%s holds no recorded exchange [E0501]",
				 path);
	return result;
}
