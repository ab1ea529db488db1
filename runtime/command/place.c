/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command/place -- see place.h.
 */
#include "config.h"

#include "command/place.h"
#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_TEXT_MAX 128

/* The folder of this program. */
static char *
own_dir(TALLOC_CTX *mem)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n <= 0)
		return talloc_strdup(mem, ".");
	path[n] = '\0';
	slash = strrchr(path, '/');
	*slash = '\0';
	return talloc_strdup(mem, path);
}

/* Beside nangod (a build tree) before the installed place, so that a build uses its own parts.
 */
static int
find_program(TALLOC_CTX *mem, const char *name, const char *setting, const char **place,
	     struct error *err)
{
	char *beside = talloc_asprintf(mem, "%s/%s", own_dir(mem), name);
	char *installed = talloc_asprintf(mem, "%s/%s", LIBEXECDIR, name);

	if (*place != NULL) {
		if (access(*place, X_OK) == 0)
			return 0;
		return error_set(err, ERR_CONFIG, "%s is \"%s\", which is no program", setting,
				 *place);
	}
	if (access(beside, X_OK) == 0)
		*place = beside;
	else if (access(installed, X_OK) == 0)
		*place = installed;
	else
		return error_set(err, ERR_CONFIG,
				 "%s is neither at %s nor at %s: install it, or name it "
				 "in %s",
				 name, beside, installed, setting);
	return 0;
}

static int
find_templates(TALLOC_CTX *mem, const char **place, struct error *err)
{
	const char *const places[] = {talloc_asprintf(mem, "%s/templates", own_dir(mem)),
				      DATADIR "/templates", SOURCE_TEMPLATES};

	for (size_t i = 0; *place == NULL && i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], R_OK | X_OK) == 0)
			*place = places[i];
	if (*place == NULL || access(*place, R_OK | X_OK) != 0)
		return error_set(err, ERR_CONFIG,
				 "the folder of provider templates is not at %s: name it in "
				 "NANGO_TEMPLATES",
				 *place == NULL ? places[1] : *place);
	return 0;
}

int
place_programs(TALLOC_CTX *mem, struct config *config, struct error *err)
{
	if (find_program(mem, "nango-runner", "NANGO_RUNNER", &config->runner, err) < 0 ||
	    find_program(mem, "nango-inspect", "NANGO_INSPECT", &config->inspector, err) < 0)
		return -1;
	return find_templates(mem, &config->templates_dir, err);
}

int
place_data_dir(TALLOC_CTX *mem, const char *given, char **out, struct error *err)
{
	const char *data_home = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char cwd[PATH_MAX];

	if (given != NULL && given[0] != '/') {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			return error_set_errno(err, ERR_SYSTEM,
					       "cannot read the current folder");
		*out = talloc_asprintf(mem, "%s/%s", cwd, given);
	} else if (given != NULL) {
		*out = talloc_strdup(mem, given);
	} else if (geteuid() == 0) {
		*out = talloc_strdup(
		    mem, "/var/lib/nango"); /* not under /root: Postgres runs as another */
	} else if (data_home != NULL && data_home[0] == '/') {
		*out = talloc_asprintf(mem, "%s/nango", data_home);
	} else if (home != NULL && home[0] == '/') {
		*out = talloc_asprintf(mem, "%s/.local/share/nango", home);
	} else {
		return error_set(err, ERR_CONFIG, "there is no HOME: give --data-dir");
	}
	return 0;
}

char *
place_url(TALLOC_CTX *mem, const char *listen, int port)
{
	const char *colon = strrchr(listen, ':');
	int length = colon == NULL ? (int)strlen(listen) : (int)(colon - listen);

	if (strncmp(listen, "0.0.0.0", (size_t)length) == 0 ||
	    strncmp(listen, "[::]", (size_t)length) == 0)
		return talloc_asprintf(mem, "http://localhost:%d", port);
	return talloc_asprintf(mem, "http://%.*s:%d", length, listen, port);
}

static int
read_key(TALLOC_CTX *mem, const char *file, char **out, struct error *err)
{
	char text[KEY_TEXT_MAX] = "";
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot read %s", file);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return error_set(err, ERR_CONFIG,
				 "%s is empty: it held the key of this data folder, "
				 "without which its credentials cannot be read",
				 file);
	*out = crypto_secret(mem, text, strcspn(text, "\n"));
	crypto_wipe(text, sizeof(text));
	return 0;
}

int
place_key_file(TALLOC_CTX *mem, const char *file, char **out, struct error *err)
{
	unsigned char key[CRYPTO_KEY_BYTES];
	char *text, *half = talloc_asprintf(mem, "%s.new", file);
	int fd, ok;

	if (access(file, F_OK) == 0)
		return read_key(mem, file, out, err);
	crypto_random(key, sizeof(key));
	text = crypto_base64(mem, key, sizeof(key));
	crypto_wipe(key, sizeof(key));
	fd = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ok =
	    fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
	if (fd >= 0)
		ok &= close(fd) == 0;
	if (!ok || rename(half, file) < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot write %s", file);
	*out = text;
	return 0;
}
