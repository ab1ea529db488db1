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
 * The loader believes the dynamic segment, tools believe section headers. Both are read here
 * and must tell the same story: a file whose sections show harmless symbols while its segment
 * shows others is refused.
 */
#include "config.h"
#include "run/inspect.h"

#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <gnu/libc-version.h>
#include <libelf.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SYMBOLS_MAX 1000000
#define GLIBC_MINOR_MAX 1000

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define MACHINE_NAME "x86-64"
#define RELOC_IFUNC 37 /* R_X86_64_IRELATIVE */
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#define MACHINE_NAME "aarch64"
#define RELOC_IFUNC 1032 /* R_AARCH64_IRELATIVE */
#else
#error "nango-inspect knows x86-64 and aarch64"
#endif

static const char *const allowed_libraries[] = {
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
};

/* What the dynamic segment says; 0 where it does not. */
struct dynamic {
	GElf_Addr strtab, symtab, verneed;
	bool has_textrel, has_runpath;
};

struct finding {
	uint32_t abi_major, abi_minor;
	const char *spec;
	size_t spec_length;
	int glibc_minor; /* of GLIBC_2.x */
	bool has_note, has_plugin_symbol;
};

struct file {
	Elf *elf;
	struct dynamic dynamic;
	struct finding found;
};

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

/* Bytes of the file go into messages only as printable ASCII. */
__attribute__((noreturn, format(printf, 3, 4))) static void
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

__attribute__((noreturn)) static void
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

/* A section's data, whole and within the file; refuses otherwise. */
static Elf_Data *
section_data(Elf_Scn *section, const char *name)
{
	Elf_Data *data = elf_getdata(section, NULL);

	if (data == NULL || (data->d_size > 0 && data->d_buf == NULL))
		refuse_damaged(name);
	return data;
}

/* A string of a string section, known to end within it. */
static const char *
text_at(struct file *file, size_t table, size_t offset, const char *part)
{
	const char *text = elf_strptr(file->elf, table, offset);

	if (text == NULL)
		refuse_damaged(part);
	return text;
}

static void
check_library(const char *name)
{
	for (size_t i = 0; i < sizeof(allowed_libraries) / sizeof(*allowed_libraries); i++)
		if (strcmp(allowed_libraries[i], name) == 0)
			return;
	refuse("E0305",
	       "a plugin links libc, libm, libgcc_s and libstdc++ only; link others statically "
	       "(libfoo.a, built with -fPIC)",
	       "the file needs the library %.100s", name);
}

static void
read_dynamic_entry(struct file *file, const GElf_Shdr *header, const GElf_Dyn *entry)
{
	struct dynamic *dynamic = &file->dynamic;

	if (entry->d_tag == DT_NEEDED)
		check_library(
		    text_at(file, header->sh_link, entry->d_un.d_val, "library names"));
	else if (entry->d_tag == DT_TEXTREL ||
		 (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
		dynamic->has_textrel = true;
	else if (entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH)
		dynamic->has_runpath = true;
	else if (entry->d_tag == DT_STRTAB)
		dynamic->strtab = entry->d_un.d_ptr;
	else if (entry->d_tag == DT_SYMTAB)
		dynamic->symtab = entry->d_un.d_ptr;
	else if (entry->d_tag == DT_VERNEED)
		dynamic->verneed = entry->d_un.d_ptr;
}

/* Is the section what the loader will take for its dynamic segment? */
static void
check_dynamic_place(struct file *file, const GElf_Shdr *header)
{
	size_t count = 0;
	GElf_Phdr segment;

	elf_getphdrnum(file->elf, &count);
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(file->elf, (int)i, &segment) != NULL &&
		    segment.p_type == PT_DYNAMIC &&
		    (segment.p_offset != header->sh_offset ||
		     segment.p_vaddr != header->sh_addr || segment.p_filesz != header->sh_size))
			refuse_damaged("the dynamic section is not the dynamic segment");
}

static void
check_dynamic(struct file *file, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = section_data(section, "the dynamic section");
	size_t count = data->d_size / sizeof(Elf64_Dyn);
	GElf_Dyn entry;

	check_dynamic_place(file, header);
	for (size_t i = 0; i < count; i++) {
		if (gelf_getdyn(data, (int)i, &entry) == NULL)
			refuse_damaged("the dynamic section");
		if (entry.d_tag == DT_NULL)
			break;
		read_dynamic_entry(file, header, &entry);
	}
	if (file->dynamic.has_textrel)
		refuse("E0306", "compile every source with -fPIC",
		       "the file has relocations in its code (TEXTREL)");
	if (file->dynamic.has_runpath)
		refuse("E0307", "link without -rpath",
		       "the file brings its own library search path (RPATH or RUNPATH)");
}

static void
check_symbol(struct file *file, const GElf_Sym *symbol, const char *name)
{
	int binding = GELF_ST_BIND(symbol->st_info), type = GELF_ST_TYPE(symbol->st_info);

	if (type == STT_GNU_IFUNC)
		refuse("E0316", "leave out target_clones and ifunc attributes",
		       "the file has an indirect function: %.100s", name);
	if (symbol->st_shndx == SHN_UNDEF || binding == STB_LOCAL || type == STT_SECTION ||
	    type == STT_FILE)
		return;
	if (strcmp(name, INSPECT_SYMBOL) != 0)
		refuse("E0310", "compile with -fvisibility=hidden (nango-plugin build does)",
		       "the file exports %.100s; it may export " INSPECT_SYMBOL " only", name);
	if (type != STT_OBJECT)
		refuse("E0310", "end the plugin's source with NANGO_PLUGIN(…)",
		       INSPECT_SYMBOL " is no data");
	file->found.has_plugin_symbol = true;
}

static void
check_symbols(struct file *file, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = section_data(section, "the symbols");
	size_t count = data->d_size / sizeof(Elf64_Sym);
	GElf_Sym symbol;

	if (header->sh_addr != file->dynamic.symtab)
		refuse_damaged("the symbols are not those of the dynamic segment");
	if (count > SYMBOLS_MAX)
		refuse_damaged("too many symbols");
	for (size_t i = 1; i < count; i++) {
		if (gelf_getsym(data, (int)i, &symbol) == NULL)
			refuse_damaged("the symbols");
		check_symbol(
		    file, &symbol,
		    text_at(file, header->sh_link, symbol.st_name, "the symbols' names"));
	}
}

static void
check_relocations(Elf_Scn *section)
{
	Elf_Data *data = section_data(section, "the relocations");
	size_t count = data->d_size / sizeof(Elf64_Rela);
	GElf_Rela relocation;

	for (size_t i = 0; i < count; i++) {
		if (gelf_getrela(data, (int)i, &relocation) == NULL)
			refuse_damaged("the relocations");
		if (GELF_R_TYPE(relocation.r_info) == RELOC_IFUNC)
			refuse("E0316", "leave out target_clones and ifunc attributes",
			       "the file has an indirect function");
	}
}

static int
system_glibc_minor(void)
{
	const char *version = gnu_get_libc_version();

	return strncmp(version, "2.", 2) == 0 ? atoi(version + 2) : 0;
}

static void
check_version_name(struct file *file, const char *library, const char *name)
{
	int minor;

	if (strncmp(name, "GLIBC_", 6) != 0)
		return;
	minor = strncmp(name, "GLIBC_2.", 8) == 0 ? atoi(name + 8) : GLIBC_MINOR_MAX;
	if (minor > system_glibc_minor() || minor < 0)
		refuse("E0311",
		       "build it on the oldest system it must run on, or in the server's image",
		       "the file was built against glibc %.20s (%.40s), this system has %s",
		       name + 6, library, gnu_get_libc_version());
	if (minor > file->found.glibc_minor)
		file->found.glibc_minor = minor;
}

/* .gnu.version_r: two chained lists; every step must move on, so a loop cannot hold us. */
static void
check_versions(struct file *file, Elf_Scn *section, const GElf_Shdr *header)
{
	Elf_Data *data = section_data(section, "the versions");
	size_t at = 0;
	GElf_Verneed need;
	GElf_Vernaux version;

	if (header->sh_addr != file->dynamic.verneed)
		refuse_damaged("the versions are not those of the dynamic segment");
	for (;;) {
		size_t inner;

		if (at > INT32_MAX || gelf_getverneed(data, (int)at, &need) == NULL)
			refuse_damaged("the versions");
		inner = at + need.vn_aux;
		for (unsigned i = 0; i < need.vn_cnt; i++) {
			if (inner > INT32_MAX ||
			    gelf_getvernaux(data, (int)inner, &version) == NULL)
				refuse_damaged("the versions");
			check_version_name(
			    file, text_at(file, header->sh_link, need.vn_file, "versions"),
			    text_at(file, header->sh_link, version.vna_name, "versions"));
			if (version.vna_next == 0)
				break;
			inner += version.vna_next;
		}
		if (need.vn_next == 0)
			return;
		at += need.vn_next;
	}
}

static void
read_note(struct file *file, Elf_Scn *section)
{
	Elf_Data *data = section_data(section, "the note");
	size_t at = 0, name, description;
	GElf_Nhdr note;

	while (at < data->d_size) {
		const char *bytes = data->d_buf;

		at = gelf_getnote(data, at, &note, &name, &description);
		if (at == 0)
			refuse_damaged("the note");
		if (note.n_type != INSPECT_NOTE_TYPE ||
		    note.n_namesz != sizeof(INSPECT_NOTE_OWNER) ||
		    memcmp(bytes + name, INSPECT_NOTE_OWNER, sizeof(INSPECT_NOTE_OWNER)) != 0)
			continue;
		if (note.n_descsz < 8 || note.n_descsz - 8 > SPEC_JSON_MAX)
			refuse_damaged("the note's size");
		if (file->found.has_note)
			refuse_damaged("two notes");
		memcpy(&file->found.abi_major, bytes + description, 4);
		memcpy(&file->found.abi_minor, bytes + description + 4, 4);
		file->found.spec = bytes + description + 8;
		file->found.spec_length = note.n_descsz - 8;
		file->found.has_note = true;
	}
}

static void
check_sections(struct file *file, bool is_dynamic_turn)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(file->elf, &names) != 0)
		refuse_damaged("section headers");
	while ((section = elf_nextscn(file->elf, section)) != NULL) {
		const char *name;

		if (gelf_getshdr(section, &header) == NULL)
			refuse_damaged("section headers");
		if (header.sh_type == SHT_DYNAMIC && is_dynamic_turn)
			check_dynamic(file, section, &header);
		if (is_dynamic_turn)
			continue;
		name = text_at(file, names, header.sh_name, "section names");
		if (header.sh_type == SHT_DYNSYM)
			check_symbols(file, section, &header);
		else if (header.sh_type == SHT_RELA && (header.sh_flags & SHF_ALLOC))
			check_relocations(section);
		else if (header.sh_type == SHT_GNU_verneed)
			check_versions(file, section, &header);
		else if (header.sh_type == SHT_NOTE && strcmp(name, INSPECT_NOTE_SECTION) == 0)
			read_note(file, section);
	}
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
