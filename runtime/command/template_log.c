/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/template_log -- see template_log.h.
 */
#include "command/template_log.h"
#include "base/log.h"

void
template_log_findings(struct catalogue *catalogue)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct findings *findings = templates_findings(catalogue_use(catalogue, mem));

	for (size_t i = 0; i < findings->count; i++) {
		const struct template_finding *finding = &findings->list[i];

		if (finding->is_error)
			log_error("templates", "%s; %s is left out", finding->message,
				  finding->template == NULL ? "it" : finding->template);
		else
			log_warn("templates", "%s", finding->message);
	}
	if (findings->errors + findings->warnings > findings->count)
		log_warn("templates", "and %zu more: nango-plugin template check lists them",
			 findings->errors + findings->warnings - findings->count);
	talloc_free(mem);
}

void
template_log_reload(struct catalogue *catalogue)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct error err;

	if (catalogue_reload(catalogue, &err) < 0) {
		log_error("templates", "SIGHUP: the templates stay as they were: %s",
			  err.message);
	} else {
		template_log_findings(catalogue);
		log_info("templates", "SIGHUP: %zu templates are in force",
			 templates_count(catalogue_use(catalogue, mem)));
	}
	talloc_free(mem);
}
