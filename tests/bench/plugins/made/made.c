/* SPDX-License-Identifier: Apache-2.0 */
/*
 * made -- the plugin of the record benchmarks: what saving costs when the provider costs
 * nothing. Texts are put together once; a record differs in its numbers.
 */
#include <nango/plugin.h>
#include "models.h"

#include <stdio.h>
#include <string.h>

static char notes[641], changed_notes[641];

static void
fill(char *out, const char *words, size_t length)
{
	for (size_t i = 0; i < length; i++)
		out[i] = words[i % strlen(words)];
}

/* before, a number, after: what an API's client would have as text already. */
static void
number(char *out, const char *before, int64_t n, const char *after)
{
	char digits[20];
	int count = 0;

	while (*before != '\0')
		*out++ = *before++;
	do
		digits[count++] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	while (count > 0)
		*out++ = digits[--count];
	do
		*out++ = *after;
	while (*after++ != '\0');
}

static void
save_one(struct nango_run *run, int64_t n, bool is_changed, int64_t revision)
{
	char id[24], email[64], phone[32], revenue[32], first[24], last[24];
	struct contact contact = {
	    .id = id,
	    .email = email,
	    .first_name = first,
	    .last_name = last,
	    .company = "Example & Sons Ltd.",
	    .phone = phone,
	    .owner_id = 7000 + n % 25,
	    .score = (double)(n % 1000) / 8,
	    .revenue = revenue,
	    .is_active = n % 3 != 0,
	    .stage = n % 2 == 0 ? "lead" : "customer",
	    .closed_at = NULL,
	    .created_at = "2025-11-23T08:30:00Z",
	    .updated_at = "2026-01-13T12:00:00Z",
	    .notes = is_changed ? changed_notes : notes,
	};

	number(id, "", n + 1000000, "");
	number(email, "person.", n, "@example.com");
	number(phone, "+49 30 ", n, "");
	number(first, "First", n % 97, "");
	number(last, "Last", n % 1013, "");
	number(revenue, "", n + (is_changed ? revision : 0), ".25");
	contact_save(run, &contact);
}

static void
prepare(int64_t revision)
{
	fill(notes, "account renewal quarter pipeline called back wants offer ", 640);
	fill(changed_notes, "meeting contract legal budget team north account late ", 640);
	snprintf(changed_notes, 24, "%020lld", (long long)revision);
	changed_notes[20] = ' ';
}

static void
sync_made(struct nango_run *run)
{
	struct made_metadata m = made_metadata(run);

	prepare(m.revision);
	for (int64_t n = 0; n < m.count; n++) {
		save_one(run, n, m.step > 0 && n % m.step == 0, m.revision);
		if ((n + 1) % m.page == 0)
			nango_commit(run, NULL);
	}
	nango_commit(run, NULL);
}

static void
sync_walk(struct nango_run *run)
{
	struct walk_metadata m = walk_metadata(run);

	prepare(m.revision);
	for (int64_t n = 0; n < m.count; n++) {
		if (m.step == 0 || n % m.step != 0)
			save_one(run, n, false, 0);
		if ((n + 1) % m.page == 0)
			nango_commit(run, NULL);
	}
	nango_commit(run, NULL);
	nango_walk_complete(run);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "made", .run = sync_made),
				  NANGO_SYNC(.name = "walk", .run = sync_walk)));
