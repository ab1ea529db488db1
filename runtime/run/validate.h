/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/validate -- does a record fit its model? One pass over bytes that jsonspan_check_record
 * has accepted, without a tree and without memory; any thread.
 *
 * Strict: nothing is converted. What each type takes:
 *
 *   string    a string without U+0000
 *   integer   digits without fraction or exponent, within int64 (1.0 and 1e3 are none)
 *   number    what a double can hold: 1e400 is none
 *   decimal   a string with the text of a JSON number, of any length
 *   date      a string: RFC 3339 full-date, or date-time with its offset; leap seconds too
 *   words     one of them, escaped or not
 *   json      anything, null and U+0000 included
 *
 * A member that the model does not name is a fault, unless the model says `$extra: keep`: bytes
 * cannot be dropped from a record that is stored as it came, and the generated writers drop
 * them already. Of members of one name the last counts; what stands in the ones before is not
 * looked at. Null is a fault where the model does not say `| null`.
 *
 * The types have no lengths, so none is checked but the id's (run/session).
 */
#ifndef NANGO_RUN_VALIDATE_H
#define NANGO_RUN_VALIDATE_H

#include "base/jsonspan.h"
#include "run/spec.h"

struct validate_fault {
	char path[256];	  /* "people[1].name"; "" is the record itself */
	char reason[256]; /* "is not an integer of 64 bits" */
};

/* 0, or -1 and the first fault. model must be one of the spec's. */
MUST_CHECK int validate_record(const struct spec *spec, const struct spec_model *model,
			       struct jsonspan record, struct validate_fault *fault);

/* As above for what is merged into a record: members may be absent, deeply, but not in the
 * items of a list, since lists are replaced. */
MUST_CHECK int validate_update(const struct spec *spec, const struct spec_model *model,
			       struct jsonspan members, struct validate_fault *fault);

/* ---- for validate.c alone: the texts (validate_text.c) ---- */

bool validate_is_decimal(const char *text, size_t length); /* without quotes */
bool validate_is_date(const char *text, size_t length);
bool validate_is_double(const char *text, size_t length); /* a JSON number */
bool validate_has_nul(const char *text, size_t length);	  /* in its escapes */

#endif
