/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect -- starts nango-inspect on some bytes and judges what it says. The bytes travel in a
 * memfd, so the checker needs no path and cannot be given another file meanwhile.
 *
 * nango-inspect itself may have been taken over by the bytes it read, so its line is input like
 * any other: bounded, parsed strictly, and only texts are taken from it.
 */
#include "run/inspect.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "nango/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A spec is JSON within a JSON string: at most two bytes for one, and a little. */
#define ANSWER_MAX (2 * SPEC_JSON_MAX + 4096)

static void
close_descriptor(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}
#define AUTO_CLOSE __attribute__((cleanup(close_descriptor)))

static int
bytes_to_memfd(const void *bytes, size_t length, struct error *err)
{
	int descriptor = memfd_create("plugin", MFD_CLOEXEC);
	size_t done = 0;

	if (descriptor < 0)
		return error_set_errno(err, ERR_SYSTEM, "memfd_create");
	while (done < length) {
		ssize_t n = write(descriptor, (const char *)bytes + done, length - done);

		if (n <= 0) {
			error_set_errno(err, ERR_SYSTEM, "writing the plugin to memory");
			close(descriptor);
			return -1;
		}
		done += (size_t)n;
	}
	lseek(descriptor, 0, SEEK_SET);
	return descriptor;
}

static int
start(const char *program, int input, int output, pid_t *pid, struct error *err)
{
	char *const argv[] = {(char *)(uintptr_t) "nango-inspect", NULL}, *const envp[] = {
									      NULL};
	posix_spawn_file_actions_t actions;
	int result;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	result = posix_spawn(pid, program, &actions, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	if (result == 0)
		return 0;
	return error_set(err, ERR_SYSTEM, "cannot run the plugin checker %s: %s", program,
			 strerror(result));
}

/* Reads to the end, to ANSWER_MAX, or to the deadline. */
static int
read_answer(int descriptor, char *out, size_t *length, struct error *err)
{
	int64_t deadline = clock_monotonic_ms() + INSPECT_TIMEOUT_MS;

	*length = 0;
	while (*length < ANSWER_MAX) {
		int64_t left = deadline - clock_monotonic_ms();
		struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
		ssize_t n;

		if (left <= 0 || poll(&waiting, 1, (int)left) == 0)
			return error_set(err, ERR_SYSTEM,
					 "the plugin checker did not end in %d s",
					 INSPECT_TIMEOUT_MS / 1000);
		n = read(descriptor, out + *length, ANSWER_MAX - *length);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_set_errno(err, ERR_SYSTEM,
					       "reading from the plugin checker");
		*length += n > 0 ? (size_t)n : 0;
	}
	return error_set(err, ERR_PLUGIN, "the plugin checker said too much [E0315]");
}

/* Ends it in any case, and says how it ended: 0, or -1 when not by itself with status 0. */
static int
finish(pid_t pid, bool is_answered, int *state)
{
	if (!is_answered)
		kill(pid, SIGKILL);
	while (waitpid(pid, state, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(*state) && WEXITSTATUS(*state) == 0 ? 0 : -1;
}

static int
run_checker(const char *program, const void *bytes, size_t length, char *answer,
	    size_t *answer_length, struct error *err)
{
	AUTO_CLOSE int input = bytes_to_memfd(bytes, length, err), from = -1, to = -1;
	int ends[2], state = 0, result;
	pid_t pid;

	if (input < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set_errno(err, ERR_SYSTEM, "pipe");
	from = ends[0];
	to = ends[1];
	if (start(program, input, to, &pid, err) < 0)
		return -1;
	close(to);
	to = -1;
	result = read_answer(from, answer, answer_length, err);
	if (finish(pid, result == 0, &state) == 0)
		return result;
	if (result == 0 && WIFSIGNALED(state))
		return error_set(
		    err, ERR_PLUGIN,
		    "the file made its checker end by signal %d, so it is refused [E0315]"
		    "\nhelp: build it again: nango-plugin build",
		    WTERMSIG(state));
	if (result == 0)
		return error_set(err, ERR_SYSTEM, "the plugin checker failed (status %d)",
				 WEXITSTATUS(state));
	return -1;
}

static int
read_refusal(struct json_object *answer, struct error *err)
{
	const char *code = json_string(answer, "code"), *help = json_string(answer, "help");
	const char *message = json_string(answer, "message");

	if (code == NULL || strlen(code) != 5 || help == NULL || message == NULL)
		return error_set(err, ERR_PLUGIN, "the plugin checker gave no reason [E0315]");
	return error_set(err, ERR_PLUGIN, "%s [%s]\nhelp: %s", message, code, help);
}

static int
check_abi(const struct inspection *found, struct error *err)
{
	if (found->abi_major != NANGO_ABI_MAJOR || found->abi_minor > NANGO_ABI_MINOR)
		return error_set(err, ERR_PLUGIN,
				 "the file was built for SDK ABI %u.%u, this is %d.%d [E0304]"
				 "\nhelp: build it again with the SDK of this version",
				 found->abi_major, found->abi_minor, NANGO_ABI_MAJOR,
				 NANGO_ABI_MINOR);
	return 0;
}

static int
read_finding(TALLOC_CTX *mem, struct json_object *answer, struct inspection *out,
	     struct error *err)
{
	const char *spec = json_string(answer, "spec");
	int64_t major = json_integer(answer, "abi_major", -1);
	int64_t minor = json_integer(answer, "abi_minor", -1);

	if (spec == NULL || major < 0 || major > UINT32_MAX || minor < 0 || minor > UINT32_MAX)
		return error_set(err, ERR_PLUGIN,
				 "the plugin checker gave half an answer [E0315]");
	out->abi_major = (uint32_t)major;
	out->abi_minor = (uint32_t)minor;
	out->machine = json_string(answer, "machine");
	out->glibc = json_string(answer, "glibc");
	if (check_abi(out, err) < 0)
		return -1;
	out->spec_json = spec;
	if (spec_parse(mem, spec, strlen(spec), &out->spec, err) == 0)
		return 0;
	error_prefix(err, "in the note: ");
	return -1;
}

int
inspect_plugin(TALLOC_CTX *mem, const char *program, const void *bytes, size_t length,
	       struct inspection *out, struct error *err)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];
	struct inspection found = {0};
	struct json_object *tree;
	size_t answer_length = 0;
	char *answer;

	if (length == 0 || length > INSPECT_BYTES_MAX)
		return error_set(err, ERR_PLUGIN, "a plugin has 1 byte to %d MiB [E0314]",
				 INSPECT_BYTES_MAX >> 20);
	answer = talloc_size(mem, ANSWER_MAX);
	if (answer == NULL)
		abort();
	if (run_checker(program, bytes, length, answer, &answer_length, err) < 0)
		return -1;
	if (json_parse(mem, answer, answer_length, &tree, err) < 0) {
		err->code = ERR_PLUGIN;
		return error_prefix(err, "what the file says of itself is no text [E0312]: ");
	}
	talloc_free(answer);
	if (!json_boolean(tree, "ok", false))
		return read_refusal(tree, err);
	if (read_finding(mem, tree, &found, err) < 0)
		return -1;
	crypto_sha256(digest, bytes, length);
	crypto_hex(found.sha256, digest, sizeof(digest));
	*out = found;
	return 0;
}
