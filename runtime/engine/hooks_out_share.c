/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/hooks_out_share -- how many deliveries an environment, and one of its destinations,
 * may have in flight, so that a slow receiver holds up nobody else's events.
 */
#include "engine/hooks_out_internal.h"

#include <stdlib.h>
#include <string.h>

size_t
hooks_environment_max(const struct config *config)
{
	return config->webhooks_max < 4 ? 1 : (size_t)config->webhooks_max / 4;
}

size_t
hooks_destination_max(const struct config *config)
{
	size_t most = hooks_environment_max(config) * 3 / 4;

	return most == 0 ? 1 : most;
}

struct hooks_busy *
hooks_busy_row(struct hooks_look *look, int64_t environment_id, const char *url)
{
	struct hooks_busy *row;

	for (size_t i = 0; i < look->busy_count; i++)
		if (look->busy[i].environment_id == environment_id &&
		    strcmp(look->busy[i].url, url) == 0)
			return &look->busy[i];
	look->busy =
	    talloc_realloc(look, look->busy, struct hooks_busy, (unsigned)look->busy_count + 1);
	if (look->busy == NULL)
		abort();
	row = &look->busy[look->busy_count++];
	*row = (struct hooks_busy){environment_id, talloc_strdup(look, url), 0, 0};
	return row;
}

struct hooks_load
hooks_load_of(const struct hooks_look *look, int64_t environment_id)
{
	size_t most = hooks_destination_max(look->node->config);
	struct hooks_load load = {0};

	for (size_t i = 0; i < look->busy_count; i++) {
		const struct hooks_busy *row = &look->busy[i];

		if (row->environment_id != environment_id)
			continue;
		load.total += row->count;
		load.top = row->count > load.top ? row->count : load.top;
		load.is_slow |= row->count >= most && row->oldest_ms >= HOOKS_SLOW_MS;
	}
	return load;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many events to claim of an environment. One that has some in flight leaves the last
 * places of the node to others. When one of its destinations is slow and has its fill, more
 * than can be sent are claimed, to find those for the others behind it.
 */
size_t
hooks_share(const struct hooks_look *look, int64_t environment_id)
{
	const struct config *config = look->node->config;
	size_t most = hooks_destination_max(config), all = hooks_environment_max(config);
	struct hooks_load load = hooks_load_of(look, environment_id);
	size_t left = look->room - look->count, fair = left / 4;

	if (load.total == 0 && fair == 0)
		fair = least(left, 1);
	if (load.total >= all || fair == 0)
		return 0;
	if (load.top >= most)
		return load.is_slow ? HOOKS_SIFT_MAX : 0;
	return least(least(most - load.top, all - load.total), fair);
}
