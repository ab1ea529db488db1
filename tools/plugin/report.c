/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report -- see report.h. The shape is rustc's, because it answers in reading order what a
 * person asks: what is wrong, where, which characters, what now.
 */
#include "report.h"
#include "base/json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCERPT_MAX 400

#define RED "\033[1;31m"
#define BLUE "\033[1;34m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

/* "file:12:3: text": the place is taken off the front when it is one. */
static const char *
split_place(TALLOC_CTX *mem, const char *text, struct report *out)
{
	for (const char *at = strchr(text, ':'); at != NULL; at = strchr(at + 1, ':')) {
		char *end;
		long line = strtol(at + 1, &end, 10), column;

		if (!isdigit((unsigned char)at[1]) || *end != ':' ||
		    !isdigit((unsigned char)end[1]))
			continue;
		column = strtol(end + 1, &end, 10);
		if (*end != ':' || end[1] != ' ' || line <= 0 || line > 100000000)
			continue;
		out->file = talloc_strndup(mem, text, (size_t)(at - text));
		out->line = (int)line;
		out->column = (int)column;
		return end + 2;
	}
	return text;
}

/* " [E0103]" at the end of text. */
static void
split_code(TALLOC_CTX *mem, char *text, struct report *out)
{
	size_t n = strlen(text);
	char *open = n > 8 ? text + n - 8 : NULL;

	if (open == NULL || strncmp(open, " [E", 3) != 0 || text[n - 1] != ']')
		return;
	out->code = talloc_strndup(mem, open + 2, 5);
	*open = '\0';
}

void
report_split(TALLOC_CTX *mem, const char *message, struct report *out)
{
	const char *help = strstr(message, "\nhelp: ");
	char *text;

	*out = (struct report){0};
	message = split_place(mem, message, out);
	text = help == NULL ? talloc_strdup(mem, message)
			    : talloc_strndup(mem, message, (size_t)(help - message));
	if (help != NULL)
		out->help = talloc_strdup(mem, help + strlen("\nhelp: "));
	split_code(mem, text, out);
	out->text = text;
}

static void
report_json(const struct report *report)
{
	struct json_object *root = json_object_new_object(), *tree = json_object_new_object();

	json_add(tree, "code", report->code);
	json_add(tree, "message", report->text);
	if (report->file != NULL) {
		json_add(tree, "file", report->file);
		json_add_integer(tree, "line", report->line);
		json_add_integer(tree, "column", report->column);
	}
	if (report->help != NULL)
		json_add(tree, "help", report->help);
	json_add_boolean(root, "ok", false);
	json_object_object_add(root, "error", tree);
	printf("%s\n", json_object_to_json_string_ext(
			   root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static bool
read_line(const char *path, int line, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	bool is_found = false;

	if (file == NULL)
		return false;
	while (line > 0 && fgets(out, (int)size, file) != NULL)
		if (--line == 0)
			is_found = true;
	fclose(file);
	out[is_found ? strcspn(out, "\r\n") : 0] = '\0';
	return is_found;
}

/* How many characters the caret underlines: the word that begins at the column. */
static int
word_width(const char *line, int column)
{
	size_t n = strlen(line), start = (size_t)column - 1, width;

	if (start >= n)
		return 1;
	width = strcspn(line + start, " \t:,[]{}#");
	return width == 0 ? 1 : (int)width;
}

static void
print_excerpt(const struct report *report, const char *blue, const char *red, const char *plain)
{
	char line[EXCERPT_MAX];
	int margin;

	if (!read_line(report->file, report->line, line, sizeof(line)) || report->column < 1)
		return;
	margin = snprintf(NULL, 0, "%d", report->line);
	for (char *c = line; *c != '\0'; c++)
		if (*c == '\t' || iscntrl((unsigned char)*c))
			*c = ' ';
	fprintf(stderr, "%s%*s |\n%d |%s %s\n", blue, margin, "", report->line, plain, line);
	fprintf(stderr, "%s%*s |%s %*s%s", blue, margin, "", plain, report->column - 1, "",
		red);
	for (int i = word_width(line, report->column); i > 0; i--)
		fputc('^', stderr);
	fprintf(stderr, "%s\n", plain);
}

static void
report_text(const struct invocation *inv, const struct report *report, const char *kind)
{
	const char *red = inv->is_color ? RED : "", *blue = inv->is_color ? BLUE : "";
	const char *bold = inv->is_color ? BOLD : "", *plain = inv->is_color ? PLAIN : "";

	fprintf(stderr, "%s%s%s%s%s%s: %s\n", red, kind, report->code != NULL ? "[" : "",
		report->code != NULL ? report->code : "", report->code != NULL ? "]" : "",
		plain, report->text);
	if (report->file != NULL) {
		fprintf(stderr, "%s-->%s %s:%d:%d\n", blue, plain, report->file, report->line,
			report->column);
		print_excerpt(report, blue, red, plain);
	}
	if (report->help != NULL)
		fprintf(stderr, "%shelp:%s %s\n", bold, plain, report->help);
}

void
report_error(const struct invocation *inv, const struct error *err)
{
	struct report report;

	report_split(inv->mem, err->message, &report);
	if (inv->is_json)
		report_json(&report);
	else
		report_text(inv, &report, "error");
}

void
report_finding(const struct invocation *inv, const char *message, const char *help,
	       bool is_warning)
{
	struct report report;

	report_split(inv->mem, message, &report);
	if (help != NULL)
		report.help = help;
	report_text(inv, &report, is_warning ? "warning" : "error");
}
