/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run/inspector_section -- what a plugin's sections say: libraries, symbols, relocations,
 * versions, the note.
 *
 * The loader believes the dynamic segment, tools believe section headers. Both are read here
 * and must tell the same story: a file whose sections show harmless symbols while its segment
 * shows others is refused.
 */
#include "run/inspector.h"

#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOLS_MAX 1000000
#define GLIBC_MINOR_MAX 1000

static const char *const allowed_libraries[] = {
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
};

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

void
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
