/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nango-inspect -- reads a plugin's bytes from standard input and prints one JSON line:
 *
 *     {"ok":true,"abi_major":1,"abi_minor":0,"machine":"x86-64","glibc":"2.34","spec":"{…}"}
 *     {"ok":false,"code":"E0305","message":"…","help":"…"}
 *
 * The bytes are an enemy's and libelf parses them in C, so before the first one is read this
 * process gives up everything but memory, standard input and standard output. Nothing of the
 * file is ever mapped executable or run.
 *
 * Here: the sandbox, the file's headers, the verdict. Sections are inspector_section.c's.
 */
#include "config.h"
#include "run/inspector.h"

#include <errno.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void
print_text(const char *text, size_t length)
{
	putchar('"');
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

void
refuse(const char *code, const char *help, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	printf("{\"ok\":false,\"code\":\"%s\",\"message\":", code);
	print_text(text, strlen(text));
	printf(",\"help\":");
	print_text(help, strlen(help));
	printf("}\n");
	fflush(stdout);
	_exit(0);
}

void
refuse_damaged(const char *part)
{
	refuse("E0315", "build it again: nango-plugin build", "the file is damaged: %s", part);
}

/*
 * Memory, reading and writing what is open, and the end. Everything else kills the process.
 * (Under AddressSanitizer the list is the same and longer by what its allocator does.)
 */
static void
enter_sandbox(void)
{
	static const int calls[] = {
	    SCMP_SYS(read),	     SCMP_SYS(write),	     SCMP_SYS(brk),
	    SCMP_SYS(mmap),	     SCMP_SYS(munmap),	     SCMP_SYS(mremap),
	    SCMP_SYS(exit_group),    SCMP_SYS(rt_sigreturn), SCMP_SYS(fstat),
	    SCMP_SYS(newfstatat),
#ifdef WITH_SANITIZERS
	    SCMP_SYS(madvise),	     SCMP_SYS(mprotect),     SCMP_SYS(getpid),
	    SCMP_SYS(gettid),	     SCMP_SYS(futex),	     SCMP_SYS(rt_sigprocmask),
	    SCMP_SYS(sigaltstack),   SCMP_SYS(rt_sigaction), SCMP_SYS(sched_yield),
	    SCMP_SYS(clock_gettime),
#endif
	};
	struct rlimit cpu = {5, 5}, none = {0, 0};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int result = filter == NULL ? -ENOMEM : 0;

#ifndef WITH_SANITIZERS
	struct rlimit memory = {256UL << 20, 256UL << 20};

	setrlimit(RLIMIT_AS, &memory);
#endif
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_PDEATHSIG, 9);
	for (size_t i = 0; result == 0 && i < sizeof(calls) / sizeof(*calls); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (result == 0)
		result = seccomp_load(filter);
	if (result != 0) {
		fprintf(stderr, "nango-inspect: cannot enter its sandbox: %s\n",
			strerror(-result));
		_exit(3);
	}
	seccomp_release(filter);
}

static char *
read_input(size_t *length)
{
	char *data = malloc(INSPECT_BYTES_MAX + 1);
	ssize_t n;

	if (data == NULL)
		_exit(3);
	*length = 0;
	while ((n = read(STDIN_FILENO, data + *length, INSPECT_BYTES_MAX + 1 - *length)) > 0)
		*length += (size_t)n;
	if (n < 0)
		_exit(3);
	if (*length > INSPECT_BYTES_MAX)
		refuse("E0314", "strip it (strip -g), or take data out of it",
		       "the file is over %d MiB", INSPECT_BYTES_MAX >> 20);
	return data;
}

static void
check_header(struct file *file)
{
	GElf_Ehdr header;

	if (elf_kind(file->elf) != ELF_K_ELF || gelf_getehdr(file->elf, &header) == NULL)
		refuse("E0301", "deploy the file that nango-plugin build made",
		       "this is no ELF file");
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		refuse("E0302", "build it on this kind of machine",
		       "the file is not for a 64-bit little-endian machine");
	if (header.e_machine != MACHINE)
		refuse("E0302", "build it on this kind of machine",
		       "the file is for another machine (ELF machine %u); this one is %s",
		       header.e_machine, MACHINE_NAME);
	if (header.e_type != ET_DYN)
		refuse("E0301", "deploy the file that nango-plugin build made",
		       "the file is no shared object (ELF type %u)", header.e_type);
}

static void
check_segments(struct file *file)
{
	bool has_stack = false;
	size_t count;
	GElf_Phdr segment;

	if (elf_getphdrnum(file->elf, &count) != 0 || count == 0 || count > 1000)
		refuse_damaged("program headers");
	for (size_t i = 0; i < count; i++) {
		if (gelf_getphdr(file->elf, (int)i, &segment) == NULL)
			refuse_damaged("program headers");
		if (segment.p_type == PT_INTERP)
			refuse("E0301", "link it with -shared", "the file is a program");
		if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) &&
		    (segment.p_flags & PF_X))
			refuse("E0309", "link without -z separate-code off, -N or --omagic",
			       "a segment is writable and executable at once");
		if (segment.p_type != PT_GNU_STACK)
			continue;
		has_stack = true;
		if (segment.p_flags & PF_X)
			refuse("E0308",
			       "link with -z noexecstack; assembler sources need a "
			       ".note.GNU-stack "
			       "section",
			       "the file asks for an executable stack");
	}
	if (!has_stack)
		refuse("E0308", "link with -z noexecstack",
		       "the file does not say that its stack is not executable");
}

int
main(void)
{
	struct file file = {0};
	size_t length;
	char *data;

	elf_version(EV_CURRENT);
	setvbuf(stdout, NULL, _IOFBF, 65536);
	enter_sandbox();
	data = read_input(&length);
	file.elf = elf_memory(data, length);
	if (file.elf == NULL)
		refuse("E0301", "deploy the file that nango-plugin build made",
		       "this is no ELF file");
	check_header(&file);
	check_segments(&file);
	check_sections(&file, true);
	if (file.dynamic.strtab == 0 || file.dynamic.symtab == 0)
		refuse_damaged("no dynamic section");
	check_sections(&file, false);
	if (!file.found.has_note)
		refuse("E0303", "build it with nango-plugin build",
		       "the file holds no note that says what it offers (" INSPECT_NOTE_SECTION
		       ")");
	if (!file.found.has_plugin_symbol)
		refuse("E0310", "end the plugin's source with NANGO_PLUGIN(…)",
		       "the file does not export " INSPECT_SYMBOL);
	printf("{\"ok\":true,\"abi_major\":%u,\"abi_minor\":%u,\"machine\":\"%s\",\"glibc\":"
	       "\"2.%d\","
	       "\"spec\":",
	       file.found.abi_major, file.found.abi_minor, MACHINE_NAME,
	       file.found.glibc_minor);
	print_text(file.found.spec, file.found.spec_length);
	printf("}\n");
	fflush(stdout);
	_exit(0);
}
