/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/embedded_cluster -- the files of the private Postgres: programs, user, folders, cluster.
 */
#ifndef NANGO_DB_EMBEDDED_CLUSTER_H
#define NANGO_DB_EMBEDDED_CLUSTER_H

#include "db/embedded.h"
#include <stdbool.h>
#include <sys/types.h>

struct cluster {
	char *postgres, *initdb; /* programs */
	char *data;		 /* DATA_DIR/postgres-15 */
	char *socket_dir;	 /* short: sockaddr_un has 107 bytes */
	char *log;
	int lock_fd;	/* one nangod a data dir */
	bool must_drop; /* started by root */
	uid_t uid;
	gid_t gid;
};

/* Everything up to "the cluster is there". Strings belong to mem. */
MUST_CHECK int cluster_prepare(TALLOC_CTX *mem, const char *data_dir, const char *bindir,
			       struct cluster *out, struct error *err);
void cluster_done(struct cluster *cluster); /* gives the lock and the socket folder back */

#endif
