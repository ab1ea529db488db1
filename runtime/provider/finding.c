/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/finding -- see finding.h.
 */
#include "provider/finding.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct findings *
findings_new(TALLOC_CTX *mem)
{
	struct findings *findings = talloc_zero(mem, struct findings);

	if (findings == NULL)
		abort();
	findings->list = talloc_array(findings, struct template_finding, 1);
	return findings;
}

/* Whether it was said before. What was odd in an alias of others is an error in one of ours. */
static bool
is_known(struct findings *findings, const struct template_finding *finding)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct template_finding *known = &findings->list[i];

		if (strcmp(known->message, finding->message) != 0)
			continue;
		if (finding->is_error && !known->is_error) {
			findings->errors++;
			findings->warnings--;
			known->is_error = true;
			known->is_own = finding->is_own;
			known->template = talloc_strdup(findings, finding->template);
		}
		return true;
	}
	return false;
}

void
finding_add(struct findings *findings, struct template_finding finding, const char *file,
	    const struct yaml_node *at, const char *code, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = talloc_vasprintf(findings, fmt, ap);
	va_end(ap);
	if (at != NULL)
		finding.message = talloc_asprintf(findings, "%s:%d:%d: %s [%s]", at->file,
						  at->line, at->column, text, code);
	else
		finding.message =
		    talloc_asprintf(findings, "%s%s%s [%s]", file == NULL ? "" : file,
				    file == NULL ? "" : ": ", text, code);
	talloc_free(text);
	if (is_known(findings, &finding))
		return;
	findings->errors += finding.is_error;
	findings->warnings += !finding.is_error;
	if (findings->count == FINDINGS_MAX)
		return;
	findings->list = talloc_realloc(findings, findings->list, struct template_finding,
					(unsigned)findings->count + 1);
	if (findings->list == NULL || finding.message == NULL)
		abort();
	finding.template =
	    finding.template == NULL ? NULL : talloc_strdup(findings, finding.template);
	finding.word = finding.word == NULL ? NULL : talloc_strdup(findings, finding.word);
	findings->list[findings->count++] = finding;
}
