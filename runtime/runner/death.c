/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/death -- see death.h. One write() of a frame built on the stack.
 */
#include "runner/death.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CAUSE_BYTES 64
#define MESSAGE_BYTES 1000

static bool is_in_run;

void
death_in_run(void)
{
	is_in_run = true;
}

bool
death_is_in_run(void)
{
	return is_in_run;
}

void
death_plain(const char *cause, const char *message)
{
	char frame[RPC_HEADER_BYTES + 12 + CAUSE_BYTES + MESSAGE_BYTES];
	char *at = frame + RPC_HEADER_BYTES;
	ssize_t n;

	if (!is_in_run)
		at = rpc_put_u32(at, RPC_VERSION);
	at = rpc_put_text(at, cause, strnlen(cause, CAUSE_BYTES - 1));
	at = rpc_put_text(at, message, strnlen(message, MESSAGE_BYTES));
	rpc_header_write(frame, is_in_run ? RPC_DEATH : RPC_REFUSED,
			 (uint32_t)(at - frame - RPC_HEADER_BYTES));
	for (const char *from = frame; from < at; from += n) {
		n = write(RUNNER_FD, from, (size_t)(at - from));
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			_exit(RUNNER_EXIT_CHANNEL);
	}
	_exit(RUNNER_EXIT_DEATH);
}

void
death(const char *cause, const char *fmt, ...)
{
	char message[MESSAGE_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	death_plain(cause, message);
}
