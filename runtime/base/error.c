/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error -- the table of error.def and the few calls that fill a struct error.
 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int status;
	const char *name, *doc;
} rows[] = {
    [ERR_NONE] = {200, "ok", "Nothing is wrong."},
#define ERROR(code, status, name, doc) [code] = {status, name, doc},
#include "base/error.def"
#undef ERROR
};

__attribute__((format(printf, 3, 0))) static void
error_fill(struct error *err, enum error_code code, const char *fmt, va_list ap)
{
	err->code = code;
	err->at[0] = '\0';
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
}

int
error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_fill(err, code, fmt, ap);
	va_end(ap);
	return -1;
}

int
error_set_at(struct error *err, enum error_code code, const char *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_fill(err, code, fmt, ap);
	va_end(ap);
	snprintf(err->at, sizeof(err->at), "%s", at);
	return -1;
}

int
error_prefix(struct error *err, const char *fmt, ...)
{
	char text[ERROR_MESSAGE_MAX];
	size_t used;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	used = strlen(text);
	snprintf(text + used, sizeof(text) - used, "%s", err->message);
	memcpy(err->message, text, sizeof(text));
	return -1;
}

int
error_set_errno(struct error *err, enum error_code code, const char *fmt, ...)
{
	int saved = errno;
	size_t used;
	va_list ap;

	va_start(ap, fmt);
	error_fill(err, code, fmt, ap);
	va_end(ap);
	used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, ": %s", strerror(saved));
	return -1;
}

int
error_status(enum error_code code)
{
	return rows[code].status;
}

const char *
error_name(enum error_code code)
{
	return rows[code].name;
}

const char *
error_doc(enum error_code code)
{
	return rows[code].doc;
}
