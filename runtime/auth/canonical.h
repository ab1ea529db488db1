/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/canonical -- what OAuth 1 and AWS Signature Version 4 sign of a URL: its parts, and its
 * parameters percent-encoded (RFC 3986) and sorted. The URL is the one that goes over the wire:
 * nothing in it is mended here, or the other side would sign something else. Any thread.
 */
#ifndef NANGO_AUTH_CANONICAL_H
#define NANGO_AUTH_CANONICAL_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <talloc.h>

#define CANONICAL_URL_MAX (32 * 1024)
#define CANONICAL_FORM_MAX (1024 * 1024)
#define CANONICAL_PAIRS_MAX 4096

struct canonical_url {
	const char *scheme; /* "http" or "https" */
	const char *host;   /* with its port unless that is the scheme's; letters as they are */
	const char *path;   /* "/" at least */
	const char *query;  /* "" when there is none */
};

/* ERR_BAD_REQUEST when it is not an absolute http or https URL, or holds a user. */
MUST_CHECK int canonical_url_split(TALLOC_CTX *mem, const char *url, struct canonical_url *out,
				   struct error *err);

/* Each text is encoded, and wiped when it is freed. */
struct canonical_pair {
	const char *name, *value;
	size_t place; /* in the order in which they came */
};

struct canonical_pairs {
	TALLOC_CTX *mem;
	struct canonical_pair *items;
	size_t count;
};

void canonical_pairs_init(struct canonical_pairs *pairs, TALLOC_CTX *mem);
void canonical_pairs_add(struct canonical_pairs *pairs, const char *name, const char *value);
/* The parameters of a query or a form: "+" is a space, one without "=" has an empty value. */
MUST_CHECK int canonical_pairs_parse(struct canonical_pairs *pairs, const char *text,
				     size_t length, struct error *err);
void canonical_pairs_sort(struct canonical_pairs *pairs); /* by name, then by value */
/* Sorted by name, and of each name only the one that came first. */
void canonical_pairs_first(struct canonical_pairs *pairs);
/* name=value&…, wiped when it is freed. */
char *canonical_pairs_text(TALLOC_CTX *mem, const struct canonical_pairs *pairs);

/* A path for s3: decoded ("+" is a space) and encoded, all but slashes, also those written %2F.
 */
char *canonical_path_once(TALLOC_CTX *mem, const char *path);
/* For others: each part encoded, though it is already; without empty parts and dots. */
char *canonical_path_twice(TALLOC_CTX *mem, const char *path);

/* Percent-decoded, NUL-terminated, wiped when it is freed; a "%" before no digits stays. */
char *canonical_decode(TALLOC_CTX *mem, const char *text, size_t length, size_t *out_length);
/* Any bytes, with a NUL behind them. */
void canonical_encode(struct buf *out, const char *bytes, size_t length);
/* May it stand between quotes in a header? */
bool canonical_is_quotable(const char *text);
/* The contents as a text that is wiped when it is freed; the buffer is wiped and done. */
char *canonical_take(TALLOC_CTX *mem, struct buf *buf);

#endif
