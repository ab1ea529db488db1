/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz run/spec: as plugin.yaml and as canonical JSON. What is accepted must come back from its
 * own canonical form as the same bytes.
 */
#include "run/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_round_trip(TALLOC_CTX *mem, const struct spec *spec)
{
	char *json = spec_json(mem, spec);
	struct spec *again;
	struct error err;

	if (strlen(json) > SPEC_JSON_MAX)
		return;
	if (spec_parse(mem, json, strlen(json), &again, &err) < 0 ||
	    strcmp(spec_json(mem, again), json) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct error err;
	struct spec *spec;
	int64_t ms;

	/* Imports would read files; the word is not worth a run. */
	if (memmem(data, size, "import", 6) == NULL &&
	    spec_read_text(mem, "plugin.yaml", (const char *)data, size, &spec, &err) == 0)
		check_round_trip(mem, spec);
	if (spec_parse(mem, (const char *)data, size, &spec, &err) == 0)
		check_round_trip(mem, spec);
	(void)!spec_interval_ms(talloc_strndup(mem, (const char *)data, size), &ms, &err);
	talloc_free(mem);
	return 0;
}
