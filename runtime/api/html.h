/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/html -- pieces of a page; every text is escaped here and nowhere else.
 */
#ifndef NANGO_API_HTML_H
#define NANGO_API_HTML_H

#include "base/buf.h"

void html_text(struct buf *out, const char *text); /* NULL is "" */
void html_cell(struct buf *out, const char *text);
void html_number(struct buf *out, long long number);
void html_time(struct buf *out, long long ms); /* a cell; 0: empty */
/* A table's head: names end with NULL. */
void html_table(struct buf *out, const char *caption, const char *const *names);
void html_table_end(struct buf *out);

#endif
