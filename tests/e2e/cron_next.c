/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron-next -- for the test against croner: a line "zone TAB seconds TAB expression" is
 * answered by the next instant in seconds, -1 for none, or "refused".
 */
#include "base/cron.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	char line[1024], *rest, *zone_name, *after;
	const struct zone *zone;
	struct error err;
	struct cron cron;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		rest = line;
		zone_name = strsep(&rest, "\t");
		after = strsep(&rest, "\t");
		if (rest == NULL)
			return 2;
		if (zone_find(zone_name, &zone, &err) < 0 || cron_parse(rest, &cron, &err) < 0)
			puts("refused");
		else
			printf("%" PRId64 "\n", cron_next(&cron, zone, atoll(after)));
	}
	return 0;
}
