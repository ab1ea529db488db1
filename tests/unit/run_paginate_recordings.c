/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate over recorded lists: each request that it makes must have been recorded, each
 * that was recorded must be made, once, and the end must be where the API's end was. The rules
 * are those of the provider's template, with what a plugin would add.
 *
 * The shared recordings are used where they are; golden/pages.json is always there.
 */
#include "base/json.h"
#include "provider/template.h"
#include "recording.h"
#include "run/body_path.h"
#include "run/paginate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define FIELDS_MAX 40

struct list {
	const char *template, *file, *method, *path;
	const char *own; /* a plugin's settings, with ' for " */
	size_t walks, pages, items;
	bool leads_on; /* the recording ends before the list does */
};

static const struct list own_lists[] = {
    {NULL, NULL, "GET", "/cursor",
     "{'type':'cursor','cursor_name_in_request':'after','cursor_path_in_response':'next',"
     "'response_path':'items','limit_name_in_request':'size','limit':2}",
     2, 5, 8, false},
    {NULL, NULL, "GET", "/link",
     "{'type':'link','link_rel_in_response_header':'next','limit_name_in_request':'size',"
     "'limit':2}",
     1, 3, 5, false},
    {NULL, NULL, "POST", "/offset",
     "{'type':'offset','offset_name_in_request':'page.start','limit_name_in_request':"
     "'page.size','limit':2,'response_path':'items'}",
     1, 3, 5, false},
    {NULL, NULL, "POST", "/body",
     "{'type':'cursor','cursor_name_in_request':'variables.after','cursor_path_in_response':"
     "'data.end','response_path':'data.nodes','more_path_in_response':'data.more'}",
     1, 2, 3, false},
    {NULL, NULL, "GET", "/open",
     "{'type':'cursor','cursor_name_in_request':'after','cursor_path_in_response':'next',"
     "'response_path':'items'}",
     1, 1, 1, true},
};

static const struct list shared_lists[] = {
    {"airtable", "airtable/tables", "GET", "/v0/meta/bases", "{'response_path':'bases'}", 1, 1,
     11, false},
    {"asana", "asana/tasks", "GET", "/api/1.0/workspaces/1202775892569436/projects", "{}", 1, 1,
     11, false},
    {"asana", "asana/tasks", "GET", "/api/1.0/tasks", "{}", 11, 11, 17, false},
    {"bamboohr-basic", "bamboohr-basic/employees", "POST", "/v2/datasets/employee/data",
     "{'type':'offset','offset_name_in_request':'page','offset_start_value':1,"
     "'offset_calculation_method':'per-page','limit_name_in_request':'pageSize','limit':1000,"
     "'response_path':'data'}",
     1, 1, 114, false},
    {"dropbox", "dropbox/files", "POST", "/2/files/list_folder",
     "{'type':'cursor','cursor_name_in_request':'cursor','cursor_path_in_response':'cursor',"
     "'response_path':'entries','more_path_in_response':'has_more'}",
     1, 1, 60, true},
    {"dropbox", "dropbox/files", "POST", "/2/files/list_folder/continue",
     "{'type':'cursor','cursor_name_in_request':'cursor','cursor_path_in_response':'cursor',"
     "'response_path':'entries','more_path_in_response':'has_more'}",
     1, 1, 0, false},
    {"github", "github/issues", "GET", "/repos/viictoo/api-playground2/issues", "{}", 1, 1, 14,
     false},
    {"github", "github/issues", "GET", "/user/repos",
     "{'type':'offset','offset_name_in_request':'page','offset_start_value':1,"
     "'offset_calculation_method':'per-page'}",
     1, 1, 1, false},
    {"github", "github/list-issues", "GET", "/repos/viictoo/api-playground2/issues",
     "{'limit':5}", 1, 1, 5, true},
    {"github", "github/pull-requests", "GET", "/repos/viictoo/api-playground2/pulls", "{}", 1,
     1, 6, false},
    {"github", "github/releases", "GET", "/repos/viictoo/api-playground2/releases",
     "{'type':'offset','offset_name_in_request':'page','offset_start_value':1,"
     "'offset_calculation_method':'per-page'}",
     1, 1, 6, false},
    {"google-calendar", "google-calendar/calendars", "GET",
     "/calendar/v3/users/me/calendarList", "{'limit':250}", 1, 1, 55, false},
    {"google-drive", "google-drive/documents", "GET", "/drive/v3/files", "{}", 69, 71, 351,
     false},
    {"hubspot", "hubspot/companies", "GET", "/crm/v3/objects/companies", "{}", 1, 1, 57, false},
    {"hubspot", "hubspot/contacts", "GET", "/crm/v3/objects/contacts", "{}", 1, 1, 26, false},
    {"hubspot", "hubspot/deals", "GET", "/crm/v3/objects/deals", "{}", 1, 1, 21, false},
    {"intercom", "intercom/contacts", "POST", "/contacts/search",
     "{'cursor_name_in_request':'pagination.starting_after','limit_name_in_request':"
     "'pagination.per_page','limit':150}",
     1, 1, 17, false},
    {"jira", "jira/issues", "GET",
     "/ex/jira/07779958-e747-4285-ad18-0f5252a97bff/rest/api/3/search/jql",
     "{'type':'cursor','cursor_name_in_request':'nextPageToken','cursor_path_in_response':"
     "'nextPageToken','response_path':'issues','limit':0,'more_path_in_response':'!isLast'}",
     1, 1, 16, false},
    {"jira", "jira/projects", "GET",
     "/ex/jira/07779958-e747-4285-ad18-0f5252a97bff/rest/api/3/project/search", "{}", 1, 1, 1,
     false},
    {"linear", "linear/issues", "POST", "/graphql",
     "{'type':'cursor','cursor_name_in_request':'variables.after','cursor_path_in_response':"
     "'data.issues.pageInfo.endCursor','response_path':'data.issues.nodes',"
     "'more_path_in_response':'data.issues.pageInfo.hasNextPage'}",
     1, 1, 11, false},
    {"linear", "linear/teams", "POST", "/graphql",
     "{'type':'cursor','cursor_name_in_request':'variables.after','cursor_path_in_response':"
     "'data.teams.pageInfo.endCursor','response_path':'data.teams.nodes',"
     "'more_path_in_response':'data.teams.pageInfo.hasNextPage'}",
     1, 1, 1, false},
    {"notion", "notion/content-metadata", "POST", "/v1/search", "{}", 1, 1, 14, false},
    {"salesforce", "salesforce/contacts", "GET", "/services/data/v59.0/query", "{}", 1, 1, 213,
     false},
    {"slack", "slack/channels", "GET", "/conversations.list",
     "{'limit':1000,'response_path':'channels'}", 4, 4, 60, false},
    {"slack", "slack/users", "GET", "/users.list", "{'response_path':'members'}", 1, 1, 3,
     false},
    {"stripe-app", "stripe-app/customers", "GET", "/v1/customers",
     "{'type':'cursor','cursor_name_in_request':'starting_after','cursor_path_in_response':"
     "'data[-1].id','response_path':'data','more_path_in_response':'has_more',"
     "'limit_name_in_request':'limit','limit':100}",
     1, 1, 10, false},
    {"stripe-app", "stripe-app/subscriptions", "GET", "/v1/subscriptions",
     "{'type':'cursor','cursor_name_in_request':'starting_after','cursor_path_in_response':"
     "'data[-1].id','response_path':'data','more_path_in_response':'has_more',"
     "'limit_name_in_request':'limit','limit':100}",
     1, 1, 8, false},
    {"xero", "xero/invoices", "GET", "/api.xro/2.0/Invoices", "{'response_path':'Invoices'}", 1,
     1, 77, false},
    {"zendesk", "zendesk/tickets", "GET", "/api/v2/incremental/tickets",
     "{'type':'link','link_path_in_response_body':'next_page','limit':0,'response_path':"
     "'tickets','more_path_in_response':'!end_of_stream'}",
     1, 1, 4, false},
    {"zendesk", "zendesk/users", "GET", "/api/v2/incremental/users/cursor",
     "{'cursor_name_in_request':'cursor','cursor_path_in_response':'after_cursor',"
     "'limit_name_in_request':'per_page','response_path':'users'}",
     1, 2, 7, false},
};

struct walk {
	TALLOC_CTX *mem;
	const struct list *list;
	const char *rules, *own;
	const struct recording *recording;
	bool *visited; /* of each exchange */
	size_t walks, pages, items;
	bool leads_on;
};

static bool
is_hidden(const struct exchange *e)
{
	return e->data != NULL && strncmp(e->data, "sha1:", 5) == 0;
}

static const char *
no_header(void *arg, const char *name)
{
	const struct exchange *e = arg; /* headers are the plugin's, the same for all pages */

	for (size_t i = 0; e != NULL && i < e->headers.count; i++)
		if (strcmp(e->headers.at[i].name, name) == 0)
			return e->headers.at[i].value;
	return NULL;
}

static void
add_text_query(TALLOC_CTX *mem, struct recording_pairs *params, char *rest)
{
	char *pair;

	while ((pair = strsep(&rest, "&")) != NULL) {
		size_t n = strcspn(pair, "=");

		recording_pairs_add(mem, params, recording_decode(mem, pair, n),
				    recording_decode(mem, pair + n + (pair[n] == '='),
						     pair[n] == 0 ? 0 : strlen(pair + n + 1)));
	}
}

static const struct exchange *
find(struct walk *w, const struct exchange *start, const struct paginate_ask *ask)
{
	char *path = talloc_strdup(w->mem, ask->path), *query;
	struct recording_request request = {.method = w->list->method,
					    .header = no_header,
					    .arg = (void *)(uintptr_t)start,
					    .body = ask->body,
					    .body_length = ask->body_length};
	const struct exchange *nearest;

	if (strstr(path, "://") != NULL)
		path = strchr(strstr(path, "://") + 3, '/');
	query = strchr(path, '?');
	if (query != NULL) {
		*query++ = '\0';
		add_text_query(w->mem, &request.params, query);
	}
	request.path = path;
	for (const struct http_field *q = ask->query; q->name != NULL; q++)
		recording_pairs_add(w->mem, &request.params, q->name, q->value);
	return recording_find(w->mem, w->recording, &request, &nearest);
}

static bool
is_named(const char *rules, const char *name)
{
	char quoted[128];

	snprintf(quoted, sizeof(quoted), "\"%s\"", name);
	return rules != NULL && strstr(rules, quoted) != NULL;
}

/* The plugin's own request: without what the engine adds to a query. */
static struct run_request
begin(struct walk *w, const struct exchange *start, struct http_field *query)
{
	struct run_request request = {.method = start->method,
				      .path = start->path,
				      .query = query,
				      .body = is_hidden(start) ? "{}" : start->data};
	size_t n = 0;

	assert_true(start->params.count < FIELDS_MAX);
	for (size_t i = 0; i < start->params.count; i++) {
		const char *name = start->params.at[i].name;

		if (is_named(w->own, name) || is_named(w->rules, name))
			continue;
		query[n++] = (struct http_field){name, start->params.at[i].value};
	}
	query[n] = (struct http_field){NULL, NULL};
	request.body_length = request.body == NULL ? 0 : strlen(request.body);
	return request;
}

static void
take_page(struct walk *w, const struct exchange *e)
{
	size_t at = (size_t)(e - w->recording->exchanges);

	if (w->visited[at])
		fail_msg("%s %s: page %zu was asked for twice", w->list->file, w->list->path,
			 at);
	w->visited[at] = true;
	w->pages++;
}

static void
go(struct walk *w, const struct exchange *start)
{
	struct http_field query[FIELDS_MAX + 1];
	struct run_request request = begin(w, start, query);
	const struct exchange *e = start;
	const struct paginate_ask *ask;
	struct paginate *pages;
	struct error err;
	int more = 1;

	if (paginate_new(w->mem, w->rules, w->own, &pages, &err) < 0 ||
	    paginate_first(pages, &request, &ask, &err) < 0)
		fail_msg("%s %s: %s", w->list->file, w->list->path, err.message);
	if (!is_hidden(start) && find(w, start, ask) != start)
		fail_msg("%s %s: the first request was another", w->list->file, w->list->path);
	for (w->walks++; more > 0 && e != NULL; e = more > 0 ? find(w, start, ask) : NULL) {
		struct http_field headers[FIELDS_MAX + 1] = {{NULL, NULL}};
		struct run_response response = {200, headers, e->body, e->body_length};
		struct jsonspan items;

		for (size_t i = 0; i < e->answer_headers.count && i < FIELDS_MAX; i++)
			headers[i] = (struct http_field){e->answer_headers.at[i].name,
							 e->answer_headers.at[i].value};
		take_page(w, e);
		more = paginate_next(pages, &response, &items, &ask, &err);
		if (more < 0)
			fail_msg("%s %s: %s", w->list->file, w->list->path, err.message);
		w->items += (size_t)body_count(items);
	}
	w->leads_on |= more > 0;
}

static void
check_list(const struct list *list, const char *path, const char *rules, size_t *pages)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct recording recording = {.mem = mem};
	struct walk w = {.mem = mem, .list = list, .rules = rules, .recording = &recording};
	struct error err;
	char *own = talloc_strdup(mem, list->own);

	for (char *c = own; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	w.own = own;
	if (recording_load(&recording, path, &err) < 0)
		fail_msg("%s", err.message);
	w.visited = talloc_zero_array(mem, bool, (unsigned)recording.count);
	for (size_t i = 0; i < recording.count; i++)
		if (!w.visited[i] && strcmp(recording.exchanges[i].path, list->path) == 0)
			go(&w, &recording.exchanges[i]);
	if (w.walks != list->walks || w.pages != list->pages || w.leads_on != list->leads_on ||
	    w.items != list->items)
		fail_msg("%s %s: %zu walks, %zu pages, %zu items%s", path, list->path, w.walks,
			 w.pages, w.items, w.leads_on ? ", and leads on" : "");
	*pages += w.pages;
	talloc_free(mem);
}

static const char *
top(void)
{
	const char *dir = getenv("NANGO_TOP_SRCDIR");

	return dir == NULL ? "." : dir;
}

static void
test_own(void **state)
{
	char path[4096];
	size_t pages = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/tests/unit/golden/pages.json", top());
	for (size_t i = 0; i < sizeof(own_lists) / sizeof(own_lists[0]); i++)
		check_list(&own_lists[i], path, NULL, &pages);
}

static const char *
rules_of(const struct templates *templates, const char *name)
{
	const struct template *template = template_find(templates, name);
	struct json_object *rules;

	if (template == NULL)
		fail_msg("there is no template %s", name);
	rules = json_object_in(json_object_in(template_body(template), "proxy"), "paginate");
	return rules == NULL ? NULL : json_object_to_json_string(rules);
}

static void
test_shared(void **state)
{
	size_t count = sizeof(shared_lists) / sizeof(shared_lists[0]), pages = 0;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct templates *templates;
	struct error err;
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/../shared/recordings", top());
	if (access(path, R_OK) != 0) {
		print_message("NOT RUN: no %s, so 0 of %zu recorded lists\n", path, count);
		talloc_free(mem);
		skip();
	}
	snprintf(path, sizeof(path), "%s/templates", top());
	if (templates_load(mem, path, NULL, &templates, &err) < 0)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/../shared/recordings/%s.test.json", top(),
			 shared_lists[i].file);
		check_list(&shared_lists[i], path,
			   rules_of(templates, shared_lists[i].template), &pages);
	}
	print_message("%zu recorded lists, %zu pages\n", count, pages);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
