/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspector -- what the parts of nango-inspect share: inspector.c (sandbox, headers, verdict)
 * and inspector_section.c (libraries, symbols, relocations, versions, the note).
 */
#ifndef NANGO_RUN_INSPECTOR_H
#define NANGO_RUN_INSPECTOR_H

#include "run/inspect.h"

#include <elf.h>
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>

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

/* The first fault is the verdict: it is printed, and the process ends. Bytes of the file go
 * into messages only as printable ASCII. */
__attribute__((noreturn, format(printf, 3, 4))) void refuse(const char *code, const char *help,
							    const char *fmt, ...);
__attribute__((noreturn)) void refuse_damaged(const char *part);

/* First with is_dynamic_turn, then without: symbols are held against what the dynamic section
 * said. */
void check_sections(struct file *file, bool is_dynamic_turn);

#endif
