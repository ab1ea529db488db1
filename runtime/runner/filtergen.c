/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filtergen -- runs at build time: writes the sandbox's BPF programs as a header, so that
 * nango-runner itself links libc only.
 *
 * Three programs, each laid over the one before (the kernel takes the strictest answer):
 * load is the whole list; serve, after the plugin is loaded, takes executable mappings away;
 * run takes away what only the zygote needs.
 */
#include "runner/sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum kind { KIND_ALLOW, KIND_ZYGOTE, KIND_TRAP, KIND_EMULATE };

static const struct {
	enum kind kind;
	const char *name;
} calls[] = {
#define ALLOW(call) {KIND_ALLOW, #call},
#define ZYGOTE(call) {KIND_ZYGOTE, #call},
#define TRAP(call) {KIND_TRAP, #call},
#define EMULATE(call) {KIND_EMULATE, #call},
#include "runner/filter.def"
};
#define CALLS_COUNT (sizeof(calls) / sizeof(calls[0]))

static void
must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "filtergen: %s: error %d\n", what, -rc);
	exit(1);
}

static scmp_filter_ctx
filter_new(uint32_t otherwise)
{
	scmp_filter_ctx filter = seccomp_init(otherwise);

	if (filter == NULL)
		must(-ENOMEM, "seccomp_init");
	must(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
	     "bad arch");
	must(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
	return filter;
}

/* Rules that look at arguments; everything else is in filter.def. */
static void
load_arguments(scmp_filter_ctx f)
{
	const uint32_t yes = SCMP_ACT_ALLOW;

	/* The runner forks with a number in an argument that the kernel does not read: fork()
	 * of a constructor lacks it and is named. Who forges it is found by loader.c. */
	must(seccomp_rule_add(f, yes, SCMP_SYS(clone), 2, SCMP_A0(SCMP_CMP_EQ, SIGCHLD),
			      SCMP_A5(SCMP_CMP_EQ, SANDBOX_FORK_COOKIE)),
	     "clone");
	/* glibc then falls back to clone, whose flags a filter can read. */
	must(seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
	/* Shared memory would be a channel between the runs of different tenants. */
	must(seccomp_rule_add(f, yes, SCMP_SYS(mmap), 1,
			      SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE)),
	     "mmap");
	must(seccomp_rule_add(f, yes, SCMP_SYS(mprotect), 0), "mprotect");
	/* The handler of SIGSYS is ours. */
	must(seccomp_rule_add(f, yes, SCMP_SYS(rt_sigaction), 1, SCMP_A0(SCMP_CMP_NE, SIGSYS)),
	     "rt_sigaction");
	must(seccomp_rule_add(f, yes, SCMP_SYS(prctl), 2,
			      SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG),
			      SCMP_A1(SCMP_CMP_EQ, SIGKILL)),
	     "prctl");
	must(seccomp_rule_add(f, yes, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0)),
	     "prlimit64");
}

static scmp_filter_ctx
filter_load(void)
{
	scmp_filter_ctx f = filter_new(SCMP_ACT_ERRNO(EPERM));

	for (size_t i = 0; i < CALLS_COUNT; i++) {
		bool is_allowed = calls[i].kind == KIND_ALLOW || calls[i].kind == KIND_ZYGOTE;
		int number = seccomp_syscall_resolve_name(calls[i].name);

		if (number >= 0) /* others do not exist on this architecture */
			must(seccomp_rule_add(f, is_allowed ? SCMP_ACT_ALLOW : SCMP_ACT_TRAP,
					      number, 0),
			     calls[i].name);
	}
	load_arguments(f);
	/* Any other clone is a fork or a thread: named by its flags. */
	must(seccomp_rule_add(f, SCMP_ACT_TRAP, SCMP_SYS(clone), 1,
			      SCMP_A5(SCMP_CMP_NE, SANDBOX_FORK_COOKIE)),
	     "clone trap");
	return f;
}

static scmp_filter_ctx
filter_serve(void)
{
	scmp_filter_ctx f = filter_new(SCMP_ACT_ALLOW);
	const uint32_t no = SCMP_ACT_ERRNO(EPERM);

	must(seccomp_rule_add(f, no, SCMP_SYS(mmap), 1,
			      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)),
	     "mmap");
	must(seccomp_rule_add(f, no, SCMP_SYS(mprotect), 1,
			      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)),
	     "mprotect");
	return f;
}

static scmp_filter_ctx
filter_run(void)
{
	scmp_filter_ctx f = filter_new(SCMP_ACT_ALLOW);
	const uint32_t no = SCMP_ACT_ERRNO(EPERM);

	for (size_t i = 0; i < CALLS_COUNT; i++) {
		int number = seccomp_syscall_resolve_name(calls[i].name);

		if (calls[i].kind == KIND_ZYGOTE && number >= 0)
			must(seccomp_rule_add(f, no, number, 0), calls[i].name);
	}
	must(seccomp_rule_add(f, SCMP_ACT_TRAP, SCMP_SYS(clone), 0), "clone");
	must(seccomp_rule_add(f, no, SCMP_SYS(prctl), 0), "prctl");
	must(seccomp_rule_add(f, no, SCMP_SYS(prlimit64), 0), "prlimit64");
	return f;
}

static void
print_filter(const char *name, scmp_filter_ctx filter)
{
	struct sock_filter step;
	FILE *file = tmpfile();

	if (file == NULL)
		must(-errno, "tmpfile");
	must(seccomp_export_bpf(filter, fileno(file)), name);
	rewind(file);
	printf("static const struct sock_filter filter_%s[] = {\n", name);
	while (fread(&step, sizeof(step), 1, file) == 1)
		printf("\t{0x%x, %u, %u, 0x%x},\n", step.code, step.jt, step.jf, step.k);
	printf("};\n\n");
	fclose(file);
	seccomp_release(filter);
}

int
main(void)
{
	printf("/* Written by filtergen from filter.def; not to be edited. */\n#include "
	       "<linux/filter.h>\n\n");
	print_filter("load", filter_load());
	print_filter("serve", filter_serve());
	print_filter("run", filter_run());
	printf("static const struct {\n\tint number;\n\tconst char *name;\n} filter_names[] = "
	       "{\n");
	for (size_t i = 0; i < CALLS_COUNT; i++) {
		int number = seccomp_syscall_resolve_name(calls[i].name);

		if (calls[i].kind == KIND_TRAP && number >= 0)
			printf("\t{%d, \"%s\"},\n", number, calls[i].name);
	}
	printf("};\n");
	return 0;
}
