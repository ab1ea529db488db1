/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/sandbox -- see sandbox.h, and README.md for the order of the layers.
 *
 * The handler of SIGSYS names the forbidden call and ends the process. It also answers the few
 * calls that the loader and abort() cannot do without, so that the filter need not allow any
 * opening or looking up of files by path, and no sending of signals.
 */
#include "runner/sandbox.h"

#include "rpc/mask.h"
#include "runner/death.h"
#include "runner/filter_data.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define NOBODY 65534

static struct {
	unsigned mask;
	const char *open_path; /* while the plugin is loaded */
	int open_fd;
	bool has_logged_open;
} sandbox;

/* ---- SIGSYS ---------------------------------------------------------------------------- */

struct trapped {
	long number;
	unsigned long args[6];
};

static struct trapped
trapped_from(const siginfo_t *info, const ucontext_t *context)
{
	struct trapped call = {.number = info->si_syscall};
#if defined(__x86_64__)
	static const int registers[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};

	for (int i = 0; i < 6; i++)
		call.args[i] = (unsigned long)context->uc_mcontext.gregs[registers[i]];
#elif defined(__aarch64__)
	for (int i = 0; i < 6; i++)
		call.args[i] = context->uc_mcontext.regs[i];
#else
#error "the sandbox knows x86-64 and aarch64"
#endif
	return call;
}

static void
trapped_return(ucontext_t *context, long result)
{
#if defined(__x86_64__)
	context->uc_mcontext.gregs[REG_RAX] = result;
#else
	context->uc_mcontext.regs[0] = (unsigned long)result;
#endif
}

static void
log_open_once(void)
{
	static const char text[] = "the sandbox refused to open a file (EPERM)";
	char frame[RPC_HEADER_BYTES + 4 + sizeof(text)], *at;
	ssize_t n;

	if (sandbox.has_logged_open || !death_is_in_run())
		return;
	sandbox.has_logged_open = true;
	at = rpc_put_u32(frame + RPC_HEADER_BYTES, 2);
	memcpy(at, text, sizeof(text) - 1);
	rpc_header_write(frame, RPC_LOG, 4 + sizeof(text) - 1);
	n = write(RUNNER_FD, frame, RPC_HEADER_BYTES + 4 + sizeof(text) - 1);
	(void)n;
}

static long
emulate_open(const char *path)
{
	int fd;

	if (sandbox.open_path != NULL && strcmp(path, sandbox.open_path) == 0) {
		fd = dup(sandbox.open_fd);
		return fd < 0 ? -errno : fd;
	}
	log_open_once();
	return -EPERM;
}

/* glibc's fstat(fd) is newfstatat(fd, "", …, AT_EMPTY_PATH); by path nothing is looked up. */
static long
emulate_stat(const struct trapped *call)
{
	const char *path = (const char *)call->args[1];

	if ((call->args[3] & AT_EMPTY_PATH) == 0 || path == NULL || path[0] != '\0')
		return -EPERM;
	return syscall(SYS_fstat, (int)call->args[0], call->args[2]) < 0 ? -errno : 0;
}

static void
die_by_own_signal(const struct trapped *call)
{
	char cause[32];

	if ((pid_t)call->args[0] != getpid())
		death_plain("sandbox: tgkill", "a signal to another process");
	snprintf(cause, sizeof(cause), "signal %d", (int)call->args[2]);
	death_plain(cause, call->args[2] == SIGABRT ? "abort() was called"
						    : "the process sent "
						      "itself this signal");
}

static const char *
forbidden_name(const struct trapped *call)
{
	if (call->number == SYS_clone)
		return call->args[0] & CLONE_THREAD ? "thread" : "fork";
	for (size_t i = 0; i < sizeof(filter_names) / sizeof(filter_names[0]); i++) {
		if (filter_names[i].number == call->number)
			return filter_names[i].name;
	}
	return "call";
}

static void
on_sigsys(int number, siginfo_t *info, void *data)
{
	struct trapped call = trapped_from(info, data);
	int saved = errno;
	char cause[64];

	(void)number;
	if (call.number == SYS_openat) {
		trapped_return(data, emulate_open((const char *)call.args[1]));
#ifdef SYS_open
	} else if (call.number == SYS_open) {
		trapped_return(data, emulate_open((const char *)call.args[0]));
#endif
	} else if (call.number == SYS_newfstatat) {
		trapped_return(data, emulate_stat(&call));
	} else if (call.number == SYS_tgkill && call.args[2] != 0) {
		die_by_own_signal(&call);
	} else {
		snprintf(cause, sizeof(cause), "sandbox: %s", forbidden_name(&call));
		death_plain(cause, "the sandbox does not let a plugin make this system call");
	}
	errno = saved;
}

/*
 * glibc blocks every signal around its clone, so the filter's answer would kill without a word.
 * Symbols of the executable come first: this one is found by the plugin and by libstdc++.
 */
__attribute__((visibility("default"), used)) int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
	       void *arg)
{
	(void)thread;
	(void)attributes;
	(void)start;
	(void)arg;
	death_plain("sandbox: thread",
		    "a plugin has one thread: a run is a process of its own");
}

/* ---- layers ---------------------------------------------------------------------------- */

static bool
set_limit(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit limit = {soft, hard};

	return setrlimit((__rlimit_resource_t)what, &limit) == 0;
}

static bool
layer_limits(void)
{
	static const struct {
		int what;
		rlim_t soft, hard;
	} limits[] = {
	    {RLIMIT_AS, SANDBOX_ZYGOTE_BYTES, SANDBOX_RUN_BYTES_MAX},
	    {RLIMIT_CORE, 0, 0},
	    {RLIMIT_FSIZE, 0, 0},
	    {RLIMIT_NOFILE, 64, 64},
	    {RLIMIT_MEMLOCK, 0, 0},
	    {RLIMIT_STACK, 8u << 20, 8u << 20},
	};
	bool is_ok = true;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (!set_limit(limits[i].what, limits[i].soft, limits[i].hard))
			is_ok = false;
	}
	return is_ok;
}

static bool
layer_own_user(void)
{
	return geteuid() == 0 && setgroups(0, NULL) == 0 &&
	       setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

static bool
layer_parent_death(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return false;
	if (getppid() != parent) /* it died before the line above */
		_exit(RUNNER_EXIT_CHANNEL);
	return true;
}

/* <linux/landlock.h> of Debian 12 ends at ABI 2, hence the layout in full. */
struct landlock_rules {
	uint64_t files, network, scopes;
};

/* Denies everything that this kernel's Landlock knows; its ABI, or 0. */
static long
layer_landlock(void)
{
	static const struct {
		uint64_t files, network, scopes;
		size_t size;
	} by_abi[] = {
	    {0, 0, 0, 0},	{0x1fff, 0, 0, 8},  {0x3fff, 0, 0, 8},	{0x7fff, 0, 0, 8},
	    {0x7fff, 3, 0, 16}, {0xffff, 3, 0, 16}, {0xffff, 3, 3, 24},
	};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1), known;
	struct landlock_rules rules;
	int fd, rc;

	if (abi < 1)
		return 0;
	known = abi > 6 ? 6 : abi;
	rules = (struct landlock_rules){by_abi[known].files, by_abi[known].network,
					by_abi[known].scopes};
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, by_abi[known].size, 0);
	if (fd < 0)
		return 0;
	rc = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return rc == 0 ? abi : 0;
}

static int
install(const struct sock_filter *filter, size_t count)
{
	struct sock_fprog program = {(unsigned short)count,
				     (struct sock_filter *)(uintptr_t)filter};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
#define INSTALL(filter) install(filter, sizeof(filter) / sizeof((filter)[0]))

static void
layer_seccomp(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};

	action.sa_sigaction = on_sigsys;
	sigemptyset(&action.sa_mask);
	if (sandbox.mask & RUN_MASK_SECCOMP)
		errno = ENOSYS;
	else if (sigaction(SIGSYS, &action, NULL) == 0 && INSTALL(filter_load) == 0)
		return;
	death("runner lost",
	      "the kernel offers no seccomp filters (%s), and plugins are not run "
	      "without them",
	      strerror(errno));
}

static void
describe(char *out, const bool *has, const char *const *names, size_t count, long landlock,
	 bool was_root)
{
	size_t used = 0;
	bool is_first = true;

	used = (size_t)snprintf(out, SANDBOX_LAYERS_MAX, "{\"seccomp\":true,\"landlock\":%ld",
				landlock);
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(out + used, SANDBOX_LAYERS_MAX - used, ",\"%s\":%s",
					 names[i], has[i] ? "true" : "false");
	used += (size_t)snprintf(out + used, SANDBOX_LAYERS_MAX - used, ",\"missing\":[");
	for (size_t i = 0; i <= count; i++) {
		bool is_there = i == count ? landlock > 0 : has[i];

		/* A server that is not root has no other user to become: not a missing layer.
		 */
		if (is_there || (i == 0 && !was_root))
			continue;
		used +=
		    (size_t)snprintf(out + used, SANDBOX_LAYERS_MAX - used, "%s\"%s\"",
				     is_first ? "" : ",", i == count ? "landlock" : names[i]);
		is_first = false;
	}
	snprintf(out + used, SANDBOX_LAYERS_MAX - used, "]}");
}

void
sandbox_enter(unsigned mask, pid_t parent, char layers[SANDBOX_LAYERS_MAX])
{
	static const char *const names[] = {"own_user", "limits", "undumpable", "parent_death"};
	bool was_root = geteuid() == 0, has[4];
	long landlock;

	sandbox.mask = mask;
	/* A change of user clears what the two after it set. */
	has[0] = !(mask & RUN_MASK_OWN_USER) && layer_own_user();
	has[1] = !(mask & RUN_MASK_LIMITS) && layer_limits();
	has[2] = !(mask & RUN_MASK_UNDUMPABLE) && prctl(PR_SET_DUMPABLE, 0) == 0;
	has[3] = !(mask & RUN_MASK_PARENT_DEATH) && layer_parent_death(parent);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		death("runner lost", "the kernel refuses no_new_privs (%s)", strerror(errno));
	prctl(PR_SET_CHILD_SUBREAPER,
	      1); /* orphans of a constructor come to light in loader.c */
	landlock = mask & RUN_MASK_LANDLOCK ? 0 : layer_landlock();
	layer_seccomp();
	describe(layers, has, names, 4, landlock, was_root);
}

void
sandbox_let_open(const char *path, int fd)
{
	sandbox.open_path = path;
	sandbox.open_fd = fd;
}

void
sandbox_serve(void)
{
	if (INSTALL(filter_serve) < 0)
		death("runner lost", "cannot install a filter: %s", strerror(errno));
}

void
sandbox_run(pid_t parent, uint64_t memory_bytes, uint64_t cpu_seconds)
{
	if (!(sandbox.mask & RUN_MASK_PARENT_DEATH) && !layer_parent_death(parent))
		death("runner lost", "cannot tie the run to the server's life");
	/* The hard limit is a second later: SIGXCPU can be ignored, the SIGKILL after it not.
	 */
	if (!(sandbox.mask & RUN_MASK_LIMITS) &&
	    (!set_limit(RLIMIT_AS, memory_bytes, memory_bytes) ||
	     !set_limit(RLIMIT_CPU, cpu_seconds, cpu_seconds + 1) ||
	     !set_limit(RLIMIT_NPROC, 0, 0)))
		death("runner lost", "cannot limit the run: %s", strerror(errno));
	if (INSTALL(filter_run) < 0)
		death("runner lost", "cannot install a filter: %s", strerror(errno));
}

pid_t
sandbox_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0, SANDBOX_FORK_COOKIE);
}
