/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/backend -- what a run's session asks of whoever hosts it.
 *
 * nangod's backend is Postgres and the provider's API; nango-plugin's is a recording. All calls
 * come on the loop's thread; each asynchronous one is answered exactly once by its `done`, on
 * the loop's thread, possibly before the call returns. After `ended` nothing is called any more
 * and a late `done` is ignored by the session (it holds a reference until then).
 */
#ifndef NANGO_RUN_BACKEND_H
#define NANGO_RUN_BACKEND_H

#include "base/buf.h"
#include "base/error.h"
#include "base/jsonspan.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* One HTTP call as the plugin asked for it; strings live until done is called. */
struct run_request {
	const char *method, *path;
	const struct http_field *query, *headers; /* end with a NULL name */
	const char *body;
	size_t body_length;
	const char *content_type;
	uint32_t retries;
	int64_t timeout_ms;
};

struct run_response {
	int status;
	const struct http_field *headers; /* without credentials and cookies */
	const char *body;
	size_t body_length;
};

/* What a staged record does to the stored one of its id. */
enum run_change {
	RUN_SAVE,   /* takes its place */
	RUN_UPDATE, /* is merged into it, objects deeply; an unknown id is left out */
	RUN_DELETE, /* marks it deleted, its payload stays; an unknown id is left out */
};

/*
 * A record that was staged. Unless there is a problem, bytes were checked by
 * jsonspan_check_record. With one it is for the quarantine: bytes may be anything, and id is
 * absent where none could be read.
 */
struct run_record {
	struct jsonspan bytes;
	struct jsonspan id; /* raw JSON: a string or a number */
	enum run_change change;
	const char *problem; /* "path: reason", or NULL */
};

/* What one commit carries. All models of the page, in the order of saving. */
struct run_page {
	uint64_t number; /* from 1, counts commits of this run */
	struct run_page_model {
		const char *model;
		struct run_record *records;
		size_t count;
		/* A delete window: opened before the records (no-op when one is open), closed
		 * after them. The session has seen the proof of a complete walk. */
		bool opens_window, closes_window;
		bool is_vouched;      /* the plugin says itself that the walk was complete */
		bool overrides_guard; /* the close may delete more than the guard ratio */
	} * models;
	size_t models_count;
	const char *checkpoint; /* flat JSON object, or NULL: unchanged */
	size_t checkpoint_length;
	bool clears_checkpoint; /* then checkpoint is NULL */
	bool leaves_walk;	/* a list was left before its last page, before this commit */
};

/* How a run ended. cause is "" for success, else one of the named causes of run/README.md. */
struct run_end {
	bool is_done;	/* a DONE frame was drained and every commit succeeded */
	char cause[64]; /* "signal 11", "out of memory", "deadline", "sandbox: connect", … */
	char code[64];	/* the plugin's own code of nango_fail, or the error's name */
	char message[1024];  /* for a person */
	const char *payload; /* JSON of nango_fail, or NULL */
	const char *output;  /* an action's JSON, or NULL */
	struct rusage usage;
	uint64_t pages, requests;
	uint64_t request_bytes, response_bytes; /* bodies, to and from the provider */
	bool is_walk_complete;			/* no iteration was left before its last page */
	bool leaves_walk; /* is_done, although an iteration was left before its last page */
	int64_t park_ms;  /* cause "parked": wait that long, then go on behind the last page */
};

/* Stored records that a plugin asks for: by ids, or all after a cursor. */
struct run_lookup {
	const char *model;
	const char *ids;    /* JSON array of texts, or NULL: all */
	const char *cursor; /* of the answer before, or NULL: from the start */
	size_t limit;	    /* 1..1000 */
};

/* json: {"records":[…],"cursor":"…"|null}; deleted records are left out. Committed ones only.
 */
typedef void run_lookup_done(void *arg, const char *json, size_t length,
			     const struct error *err);

typedef void run_fetch_done(void *arg, const struct run_response *response,
			    const struct error *err);
typedef void run_commit_done(void *arg, const struct error *err); /* NULL: committed */
typedef void run_prepare_done(void *arg);

struct run_backend {
	void (*fetch)(void *host, const struct run_request *request, run_fetch_done *done,
		      void *arg);
	/* The page's memory stays valid until done is called. */
	void (*commit)(void *host, const struct run_page *page, run_commit_done *done,
		       void *arg);
	/*
	 * The next page to be committed, whole but for its checkpoint, while one is being
	 * committed: what can be done for it now need not be done later. Its memory stays valid
	 * until done is called, which comes before the page's commit begins. NULL: there is
	 * nothing to do.
	 */
	void (*prepare)(void *host, const struct run_page *page, run_prepare_done *done,
			void *arg);
	/* NULL: this host keeps no records. */
	void (*lookup)(void *host, const struct run_lookup *lookup, run_lookup_done *done,
		       void *arg);
	void (*log)(void *host, int level, const char *text, size_t length);
	void (*ended)(void *host, const struct run_end *end); /* the last call of a run */
};

/* What a run is started with; copied by run_host_start. */
struct run_start {
	const char *id;	      /* names the run in logs */
	int kind;	      /* enum nango_kind of plugin.h: sync, action, event */
	const char *function; /* "issues" */
	const char *connection_id;
	const char *checkpoint;	   /* JSON or NULL */
	const char *metadata;	   /* JSON or NULL */
	const char *input;	   /* JSON or NULL */
	const char *paginate;	   /* the template's proxy.paginate as JSON, or NULL */
	const char *const *models; /* that may be saved; ends with NULL */
	int64_t deadline_ms;	   /* wall time from now, then SIGKILL: cause "deadline" */
	int64_t cpu_ms;		   /* CPU time, cause "cpu" */
	size_t memory_bytes;	   /* address space, default 256 MiB */
	bool may_park; /* a long wait for the provider may end the run as "parked" */
};

#endif
