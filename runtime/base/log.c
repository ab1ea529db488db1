/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log -- one write(2) an event, so that lines of several threads never mix.
 *
 * Redaction is by shape, not by a list of known secrets: a line is searched for the words that
 * stand before secrets. It errs towards hiding too much.
 */
#include "base/log.h"
#include "base/clock.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static atomic_int log_level_now = LOG_INFO;
static atomic_int log_format_now = LOG_HUMAN;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

/* What stands before a secret, in lower case; after it come separators, then the secret. */
static const char *const secret_words[] = {
    "authorization", "bearer",	       "basic",	      "password",   "secret",
    "secret_key",    "api_key",	       "apikey",      "api-key",    "token",
    "credentials",   "encryption_key", "private_key", "set-cookie", "cookie",
};

static const char redacted[] = "[redacted]";

void
log_set(enum log_level level, enum log_format format)
{
	log_level_now = level;
	log_format_now = format;
}

int
log_level_parse(const char *text)
{
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
		if (strcmp(text, level_names[i]) == 0)
			return i;
	return -1;
}

static int
is_word_byte(int c)
{
	return isalnum(c) || c == '_' || c == '-';
}

static int
is_value_byte(int c)
{
	return c != '\0' && c != '"' && c != '\'' && c != ',' && c != '&' && c != '}' &&
	       c != ')' && !isspace(c);
}

/* The length of a secret word that ends at text[0], or 0. The word must be whole at its end. */
static size_t
secret_word_at(const char *text)
{
	for (size_t i = 0; i < sizeof(secret_words) / sizeof(secret_words[0]); i++) {
		size_t n = strlen(secret_words[i]);

		if (strncasecmp(text, secret_words[i], n) == 0 &&
		    !is_word_byte((unsigned char)text[n]))
			return n;
	}
	return 0;
}

/* Behind a word: ": ", "=", "\":\"", and for schemes a plain space; the start of the value. */
static const char *
secret_value_after(const char *word, size_t length)
{
	const char *p = word + length;
	int has_separator = 0;
	int is_scheme =
	    strncasecmp(word, "bearer", 6) == 0 || strncasecmp(word, "basic", 5) == 0;

	while (*p == '"' || *p == '\'' || *p == ' ' || *p == ':' || *p == '=' || *p == '\\') {
		has_separator |= *p == ':' || *p == '=' || (is_scheme && *p == ' ');
		p++;
	}
	return has_separator && is_value_byte((unsigned char)*p) ? p : NULL;
}

/* postgres://user:PASSWORD@host: the password's bounds when text is at "://". */
static int
url_password(const char *text, const char **from, const char **to)
{
	const char *colon = NULL;

	for (const char *p = text + 3; is_value_byte((unsigned char)*p) && *p != '/'; p++) {
		if (*p == ':' && colon == NULL)
			colon = p;
		if (*p == '@' && colon != NULL) {
			*from = colon + 1;
			*to = p;
			return 1;
		}
	}
	return 0;
}

/* Where a secret begins and ends if one begins with the word at p; 1 or 0. */
static int
secret_at(const char *line, const char *p, const char **from, const char **to)
{
	size_t word;

	if (strncmp(p, "://", 3) == 0)
		return url_password(p, from, to);
	if (p > line && isalnum((unsigned char)p[-1]))
		return 0;
	word = secret_word_at(p);
	if (word == 0 || (*from = secret_value_after(p, word)) == NULL)
		return 0;
	if (secret_word_at(*from) >
	    0) /* "authorization: Bearer x": the scheme is looked at next */
		return 0;
	for (*to = *from; is_value_byte((unsigned char)**to); (*to)++)
		;
	return 1;
}

void
log_redact(char *out, size_t size, const char *text)
{
	size_t used = 0;
	const char *from, *to;

	for (const char *p = text; *p != '\0' && used + 1 < size;) {
		if (!secret_at(text, p, &from, &to)) {
			out[used++] = *p++;
			continue;
		}
		for (; p < from && used + 1 < size; p++)
			out[used++] = *p;
		for (const char *r = redacted; *r != '\0' && used + 1 < size; r++)
			out[used++] = *r;
		p = to;
	}
	out[used] = '\0';
}

/* A line stays one line, and a terminal is not spoken to: \\n, \\x1b. In place. */
static void
escape_controls(char *out, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text != '\0' && used + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			used += (size_t)snprintf(out + used, size - used, "\\n");
		else if (c < 0x20 || c == 0x7f)
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", c);
		else
			out[used++] = (char)c;
	}
	out[used] = '\0';
}

static size_t
json_escape(char *out, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text != '\0' && used + 7 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			used += (size_t)snprintf(out + used, size - used, "\\%c", c);
		else if (c < 0x20)
			used += (size_t)snprintf(out + used, size - used, "\\u%04x", c);
		else
			out[used++] = (char)c;
	}
	out[used] = '\0';
	return used;
}

void
log_write(enum log_level level, const char *module, const char *fmt, ...)
{
	char raw[LOG_LINE_MAX / 2], text[LOG_LINE_MAX / 2], line[LOG_LINE_MAX],
	    when[CLOCK_ISO_MAX];
	va_list ap;
	int n;
	ssize_t ignored;

	if ((int)level < log_level_now)
		return;
	va_start(ap, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(raw))
		memcpy(raw + sizeof(raw) - 8, " [cut]", 7);
	log_redact(text, sizeof(text), raw);
	clock_iso(when, clock_wall_ms());
	if (log_format_now == LOG_JSON) {
		n = snprintf(
		    line, sizeof(line),
		    "{\"time\":\"%s\",\"level\":\"%s\",\"module\":\"%s\",\"message\":\"", when,
		    level_names[level], module);
		n += (int)json_escape(line + n, sizeof(line) - (size_t)n - 3, text);
		n += snprintf(line + n, sizeof(line) - (size_t)n, "\"}\n");
	} else {
		escape_controls(raw, sizeof(raw), text);
		n = snprintf(line, sizeof(line), "%s %-5s %s: %s\n", when, level_names[level],
			     module, raw);
	}
	ignored = write(STDERR_FILENO, line, (size_t)n);
	(void)ignored;
}
