/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/paginate_rules -- the settings of an iteration: the template's proxy.paginate, overlaid
 * by the plugin's own, member by member.
 */
#ifndef NANGO_RUN_PAGINATE_RULES_H
#define NANGO_RUN_PAGINATE_RULES_H

#include "base/error.h"
#include "run/paginate.h"
#include <stdbool.h>
#include <talloc.h>

struct paginate_rules {
	const char *type;
	const char *link_rel, *link_path;
	const char *cursor_name, *cursor_path;
	const char *offset_name, *limit_name, *response_path;
	const char *more_path; /* where the body says whether there is more */
	bool more_means_end;   /* true there says that there is none */
	bool is_per_page;
	int64_t start, limit; /* limit 0: none known */
	bool has_own_limit;   /* of the plugin's settings, not of the template's */
	enum paginate_place place;
};

/* The strings belong to mem. */
MUST_CHECK int paginate_rules_read(TALLOC_CTX *mem, const char *template_json,
				   const char *override_json, struct paginate_rules *out,
				   struct error *err);

#endif
