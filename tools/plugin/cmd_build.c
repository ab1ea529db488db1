/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-plugin build -- plugin.yaml and *.c to one shared object.
 *
 * One call of the compiler, whose messages are shown as they are. The spec goes into an ELF
 * note by .incbin from a file beside, so no limit on string literals and no escaping is in the
 * way.
 */
#include "generate.h"
#include "project.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS_MAX (PROJECT_SOURCES_MAX + 128)

/* A command line being put together; ends with NULL. */
struct line {
	TALLOC_CTX *mem;
	const char *at[ARGUMENTS_MAX + 1];
	size_t count;
};

static const char *const compile_flags[] = {
    "-std=gnu17",
    "-O2",
    "-g",
    "-Wall",
    "-Wextra",
    "-Wno-missing-field-initializers",
    "-fPIC",
    "-fvisibility=hidden",
    "-fstack-protector-strong",
    NULL,
};
static const char *const link_flags[] = {
    "-shared",
    "-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code",
    "-Wl,--build-id=sha1",
    "-Wl,--as-needed",
    NULL,
};
static const char *const plain_flags[] = {"-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2",
					  "-Wl,-z,defs", NULL};
static const char *const sanitize_flags[] = {"-fsanitize=address,undefined",
					     "-fno-omit-frame-pointer", NULL};

static void
add(struct line *line, const char *argument)
{
	if (line->count < ARGUMENTS_MAX)
		line->at[line->count++] = argument;
	line->at[line->count] = NULL;
}

static void
add_all(struct line *line, const char *const *arguments)
{
	for (; *arguments != NULL; arguments++)
		add(line, *arguments);
}

/* The words of CC="ccache gcc", CFLAGS … */
static void
add_words(struct line *line, const char *words)
{
	while (words != NULL && *words != '\0') {
		size_t n = strcspn(words, " \t");

		if (n > 0)
			add(line, talloc_strndup(line->mem, words, n));
		words += n;
		words += strspn(words, " \t");
	}
}

/* The text of `pkg-config --cflags nango-sdk`, or NULL. */
static const char *
sdk_from_pkg_config(TALLOC_CTX *mem)
{
	char text[4096];
	FILE *pipe = popen("pkg-config --cflags nango-sdk 2>/dev/null", "re");
	size_t n = pipe == NULL ? 0 : fread(text, 1, sizeof(text) - 1, pipe);

	if (pipe == NULL || pclose(pipe) != 0 || n == 0)
		return NULL;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return talloc_strdup(mem, text);
}

static int
add_includes(const struct invocation *inv, const struct project *project, struct line *line,
	     struct error *err)
{
	const char *sdk = project_sdk_include(inv);

	add(line, talloc_asprintf(inv->mem, "-I%s", project->build));
	if (sdk != NULL) {
		add(line, talloc_asprintf(inv->mem, "-isystem%s", sdk));
		return 0;
	}
	sdk = sdk_from_pkg_config(inv->mem);
	if (sdk == NULL)
		return error_set(
		    err, ERR_CONFIG,
		    "nango/plugin.h was not found [E0203]\nhelp: install the SDK, or "
		    "name the folder that holds nango/: NANGO_SDK_INCLUDE=DIR");
	add_words(line, sdk);
	return 0;
}

/* The compiler and everything that a single source needs. */
static int
compile_line(const struct invocation *inv, const struct project *project, struct line *line,
	     struct error *err)
{
	const char *compiler = getenv("CC");

	add_words(line, compiler != NULL && compiler[0] != '\0' ? compiler : "cc");
	add_all(line, compile_flags);
	if (add_includes(inv, project, line, err) < 0)
		return -1;
	add_words(line, getenv("CFLAGS"));
	return 0;
}

/*
 * The note is written by the assembler, because only it can place a section of type NOTE with
 * both compilers. The ABI numbers are those of the header that the plugin is compiled with.
 */
static int
write_note(TALLOC_CTX *mem, const struct project *project, struct error *err)
{
	const char *json = spec_json(mem, project->spec);
	size_t length = strlen(json);
	const char *source = talloc_asprintf(
	    mem,
	    "/* Written by nango-plugin build: the ELF note that says what the plugin offers. "
	    "*/\n"
	    "#include <nango/plugin.h>\n"
	    "#define TEXT_(x) #x\n#define TEXT(x) TEXT_(x)\n"
	    "__asm__(\".pushsection %s,\\\"a\\\",%%note\\n\"\n"
	    "\t\".balign 4\\n.long %zu\\n.long %zu\\n.long %d\\n.asciz \\\"%s\\\"\\n.balign "
	    "4\\n\"\n"
	    "\t\".long \" TEXT(NANGO_ABI_MAJOR) \"\\n.long \" TEXT(NANGO_ABI_MINOR) \"\\n\"\n"
	    "\t\".incbin \\\"spec.json\\\"\\n.balign 4\\n.popsection\\n\");\n",
	    INSPECT_NOTE_SECTION, sizeof(INSPECT_NOTE_OWNER), length + 8, INSPECT_NOTE_TYPE,
	    INSPECT_NOTE_OWNER);

	if (length > SPEC_JSON_MAX)
		return error_set(err, ERR_CONFIG, "%s: over %d bytes once resolved [E0117]",
				 project->yaml, SPEC_JSON_MAX);
	if (project_write_file(talloc_asprintf(mem, "%s/spec.json", project->build), json,
			       length, err) < 0)
		return -1;
	return project_write_file(talloc_asprintf(mem, "%s/note.c", project->build), source,
				  strlen(source), err);
}

/* For clangd and friends; beside plugin.yaml, or with --output in there. */
static int
write_compile_commands(const struct invocation *inv, const struct project *project,
		       const struct line *line, bool is_in_build, struct error *err)
{
	struct json_object *list = json_object_new_array();
	char *here = realpath(".", NULL);
	const char *text;
	int result;

	for (size_t i = 0; i < project->sources_count; i++) {
		struct json_object *entry = json_object_new_object();
		struct json_object *arguments = json_object_new_array();

		for (size_t j = 0; j < line->count; j++)
			json_object_array_add(arguments, json_object_new_string(line->at[j]));
		json_object_array_add(arguments, json_object_new_string("-c"));
		json_object_array_add(arguments, json_object_new_string(project->sources[i]));
		json_add(entry, "directory", here);
		json_add(entry, "file", project->sources[i]);
		json_object_object_add(entry, "arguments", arguments);
		json_object_array_add(list, entry);
	}
	text = talloc_asprintf(
	    inv->mem, "%s\n",
	    json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
						     JSON_C_TO_STRING_NOSLASHESCAPE));
	result = project_write_file(
	    talloc_asprintf(inv->mem, "%s/compile_commands.json",
			    is_in_build ? project->build : project->directory),
	    text, strlen(text), err);
	json_object_put(list);
	free(here);
	return result;
}

static int
compile(const struct invocation *inv, const struct project *project, struct line *line,
	const char *object, struct error *err)
{
	const char *partial = talloc_asprintf(inv->mem, "%s.%d.part", object, (int)getpid());
	bool is_sanitized = command_option(inv, "sanitize") != NULL;
	int status;

	add_all(line, is_sanitized ? sanitize_flags : plain_flags);
	add_all(line, link_flags);
	add(line, talloc_asprintf(inv->mem, "-Wa,-I%s", project->build));
	add(line, "-o");
	add(line, partial);
	add_all(line, project->sources);
	add(line, talloc_asprintf(inv->mem, "%s/note.c", project->build));
	add_words(line, getenv("LDFLAGS"));
	status = project_spawn(line->at, err);
	if (status < 0)
		return -1;
	if (status > 0) {
		unlink(partial);
		return error_set(err, ERR_CONFIG,
				 "the compiler %s did not accept it (status %d) [E0201]",
				 line->at[0], status);
	}
	if (rename(partial, object) != 0)
		return error_set(err, ERR_SYSTEM, "cannot write %s: %s [E0011]", object,
				 strerror(errno));
	return 0;
}

static int
build(const struct invocation *inv, struct project *project, const char **object,
      struct error *err)
{
	struct line line = {.mem = inv->mem};
	const char *output = command_option(inv, "output");

	if (project_open(inv->mem, inv->arguments[0], output, project, err) < 0)
		return -1;
	if (project->sources_count == 0)
		return error_set(
		    err, ERR_CONFIG,
		    "there is no .c file beside %s [E0202]\nhelp: nango-plugin init "
		    "makes a first one",
		    project->yaml);
	if (project_make_directory(project->build, err) < 0 ||
	    generate_files(inv->mem, project->spec, project->build, err) < 0 ||
	    write_note(inv->mem, project, err) < 0 ||
	    compile_line(inv, project, &line, err) < 0 ||
	    write_compile_commands(inv, project, &line, output != NULL, err) < 0)
		return -1;
	*object =
	    talloc_asprintf(inv->mem, "%s/%s%s.so", project->build, project->spec->provider,
			    command_option(inv, "sanitize") != NULL ? ".sanitize" : "");
	/* A source that does not compile must not leave an older build to be deployed. */
	unlink(*object);
	return compile(inv, project, &line, *object, err);
}

static int
run(struct invocation *inv, struct error *err)
{
	struct project project;
	struct json_object *tree;
	const char *object;
	struct stat status;

	if (build(inv, &project, &object, err) < 0)
		return STATUS_BUILD;
	if (stat(object, &status) != 0)
		status.st_size = 0;
	if (!inv->is_json) {
		printf("%s: %s %s, %lld kB\n", object, project.spec->provider,
		       project.spec->version, (long long)(status.st_size + 999) / 1000);
		return STATUS_OK;
	}
	tree = json_own(inv->mem, json_object_new_object());
	json_add_boolean(tree, "ok", true);
	json_add(tree, "file", object);
	json_add_integer(tree, "bytes", status.st_size);
	json_add(tree, "provider", project.spec->provider);
	json_add(tree, "version", project.spec->version);
	printf("%s\n", json_text(inv->mem, tree));
	return STATUS_OK;
}

const struct command command_build = {
    .name = "build",
    .arguments = "[DIR]",
    .arguments_max = 1,
    .summary = "Compile a plugin to build/<provider>.so",
    .doc =
	"Generates models.h into DIR/build, compiles every .c file of DIR with it, and links\n"
	"them to one shared object that carries plugin.yaml, resolved, in an ELF note.\n"
	"The compiler is $CC or cc; $CFLAGS and $LDFLAGS are added. The SDK's header is\n"
	"looked for in $NANGO_SDK_INCLUDE, beside the program, in the source tree, where it\n"
	"was installed, and by pkg-config. Writes compile_commands.json for editors.",
    .options = {{"output", 'o', "DIR", "Where what is made goes instead of DIR/build"},
		{"sanitize", 0, NULL,
		 "With AddressSanitizer and UBSan, as <provider>.sanitize.so"}},
    .run = run,
};
