/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/connection_row -- a connection's columns, for the files of store/ that read them.
 */
#ifndef NANGO_STORE_CONNECTION_ROW_H
#define NANGO_STORE_CONNECTION_ROW_H

#include "store/connection.h"

/* Behind them stands one for the errors of its syncs: JSON text, or NULL. */
#define CONNECTION_COLUMNS_COUNT 18
#define CONNECTION_COLUMNS                                                                    \
	"SELECT c.id, c.account_id, c.environment_id, c.integration_id, c.connection_id, "    \
	"       i.unique_key, i.provider, c.auth_mode, c.credentials, c.config, c.metadata, " \
	"       c.tags::text, c.end_user, c.webhook_url_override, c.created_at, "             \
	"       c.updated_at, c.last_fetched_at, i.config, "
#define CONNECTION_FROM                                                                \
	"FROM nango.connection c JOIN nango.integration i ON i.id = c.integration_id " \
	"WHERE c.deleted_at IS NULL AND i.deleted_at IS NULL "

void connection_read_row(struct connection *out, const struct db_result *r, size_t row);

#endif
