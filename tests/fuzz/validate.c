/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz/validate -- any bytes that jsonspan takes for a record, against a model with every type.
 * What fits a model also fits as an update of it; a fault always has a reason.
 */
#include "run/validate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char yaml[] =
    "nango: 1\nprovider: p\nversion: 1.0.0\nsyncs: {s: {runs: every 1h, models: [T]}}\n"
    "models:\n"
    "  T: {id: string, a: \"T?\", b: \"T[]?\", c: \"integer?\", d: \"number?\", e: "
    "\"decimal?\",\n"
    "    f: \"boolean?\", g: \"date?\", h: \"(x | y)?\", i: \"json?\", j: \"null?\",\n"
    "    k: \"(string | null)?\", l: \"date[]?\", m: \"(x | y)[]?\", n: \"K?\"}\n"
    "  K: {id: integer, $extra: keep}\n";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static TALLOC_CTX *mem; /* what reading leaves behind hangs on it, too */
	static struct spec *spec;
	struct validate_fault fault = {"", ""};
	struct jsonspan json = {(const char *)data, size}, id;
	const struct spec_model *model;
	struct error err;

	if (spec == NULL) {
		mem = talloc_new(NULL);
		if (spec_read_text(mem, "plugin.yaml", yaml, strlen(yaml), &spec, &err) < 0)
			abort();
	}
	if (jsonspan_check_record(json.data, size, &id, NULL) < 0)
		return 0;
	json = jsonspan_trim(json.data, size);
	model = spec_model(spec, "T");
	if (validate_record(spec, model, json, &fault) == 0) {
		if (validate_update(spec, model, json, &fault) < 0)
			abort();
	} else if (fault.reason[0] == '\0' || memchr(fault.path, '\0', 256) == NULL) {
		abort();
	}
	return 0;
}
