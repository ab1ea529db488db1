/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault -- see fault.h.
 */
#include "base/fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LABEL_MAX 160

bool fault_is_armed;
static int control = -1;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

int
fault_arm(const char *socket_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control < 0)
		return -1;
	if (connect(control, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(control);
		return -1;
	}
	fault_is_armed = true;
	return 0;
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

	pthread_mutex_lock(&one_at_a_time);
	/* A test that is gone lets everything pass. */
	if (send(control, line, (size_t)length, MSG_NOSIGNAL) == length) {
		do
			n = read(control, &go, 1);
		while (n < 0 && errno == EINTR);
	}
	pthread_mutex_unlock(&one_at_a_time);
}
