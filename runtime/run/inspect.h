/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect -- looks at a plugin's bytes without executing any of them.
 *
 * The reading itself is done by the program nango-inspect, which parses with libelf inside a
 * sandbox of its own and prints one line: libelf meets hostile input, so it never runs in here.
 * This side only starts it, bounds it in time, and reads the line. Blocking (typically 3 ms, at
 * most INSPECT_TIMEOUT_MS): call it from a pool thread.
 *
 * The note that nango-plugin build puts in: section .note.nango, owner "nango", type
 * INSPECT_NOTE_TYPE, description: abi major and minor (two 32-bit numbers of the machine's byte
 * order), then the spec's canonical JSON to its end, without a NUL.
 */
#ifndef NANGO_RUN_INSPECT_H
#define NANGO_RUN_INSPECT_H

#include "base/error.h"
#include "run/spec.h"
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

#define INSPECT_BYTES_MAX (16 * 1024 * 1024)
#define INSPECT_TIMEOUT_MS 10000
#define INSPECT_NOTE_SECTION ".note.nango"
#define INSPECT_NOTE_OWNER "nango"
#define INSPECT_NOTE_TYPE 0x4e47
#define INSPECT_SYMBOL "nango_plugin_v1"

struct inspection {
	uint32_t abi_major, abi_minor;
	const char *machine;   /* "x86-64", "aarch64" */
	const char *glibc;     /* highest version needed: "2.34", or "" */
	const char *spec_json; /* as it stands in the note */
	struct spec *spec;
	char sha256[65]; /* of the bytes, hexadecimal */
};

/*
 * program: the path of nango-inspect. Everything in *out belongs to mem.
 * ERR_PLUGIN: the file breaks a rule; the message says which, and the fix.
 * ERR_SYSTEM: the checker could not be run, or did not end in time.
 */
MUST_CHECK int inspect_plugin(TALLOC_CTX *mem, const char *program, const void *bytes,
			      size_t length, struct inspection *out, struct error *err);

#endif
