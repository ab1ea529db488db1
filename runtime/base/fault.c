/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault -- see fault.h.
 */
#include "base/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LABEL_MAX 160

bool fault_is_armed;
static struct sockaddr_un address;
static _Thread_local int control = -1; /* each thread's own, so that one may be held alone */

static int
reach(void)
{
	if (control >= 0)
		return 0;
	control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control < 0)
		return -1;
	if (connect(control, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(control);
		control = -1;
	}
	return control < 0 ? -1 : 0;
}

int
fault_arm(const char *socket_path)
{
	if (strlen(socket_path) >= sizeof(address.sun_path))
		return -1;
	address.sun_family = AF_UNIX;
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	fault_is_armed = reach() == 0;
	return fault_is_armed ? 0 : -1;
}

void
fault_wait(const char *kind, const char *what)
{
	char line[LABEL_MAX + 32], go;
	int length =
	    snprintf(line, sizeof(line), "%s %.*s\n", kind,
		     (int)strnlen(what, strcspn(what, "\n") < LABEL_MAX ? strcspn(what, "\n")
									: LABEL_MAX),
		     what);
	ssize_t n;

	/* A test that is gone lets everything pass. */
	if (reach() < 0 || send(control, line, (size_t)length, MSG_NOSIGNAL) != length)
		return;
	do
		n = read(control, &go, 1);
	while (n < 0 && errno == EINTR);
}
