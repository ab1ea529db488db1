/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/inspect: what is refused, by which code; and that no bytes make the checker crash or
 * hang. The files are made here with the compiler, since every rule is about what a linker can
 * do.
 */
#include "config.h"
#include "base/clock.h"
#include "project.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#ifdef WITH_SANITIZERS
#define MUTANTS 300 /* a sanitized checker starts ten times slower */
#else
#define MUTANTS 2000
#endif

/* A note with a spec of the length 118, and a right export. */
#define SPEC                                                                                  \
	"{\\\"actions\\\":{\\\"a\\\":{\\\"scopes\\\":[]}},\\\"models\\\":{},\\\"nango\\\":1," \
	"\\\"provider\\\":\\\"p\\\",\\\"version\\\":\\\"1.0.0\\\"}"
#define NOTE(owner, major, spec)                                                              \
	"__asm__(\".pushsection .note.nango,\\\"a\\\",%note\\n.balign 4\\n.long 6\\n"         \
	".long 2f-1f\\n.long 0x4e47\\n.asciz \\\"" owner "\\\"\\n.balign 4\\n1: .long " major \
	"\\n.long 0\\n.ascii \\\"\" \"" spec "\" \"\\\"\\n2: .balign 4\\n.popsection\\n\");\n"
#define ASCII_SPEC                                                                  \
	"{\\\\\\\"actions\\\\\\\":{\\\\\\\"a\\\\\\\":{\\\\\\\"scopes\\\\\\\":[]}}," \
	"\\\\\\\"models\\\\\\\":{},"                                                \
	"\\\\\\\"nango\\\\\\\":1,\\\\\\\"provider\\\\\\\":\\\\\\\"p\\\\\\\","       \
	"\\\\\\\"version\\\\\\\":"                                                  \
	"\\\\\\\"1.0.0\\\\\\\"}"
#define EXPORT                                                                            \
	"extern __attribute__((visibility(\"default\"))) const int nango_plugin_v1[4];\n" \
	"const int nango_plugin_v1[4] = {1};\n"
#define WRITABLE_CODE \
	"__asm__(\".pushsection .wx,\\\"awx\\\",%progbits\\n.long 0\\n.popsection\\n\");\n"
#define GOOD NOTE("nango", "1", ASCII_SPEC) EXPORT

static const struct {
	const char *why, *source, *flags, *code; /* code NULL: accepted */
} cases[] = {
    {"a right one", GOOD, "-shared", NULL},
    {"stripped", GOOD, "-shared -s", NULL},
    {"no note", EXPORT, "-shared", "E0303"},
    {"a note of another owner", NOTE("other", "1", ASCII_SPEC) EXPORT, "-shared", "E0303"},
    {"another ABI", NOTE("nango", "2", ASCII_SPEC) EXPORT, "-shared", "E0304"},
    {"a note that is no JSON", NOTE("nango", "1", "xyz") EXPORT, "-shared", "[E0312]"},
    {"JSON that is no spec", NOTE("nango", "1", "{}") EXPORT, "-shared", "E0102"},
    {"two notes", GOOD NOTE("nango", "1", ASCII_SPEC), "-shared", "E0315"},
    {"nothing exported", NOTE("nango", "1", ASCII_SPEC), "-shared", "E0310"},
    {"too much exported", GOOD "__attribute__((visibility(\"default\"))) int other = 1;\n",
     "-shared", "E0310"},
    {"a function of the right name",
     NOTE("nango", "1", ASCII_SPEC) "__attribute__((visibility(\"default\"))) void "
				    "nango_plugin_v1(void);\nvoid nango_plugin_v1(void) {}\n",
     "-shared", "E0310"},
    {"another library", GOOD, "-shared -Wl,--no-as-needed -lz", "E0305"},
    {"libm", GOOD, "-shared -Wl,--no-as-needed -lm", NULL},
    {"RUNPATH", GOOD, "-shared -Wl,-rpath,/tmp", "E0307"},
    {"RPATH", GOOD, "-shared -Wl,--disable-new-dtags,-rpath,/tmp", "E0307"},
    {"executable stack", GOOD, "-shared -Wl,-z,execstack", "E0308"},
    {"writable code", GOOD WRITABLE_CODE, "-shared", "E0309"},
    {"relocations in code",
     GOOD "extern int x; __asm__(\".globl y\\n.hidden y\\ny: .quad other_place\\n\");\nint "
	  "other_place;\n",
     "-shared -Wl,-z,notext", "E0306"},
    {"an indirect function",
     GOOD "static int one(void) { return 1; }\nstatic void *pick(void) { return one; }\n"
	  "static int any(void) __attribute__((ifunc(\"pick\")));\n"
	  "__attribute__((used)) int (*use(void))(void) { return any; }\n",
     "-shared", "E0316"},
    {"a program", GOOD "int main(void) { return 0; }\n", "-pie -Wl,--export-dynamic", "E0301"},
    {"an object file", GOOD, "-c", "E0301"},
};

static char folder[] = "/tmp/nango-elf-XXXXXX";
static const char *program;

static int
make_folder(void **state)
{
	const char *top = getenv("NANGO_TOP_BUILDDIR");

	(void)state;
	program = talloc_asprintf(NULL, "%s/nango-inspect", top == NULL ? "." : top);
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static char *
compile(TALLOC_CTX *mem, const char *source, const char *flags, size_t *length)
{
	const char *compiler = getenv("CC") == NULL ? "cc" : getenv("CC");
	const char *from = talloc_asprintf(mem, "%s/x.c", folder);
	const char *to = talloc_asprintf(mem, "%s/x.so", folder);
	struct error err;
	char *bytes;

	if (project_write_file(from, source, strlen(source), &err) < 0)
		fail_msg("%s", err.message);
	if (system(talloc_asprintf(mem, "%s -fPIC -fvisibility=hidden -w -O1 -o %s %s %s",
				   compiler, to, from, flags)) != 0)
		fail_msg("the compiler refused: %s", source);
	if (project_read_file(mem, to, 1 << 24, &bytes, length, &err) < 0)
		fail_msg("%s", err.message);
	return bytes;
}

static void
test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct inspection found;
		struct error err = {0};
		size_t length;
		char *bytes = compile(mem, cases[i].source, cases[i].flags, &length);
		int result = inspect_plugin(mem, program, bytes, length, &found, &err);

		if ((result == 0) != (cases[i].code == NULL) ||
		    (cases[i].code != NULL && strstr(err.message, cases[i].code) == NULL))
			fail_msg("%s: %d, %s", cases[i].why, result, err.message);
		if (result == 0)
			assert_string_equal(found.spec->provider, "p");
		else
			assert_int_equal(err.code, ERR_PLUGIN);
		talloc_free(mem);
	}
}

static void
test_not_elf(void **state)
{
	static const char *const texts[] = {"", "x", "\177ELF", "{\"ok\":true}",
					    "#!/bin/sh\nexit 0\n"};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct inspection found;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(
		    inspect_plugin(mem, program, texts[i], strlen(texts[i]), &found, &err), -1);
		assert_int_equal(err.code, ERR_PLUGIN);
	}
	assert_int_equal(inspect_plugin(mem, "/nowhere/nango-inspect", "x", 1, &found, &err),
			 -1);
	assert_int_equal(err.code, ERR_SYSTEM);
	talloc_free(mem);
}

/* A small generator of our own: the same mutants everywhere, so a failure can be repeated. */
static uint32_t
next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

static void
mutate(char *bytes, size_t length, size_t hot, uint64_t *seed)
{
	uint32_t count = 1 + next_random(seed) % 16;

	for (uint32_t i = 0; i < count; i++) {
		/* Half of the changes go where the headers and tables are. */
		size_t range = next_random(seed) % 2 == 0 && hot < length ? hot : length;
		size_t at = next_random(seed) % range;
		uint32_t kind = next_random(seed) % 3;

		uint32_t bit = 1U << next_random(seed) % 8;

		bytes[at] = (char)(kind == 0   ? next_random(seed)
				   : kind == 1 ? (uint32_t)bytes[at] ^ bit
					       : 0xffU);
	}
}

static void
test_mutants(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	uint64_t seed = 20261123;
	size_t length, accepted = 0;
	char *good = compile(mem, GOOD, "-shared", &length);

	(void)state;
	for (int i = 0; i < MUTANTS; i++) {
		TALLOC_CTX *scratch = talloc_new(mem);
		char *bytes = talloc_memdup(scratch, good, length);
		size_t kept = i % 10 == 9 ? 1 + next_random(&seed) % length : length;
		int64_t begin = clock_monotonic_ms();
		struct inspection found;
		struct error err = {0};

		mutate(bytes, kept, 0x400, &seed);
		if (inspect_plugin(scratch, program, bytes, kept, &found, &err) == 0)
			accepted++;
		else if (err.code != ERR_PLUGIN || strstr(err.message, "signal") != NULL)
			fail_msg("mutant %d: %s", i, err.message);
		if (clock_monotonic_ms() - begin > INSPECT_TIMEOUT_MS / 2)
			fail_msg("mutant %d took too long", i);
		talloc_free(scratch);
	}
	print_message("%d mutants, %zu accepted\n", MUTANTS, accepted);
	assert_true(accepted < MUTANTS);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_not_elf),
	    cmocka_unit_test(test_mutants),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
