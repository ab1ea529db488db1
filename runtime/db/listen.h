/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/listen -- one direct connection that LISTENs. Used by one thread, which blocks in it.
 */
#ifndef NANGO_DB_LISTEN_H
#define NANGO_DB_LISTEN_H

#include "base/error.h"
#include <stddef.h>

#define DB_NOTICE_MAX 128 /* bytes of a payload that are handed out */

struct db_listener;

MUST_CHECK int db_listen(const char *url, const char *channel, struct db_listener **out,
			 struct error *err);
/* Waits for a notice: 1 and its payload, 0 when stop_fd became readable, -1 when the connection
 * is lost. */
int db_listen_wait(struct db_listener *listener, int stop_fd, char payload[DB_NOTICE_MAX]);
void db_listen_close(struct db_listener *listener); /* NULL is fine */

#endif
