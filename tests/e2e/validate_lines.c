/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/validate-lines -- validate_record for the test that compares it with ajv: reads a
 * plugin.yaml, prints the JSON Schema of MODEL, then answers each line of JSON with "ok", or
 * "path: reason".
 */
#include "base/json.h"
#include "run/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
judge(const struct spec *spec, const struct spec_model *model, const char *line, size_t length)
{
	struct validate_fault fault;
	struct jsonspan_fault broken;
	struct jsonspan id;

	if (jsonspan_check_record(line, length, &id, &broken) < 0)
		printf("no JSON: %s\n", broken.reason);
	else if (validate_record(spec, model, jsonspan_trim(line, length), &fault) < 0)
		printf("%s: %s\n", fault.path, fault.reason);
	else
		puts("ok");
}

int
main(int argc, char **argv)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct spec_model *model;
	char *line = NULL;
	size_t room = 0;
	struct error err;
	struct spec *spec;
	ssize_t length;

	if (argc != 3 || spec_read(mem, argv[1], &spec, &err) < 0 ||
	    (model = spec_model(spec, argv[2])) == NULL) {
		fprintf(stderr, "usage: validate-lines plugin.yaml MODEL\n%s\n",
			argc == 3 ? err.message : "");
		return 2;
	}
	printf("%s\n", json_text(mem, json_own(mem, spec_model_schema(spec, argv[2]))));
	while ((length = getline(&line, &room, stdin)) > 0)
		judge(spec, model, line, (size_t)length - (line[length - 1] == '\n'));
	free(line);
	talloc_free(mem);
	return 0;
}
