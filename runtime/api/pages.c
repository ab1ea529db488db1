/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/pages -- the read-only page of `nangod dev`: connections, runs, datasets, records.
 *
 * Plain HTML without scripts; what is shown comes from customers' data and is escaped in
 * html.c.
 */
#include "api/api.h"
#include "api/assets.h"
#include "api/html.h"
#include "store/connection.h"
#include "engine/feed.h"
#include "store/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 50
#define PAYLOAD_SHOWN_MAX 400 /* bytes of a record in the table */

struct page {
	struct call *call;
	struct db *db, *data;
	struct environment *envs, *env; /* all, and the one that is shown */
	size_t envs_count;
	struct buf out;
};

static void
add_head(struct page *p)
{
	buf_adds(&p->out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
			  "<meta name=\"viewport\" content=\"width=device-width\">"
			  "<title>nangod</title><style>");
	buf_add(&p->out, asset_console_css, asset_console_css_length);
	buf_adds(&p->out,
		 "</style></head><body><h1>nangod</h1><nav aria-label=\"Environments\">");
	for (size_t i = 0; i < p->envs_count; i++) {
		buf_adds(&p->out, "<a href=\"/?environment=");
		buf_add_url(&p->out, p->envs[i].name);
		buf_adds(&p->out, &p->envs[i] == p->env ? "\" aria-current=\"page\">" : "\">");
		html_text(&p->out, p->envs[i].name);
		buf_adds(&p->out, "</a>");
	}
	buf_adds(&p->out, "</nav><main>");
}

static void
add_dataset_links(struct page *p, const struct connection *c, struct json_object *datasets)
{
	buf_adds(&p->out, "<td>");
	for (size_t i = 0; i < json_object_array_length(datasets); i++) {
		struct json_object *one = json_object_array_get_idx(datasets, i);

		buf_adds(&p->out, "<a href=\"/?environment=");
		buf_add_url(&p->out, p->env->name);
		buf_addf(&p->out, "&amp;connection=%" PRId64 "&amp;model=", c->id);
		buf_add_url(&p->out, json_string(one, "model"));
		buf_adds(&p->out, "&amp;variant=");
		buf_add_url(&p->out, json_string(one, "variant"));
		buf_adds(&p->out, "\">");
		html_text(&p->out, json_string(one, "model"));
		buf_addf(&p->out, "</a> %" PRId64 " ", json_integer(one, "records", 0));
	}
	buf_adds(&p->out, "</td>");
}

static int
add_connections(struct page *p, struct error *err)
{
	static const char *const names[] = {"Connection", "Integration", "Provider",
					    "Made",	  "Records",	 NULL};
	struct connection_filter filter = {.environment_id = p->env->id, .limit = LIST_MAX};
	struct connection *list;
	size_t count;

	if (connection_list(p->call->mem, p->db, &filter, &list, &count, err) < 0)
		return -1;
	buf_adds(&p->out, "<h2>Connections</h2>");
	if (count == 0) {
		buf_adds(&p->out,
			 "<p class=\"empty\">None yet: POST /connections makes one.</p>");
		return 0;
	}
	html_table(&p->out, "Connections", names);
	for (size_t i = 0; i < count; i++) {
		struct json_object *datasets;
		const char *text;

		if (dataset_counts(p->call->mem, p->data, list[i].id, &text, err) < 0 ||
		    json_parse(p->call->mem, text, strlen(text), &datasets, err) < 0)
			return -1;
		buf_adds(&p->out, "<tr>");
		html_cell(&p->out, list[i].connection_id);
		html_cell(&p->out, list[i].integration_key);
		html_cell(&p->out, list[i].provider);
		html_time(&p->out, list[i].created_ms);
		add_dataset_links(p, &list[i], datasets);
		buf_adds(&p->out, "</tr>");
	}
	html_table_end(&p->out);
	return 0;
}

static void
add_run(struct page *p, const struct run_row *r)
{
	buf_adds(&p->out, "<tr>");
	html_number(&p->out, r->id);
	html_cell(&p->out, r->sync_name);
	html_cell(&p->out, r->connection_id);
	buf_addf(&p->out, "<td class=\"%s\">", r->state);
	html_text(&p->out, r->state);
	if (r->cause[0] != '\0' && strcmp(r->cause, r->state) != 0) {
		buf_adds(&p->out, ": ");
		html_text(&p->out, r->cause);
	}
	buf_adds(&p->out, "</td>");
	html_time(&p->out, r->started_ms);
	html_number(&p->out, r->finished_ms == 0 || r->started_ms == 0
				 ? 0
				 : r->finished_ms - r->started_ms);
	html_number(&p->out, r->pages);
	html_number(&p->out, r->added);
	html_number(&p->out, r->updated);
	html_cell(&p->out, r->message);
	buf_adds(&p->out, "</tr>");
}

static int
add_runs(struct page *p, struct error *err)
{
	static const char *const names[] = {"Run",	     "Sync",	"Connection", "State",
					    "Started (UTC)", "Took ms", "Pages",      "Added",
					    "Updated",	     "Message", NULL};
	const struct run_filter filter = {.environment_id = p->env->id, .limit = LIST_MAX};
	struct run_row *list;
	size_t count;

	if (run_list(p->call->mem, p->db, &filter, &list, &count, err) < 0)
		return -1;
	buf_adds(&p->out, "<h2>Runs</h2>");
	if (count == 0) {
		buf_adds(&p->out,
			 "<p class=\"empty\">None yet: deploy a plugin with nango-plugin "
			 "deploy.</p>");
		return 0;
	}
	html_table(&p->out, "Runs", names);
	for (size_t i = 0; i < count; i++)
		add_run(p, &list[i]);
	html_table_end(&p->out);
	return 0;
}

static int
add_record(void *arg, const struct record_read *r, struct error *err)
{
	static const char *const actions[] = {"", "added", "updated", "deleted"};
	struct page *p = arg;
	size_t n =
	    r->payload_length < PAYLOAD_SHOWN_MAX ? r->payload_length : PAYLOAD_SHOWN_MAX;

	(void)err;
	/* Not in the middle of a character: back to where one begins. */
	while (n > 0 && n < r->payload_length && ((unsigned char)r->payload[n] & 0xc0) == 0x80)
		n--;
	buf_adds(&p->out, "<tr>");
	html_number(&p->out, r->seq);
	html_cell(&p->out, r->external_id);
	html_cell(&p->out, actions[r->action]);
	html_time(&p->out, r->last_modified_us / 1000);
	buf_adds(&p->out, "<td><code>");
	html_text(&p->out,
		  talloc_strndup(p->call->mem, r->payload == NULL ? "" : r->payload, n));
	buf_adds(&p->out, n < r->payload_length ? "…</code></td></tr>" : "</code></td></tr>");
	return 0;
}

static int
add_records(struct page *p, struct error *err)
{
	static const char *const names[] = {"Seq",    "Id", "Change", "Modified (UTC)",
					    "Record", NULL};
	const char *id = request_query(p->call->req, "connection");
	const char *model = request_query(p->call->req, "model");
	const char *variant = request_query(p->call->req, "variant");
	struct record_query q = {
	    .limit = LIST_MAX, .with_added = true, .with_updated = true, .with_deleted = true};
	struct connection *connection;
	struct dataset dataset;

	if (id == NULL || model == NULL)
		return 0;
	if (connection_find_id(p->call->mem, p->db, strtoll(id, NULL, 10), &connection, err) <
		0 ||
	    dataset_find(p->data, connection->id, model, variant == NULL ? "base" : variant,
			 &dataset, err) < 0)
		return -1;
	q.connection_row = connection->id;
	q.dataset_id = dataset.id;
	buf_adds(&p->out, "<h2>Records: ");
	html_text(&p->out, model);
	buf_adds(&p->out, " of ");
	html_text(&p->out, connection->connection_id);
	buf_addf(&p->out, "</h2><p>%" PRId64 " records; the first %d are shown.</p>",
		 dataset.live, LIST_MAX);
	html_table(&p->out, "Records", names);
	if (feed_stream(p->call->node, p->env, p->data, &dataset, &q, add_record, p, err) < 0)
		return -1;
	html_table_end(&p->out);
	return 0;
}

static int
choose_environment(struct page *p, struct error *err)
{
	const char *name = request_query(p->call->req, "environment");

	if (environment_list(p->call->mem, p->db, &p->envs, &p->envs_count, err) < 0)
		return -1;
	for (size_t i = 0; i < p->envs_count; i++)
		if (name == NULL || strcmp(p->envs[i].name, name) == 0) {
			p->env = &p->envs[i];
			return 0;
		}
	return error_set(err, ERR_NOT_FOUND, "there is no environment \"%s\"", name);
}

int
api_page_home(struct call *call, struct response *res, struct error *err)
{
	struct page p = {.call = call};

	buf_init(&p.out, call->mem, 16384);
	if (call_db(call, &p.db, err) < 0 || call_data(call, &p.data, err) < 0 ||
	    choose_environment(&p, err) < 0)
		return -1;
	add_head(&p);
	if (add_records(&p, err) < 0 || add_connections(&p, err) < 0 || add_runs(&p, err) < 0)
		return -1;
	buf_adds(&p.out, "</main></body></html>");
	response_header(
	    res, "Content-Security-Policy",
	    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
	response_header(res, "Cache-Control", "no-store");
	return response_bytes(res, 200, "text/html; charset=utf-8", p.out.data, p.out.length);
}
