/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/descriptors -- see descriptors.h.
 */
#include "command/descriptors.h"

#include "base/log.h"
#include "http/server.h"

#include <sys/resource.h>

#define OTHERS 100 /* files, pipes, listeners, timers */

static rlim_t
needed(const struct config *config)
{
	return (rlim_t)(HTTP_CONNECTIONS_MAX + config->runs_max + 2 * config->upstream_max +
			2 * config->db_connections + OTHERS);
}

void
descriptors_raise(const struct config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < needed(config))
		log_warn(
		    "nangod",
		    "at most %llu files and sockets may be open, and with these settings %llu "
		    "may be needed: raise the limit (ulimit -Hn, LimitNOFILE) or lower "
		    "NANGO_RUNS_MAX and NANGO_UPSTREAM_MAX",
		    (unsigned long long)limit.rlim_max, (unsigned long long)needed(config));
}
