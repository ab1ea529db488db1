/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/cause -- see cause.h.
 */
#include "run/cause.h"

#include <string.h>

static const struct {
	const char *text, *doc;
} rows[] = {
#define CAUSE(name, text, doc) {text, doc},
#include "run/cause.def"
#undef CAUSE
};

const char *
cause_text(enum cause_row row)
{
	return rows[row].text;
}

const char *
cause_doc(enum cause_row row)
{
	return rows[row].doc;
}

static bool
is_name(const char *text)
{
	return *text != '\0' &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool
is_number(const char *text)
{
	return *text != '\0' && strlen(text) <= 3 && text[strspn(text, "0123456789")] == '\0';
}

bool
cause_fits(const char *cause, enum cause_row row)
{
	const char *text = rows[row].text, *hole = strchr(text, '%');
	size_t fixed;

	if (hole == NULL)
		return strcmp(cause, text) == 0;
	fixed = (size_t)(hole - text);
	if (strncmp(cause, text, fixed) != 0)
		return false;
	return hole[1] == 'd' ? is_number(cause + fixed) : is_name(cause + fixed);
}

bool
cause_is_known(const char *cause)
{
	for (int row = 0; row < CAUSE_COUNT; row++) {
		if (cause_fits(cause, (enum cause_row)row))
			return true;
	}
	return false;
}

const char *
cause_explain(const char *cause)
{
	for (int row = 0; row < CAUSE_COUNT; row++) {
		if (cause_fits(cause, (enum cause_row)row))
			return rows[row].doc;
	}
	return "";
}
