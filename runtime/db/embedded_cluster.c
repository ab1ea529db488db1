/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db/embedded_cluster -- see embedded_cluster.h.
 *
 * Authentication is `peer` with a map: the socket folder is private to the cluster's user, and
 * both that user and nangod's own may be the role nango.
 */
#include "db/embedded_cluster.h"
#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int
is_bindir(const char *dir)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/initdb", dir);
	return access(path, X_OK) == 0;
}

/* Debian keeps each major version apart; the newest is last by number, not by text. */
static char *
newest_debian_bindir(TALLOC_CTX *mem)
{
	glob_t found;
	char *best = NULL;
	int best_major = 0;

	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
		return NULL;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int major = atoi(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"));

		if (major > best_major && is_bindir(found.gl_pathv[i])) {
			best_major = major;
			best = talloc_strdup(mem, found.gl_pathv[i]);
		}
	}
	globfree(&found);
	return best;
}

static char *
bindir_on_path(TALLOC_CTX *mem)
{
	const char *path = getenv("PATH");
	char *copy = talloc_strdup(mem, path == NULL ? "" : path), *rest = copy, *dir;

	while ((dir = strsep(&rest, ":")) != NULL)
		if (dir[0] == '/' && is_bindir(dir))
			return talloc_strdup(mem, dir);
	return NULL;
}

static int
find_programs(TALLOC_CTX *mem, const char *bindir, struct cluster *c, struct error *err)
{
	char *found = NULL;

	if (bindir != NULL) {
		if (!is_bindir(bindir))
			return error_set(
			    err, ERR_CONFIG,
			    "NANGO_PG_BINDIR is \"%s\", where there is no initdb: `apt-get "
			    "install "
			    "postgresql-15` (as root) brings one, and then the setting is not "
			    "needed",
			    bindir);
		found = talloc_strdup(mem, bindir);
	}
	if (found == NULL)
		found = newest_debian_bindir(mem);
	if (found == NULL)
		found = bindir_on_path(mem);
	if (found == NULL)
		return error_set(
		    err, ERR_CONFIG,
		    "there is no initdb on this machine: `apt-get install postgresql-15` "
		    "(as root), or name its folder in NANGO_PG_BINDIR, or use `nangod "
		    "serve` with NANGO_DATABASE_URL");
	c->initdb = talloc_asprintf(mem, "%s/initdb", found);
	c->postgres = talloc_asprintf(mem, "%s/postgres", found);
	return 0;
}

static int
find_user(struct cluster *c, struct error *err)
{
	static const char *const users[] = {"nango", "postgres", "nobody"};
	const struct passwd *entry = NULL;

	c->uid = geteuid();
	c->gid = getegid();
	c->must_drop = c->uid == 0;
	if (!c->must_drop)
		return 0;
	for (size_t i = 0; entry == NULL && i < sizeof(users) / sizeof(users[0]); i++)
		entry = getpwnam(users[i]);
	if (entry == NULL)
		return error_set(
		    err, ERR_CONFIG,
		    "Postgres refuses to run as root, and there is no user nango, postgres "
		    "or nobody to run it as");
	c->uid = entry->pw_uid;
	c->gid = entry->pw_gid;
	return 0;
}

static int
make_dir(const char *path, mode_t mode, struct error *err)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	return error_set_errno(err, ERR_CONFIG, "cannot make the folder %s", path);
}

static int
make_dirs(TALLOC_CTX *mem, const char *path, struct error *err)
{
	char *copy = talloc_strdup(mem, path);

	for (char *slash = strchr(copy + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (make_dir(copy, 0755, err) < 0)
			return -1;
		*slash = '/';
	}
	return make_dir(copy, 0755, err);
}

static int
take_lock(TALLOC_CTX *mem, const char *data_dir, struct cluster *c, struct error *err)
{
	char *path = talloc_asprintf(mem, "%s/lock", data_dir);

	c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (c->lock_fd < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot write %s", path);
	if (flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(
		    err, ERR_CONFIG,
		    "another nangod uses %s: stop it, or give --data-dir another folder",
		    data_dir);
	return 0;
}

/* A short name that is the same at each start, so that a killed nangod leaves nothing behind.
 */
static int
make_socket_dir(TALLOC_CTX *mem, const char *data_dir, struct cluster *c, struct error *err)
{
	unsigned char hash[CRYPTO_SHA256_BYTES];
	char hex[17];
	struct stat st;

	crypto_sha256(hash, data_dir, strlen(data_dir));
	crypto_hex(hex, hash, 8);
	c->socket_dir = talloc_asprintf(mem, "/tmp/nango-%u-%s", (unsigned)geteuid(), hex);
	if (mkdir(c->socket_dir, 0700) < 0 && errno != EEXIST)
		return error_set_errno(err, ERR_CONFIG, "cannot make %s", c->socket_dir);
	if (c->must_drop && lchown(c->socket_dir, c->uid, c->gid) < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot give %s away", c->socket_dir);
	if (lstat(c->socket_dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != c->uid ||
	    (st.st_mode & 077) != 0)
		return error_set(
		    err, ERR_CONFIG,
		    "%s is not a private folder of ours: remove it and start again",
		    c->socket_dir);
	return 0;
}

/* Runs argv as the cluster's user and keeps the end of what it said. */
static int
run_as(const struct cluster *c, const char *const argv[], char *said, size_t size,
       struct error *err)
{
	int fds[2], status = 0;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return error_set_errno(err, ERR_SYSTEM, "cannot run %s", argv[0]);
	if (pid == 0) {
		if (c->must_drop &&
		    (setgroups(0, NULL) < 0 || setgid(c->gid) < 0 || setuid(c->uid) < 0))
			_exit(126);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		if (chdir("/") < 0)
			_exit(125);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], said + used, size - 1 - used)) > 0) {
		used += (size_t)n;
		if (used > size / 2) { /* the end says what went wrong */
			memmove(said, said + used - size / 4, size / 4);
			used = size / 4;
		}
	}
	said[used] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int
write_file(const char *dir, const char *name, const char *text, const struct cluster *c,
	   struct error *err)
{
	char path[4096];
	FILE *file;
	int ok;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	ok = file != NULL && fputs(text, file) >= 0;
	if (file != NULL)
		ok &= fclose(file) == 0;
	if (!ok || (c->must_drop && chown(path, c->uid, c->gid) < 0))
		return error_set_errno(err, ERR_CONFIG, "cannot write %s", path);
	return 0;
}

static int
write_access(TALLOC_CTX *mem, const char *data, const struct cluster *c, struct error *err)
{
	const struct passwd *entry = getpwuid(c->uid);
	char *map;

	if (entry == NULL)
		return error_set(err, ERR_CONFIG, "user %u has no name in the password file",
				 (unsigned)c->uid);
	map = talloc_asprintf(mem, "nango %s nango\n", entry->pw_name);
	if (c->must_drop)
		map = talloc_asprintf_append(map, "nango root nango\n");
	if (write_file(data, "pg_ident.conf", map, c, err) < 0)
		return -1;
	return write_file(data, "pg_hba.conf", "local all all peer map=nango\n", c, err);
}

/* initdb works beside the final name; the rename makes a half-made cluster impossible. */
static int
make_cluster(TALLOC_CTX *mem, struct cluster *c, struct error *err)
{
	char *half = talloc_asprintf(mem, "%s.new", c->data);
	const char *const remove_argv[] = {"/bin/rm", "-rf", half, NULL};
	const char *const argv[] = {c->initdb,
				    "-D",
				    half,
				    "-U",
				    "nango",
				    "-E",
				    "UTF8",
				    "--locale=C",
				    "--auth=reject",
				    "-k",
				    "--no-instructions",
				    NULL};
	char said[4096];

	if (access(half, F_OK) == 0 && run_as(c, remove_argv, said, sizeof(said), err) < 0)
		return error_set(err, ERR_CONFIG, "cannot remove %s: %s", half, said);
	if (make_dir(half, 0700, err) < 0)
		return -1;
	if (c->must_drop && chown(half, c->uid, c->gid) < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot give %s away", half);
	if (run_as(c, argv, said, sizeof(said), err) < 0)
		return error_set(err, ERR_CONFIG, "initdb failed in %s: %s", half, said);
	if (write_access(mem, half, c, err) < 0)
		return -1;
	if (rename(half, c->data) < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot rename %s", half);
	return 0;
}

int
cluster_prepare(TALLOC_CTX *mem, const char *data_dir, const char *bindir, struct cluster *c,
		struct error *err)
{
	*c = (struct cluster){.lock_fd = -1};
	if (find_programs(mem, bindir, c, err) < 0 || find_user(c, err) < 0 ||
	    make_dirs(mem, data_dir, err) < 0 || take_lock(mem, data_dir, c, err) < 0 ||
	    make_socket_dir(mem, data_dir, c, err) < 0)
		return -1;
	c->data = talloc_asprintf(mem, "%s/postgres", data_dir);
	c->log = talloc_asprintf(mem, "%s/postgres.log", data_dir);
	if (access(c->data, F_OK) < 0)
		return make_cluster(mem, c, err);
	return 0;
}

void
cluster_done(struct cluster *c)
{
	if (c->socket_dir != NULL)
		rmdir(c->socket_dir);
	if (c->lock_fd >= 0)
		close(c->lock_fd);
	c->lock_fd = -1;
}
