/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log -- one line an event, to standard error, for people or as JSON lines.
 *
 * Any thread may call. Text that looks like a secret (an Authorization value, a password in a
 * URL, `token=…`, `"apiKey":"…"`) is replaced by [redacted] before it is written. Below the
 * edges nothing logs: errors travel upwards in struct error.
 */
#ifndef NANGO_BASE_LOG_H
#define NANGO_BASE_LOG_H

#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_HUMAN, LOG_JSON };

#define LOG_LINE_MAX 8192 /* longer texts are cut, and say so */

void log_set(enum log_level level, enum log_format format);
int log_level_parse(const char *text); /* -1 when it is none of debug info warn error */

/* module is a word such as "worker"; the text says what happened, with ids. */
void log_write(enum log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)
#define log_info(module, ...) log_write(LOG_INFO, module, __VA_ARGS__)
#define log_warn(module, ...) log_write(LOG_WARN, module, __VA_ARGS__)
#define log_error(module, ...) log_write(LOG_ERROR, module, __VA_ARGS__)

/* Copies text to out (size bytes, NUL included) with secrets replaced. For tests and run logs.
 */
void log_redact(char *out, size_t size, const char *text);

#endif
