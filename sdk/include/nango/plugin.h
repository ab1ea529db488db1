/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango/plugin.h -- everything a plugin uses, and its manual.
 *
 * A plugin is one shared object with one exported symbol, `nango_plugin_v1`, made by
 * NANGO_PLUGIN() at the end of its source. It links nothing but libc: every call goes through a
 * table of functions that travels in `run`. The table and the structs below only grow at their
 * end; each struct that crosses begins with its size, set by the macro that makes it, except
 * the frozen nango_value and nango_pair. History: sdk/ABI.md.
 *
 * Calls do not fail in your face. A call returns what was asked for, or ends the run with a
 * named error; the pages that were committed before stay. What you want to handle yourself you
 * name, with `.accept = NANGO_STATUS(404)` in a request, and look at nango_response.status.
 *
 * Memory that a call hands out lives until the next page of the iteration that is under way
 * (the innermost, where one goes on within another), or until the run's end where there are no
 * pages. nango_keep() keeps a string until the run's end. A commit frees nothing. Nothing is
 * freed by hand. A run is one process with one thread: globals start afresh.
 *
 * C11 and later with gcc or clang.
 */
#ifndef NANGO_PLUGIN_H
#define NANGO_PLUGIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NANGO_ABI_MAJOR 1 /* another major is refused before the plugin is loaded */
#define NANGO_ABI_MINOR 2 /* a plugin's may be lower than the runner's, not higher */

/* Limits, enforced outside the plugin; going over one ends the run with its name. */
#define NANGO_RECORD_BYTES_MAX (10 * 1024 * 1024)
#define NANGO_PAGE_BYTES_MAX (100 * 1024 * 1024) /* saved before a commit */
#define NANGO_PAGE_RECORDS_MAX 1000000		 /* likewise */
#define NANGO_CHECKPOINT_FIELDS_MAX 16
#define NANGO_CHECKPOINT_KEY_MAX 255   /* code points of a field's name */
#define NANGO_CHECKPOINT_TEXT_MAX 4000 /* code points of one string */
#define NANGO_LOG_BYTES_MAX 10000      /* a longer log line is cut */
#define NANGO_IDS_MAX 1000	       /* of one nango_records_by_ids */

#define NANGO_INTERNAL static inline __attribute__((unused))

struct nango_calls;

/* What a run's function gets. Opaque but for the table. */
struct nango_run {
	const struct nango_calls *calls;
};

/* An iteration over the pages of a request. */
struct nango_pages {
	const struct nango_calls *calls;
};

/*
 * A piece of JSON exactly as it was received: its bytes, not a copy. data is NULL when it is
 * absent. Frozen layout.
 */
struct nango_value {
	const struct nango_calls *calls;
	const char *data;
	size_t length; /* bytes */
};

/* A name and its text; a NULL value leaves the pair out. Frozen layout. */
struct nango_pair {
	const char *name, *value;
};

enum nango_type {
	NANGO_ABSENT = 0,
	NANGO_NULL = 1,
	NANGO_BOOLEAN = 2,
	NANGO_NUMBER = 3,
	NANGO_STRING = 4,
	NANGO_ARRAY = 5,
	NANGO_OBJECT = 6,
};

enum nango_level { NANGO_DEBUG = 0, NANGO_INFO = 1, NANGO_WARN = 2, NANGO_ERROR = 3 };

/* Lists for requests: NANGO_PAIRS({"state", "all"}, {"since", since_or_NULL}). */
#define NANGO_PAIRS(...)            \
	(const struct nango_pair[]) \
	{                           \
		__VA_ARGS__,        \
		{                   \
			0           \
		}                   \
	}
/* Statuses to accept beside 2xx: NANGO_STATUS(404, 410). */
#define NANGO_STATUS(...)      \
	(const uint16_t[])     \
	{                      \
		__VA_ARGS__, 0 \
	}

/*
 * One HTTP request to the provider, with the connection's credentials put in outside the
 * plugin. path is appended to the template's base URL; an absolute https URL replaces it where
 * the provider's template allows that host. Times in milliseconds, sizes in bytes.
 */
struct nango_request {
	uint32_t size;
	uint32_t retries;   /* more tries after 429, 5xx, 401, network error; default 0 */
	const char *method; /* default GET */
	const char *path;   /* "/repos/a/b/issues", may hold a query */
	const struct nango_pair *query;	  /* NANGO_PAIRS, values are percent-encoded for you */
	const struct nango_pair *headers; /* NANGO_PAIRS */
	const char *body;		  /* JSON text by default, see content_type */
	size_t body_length;		  /* 0: strlen(body) */
	const char *content_type;	  /* default application/json when there is a body */
	const uint16_t *accept;		  /* NANGO_STATUS; other statuses end the run */
	uint32_t timeout_ms;		  /* of one try; default 30,000 */
	uint32_t reserved;
	const struct nango_pagination *pages; /* NULL: what the template says */
};
#define NANGO_REQUEST(...) \
	(&(const struct nango_request){.size = sizeof(struct nango_request), __VA_ARGS__})

enum nango_paging {
	NANGO_PAGE_TEMPLATE = 0,
	NANGO_PAGE_LINK,
	NANGO_PAGE_CURSOR,
	NANGO_PAGE_OFFSET
};

/* Where the cursor, the offset and the limit are sent. */
enum nango_place {
	NANGO_PLACE_METHOD = 0, /* in the body of POST, PUT and PATCH, else in the query */
	NANGO_PLACE_QUERY,
	NANGO_PLACE_BODY
};

/*
 * How a provider pages; a NULL or 0 member takes the template's. Paths are dotted, and so are
 * names of what is sent in the body, which is a JSON object: "variables.after". There numbers
 * are sent as numbers. An iteration ends with an empty page (cursor, offset), with a page that
 * holds less than the limit (offset), or where there is no next cursor or link.
 */
struct nango_pagination {
	uint32_t size;
	uint32_t kind;		 /* enum nango_paging */
	const char *items;	 /* path of the list within the body; "" is the body itself */
	const char *limit_name;	 /* parameter of the page size */
	uint32_t limit;		 /* items a page */
	uint32_t start;		 /* first offset or page number */
	const char *cursor_name; /* parameter that carries the cursor */
	const char *cursor_path; /* where the next cursor stands in the body */
	const char *link_rel;	 /* relation in the Link header, default next */
	const char *link_path;	 /* where the next link stands in the body */
	const char *offset_name; /* parameter of the offset or page number */
	uint32_t by_page;	 /* 1: the offset counts pages; 0: items */
	uint32_t place;		 /* enum nango_place; since ABI 1.2 */
	/*
	 * Since ABI 1.2: where the body says true or false of whether there is more,
	 * "has_more", or, with a ! before it, of whether this was all, "!isLast".
	 */
	const char *more_path;
};
#define NANGO_PAGINATION(...) \
	(&(const struct nango_pagination){.size = sizeof(struct nango_pagination), __VA_ARGS__})

struct nango_response {
	uint32_t size;
	uint32_t status;
	struct nango_value body;	  /* where is_json is 0: just bytes, data and length */
	const struct nango_pair *headers; /* lower-case names; ends with a NULL name */
	uint32_t is_json;		  /* 1: body is JSON */
	uint32_t reserved;
};

/* The page that nango_next_page gave last, with what came beside its list. Since ABI 1.2. */
struct nango_page {
	uint32_t size;
	uint32_t status;
	const char *next; /* the next page's cursor, link or offset; NULL: this is the last */
	struct nango_value body;	  /* the whole answer */
	const struct nango_pair *headers; /* lower-case names; ends with a NULL name */
};

/*
 * A record on its way out. The generated writers use it; so can you, for JSON that no model
 * describes. Room is grown by calls->writer_grow.
 */
struct nango_writer {
	struct nango_run *run;
	char *at, *end;
};

/* What becomes of a stored record of the same id. */
enum nango_change {
	NANGO_SAVE = 0, /* the new one takes its place */
	NANGO_UPDATE =
	    1, /* the new one's members are merged into it; an unknown id is left out */
	NANGO_DELETE = 2, /* it is marked as deleted; an unknown id is left out */
};

/* How a delete window is closed. */
struct nango_deletes {
	uint32_t size;
	/* 1: I went over everything there is, although not with nango_paginate. */
	uint32_t complete;
	/* 1: delete also when it is more than the server's guard ratio of the records. */
	uint32_t force;
	uint32_t reserved;
};
#define NANGO_DELETES(...) \
	(&(const struct nango_deletes){.size = sizeof(struct nango_deletes), __VA_ARGS__})
/* Texts, for ids and names of members: NANGO_TEXTS("17", "18"). */
#define NANGO_TEXTS(...)          \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

/*
 * The table. Appended to, never reordered; `size` says how much of it there is.
 * `run` may be NULL nowhere. Strings are NUL-terminated UTF-8 unless a length stands beside.
 */
struct nango_calls {
	uint32_t size;
	uint16_t abi_major, abi_minor;

	/* Values: no copies; paths are dotted member names, "" is the value itself. */
	int (*value_type)(const struct nango_value *value);
	bool (*value_at)(const struct nango_value *value, const char *path,
			 struct nango_value *out);
	bool (*value_next)(const struct nango_value *array, struct nango_value *item);
	bool (*value_next_member)(const struct nango_value *object, struct nango_value *key,
				  struct nango_value *value);
	const char *(*value_string)(
	    const struct nango_value *value); /* text of a string or number */
	bool (*value_integer)(const struct nango_value *value, int64_t *out);
	bool (*value_number)(const struct nango_value *value, double *out);
	bool (*value_boolean)(const struct nango_value *value, bool *out);

	/* HTTP */
	void (*http)(struct nango_run *run, const struct nango_request *request,
		     struct nango_response *response);
	struct nango_pages *(*paginate)(struct nango_run *run,
					const struct nango_request *request);
	bool (*next_page)(struct nango_pages *pages, struct nango_value *page);

	/* Records: begin, write the members, end. problem: why nangod should not take it, or
	 * NULL. */
	void (*save_begin)(struct nango_run *run, const char *model,
			   struct nango_writer *writer);
	void (*save_end)(struct nango_writer *writer, const char *problem);
	void (*commit)(struct nango_run *run, const char *checkpoint, size_t length);
	void (*writer_grow)(struct nango_writer *writer, size_t room);
	void (*write_string)(struct nango_writer *writer,
			     const char *text); /* quoted and escaped */
	void (*write_number)(struct nango_writer *writer,
			     double number); /* shortest round trip */

	/* The run */
	void (*checkpoint)(struct nango_run *run, struct nango_value *out); /* last committed */
	void (*metadata)(struct nango_run *run, struct nango_value *out);
	void (*input)(struct nango_run *run, struct nango_value *out);
	void (*output)(struct nango_run *run, const char *json, size_t length);
	void (*log)(struct nango_run *run, int level, const char *text, size_t length);
	__attribute__((noreturn)) void (*fail)(struct nango_run *run, const char *code,
					       const char *message, const char *payload_json);
	void *(*allocate)(struct nango_run *run,
			  size_t size); /* page memory, zeroed, aligned to 16 */
	const char *(*keep)(struct nango_run *run, const char *text, size_t length);
	const char *(*connection_id)(struct nango_run *run);

	/* Since ABI 1.1. Records that are changed or looked up; delete windows. */
	void (*change_begin)(struct nango_run *run, const char *model, uint32_t change,
			     struct nango_writer *writer); /* ended by save_end */
	void (*records_by_ids)(struct nango_run *run, const char *model, const char *const *ids,
			       size_t count, struct nango_value *out); /* the list */
	struct nango_pages *(*records)(struct nango_run *run, const char *model);
	void (*deletes_start)(struct nango_run *run, const char *model);
	void (*deletes_end)(struct nango_run *run, const char *model,
			    const struct nango_deletes *options); /* may be NULL */
	void (*walk_complete)(struct nango_run *run);
	void (*clear_checkpoint)(struct nango_run *run); /* with the next commit */

	/* Since ABI 1.2. */
	void (*page)(struct nango_pages *pages, struct nango_page *out);
};

/* ---- values ---------------------------------------------------------------------------- */

NANGO_INTERNAL struct nango_value
nango_get(struct nango_value value, const char *path)
{
	struct nango_value out = {value.calls, NULL, 0};

	value.calls->value_at(&value, path, &out);
	return out;
}

NANGO_INTERNAL enum nango_type
nango_type(struct nango_value value)
{
	return (enum nango_type)value.calls->value_type(&value);
}

/* Is there such a member, and is it not null? */
NANGO_INTERNAL bool
nango_has(struct nango_value value, const char *path)
{
	return nango_type(nango_get(value, path)) > NANGO_NULL;
}

/* The text of a string or number at path; NULL when it is absent, null or something else. */
NANGO_INTERNAL const char *
nango_string(struct nango_value value, const char *path)
{
	struct nango_value at = nango_get(value, path);

	return value.calls->value_string(&at);
}

/* The integer at path, or `otherwise` when there is none that fits 64 bits. */
NANGO_INTERNAL int64_t
nango_integer(struct nango_value value, const char *path, int64_t otherwise)
{
	struct nango_value at = nango_get(value, path);

	value.calls->value_integer(&at, &otherwise);
	return otherwise;
}

NANGO_INTERNAL double
nango_number(struct nango_value value, const char *path, double otherwise)
{
	struct nango_value at = nango_get(value, path);

	value.calls->value_number(&at, &otherwise);
	return otherwise;
}

NANGO_INTERNAL bool
nango_boolean(struct nango_value value, const char *path, bool otherwise)
{
	struct nango_value at = nango_get(value, path);

	value.calls->value_boolean(&at, &otherwise);
	return otherwise;
}

/* Every item of an array; none of anything else: nango_each(item, nango_get(page, "items")) { …
 * } */
#define nango_each(item, array)                                          \
	for (struct nango_value nango_of_##item = (array),               \
				item = {nango_of_##item.calls, NULL, 0}; \
	     nango_of_##item.calls->value_next(&nango_of_##item, &item);)

/* ---- the run --------------------------------------------------------------------------- */

/* Text in page memory, as printf. */
__attribute__((format(printf, 2, 3))) NANGO_INTERNAL const char *
nango_format(struct nango_run *run, const char *format, ...)
{
	va_list args, again;
	char *out;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = __builtin_vsnprintf(NULL, 0, format, args);
	va_end(args);
	out = (char *)run->calls->allocate(run, n < 0 ? 1 : (size_t)n + 1);
	if (n > 0)
		__builtin_vsnprintf(out, (size_t)n + 1, format, again);
	va_end(again);
	return out;
}

/* A copy of text that lives to the run's end. NULL gives NULL. */
NANGO_INTERNAL const char *
nango_keep(struct nango_run *run, const char *text)
{
	return text == NULL ? NULL : run->calls->keep(run, text, strlen(text));
}

/* Page memory, zeroed. */
NANGO_INTERNAL void *
nango_allocate(struct nango_run *run, size_t size)
{
	return run->calls->allocate(run, size);
}

NANGO_INTERNAL struct nango_value
nango_metadata(struct nango_run *run)
{
	struct nango_value out = {run->calls, NULL, 0};

	run->calls->metadata(run, &out);
	return out;
}

NANGO_INTERNAL struct nango_value
nango_checkpoint(struct nango_run *run)
{
	struct nango_value out = {run->calls, NULL, 0};

	run->calls->checkpoint(run, &out);
	return out;
}

__attribute__((format(printf, 3, 4))) NANGO_INTERNAL void
nango_log(struct nango_run *run, enum nango_level level, const char *format, ...)
{
	char text[NANGO_LOG_BYTES_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = __builtin_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n >= 0)
		run->calls->log(run, level, text,
				(size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* Ends the run with an error of yours: a code of [a-z0-9_], and a message for a person. */
__attribute__((format(printf, 3, 4), noreturn)) NANGO_INTERNAL void
nango_fail(struct nango_run *run, const char *code, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	__builtin_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	run->calls->fail(run, code, text, NULL);
}

/* The same with a payload for the app: JSON of your own. */
__attribute__((format(printf, 4, 5), noreturn)) NANGO_INTERNAL void
nango_fail_with(struct nango_run *run, const char *code, const char *payload_json,
		const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	__builtin_vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	run->calls->fail(run, code, text, payload_json);
}

/* ---- HTTP ------------------------------------------------------------------------------ */

/* Waits for the answer. A status that is neither 2xx nor accepted ends the run. */
NANGO_INTERNAL struct nango_response
nango_http(struct nango_run *run, const struct nango_request *request)
{
	struct nango_response response = {.size = sizeof(response)};

	response.body.calls = run->calls;
	run->calls->http(run, request, &response);
	return response;
}

/* The pages of a list, one at a time; the next is fetched ahead while you work on this one. */
NANGO_INTERNAL struct nango_pages *
nango_paginate(struct nango_run *run, const struct nango_request *request)
{
	return run->calls->paginate(run, request);
}

/* The next page's list of items; false after the last. What the page before handed out is gone.
 */
NANGO_INTERNAL bool
nango_next_page(struct nango_pages *pages, struct nango_value *page)
{
	return pages->calls->next_page(pages, page);
}

/*
 * What else there is to know of the page that nango_next_page gave last: its .next is what a
 * checkpoint keeps, so that the next run can go on behind this page. It goes with the page.
 */
NANGO_INTERNAL struct nango_page
nango_page(struct nango_pages *pages)
{
	struct nango_page page = {.size = sizeof(page)};

	page.body.calls = pages->calls;
	pages->calls->page(pages, &page);
	return page;
}

/* ---- records --------------------------------------------------------------------------- */

/*
 * Records are staged, and stored by the next commit: all of a page and its checkpoint, or
 * nothing. A commit does not make you wait: while it is carried out you may fill the next page.
 * It is certain before any request, lookup or failure of yours that comes behind it is carried
 * out, and when it fails the run ends.
 *
 * A record that does not fit its model does not end the run, unless plugin.yaml says
 * `$invalid: fail` for the model: it is put aside with the reason, where a person can see it.
 */

/* Stages a piece of JSON as it is: an object with an id. */
NANGO_INTERNAL void
nango_change(struct nango_run *run, const char *model, enum nango_change change,
	     struct nango_value value)
{
	struct nango_writer writer;

	run->calls->change_begin(run, model, (uint32_t)change, &writer);
	if ((size_t)(writer.end - writer.at) < value.length)
		run->calls->writer_grow(&writer, value.length);
	if (value.length > 0)
		memcpy(writer.at, value.data, value.length);
	writer.at += value.length;
	run->calls->save_end(&writer, value.data == NULL ? ": is absent" : NULL);
}

/* Saves a record: it is added, or takes the place of the one of its id. */
NANGO_INTERNAL void
nango_save(struct nango_run *run, const char *model, struct nango_value value)
{
	nango_change(run, model, NANGO_SAVE, value);
}

/*
 * Merges members into the stored record of that id, objects deeply; lists and everything else
 * are replaced, and what is not named stays. A record that is not stored is left out. One whose
 * payload was pruned (after 30 days without a change, or by the app) has nothing left to merge
 * into: the update is a bad record, put aside or the end of the run as `$invalid` says; save it
 * whole. So is one that makes the record larger than NANGO_RECORD_BYTES_MAX. What the updates
 * of one commit make of their records may have a gigabyte together.
 */
NANGO_INTERNAL void
nango_update(struct nango_run *run, const char *model, struct nango_value value)
{
	nango_change(run, model, NANGO_UPDATE, value);
}

/* Marks a record as deleted; apps still see what it last was. Only its id is looked at. */
NANGO_INTERNAL void
nango_delete(struct nango_run *run, const char *model, struct nango_value value)
{
	nango_change(run, model, NANGO_DELETE, value);
}

/* The same by its id, the text of it where it is a number. */
NANGO_INTERNAL void
nango_delete_id(struct nango_run *run, const char *model, const char *id)
{
	struct nango_writer writer;

	run->calls->change_begin(run, model, NANGO_DELETE, &writer);
	if (writer.end - writer.at < 8)
		run->calls->writer_grow(&writer, 8);
	memcpy(writer.at, "{\"id\":", 6);
	writer.at += 6;
	run->calls->write_string(&writer, id);
	if (writer.end - writer.at < 1)
		run->calls->writer_grow(&writer, 1);
	*writer.at++ = '}';
	run->calls->save_end(&writer, NULL);
}

/*
 * The stored records of these ids, as a list; the order is the server's, and an id that is not
 * stored, or deleted, is not in it. At most NANGO_IDS_MAX, and 100 MB of records: more ends the
 * run as response_too_large, so ask for large ones a few at a time. What was committed is seen,
 * what is only staged is not.
 */
NANGO_INTERNAL struct nango_value
nango_records_by_ids(struct nango_run *run, const char *model, const char *const *ids,
		     size_t count)
{
	struct nango_value out = {run->calls, NULL, 0};

	run->calls->records_by_ids(run, model, ids, count, &out);
	return out;
}

/*
 * All stored records that are not deleted, page by page, with nango_next_page: 1,000 in a page,
 * or fewer where they have more than 32 MB. One that is changed and committed meanwhile comes
 * once more, behind the others, so none is missed: who changes what comes commits after the
 * walk, or leaves records alone that are right already.
 */
NANGO_INTERNAL struct nango_pages *
nango_records(struct nango_run *run, const char *model)
{
	return run->calls->records(run, model);
}

/*
 * Deletion by absence: from nango_track_deletes_start to nango_track_deletes_end every record
 * of the model that is saved (or updated, or deleted) is noted, by this run and those after
 * it, and at the end all others are deleted. The window is opened and closed by the commit that
 * follows, with the records of its page; it stays open over failures, however long they take.
 *
 * It closes only after a complete walk: every nango_paginate of this run must have come to its
 * last page, and there must have been one, and no run before it, since the window was opened,
 * left a list earlier and went on from there. Who walks in another way says so, with
 * NANGO_DELETES(.complete = 1), and means it: whatever was not saved is deleted.
 *
 * A sync that goes over everything in each run need not call these: `track_deletes: true` in
 * plugin.yaml does the same, and when the function returns behind a complete walk (or has
 * called nango_walk_complete) what it did not save is deleted.
 */
NANGO_INTERNAL void
nango_track_deletes_start(struct nango_run *run, const char *model)
{
	run->calls->deletes_start(run, model);
}

NANGO_INTERNAL void
nango_track_deletes_end(struct nango_run *run, const char *model,
			const struct nango_deletes *options)
{
	run->calls->deletes_end(run, model, options);
}

/* For `track_deletes: true`, where the walk was not made with nango_paginate. */
NANGO_INTERNAL void
nango_walk_complete(struct nango_run *run)
{
	run->calls->walk_complete(run);
}

/*
 * Commits all that was staged since the last commit, and the checkpoint, or neither.
 * checkpoint is a flat JSON object of NANGO_CHECKPOINT_FIELDS_MAX fields at most, or NULL to
 * leave it as it is. Between two commits at most NANGO_PAGE_RECORDS_MAX records are saved, of
 * NANGO_PAGE_BYTES_MAX bytes with 8 for each. The run goes on at once; one that is begun anew
 * gets the newest checkpoint that was stored. What changed records is stored with them; where
 * nothing changed, a crash of the database may undo the newest commits.
 */
NANGO_INTERNAL void
nango_commit(struct nango_run *run, const char *checkpoint)
{
	run->calls->commit(run, checkpoint, checkpoint == NULL ? 0 : strlen(checkpoint));
}

/*
 * The next commit removes the checkpoint, so that the next run begins at the beginning; a
 * commit that brings a checkpoint of its own sets that instead.
 */
NANGO_INTERNAL void
nango_clear_checkpoint(struct nango_run *run)
{
	run->calls->clear_checkpoint(run);
}

/* For generated writers: raw bytes. */
NANGO_INTERNAL void
nango_write(struct nango_writer *writer, const char *bytes, size_t length)
{
	if ((size_t)(writer->end - writer->at) < length)
		writer->run->calls->writer_grow(writer, length);
	memcpy(writer->at, bytes, length);
	writer->at += length;
}

/* ---- what a plugin offers -------------------------------------------------------------- */

enum nango_kind { NANGO_KIND_SYNC = 1, NANGO_KIND_ACTION = 2, NANGO_KIND_EVENT = 3 };

typedef void nango_function(struct nango_run *run);

struct nango_sync {
	uint32_t size, reserved;
	const char *name; /* as in plugin.yaml */
	nango_function *run;
};
struct nango_action {
	uint32_t size, reserved;
	const char *name;
	nango_function *run;
};

struct nango_plugin {
	uint32_t size;
	uint16_t abi_major, abi_minor;
	const struct nango_sync *const *syncs;	   /* ends with NULL */
	const struct nango_action *const *actions; /* ends with NULL */
};

#define NANGO_SYNC(...) \
	(&(const struct nango_sync){.size = sizeof(struct nango_sync), __VA_ARGS__})
#define NANGO_SYNCS(...)                   \
	(const struct nango_sync *const[]) \
	{                                  \
		__VA_ARGS__, NULL          \
	}
#define NANGO_ACTION(...) \
	(&(const struct nango_action){.size = sizeof(struct nango_action), __VA_ARGS__})
#define NANGO_ACTIONS(...)                   \
	(const struct nango_action *const[]) \
	{                                    \
		__VA_ARGS__, NULL            \
	}

/* The one exported symbol. Once, at the end of the plugin's source. */
#define NANGO_PLUGIN(...)                                                                 \
	extern __attribute__((visibility("default")))                                     \
	const struct nango_plugin nango_plugin_v1;                                        \
	const struct nango_plugin nango_plugin_v1 = {.size = sizeof(struct nango_plugin), \
						     .abi_major = NANGO_ABI_MAJOR,        \
						     .abi_minor = NANGO_ABI_MINOR,        \
						     __VA_ARGS__}

#endif
