/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile/gallery -- syncs that misbehave, one way each, and `good`, which their siblings run.
 * Raw system calls where libc might refuse first. Used by tests/unit/runner_hostile.c.
 */
#include <nango/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int sink;
static char *volatile kept; /* or the compiler leaves an allocation out */

/* Every page of a list, a record an item, a commit a page. */
static void
good(struct nango_run *run)
{
	struct nango_pages *pages = nango_paginate(run, NANGO_REQUEST(.path = "/items"));
	struct nango_value page;

	while (nango_next_page(pages, &page)) {
		nango_each (item, page)
			nango_save(run, "Item", item);
		nango_commit(run, "{\"at\":1}");
	}
}

static void
one_record(struct nango_run *run, const char *json)
{
	nango_save(run, "Item", (struct nango_value){run->calls, json, strlen(json)});
}

/* Something is committed before the fault, and something saved but not committed. */
static void
begin(struct nango_run *run)
{
	one_record(run, "{\"id\":\"kept\"}");
	nango_commit(run, NULL);
	one_record(run, "{\"id\":\"lost\"}");
}

static void
segfault(struct nango_run *run)
{
	begin(run);
	*(volatile int *)(uintptr_t)sink = 1;
}

static void
exit_zero(struct nango_run *run)
{
	begin(run);
	exit(0);
}

static void
exit_quick(struct nango_run *run)
{
	begin(run);
	_exit(0);
}

static void
spin(struct nango_run *run)
{
	begin(run);
	for (;;)
		sink++;
}

static void
spin_deaf(struct nango_run *run)
{
	for (int i = 1; i < 64; i++)
		signal(i, SIG_IGN);
	spin(run);
}

static void
allocate(struct nango_run *run)
{
	begin(run);
	*(volatile char *)malloc((size_t)10 << 30) = 1;
}

/* Bit by bit, after an attempt to lift the limit. */
static void
allocate_slowly(struct nango_run *run)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	begin(run);
	setrlimit(RLIMIT_AS, &all);
	for (;;) {
		kept = calloc(1, 1 << 20);
		memset(kept, 1, 1 << 20);
	}
}

static void
arena(struct nango_run *run)
{
	begin(run);
	for (;;)
		nango_allocate(run, 1 << 20);
}

static void
connect_out(struct nango_run *run)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};

	begin(run);
	connect(7, (struct sockaddr *)&address, sizeof(address));
}

static void
socket_out(struct nango_run *run)
{
	begin(run);
	socket(AF_INET, SOCK_STREAM, 0);
}

/* Its own handler of SIGSYS is refused, so the call is named all the same. */
static void
on_sigsys(int number)
{
	(void)number;
}

static void
connect_masked(struct nango_run *run)
{
	if (signal(SIGSYS, on_sigsys) != SIG_ERR)
		nango_fail(run, "escaped", "the handler of SIGSYS could be replaced");
	connect_out(run);
}

static void
close_channel(struct nango_run *run)
{
	begin(run);
	close(3);
	for (;;)
		sink++;
}

static void
close_all(struct nango_run *run)
{
	begin(run);
	for (int fd = 0; fd < 64; fd++)
		close(fd);
}

static void
aborts(struct nango_run *run)
{
	begin(run);
	abort();
}

static void
free_twice(struct nango_run *run)
{
	char *volatile p = malloc(100);
	char *volatile q = p;

	begin(run);
	free(p);
	free(q);
	free(malloc(100));
	free(q);
}

static int
deeper(int n)
{
	volatile char room[4096];

	room[n % 4096] = (char)n;
	return n > 0 ? deeper(n + 1) + room[n % 100] : 0;
}

static void
overflow(struct nango_run *run)
{
	begin(run);
	sink = deeper(1);
}

static void
forks(struct nango_run *run)
{
	begin(run);
	for (;;)
		fork();
}

static void *
thread_main(void *arg)
{
	for (;;)
		sink++;
	return arg;
}

static void
threads(struct nango_run *run)
{
	pthread_t thread;

	begin(run);
	pthread_create(&thread, NULL, thread_main, NULL);
}

static void
kill_all(struct nango_run *run)
{
	begin(run);
	kill(-1, SIGKILL);
}

static void
executes(struct nango_run *run)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", NULL};

	begin(run);
	execv(argv[0], argv);
}

static void
traces(struct nango_run *run)
{
	begin(run);
	ptrace(PTRACE_ATTACH, getppid(), 0, 0);
}

static void
garbage(struct nango_run *run)
{
	unsigned char bytes[4096];
	ssize_t n;

	begin(run);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 + 255);
	n = write(3, bytes, sizeof(bytes));
	(void)n;
	for (;;)
		sink++;
}

/* A header that promises 4 GiB. */
static void
giant_frame(struct nango_run *run)
{
	static const unsigned char head[8] = {255, 255, 255, 255, 15, 0, 0, 0};
	ssize_t n;

	begin(run);
	n = write(3, head, sizeof(head));
	(void)n;
	for (;;)
		sink++;
}

/* DONE while a page was never committed. */
static void
forged_done(struct nango_run *run)
{
	static const unsigned char done[8] = {0, 0, 0, 0, 21, 0, 0, 0};
	ssize_t n;

	begin(run);
	nango_log(run, NANGO_INFO, "sends what was saved");
	n = write(3, done, sizeof(done));
	(void)n;
	for (;;)
		sink++;
}

static void
flood(struct nango_run *run)
{
	static char json[64 * 1024];

	memset(json, 'x', sizeof(json));
	memcpy(json, "{\"id\":\"a\",\"t\":\"", 15);
	memcpy(json + sizeof(json) - 3, "\"}", 3);
	for (;;)
		one_record(run, json);
}

static void
invalid(struct nango_run *run)
{
	begin(run);
	one_record(run, "{\"id\":\"a\",}");
	nango_commit(run, NULL);
}

static void
without_id(struct nango_run *run)
{
	begin(run);
	one_record(run, "{\"name\":\"a\"}");
	nango_commit(run, NULL);
}

static void
stranger(struct nango_run *run)
{
	begin(run);
	nango_save(run, "Stranger", (struct nango_value){run->calls, "{\"id\":1}", 8});
	nango_commit(run, NULL);
}

static void
fails(struct nango_run *run)
{
	begin(run);
	nango_fail(run, "no_repo", "the repository %s is not there", "a/b");
}

static void
not_found(struct nango_run *run)
{
	begin(run);
	nango_http(run, NANGO_REQUEST(.path = "/missing"));
}

/* Quiet refusals: each must say no without ending the run. */
static void
probe(struct nango_run *run)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
	struct stat st;
	time_t now = time(NULL);
	struct tm tm;
	char text[64];

	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM)
		nango_fail(run, "escaped", "open");
	if (stat("/etc/passwd", &st) == 0 || access("/etc/passwd", F_OK) == 0)
		nango_fail(run, "escaped", "stat");
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		nango_fail(run, "escaped", "shared memory");
	if (mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		nango_fail(run, "escaped", "executable memory");
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || setpgid(0, 0) == 0 || setsid() >= 0)
		nango_fail(run, "escaped", "limits or group");
	if (syscall(SYS_setuid, 0) == 0 || dup2(0, 9) >= 0 || fcntl(3, F_GETFL) >= 0)
		nango_fail(run, "escaped", "user or descriptors");
	if (localtime_r(&now, &tm) == NULL || strftime(text, sizeof(text), "%F", &tm) == 0 ||
	    rand() < 0 || clock() < 0)
		nango_fail(run, "broken", "time");
	if (getenv("PATH") != NULL)
		nango_fail(run, "escaped", "the environment is not empty");
	printf("this goes nowhere\n");
	one_record(run, "{\"id\":\"fine\"}");
}

#define SYNC(function) NANGO_SYNC(.name = #function, .run = function)

NANGO_PLUGIN(.syncs = NANGO_SYNCS(
		 SYNC(good), SYNC(segfault), SYNC(exit_zero), SYNC(exit_quick), SYNC(spin),
		 SYNC(spin_deaf), SYNC(allocate), SYNC(allocate_slowly), SYNC(arena),
		 SYNC(connect_out), SYNC(socket_out), SYNC(connect_masked), SYNC(close_channel),
		 SYNC(close_all), SYNC(aborts), SYNC(free_twice), SYNC(overflow), SYNC(forks),
		 SYNC(threads), SYNC(kill_all), SYNC(executes), SYNC(traces), SYNC(garbage),
		 SYNC(giant_frame), SYNC(forged_done), SYNC(flood), SYNC(invalid),
		 SYNC(without_id), SYNC(stranger), SYNC(fails), SYNC(not_found), SYNC(probe)));
