/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/session_iterate -- a run's iterations over the pages of a list.
 *
 * The next page is asked for as soon as the one before has been handed out, so it is under way
 * while the plugin works. A page that failed ahead of time ends the run only when the plugin
 * asks for it: it may have seen enough before.
 */
#include "run/session_fetch.h"

#include "run/paginate.h"
#include "run/session_internal.h"

#include <stdio.h>
#include <string.h>

enum pager_state { PAGER_FETCHING, PAGER_READY, PAGER_FAILED, PAGER_OVER };

struct pager {
	struct pager *next;
	struct session *session;
	run_fetch_done *on_answer;
	uint32_t number;
	enum pager_state state;
	bool is_wanted;	 /* NEXT waits for the page */
	bool is_dropped; /* freed when the answer that is under way has come */
	bool is_busy;	 /* an answer is under way */
	bool is_whole;	 /* all there is of the list was handed out */
	struct paginate *rules;
	struct ask *ask;
	char *path;			 /* that was asked for last */
	const struct paginate_ask *asks; /* the next request; NULL: there is none */
	char *page;			 /* a PAGE frame, ready to be sent */
	size_t page_length;
	int status; /* of a refused answer; 0: there was none */
	char code[64], message[1024];
};

static void
pager_drop(struct pager *pager)
{
	pager->is_dropped = true;
	if (!pager->is_busy)
		talloc_free(pager);
}

static void
pager_fail(struct pager *pager, int status, const char *code, const char *message)
{
	pager->state = PAGER_FAILED;
	pager->status = status;
	snprintf(pager->code, sizeof(pager->code), "%s", code);
	snprintf(pager->message, sizeof(pager->message), "%s", message);
}

static void
pager_fail_with(struct pager *pager, const struct error *err)
{
	char message[sizeof(pager->message)];

	snprintf(message, sizeof(message), "%s %.300s: %.600s", pager->ask->request.method,
		 pager->ask->request.path, err->message);
	pager_fail(pager, 0, error_name(err->code), message);
}

/* The whole body goes, with the place of the list in it: totals stand beside it. */
static void
pager_keep_page(struct pager *pager, const struct run_response *r, struct jsonspan items)
{
	const char *position = paginate_position(pager->rules);
	size_t named = position == NULL ? 0 : strlen(position);
	char *at;

	pager->page_length = 20 + named + fields_bytes(r->headers) + r->body_length;
	if (pager->page_length > rpc_max(RPC_PAGE)) {
		pager_fail(pager, 0, "response_too_large",
			   "a page is larger than a run may get");
		return;
	}
	pager->page = wire_frame(pager->session, RPC_PAGE, pager->page_length);
	talloc_reparent(pager->session, pager, pager->page);
	at = rpc_put_u32(pager->page + RPC_HEADER_BYTES, 1);
	at = rpc_put_text(at, position, named);
	at = rpc_put_u32(at, (uint32_t)r->status);
	at = fields_put(at, r->headers);
	at = rpc_put_u32(at, items.data == NULL ? 0 : (uint32_t)(items.data - r->body));
	at = rpc_put_u32(at, items.data == NULL ? 0 : (uint32_t)items.length);
	if (r->body_length > 0)
		memcpy(at, r->body, r->body_length);
	pager->state = PAGER_READY;
}

static void
pager_answered(struct pager *pager, const struct run_response *r, const struct error *err)
{
	struct jsonspan items = {0};
	struct error fault;
	char message[1024];
	int more;

	if (err != NULL) {
		pager_fail_with(pager, err);
		return;
	}
	if (r->status < 200 || r->status > 299) {
		ask_describe(message, sizeof(message), pager->ask, r);
		/* An accepted 404 has no pages, and is no proof that there are none. */
		pager->status = r->status;
		if (ask_accepts(pager->ask, r->status))
			pager->state = PAGER_OVER;
		else
			pager_fail(pager, r->status, error_name(ERR_UPSTREAM), message);
		return;
	}
	pager->asks = NULL;
	more = paginate_next(pager->rules, r, &items, &pager->asks, &fault);
	if (more < 0)
		pager_fail_with(pager, &fault);
	else
		pager_keep_page(pager, r, items);
}

static void
pager_fetch(struct pager *pager)
{
	struct session *s = pager->session;
	struct run_request *r = &pager->ask->request;

	talloc_free(pager->path);
	pager->path = talloc_strdup(pager, pager->asks->path);
	r->path = pager->path;
	r->query = pager->asks->query;
	r->body = pager->asks->body;
	r->body_length = pager->asks->body_length;
	pager->state = PAGER_FETCHING;
	pager->is_busy = true;
	s->requests++;
	session_ref(s);
	s->backend.fetch(s->backend_arg, r, pager->on_answer, pager);
}

/* What the plugin missed of a list, for a person. */
static char *
pager_missed(TALLOC_CTX *mem, const struct pager *pager, const char *how)
{
	const struct run_request *r = &pager->ask->request;

	if (pager->status != 0)
		return talloc_asprintf(mem, "%s %.300s answered %d", r->method, r->path,
				       pager->status);
	return talloc_asprintf(mem, "%s %.300s %s", r->method, r->path, how);
}

/* Notes how the plugin went through a list that it is done with. */
static void
pager_note(struct session *s, const struct pager *pager)
{
	if (pager->is_whole)
		s->walks++;
	else if (s->unwalked == NULL)
		s->unwalked = pager_missed(s, pager, "was left before its last page");
}

/* Takes an iteration off the list; false when there is none of that number. */
static bool
pager_remove(struct session *s, uint32_t number)
{
	struct pager **link = &s->pagers, *pager;

	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	pager = *link;
	if (pager == NULL)
		return false;
	*link = pager->next;
	s->pagers_count--;
	pager_note(s, pager);
	pager_drop(pager);
	return true;
}

/* The plugin waits: it gets the page, the end, or the run ends. Then the next page is begun. */
static void
pager_hand_out(struct pager *pager)
{
	struct session *s = pager->session;
	char *frame;

	pager->is_wanted = false;
	if (pager->state == PAGER_FAILED) {
		if (pager->status != 0)
			ask_stop(s, pager->status, pager->code, pager->message);
		else
			session_stop(s, cause_text(CAUSE_FETCH), pager->code, pager->message);
		return;
	}
	session_enter(s, SESSION_RUNNING);
	if (pager->state == PAGER_OVER) {
		pager->is_whole = pager->is_whole || pager->status == 0;
		frame = wire_frame(s, RPC_PAGE, 4);
		rpc_put_u32(frame + RPC_HEADER_BYTES, 0);
		wire_send(s, frame, 4);
		pager_remove(s, pager->number);
		return;
	}
	frame = pager->page;
	talloc_reparent(pager, s, frame);
	pager->page = NULL;
	pager->state = PAGER_OVER;
	wire_send(s, frame, pager->page_length);
	pager->is_whole = pager->asks == NULL;
	if (pager->asks != NULL)
		pager_fetch(pager);
}

static void
pager_on_answer(void *arg, const struct run_response *r, const struct error *err)
{
	struct pager *pager = arg;
	struct session *s = pager->session;

	pager->is_busy = false;
	if (pager->is_dropped) {
		talloc_free(pager);
	} else {
		pager_answered(pager, r, err);
		if (pager->is_wanted)
			pager_hand_out(pager);
	}
	session_unref(s);
}

/* ---- messages --------------------------------------------------------------------------- */

static struct pager *
pager_find(const struct session *s, uint32_t number)
{
	struct pager *pager = s->pagers;

	while (pager != NULL && pager->number != number)
		pager = pager->next;
	return pager;
}

void
iterate_on_paginate(struct session *s, struct rpc_in *in)
{
	struct pager *pager = talloc_zero(NULL, struct pager);
	const char *own;
	struct error err;

	pager->session = s;
	pager->on_answer = pager_on_answer;
	pager->number = rpc_in_u32(in);
	pager->ask = ask_take(pager, in);
	own = paging_take(pager, in);
	if (!rpc_in_is_over(in) || pager_find(s, pager->number) != NULL ||
	    s->pagers_count == SESSION_ITERATIONS_MAX) {
		session_violation(
		    s,
		    "the plugin's process sent a damaged PAGINATE, or goes over more "
		    "than %d lists at once",
		    SESSION_ITERATIONS_MAX);
		talloc_free(pager);
		return;
	}
	pager->next = s->pagers;
	s->pagers = pager;
	s->pagers_count++;
	if (paginate_new(pager, s->paginate, own, &pager->rules, &err) < 0 ||
	    paginate_first(pager->rules, &pager->ask->request, &pager->asks, &err) < 0)
		pager_fail_with(pager, &err);
	else if (!s->is_exited)
		pager_fetch(pager);
}

void
iterate_on_next(struct session *s, struct rpc_in *in)
{
	struct pager *pager = pager_find(s, rpc_in_u32(in));

	if (pager == NULL || !rpc_in_is_over(in)) {
		session_violation(s, "the plugin's process asked for a page of no iteration");
		return;
	}
	if (s->is_exited)
		return;
	pager->is_wanted = true;
	session_enter(s, SESSION_WAITING);
	if (pager->state != PAGER_FETCHING)
		pager_hand_out(pager);
}

void
iterate_on_leave(struct session *s, struct rpc_in *in)
{
	if (!pager_remove(s, rpc_in_u32(in)))
		session_violation(s,
				  "the plugin's process left an iteration that there is not");
}

void
iterate_drop(struct session *s)
{
	struct pager *pager = s->pagers, *next;

	for (; pager != NULL; pager = next) {
		next = pager->next;
		pager_note(s, pager);
		pager_drop(pager);
	}
	s->pagers = NULL;
	s->pagers_count = 0;
}

bool
iterate_leaves(const struct session *s, bool is_end)
{
	bool leaves = s->unwalked != NULL;

	for (const struct pager *p = s->pagers; p != NULL && is_end; p = p->next)
		leaves |= !p->is_whole;
	return leaves && !s->is_vouched;
}

const char *
iterate_unfinished(TALLOC_CTX *mem, const struct session *s)
{
	unsigned walks = s->walks;

	if (s->unwalked != NULL)
		return s->unwalked;
	for (const struct pager *pager = s->pagers; pager != NULL; pager = pager->next) {
		if (!pager->is_whole)
			return pager_missed(mem, pager, "has not come to its last page");
		walks++;
	}
	if (walks == 0)
		return "no list was gone through with nango_paginate; a plugin that walks by "
		       "hand says when it went over everything (.complete)";
	return NULL;
}
