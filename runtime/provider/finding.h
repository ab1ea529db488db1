/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/finding -- what is wrong or odd in templates, with file, line and column.
 *
 * A message reads "file:12:3: text [E0702]"; nango-plugin explain has the codes.
 */
#ifndef NANGO_PROVIDER_FINDING_H
#define NANGO_PROVIDER_FINDING_H

#include "base/yaml.h"

#define FINDINGS_MAX 1000 /* more are counted, not kept */

struct template_finding {
	bool is_error;	      /* the template is left out; otherwise a warning */
	bool is_own;	      /* in one of our own templates */
	const char *template; /* its name; NULL: the file itself */
	const char *message;
	const char *word;	  /* what was mistyped, or NULL */
	const char *const *words; /* and what is possible; ends with NULL */
};

struct findings {
	struct template_finding *list; /* a talloc context of its own, as are the texts */
	size_t count, errors, warnings;
};

struct findings *findings_new(TALLOC_CTX *mem);

/*
 * at: the place, in whatever file it was read from; NULL: of file as a whole, or the text
 * begins with its place (file is NULL, too). What is said of one place twice, by an alias of
 * it, is kept once.
 */
void finding_add(struct findings *findings, struct template_finding finding, const char *file,
		 const struct yaml_node *at, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

#endif
