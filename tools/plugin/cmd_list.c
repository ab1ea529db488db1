/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin list -- the stored records of a model, as a table for people.
 *
 * Widths are counted in characters, not bytes; what is too long is cut with an ellipsis. With
 * --json the server's own answer is printed, untouched.
 */
#include "base/buf.h"
#include "base/json.h"
#include "command.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 8
#define COLUMNS_DEFAULT 5
#define CELL_MAX 36 /* characters */

struct table {
	const char *names[COLUMNS_MAX];
	size_t widths[COLUMNS_MAX];
	size_t count;
	struct json_object *records;
};

static size_t
characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* A member as one line of text, cut to CELL_MAX characters. */
static const char *
cell(TALLOC_CTX *mem, struct json_object *record, const char *name)
{
	struct json_object *value = json_member(record, name);
	char *text;
	size_t n = 0;

	if (value == NULL)
		return "";
	text = json_object_is_type(value, json_type_string)
		   ? talloc_strdup(mem, json_object_get_string(value))
		   : json_text(mem, value);
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20)
			*p = ' '; /* line breaks, and escapes for the terminal */
		n += ((unsigned char)*p & 0xc0) != 0x80;
		if (n == CELL_MAX && p[1] != '\0') {
			*p = '\0';
			return talloc_asprintf(mem, "%s…", text);
		}
	}
	return text;
}

static bool
is_short(struct json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string_len(value) <= CELL_MAX;
	return value != NULL && !json_object_is_type(value, json_type_object) &&
	       !json_object_is_type(value, json_type_array);
}

static void
add_column(struct table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->names[i], name) == 0)
			return;
	if (table->count < COLUMNS_MAX)
		table->names[table->count++] = name;
}

static void
choose_columns(TALLOC_CTX *mem, struct table *table, const char *fields)
{
	struct json_object *first = json_object_array_get_idx(table->records, 0);
	char *rest = fields == NULL ? NULL : talloc_strdup(mem, fields), *name;

	while ((name = strsep(&rest, ",")) != NULL)
		if (name[0] != '\0')
			add_column(table, name);
	if (table->count > 0 || first == NULL)
		return;
	add_column(table, "id");
	json_object_object_foreach (first, key, value)
		if (is_short(value) && table->count < COLUMNS_DEFAULT)
			add_column(table, key);
}

static void
print_row(const struct table *table, const char *const *cells)
{
	for (size_t i = 0; i < table->count; i++) {
		size_t pad =
		    i + 1 < table->count ? table->widths[i] - characters(cells[i]) + 2 : 0;

		printf("%s%*s", cells[i], (int)pad, "");
	}
	putchar('\n');
}

static void
print_table(TALLOC_CTX *mem, struct table *table, bool has_more)
{
	size_t rows = json_object_array_length(table->records);
	const char *cells[COLUMNS_MAX];

	for (size_t i = 0; i < table->count; i++)
		table->widths[i] = characters(table->names[i]);
	for (size_t row = 0; row < rows; row++)
		for (size_t i = 0; i < table->count; i++) {
			struct json_object *record =
			    json_object_array_get_idx(table->records, row);
			size_t width = characters(cell(mem, record, table->names[i]));

			if (width > table->widths[i])
				table->widths[i] = width;
		}
	print_row(table, table->names);
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = 0; i < table->count; i++)
			cells[i] = cell(mem, json_object_array_get_idx(table->records, row),
					table->names[i]);
		print_row(table, cells);
	}
	printf("(%zu records%s)\n", rows, has_more ? "; there are more: --limit N" : "");
}

static bool
is_quarantine(const struct invocation *inv)
{
	return command_option(inv, "quarantine") != NULL;
}

static int
ask(struct invocation *inv, const struct server *server, struct server_answer *answer,
    struct error *err)
{
	const char *integration = command_option(inv, "integration");
	const char *connection = command_option(inv, "connection");
	const char *limit = command_option(inv, "limit");
	struct error why;
	struct buf path;

	if (integration == NULL || connection == NULL) {
		error_set(
		    err, ERR_USAGE,
		    "--integration and --connection are required\nhelp: nango-plugin list "
		    "Issue --integration github --connection acme");
		return STATUS_USAGE;
	}
	buf_init(&path, inv->mem, 128);
	buf_adds(&path, is_quarantine(inv) ? "/records/quarantine?model=" : "/records?model=");
	buf_add_url(&path, inv->arguments[0]);
	buf_adds(&path, "&limit=");
	buf_add_url(&path, limit == NULL ? "20" : limit);
	if (command_option(inv, "variant") != NULL) {
		buf_adds(&path, "&variant=");
		buf_add_url(&path, command_option(inv, "variant"));
	}
	if (server_get(inv->mem, server, path.data, integration, connection, answer, &why) < 0)
		return server_silent(server, &why, err);
	if (answer->status != 200)
		return server_refused(inv->mem, server, answer, "the request", err);
	return STATUS_OK;
}

static int
run(struct invocation *inv, struct error *err)
{
	const char *environment = inv->arguments[1] == NULL ? "dev" : inv->arguments[1];
	struct server_answer answer = {0};
	struct server server;
	struct json_object *tree;
	struct table table = {0};
	int status = server_find(inv->mem, environment, &server, err);

	if (status == STATUS_OK)
		status = ask(inv, &server, &answer, err);
	if (status != STATUS_OK)
		return status;
	if (inv->is_json) {
		printf("%s\n", answer.body);
		return STATUS_OK;
	}
	if (json_parse(inv->mem, answer.body, answer.body_length, &tree, err) < 0 ||
	    (table.records = json_array_in(tree, "records")) == NULL) {
		error_set(err, ERR_PROTOCOL, "the answer of %s is not understood [E0407]",
			  server.url);
		return STATUS_FAILURE;
	}
	choose_columns(inv->mem, &table,
		       is_quarantine(inv) ? "id,path,reason,times,last_seen_at"
					  : command_option(inv, "fields"));
	print_table(inv->mem, &table,
		    json_member(tree, is_quarantine(inv) ? "next_after" : "next_cursor") !=
			NULL);
	return STATUS_OK;
}

const struct command command_list = {
    .name = "list",
    .arguments = "MODEL [ENV]",
    .arguments_min = 1,
    .arguments_max = 2,
    .summary = "Print the stored records of a model as a table",
    .doc =
	"Reads records from the server as an app does, oldest change first. ENV is the\n"
	"environment's name (default dev); server and key are found as by deploy. With\n"
	"--quarantine it shows the records that are not stored because their model does not\n"
	"allow them.",
    .options = {{"integration", 'i', "KEY", "The integration"},
		{"connection", 'c', "ID", "The connection"},
		{"fields", 'f', "A,B,...",
		 "Which members to show; default: id and the first short ones"},
		{"variant", 'v', "NAME", "The variant; default: base"},
		{"quarantine", 'q', NULL,
		 "What the model did not allow, with where and why; at most 100 records"},
		{"limit", 'n', "N", "How many records, 1 to 10000; default: 20"}},
    .run = run,
};
