/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error -- what went wrong, said once, where it is understood.
 *
 * A call that may fail returns 0 or -1 and takes `struct error *err` last. Only the edges (api,
 * worker, main) log an error or turn it into a reply. The table of codes is error.def.
 */
#ifndef NANGO_BASE_ERROR_H
#define NANGO_BASE_ERROR_H

#include <stdarg.h>

#define ERROR_MESSAGE_MAX 1024
#define ERROR_AT_MAX 256

enum error_code {
	ERR_NONE = 0,
#define ERROR(code, status, name, doc) code,
#include "base/error.def"
#undef ERROR
	ERR_COUNT
};

struct error {
	enum error_code code;
	char message[ERROR_MESSAGE_MAX]; /* what was wrong and what to do, for a person */
	char at[ERROR_AT_MAX]; /* where: a JSON path such as credentials.type, or "" */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Sets err and returns -1, so that a caller can `return error_set(…)`. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, and says where in the input the fault is (a dotted JSON path or a name). */
int error_set_at(struct error *err, enum error_code code, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts a text before the message that is already there: "templates/x.yaml: " … Returns -1. */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As error_set with ": strerror(errno)" behind the text. */
int error_set_errno(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

int error_status(enum error_code code);	      /* HTTP status */
const char *error_name(enum error_code code); /* name on the wire */
const char *error_doc(enum error_code code);  /* its sentence in error.def */

#endif
