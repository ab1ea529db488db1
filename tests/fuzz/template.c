/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz provider/template: any bytes as a user's file of many. What is loaded can be looked up,
 * and has what others rely on; what is left out has a finding with its reason.
 */
#include "provider/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_set(TALLOC_CTX *mem, const struct templates *templates)
{
	const struct findings *findings = templates_findings(templates);

	for (size_t i = 0; i < templates_count(templates); i++) {
		const struct template *template = templates_at(templates, i);

		if (template_find(templates, template_name(template)) != template ||
		    template_auth_mode(template)[0] == '\0' ||
		    template_display_name(template) == NULL ||
		    json_member(template_body(template), "alias") != NULL)
			abort();
		(void)json_text_shared(mem, template_body(template));
		json_object_put(template_definition(template, "https://a"));
	}
	for (size_t i = 0; i < findings->count; i++)
		if (strstr(findings->list[i].message, " [E07") == NULL)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[32];
	static int fd = -1;
	TALLOC_CTX *mem = talloc_new(NULL);
	struct templates *templates;
	struct error err;
	bool is_many;

	if (fd < 0) {
		fd = memfd_create("many", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	(void)!templates_is_catalogue(path, &is_many, &err);
	if (templates_read(mem, NULL, path, &templates, &err) == 0)
		check_set(mem, templates);
	else if (err.message[0] == '\0')
		abort();
	talloc_free(mem);
	return 0;
}
