/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/parser -- one HTTP/1.x request, or one answer, from bytes, strictly (RFC 9112), a piece
 * at a time.
 *
 * The result never depends on how the bytes were cut. Where two readers of a request could
 * disagree about its end (lengths, codings, bare CR or LF, folded lines) it is refused, because
 * that is how a second request is smuggled past a proxy. One parser reads one message; it
 * allocates from the context it was given and keeps nothing of the caller's bytes. Interim
 * answers (1xx) are read and dropped.
 */
#ifndef NANGO_HTTP_PARSER_H
#define NANGO_HTTP_PARSER_H

#include "base/buf.h"
#include "base/error.h"
#include "http/server.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CHUNK_LINE_MAX 256	       /* a chunk's size and its extensions */
#define HTTP_CHUNK_EXTENSIONS_MAX 4096 /* all extensions of one request */
#define HTTP_TRAILER_BYTES_MAX 8192    /* read and dropped */
#define HTTP_INTERIM_MAX 8	       /* 1xx answers before the one that counts */

enum http_event_type {
	HTTP_EVENT_MORE, /* every byte was taken, more are needed */
	HTTP_EVENT_HEAD, /* the header is complete: method, target, fields */
	HTTP_EVENT_BODY, /* data, length: a piece of the body, in the caller's bytes */
	HTTP_EVENT_END,	 /* the request is complete; what follows belongs to the next */
	HTTP_EVENT_FAULT /* refused: err; the connection cannot be used any further */
};

struct http_event {
	enum http_event_type type;
	const char *data;
	size_t length;
};

enum http_parser_state {
	PARSER_START, /* one empty line may stand before the request line */
	PARSER_FIELD,
	PARSER_BODY,  /* remaining bytes of a known length */
	PARSER_CLOSE, /* an answer whose end is the connection's */
	PARSER_CHUNK_SIZE,
	PARSER_CHUNK_DATA,
	PARSER_CHUNK_CR,
	PARSER_CHUNK_LF,
	PARSER_TRAILER,
	PARSER_END,
	PARSER_FAULT,
};

struct http_parser {
	enum http_parser_state state;
	struct buf head; /* the bytes of the header; fields point into it once it is complete */
	struct buf tail; /* chunk sizes and trailers, a line at a time */
	size_t line;	 /* where in head the line that is being read begins */
	size_t fields_bytes, extension_bytes, trailer_bytes;
	uint32_t places[HTTP_HEADER_FIELDS_MAX][2]; /* of names and values in head */
	uint64_t remaining;
	uint32_t target_at;
	bool seen_empty_line;
	bool has_length, has_host;
	bool is_answer, is_bodiless; /* an answer to HEAD */
	bool is_complete;	     /* the header is */
	unsigned interims;
	struct error error;

	/* Valid from HTTP_EVENT_HEAD on; strings live in head. */
	int status; /* of an answer; method, target, path and host are a request's */
	char *method, *target;
	char *path, *query; /* path without the query; query is NULL when there is no '?' */
	int minor;	    /* HTTP/1.minor */
	struct http_field *fields; /* lower-case names, in order; ends with a NULL name */
	size_t fields_count;
	bool is_chunked, has_body, wants_close, wants_keep_alive, expects_continue;
	uint64_t content_length; /* when it has a body that is not chunked */
	const char *host;	 /* NULL only in HTTP/1.0 */
};

/* mem holds the header's bytes and the fields. */
void http_parser_init(struct http_parser *parser, TALLOC_CTX *mem);

/* For an answer; the request's method was HEAD: its length is not followed by a body. */
void http_parser_init_answer(struct http_parser *parser, TALLOC_CTX *mem, bool is_to_head);

/* The connection ended. 0: so did the message; -1: it was cut off, parser->error. */
int http_parser_eof(struct http_parser *parser);

/* Takes bytes up to the next event; returns how many. Call until HTTP_EVENT_MORE. */
size_t http_parser_feed(struct http_parser *parser, const char *data, size_t length,
			struct http_event *event);

/* Is the message complete? (as HTTP_EVENT_END, without asking for it) */
bool http_parser_is_done(const struct http_parser *parser);

/* Has any byte of it arrived? (tells a closed idle connection from a broken message) */
bool http_parser_has_begun(const struct http_parser *parser);

#endif
