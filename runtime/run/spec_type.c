/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_type -- the words of a type: `string`, `Label[]`, `open | closed`, `(string | null)?`.
 *
 *     type  = part { "|" part }
 *     part  = atom [ "[]" ] [ "?" ]
 *     atom  = word | 'quoted word' | "(" type ")"
 *
 * A union is words, or one thing and null. Anything wider has no struct in C that would be
 * pleasant to use, so it is refused and `json` is offered. A lone word that is near the name of
 * a type is refused too: `strng` as a literal that nothing ever equals would be a silent trap.
 */
#include "run/spec_internal.h"
#include "run/suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 1000
#define WORD_BYTES_MAX 255
#define PARENTHESES_MAX 4

static const char *const base_names[] = {
    [SPEC_STRING] = "string",	[SPEC_INTEGER] = "integer", [SPEC_NUMBER] = "number",
    [SPEC_DECIMAL] = "decimal", [SPEC_BOOLEAN] = "boolean", [SPEC_DATE] = "date",
    [SPEC_JSON] = "json",	[SPEC_NULL] = "null",	    NULL,
};

/* What people write who come from another language. */
static const struct {
	const char *word, *type;
} foreign_names[] = {
    {"int", "integer"},	   {"int64", "integer"}, {"long", "integer"},  {"float", "number"},
    {"double", "number"},  {"bool", "boolean"},	 {"str", "string"},    {"text", "string"},
    {"varchar", "string"}, {"char", "string"},	 {"datetime", "date"}, {"timestamp", "date"},
    {"any", "json"},	   {"object", "json"},	 {"array", "json"},    {"undefined", "null"},
    {"none", "null"},	   {"nil", "null"},	 {"uuid", "string"},   {"money", "decimal"},
    {"bigint", "integer"},
};

struct parser {
	TALLOC_CTX *mem;
	const char *text, *at;
	int depth;
	struct spec_type_fault *fault;
};

/* A part of a union while it is put together. */
struct parts {
	bool has_type, has_null, is_optional;
	struct spec_type type;
	const char **words;
	size_t words_count;
};

void *
spec_allocate(TALLOC_CTX *mem, size_t size)
{
	void *out = talloc_zero_size(mem, size == 0 ? 1 : size);

	if (out == NULL)
		abort();
	return out;
}

bool
spec_name_is_model(const char *text)
{
	size_t n =
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	return text[0] >= 'A' && text[0] <= 'Z' && text[n] == '\0' && n <= SPEC_NAME_MAX;
}

bool
spec_name_is_plain(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return n > 0 && text[n] == '\0' && n <= SPEC_NAME_MAX && text[0] != '-' &&
	       text[0] != '_';
}

__attribute__((format(printf, 4, 5))) static int
fail(struct parser *p, const char *code, const char *help, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->fault->text, sizeof(p->fault->text), fmt, ap);
	va_end(ap);
	snprintf(p->fault->help, sizeof(p->fault->help), "%s", help);
	p->fault->code = code;
	p->fault->offset = (size_t)(p->at - p->text);
	return -1;
}

static void
skip_blanks(struct parser *p)
{
	p->at += strspn(p->at, " \t");
}

static int
words_add(struct parser *p, struct parts *parts, const char *word)
{
	size_t n = parts->words_count;

	for (size_t i = 0; i < n; i++)
		if (strcmp(parts->words[i], word) == 0)
			return fail(p, "E0110", "remove one", "the word '%s' stands twice",
				    word);
	if (n == WORDS_MAX)
		return fail(p, "E0117", "use string", "over %d words in one type", WORDS_MAX);
	if ((n & (n - 1)) == 0)
		parts->words = talloc_realloc(p->mem, parts->words, const char *,
					      (unsigned)(n == 0 ? 2 : 2 * n + 1));
	if (parts->words == NULL)
		abort();
	parts->words[n] = word;
	parts->words[n + 1] = NULL;
	parts->words_count++;
	return 0;
}

/* The same base twice, or two bases: only words and null may stand together with anything. */
static int
type_add(struct parser *p, struct parts *parts, const struct spec_type *type)
{
	if (parts->has_type)
		return fail(p, "E0111",
			    "a union is words, or one type and null; use json for more",
			    "a union of two types");
	parts->has_type = true;
	parts->type = *type;
	return 0;
}

static int
check_lone_word(struct parser *p, const char *word)
{
	char help[256];
	const char *near = suggest_word(word, base_names);

	for (size_t i = 0; i < sizeof(foreign_names) / sizeof(*foreign_names); i++)
		if (strcmp(foreign_names[i].word, word) == 0)
			near = foreign_names[i].type;
	if (near == NULL)
		return 0;
	snprintf(help, sizeof(help),
		 "did you mean %s? (for the word itself, write '%s' in quotes)", near, word);
	return fail(p, "E0110", help, "there is no type \"%s\"", word);
}

static int
word_add(struct parser *p, struct parts *parts, const char *word)
{
	struct spec_type type = {0};

	for (size_t i = 0; base_names[i] != NULL; i++) {
		if (strcmp(base_names[i], word) != 0)
			continue;
		if (i == SPEC_NULL) {
			parts->has_null = true;
			return 0;
		}
		type.base = (enum spec_base)i;
		return type_add(p, parts, &type);
	}
	if (word[0] >= 'A' && word[0] <= 'Z') {
		if (!spec_name_is_model(word))
			return fail(p, "E0110",
				    "a model's name has letters, digits and _; a literal that "
				    "begins with a capital goes into single quotes",
				    "\"%s\" is no name of a model", word);
		type.base = SPEC_MODEL;
		type.model = word;
		return type_add(p, parts, &type);
	}
	return words_add(p, parts, word);
}

static int
read_quoted(struct parser *p, struct parts *parts)
{
	const char *end = strchr(p->at + 1, '\'');
	const char *word;

	if (end == NULL)
		return fail(p, "E0110", "close it with '", "a quote that is not closed");
	if (end == p->at + 1 || end - p->at > WORD_BYTES_MAX)
		return fail(p, "E0110", "1 to 255 bytes", "a literal of this length");
	word = talloc_strndup(p->mem, p->at + 1, (size_t)(end - p->at - 1));
	if (words_add(p, parts, word) < 0)
		return -1;
	p->at = end + 1;
	return 0;
}

static int
read_word(struct parser *p, struct parts *parts)
{
	size_t n = strcspn(p->at, " \t|()[]?'\"{},<>:");
	const char *word;

	if (n == 0)
		return fail(
		    p, "E0110",
		    p->at[0] == '\0' ? "write a type such as string after it"
				     : "a type is a word, 'a literal', Model[] or a | b",
		    p->at[0] == '\0' ? "a type is missing here" : "unexpected '%.1s'", p->at);
	if (n > WORD_BYTES_MAX)
		return fail(p, "E0110", "at most 255 bytes", "a word of this length");
	word = talloc_strndup(p->mem, p->at, n);
	if (p->at[n] == '<')
		return fail(p, "E0110", "write Model[] for a list, json for anything",
			    "generic types such as %s<…> do not exist here", word);
	if (word_add(p, parts, word) < 0)
		return -1;
	p->at += n;
	return 0;
}

/* What was collected in parentheses becomes one type. */
static int
parts_close(struct parser *p, struct parts *parts, struct spec_type *out)
{
	if (parts->words_count > 0 && parts->has_type)
		return fail(p, "E0111", "use string, or only words",
			    "a union of words and another type");
	*out = parts->type;
	if (parts->words_count > 0) {
		out->base = SPEC_WORDS;
		out->words = parts->words;
	} else if (!parts->has_type) {
		out->base = SPEC_NULL;
	}
	if (out->base != SPEC_NULL && parts->has_null)
		out->is_nullable = true;
	out->is_optional = out->is_optional || parts->is_optional;
	return 0;
}

/* The one recursion, bounded by PARENTHESES_MAX. */
static int read_union(struct parser *p, struct parts *parts);

static int
read_group(struct parser *p, struct parts *parts)
{
	struct parts inner = {0};
	struct spec_type type;

	if (++p->depth > PARENTHESES_MAX)
		return fail(p, "E0110", "take some away", "too many parentheses");
	p->at++;
	if (read_union(p, &inner) < 0 || parts_close(p, &inner, &type) < 0)
		return -1;
	if (*p->at != ')')
		return fail(p, "E0110", "close it with )", "a parenthesis that is not closed");
	p->at++;
	p->depth--;
	return type_add(p, parts, &type);
}

/* [] and ? behind an atom. */
static int
read_suffixes(struct parser *p, struct parts *parts)
{
	skip_blanks(p);
	if (*p->at == '[') {
		if (p->at[1] != ']')
			return fail(p, "E0110", "a list is Type[]", "unexpected '['");
		if (!parts->has_type && parts->words_count == 0)
			return fail(p, "E0110", "use json", "a list of nulls");
		if (parts->type.is_array || parts->type.is_nullable ||
		    parts->type.is_optional || (!parts->has_type && parts->words_count > 1))
			return fail(
			    p, "E0111",
			    "a list of lists, or of things that may be null, is json; a "
			    "list of words is (open | closed)[]",
			    "this cannot be the item of a list");
		if (!parts->has_type) {
			parts->type =
			    (struct spec_type){.base = SPEC_WORDS, .words = parts->words};
			parts->has_type = true;
			parts->words = NULL;
			parts->words_count = 0;
		}
		parts->type.is_array = true;
		p->at += 2;
		if (*p->at == '[')
			return fail(p, "E0111", "use json", "a list of lists");
		skip_blanks(p);
	}
	if (*p->at == '?') {
		if (p->depth > 0)
			return fail(p, "E0110", "put the ? behind the parenthesis",
				    "a ? within parentheses");
		parts->is_optional = true;
		p->at++;
		skip_blanks(p);
	}
	return 0;
}

static int
read_union(struct parser *p, struct parts *parts)
{
	for (;;) {
		int result;

		skip_blanks(p);
		result = *p->at == '('	  ? read_group(p, parts)
			 : *p->at == '\'' ? read_quoted(p, parts)
					  : read_word(p, parts);
		if (result < 0 || read_suffixes(p, parts) < 0)
			return -1;
		if (*p->at != '|')
			return 0;
		p->at++;
	}
}

int
spec_type_parse(TALLOC_CTX *mem, const char *text, struct spec_type *out,
		struct spec_type_fault *fault)
{
	struct parser p = {.mem = mem, .text = text, .at = text, .fault = fault};
	struct parts parts = {0};
	struct spec_type type;

	if (read_union(&p, &parts) < 0)
		return -1;
	if (*p.at != '\0')
		return fail(&p, "E0110", "a type is a word, 'a literal', Model[] or a | b",
			    "unexpected '%.1s'", p.at);
	if (parts_close(&p, &parts, &type) < 0)
		return -1;
	p.at = text;
	if (type.base == SPEC_WORDS && type.words[1] == NULL && strchr(text, '\'') == NULL &&
	    check_lone_word(&p, type.words[0]) < 0)
		return -1;
	*out = type;
	return 0;
}

/* Would the word be read as something else without quotes? */
static bool
word_needs_quotes(const char *word, bool is_lone)
{
	if (word[strcspn(word, " \t|()[]?'\"{},<>:")] != '\0')
		return true;
	if (is_lone || (word[0] >= 'A' && word[0] <= 'Z'))
		return true;
	for (size_t i = 0; base_names[i] != NULL; i++)
		if (strcmp(base_names[i], word) == 0)
			return true;
	return false;
}

static char *
words_text(TALLOC_CTX *mem, const char *const *words)
{
	char *out = talloc_strdup(mem, "");

	for (size_t i = 0; words[i] != NULL; i++) {
		const char *quote = word_needs_quotes(words[i], words[1] == NULL) ? "'" : "";

		out = talloc_asprintf_append(out, "%s%s%s%s", i > 0 ? " | " : "", quote,
					     words[i], quote);
	}
	return out;
}

char *
spec_type_text(TALLOC_CTX *mem, const struct spec_type *type)
{
	bool is_union = type->base == SPEC_WORDS && type->words[1] != NULL;
	char *out = type->base == SPEC_WORDS   ? words_text(mem, type->words)
		    : type->base == SPEC_MODEL ? talloc_strdup(mem, type->model)
					       : talloc_strdup(mem, base_names[type->base]);

	if (type->is_array) {
		out = talloc_asprintf(mem, is_union ? "(%s)[]" : "%s[]", out);
		is_union = false;
	}
	if (type->is_nullable) {
		out = talloc_asprintf(mem, "%s | null", out);
		is_union = true;
	}
	if (type->is_optional)
		out = talloc_asprintf(mem, is_union ? "(%s)?" : "%s?", out);
	if (out == NULL)
		abort();
	return out;
}
