/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/listen -- see listen.h.
 */
#include "db/listen.h"
#include "db/db.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct db_listener {
	PGconn *pg;
};

int
db_listen(const char *url, const char *channel, struct db_listener **out, struct error *err)
{
	static const char *const keywords[] = {"connect_timeout", "application_name", "dbname",
					       NULL};
	char timeout[16], statement[80];
	const char *values[4] = {timeout, "nangod listen", url, NULL};
	struct db_listener *listener = calloc(1, sizeof(*listener));
	PGresult *result;

	if (listener == NULL)
		abort();
	snprintf(timeout, sizeof(timeout), "%d", DB_CONNECT_S);
	snprintf(statement, sizeof(statement), "LISTEN %s", channel);
	listener->pg = PQconnectdbParams(keywords, values, 1);
	result =
	    PQstatus(listener->pg) == CONNECTION_OK ? PQexec(listener->pg, statement) : NULL;
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		error_set(err, ERR_DB_UNAVAILABLE, "cannot listen: %s",
			  PQerrorMessage(listener->pg));
		err->message[strcspn(err->message, "\n")] = '\0';
		PQclear(result);
		db_listen_close(listener);
		return -1;
	}
	PQclear(result);
	*out = listener;
	return 0;
}

int
db_listen_wait(struct db_listener *listener, int stop_fd, char payload[DB_NOTICE_MAX])
{
	struct pollfd fds[2] = {{.fd = PQsocket(listener->pg), .events = POLLIN},
				{.fd = stop_fd, .events = POLLIN}};
	PGnotify *notice;

	for (;;) {
		notice = PQnotifies(listener->pg);
		if (notice != NULL) {
			snprintf(payload, DB_NOTICE_MAX, "%s", notice->extra);
			PQfreemem(notice);
			return 1;
		}
		if (poll(fds, 2, -1) > 0 && fds[1].revents != 0)
			return 0;
		if (PQconsumeInput(listener->pg) != 1 ||
		    PQstatus(listener->pg) != CONNECTION_OK)
			return -1;
	}
}

void
db_listen_close(struct db_listener *listener)
{
	if (listener == NULL)
		return;
	PQfinish(listener->pg);
	free(listener);
}
