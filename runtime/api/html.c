/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/html -- see html.h.
 */
#include "api/html.h"
#include "base/clock.h"

#include <string.h>

void
html_text(struct buf *out, const char *text)
{
	static const struct {
		char c;
		const char *entity;
	} rows[] = {
	    {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};

	for (; text != NULL && *text != '\0'; text++) {
		size_t i = 0;

		while (i < sizeof(rows) / sizeof(rows[0]) && rows[i].c != *text)
			i++;
		if (i < sizeof(rows) / sizeof(rows[0]))
			buf_adds(out, rows[i].entity);
		else
			buf_addc(out, *text);
	}
}

void
html_cell(struct buf *out, const char *text)
{
	buf_adds(out, "<td>");
	html_text(out, text);
	buf_adds(out, "</td>");
}

void
html_number(struct buf *out, long long number)
{
	buf_addf(out, "<td class=\"number\">%lld</td>", number);
}

void
html_time(struct buf *out, long long ms)
{
	char text[CLOCK_ISO_MAX];

	clock_iso(text, ms);
	text[19] = '\0';
	if (ms != 0)
		*strchr(text, 'T') = ' ';
	html_cell(out, ms == 0 ? "" : text);
}

void
html_table(struct buf *out, const char *caption, const char *const *names)
{
	buf_adds(out, "<div class=\"scroll\"><table><caption hidden>");
	html_text(out, caption);
	buf_adds(out, "</caption><thead><tr>");
	for (; *names != NULL; names++) {
		buf_adds(out, "<th scope=\"col\">");
		html_text(out, *names);
		buf_adds(out, "</th>");
	}
	buf_adds(out, "</tr></thead><tbody>");
}

void
html_table_end(struct buf *out)
{
	buf_adds(out, "</tbody></table></div>");
}
