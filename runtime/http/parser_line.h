/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/parser_line -- the rules of one line; for http/parser alone.
 */
#ifndef NANGO_HTTP_PARSER_LINE_H
#define NANGO_HTTP_PARSER_LINE_H

#include "http/parser.h"

/*
 * A whole line without its CR LF, NUL-terminated at end; it is cut up in place. Moves the
 * parser's state on. -1: parser->error says why the request is refused.
 */
MUST_CHECK int parser_line_judge(struct http_parser *parser, char *line, char *end);

/* "Name: value" in place; trailers, too. */
MUST_CHECK int parser_field_split(struct http_parser *parser, char *line, char *end,
				  char **name, char **value);
MUST_CHECK int parser_field_add(struct http_parser *parser, char *line, char *end);
void parser_field_place(struct http_parser *parser); /* the header is complete */

#endif
