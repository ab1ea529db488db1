/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin template -- for those who write templates: a first one, and the checks that
 * nangod makes, by the same code.
 *
 * A file of ours is checked in its folder, because alias and extends name its neighbours. A
 * file in the reference's format, many providers in one, is checked as NANGO_PROVIDERS is read:
 * what is odd is a warning.
 */
#include "template_files.h"

#include "project.h"
#include "provider/template.h"
#include "report.h"
#include "run/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct check {
	struct invocation *inv;
	const char *path, *only; /* of a folder's templates this one; NULL: all */
	struct templates *templates;
	double load_ms;
	size_t count, errors, warnings;
};

/* ---- what to read ---- */

/* "dir/name.yaml" is the template name, in dir. */
static int
split_path(struct check *check, const char **dir, struct error *err)
{
	TALLOC_CTX *mem = check->inv->mem;
	const char *slash = strrchr(check->path, '/');
	const char *base = slash == NULL ? check->path : slash + 1;
	size_t n = strlen(base);

	if (n <= 5 || base[0] == '.' || strcmp(base + n - 5, ".yaml") != 0)
		return error_set(err, ERR_USAGE,
				 "%s is no template: its file is NAME.yaml [E0710]",
				 check->path);
	check->only = talloc_strndup(mem, base, n - 5);
	*dir = slash == NULL
		   ? "."
		   : talloc_strndup(mem, check->path,
				    (size_t)(slash - check->path) + (slash == check->path));
	return 0;
}

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* A file that is no YAML is one of ours until it can say otherwise. */
static bool
is_catalogue(const char *path)
{
	struct error err;
	bool is_many = false;

	return templates_is_catalogue(path, &is_many, &err) == 0 && is_many;
}

static int
read_templates(struct check *check, struct error *err)
{
	const char *beside = command_option(check->inv, "templates");
	const char *dir = NULL, *file = NULL;
	struct stat status;
	double begin;

	if (stat(check->path, &status) < 0) {
		error_set_errno(err, ERR_NOT_FOUND, "cannot read %s", check->path);
		return STATUS_NOT_FOUND;
	}
	if (S_ISDIR(status.st_mode)) {
		dir = check->path;
	} else if (is_catalogue(check->path)) {
		file = check->path;
		dir = beside != NULL ? beside : getenv("NANGO_TEMPLATES");
	} else if (split_path(check, &dir, err) < 0) {
		return STATUS_USAGE;
	}
	begin = now_ms();
	if (templates_read(check->inv->mem, dir, file, &check->templates, err) < 0)
		return STATUS_FAILURE;
	check->load_ms = now_ms() - begin;
	return STATUS_OK;
}

static bool
is_asked(const struct check *check, const char *template)
{
	return check->only == NULL || (template != NULL && strcmp(template, check->only) == 0);
}

static void
count(struct check *check)
{
	const struct findings *findings = templates_findings(check->templates);

	for (size_t i = 0; i < templates_count(check->templates); i++)
		check->count +=
		    is_asked(check, template_name(templates_at(check->templates, i)));
	if (check->only == NULL) {
		check->errors = findings->errors;
		check->warnings = findings->warnings;
		return;
	}
	for (size_t i = 0; i < findings->count; i++) {
		bool is_ours = is_asked(check, findings->list[i].template);

		check->errors += is_ours && findings->list[i].is_error;
		check->warnings += is_ours && !findings->list[i].is_error;
	}
}

/* ---- saying it ---- */

static const char *
help_for(const struct check *check, const struct template_finding *finding)
{
	const char *near = finding->words == NULL || finding->word == NULL
			       ? NULL
			       : suggest_word(finding->word, finding->words);

	return near == NULL ? NULL
			    : talloc_asprintf(check->inv->mem, "did you mean \"%s\"?", near);
}

static struct json_object *
finding_json(const struct check *check, const struct template_finding *finding)
{
	struct json_object *tree = json_object_new_object();
	struct report report;

	report_split(check->inv->mem, finding->message, &report);
	json_add(tree, "severity", finding->is_error ? "error" : "warning");
	json_add(tree, "template", finding->template);
	json_add(tree, "code", report.code);
	json_add(tree, "message", report.text);
	json_add(tree, "file", report.file);
	if (report.file != NULL) {
		json_add_integer(tree, "line", report.line);
		json_add_integer(tree, "column", report.column);
	}
	if (help_for(check, finding) != NULL)
		json_add(tree, "help", help_for(check, finding));
	return tree;
}

static struct json_object *
resolved_json(const struct check *check)
{
	struct json_object *tree = json_object_new_object();

	for (size_t i = 0; i < templates_count(check->templates); i++) {
		const struct template *template = templates_at(check->templates, i);

		if (is_asked(check, template_name(template)))
			json_object_object_add(tree, template_name(template),
					       json_object_get(template_body(template)));
	}
	return tree;
}

static void
print_json(const struct check *check)
{
	const struct findings *findings = templates_findings(check->templates);
	struct json_object *tree = json_own(check->inv->mem, json_object_new_object());
	struct json_object *list = json_object_new_array(), *first = NULL;

	for (size_t i = 0; i < findings->count; i++) {
		struct json_object *row;

		if (!is_asked(check, findings->list[i].template))
			continue;
		row = finding_json(check, &findings->list[i]);
		if (first == NULL && findings->list[i].is_error)
			first = row;
		json_object_array_add(list, row);
	}
	json_add_boolean(tree, "ok", check->errors == 0);
	json_add_integer(tree, "templates", (int64_t)check->count);
	json_add_integer(tree, "errors", (int64_t)check->errors);
	json_add_integer(tree, "warnings", (int64_t)check->warnings);
	json_object_object_add(tree, "load_ms", json_object_new_double(check->load_ms));
	if (first != NULL)
		json_object_object_add(tree, "error", json_object_get(first));
	json_object_object_add(tree, "findings", list);
	if (command_option(check->inv, "resolved") != NULL)
		json_object_object_add(tree, "resolved", resolved_json(check));
	printf("%s\n", json_text(check->inv->mem, tree));
}

static void
print_text(const struct check *check)
{
	const struct findings *findings = templates_findings(check->templates);

	for (size_t i = 0; i < findings->count; i++)
		if (is_asked(check, findings->list[i].template))
			report_finding(check->inv, findings->list[i].message,
				       help_for(check, &findings->list[i]),
				       !findings->list[i].is_error);
	if (command_option(check->inv, "resolved") != NULL)
		printf("%s\n", json_object_to_json_string_ext(
				   json_own(check->inv->mem, resolved_json(check)),
				   JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		printf("%s: %zu templates, %zu errors, %zu warnings\n", check->path,
		       check->count, check->errors, check->warnings);
}

static int
check_templates(struct invocation *inv, struct error *err)
{
	struct check check = {.inv = inv, .path = inv->arguments[1]};
	int status = read_templates(&check, err);

	if (status != STATUS_OK)
		return status;
	count(&check);
	if (inv->is_json)
		print_json(&check);
	else
		print_text(&check);
	return check.errors == 0 ? STATUS_OK : STATUS_FAILURE; /* err: all is said */
}

static int
run(struct invocation *inv, struct error *err)
{
	const char *verb = inv->arguments[0];

	if (strcmp(verb, "check") == 0)
		return check_templates(inv, err);
	if (strcmp(verb, "new") == 0)
		return template_files_new(inv, err);
	error_set(err, ERR_USAGE,
		  "template %.40s is not known [E0003]\nhelp: nango-plugin template check|new",
		  verb);
	return STATUS_USAGE;
}

const struct command command_template = {
    .name = "template",
    .arguments = "check|new FILE|DIR|NAME",
    .arguments_min = 2,
    .arguments_max = 2,
    .summary = "Check provider templates as the server will; make a first one",
    .doc =
	"check reads FILE (dir/NAME.yaml, with those beside it that it names), all of DIR, or "
	"a\n"
	"file in the reference's format with many providers, in which what is odd is only a\n"
	"warning. new writes NAME.yaml, which is right but for its addresses. The handbook of\n"
	"all keys is templates/README.md.",
    .options = {{"resolved", 'r', NULL,
		 "Also print what each template comes to, without alias and extends"},
		{"templates", 't', "DIR",
		 "For a file of many: ours, which it may name; default: $NANGO_TEMPLATES"},
		{"mode", 'm', "MODE", "For new: the auth_mode; default: API_KEY"},
		{"output", 'o', "DIR", "For new: where the file goes; default: here"}},
    .run = run,
};
