/* SPDX-License-Identifier: Apache-2.0 */
/*
 * project -- see project.h.
 */
#include "project.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
find_sources(TALLOC_CTX *mem, struct project *project, struct error *err)
{
	DIR *folder = opendir(project->directory);
	struct dirent *entry;

	if (folder == NULL)
		return error_set_errno(err, ERR_CONFIG, "cannot read the folder %s",
				       project->directory);
	project->sources = talloc_zero_array(mem, const char *, PROJECT_SOURCES_MAX + 1);
	while ((entry = readdir(folder)) != NULL &&
	       project->sources_count < PROJECT_SOURCES_MAX) {
		size_t n = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || n < 3 ||
		    strcmp(entry->d_name + n - 2, ".c") != 0)
			continue;
		project->sources[project->sources_count++] =
		    talloc_asprintf(mem, "%s/%s", project->directory, entry->d_name);
	}
	closedir(folder);
	qsort(project->sources, project->sources_count, sizeof(*project->sources),
	      compare_texts);
	return 0;
}

int
project_open(TALLOC_CTX *mem, const char *directory, const char *build, struct project *out,
	     struct error *err)
{
	struct project project = {.directory = directory == NULL ? "." : directory};

	project.yaml = talloc_asprintf(mem, "%s/plugin.yaml", project.directory);
	if (directory == NULL)
		project.yaml = "plugin.yaml";
	project.build =
	    build != NULL ? build : talloc_asprintf(mem, "%s/build", project.directory);
	if (access(project.yaml, F_OK) != 0)
		return error_set(
		    err, ERR_NOT_FOUND,
		    "there is no %s [E0010]\nhelp: go into the plugin's folder, or "
		    "make one: nango-plugin init DIR",
		    project.yaml);
	if (spec_read(mem, project.yaml, &project.spec, err) < 0 ||
	    find_sources(mem, &project, err) < 0)
		return -1;
	*out = project;
	return 0;
}

int
project_make_directory(const char *path, struct error *err)
{
	char partial[4096];

	if (strlen(path) >= sizeof(partial))
		return error_set(err, ERR_CONFIG, "the path %.80s… is too long [E0011]", path);
	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		if (mkdir(partial, 0777) != 0 && errno != EEXIST)
			return error_set(err, ERR_SYSTEM,
					 "cannot make the folder %s: %s [E0011]", partial,
					 strerror(errno));
	}
	return 0;
}

int
project_read_file(TALLOC_CTX *mem, const char *path, size_t max, char **out, size_t *length,
		  struct error *err)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, room = 65536, n;
	char *data = talloc_size(mem, room + 1);

	if (file == NULL)
		return error_set(err, ERR_NOT_FOUND, "cannot read %s: %s [E0011]", path,
				 strerror(errno));
	while ((n = fread(data + size, 1, room - size, file)) > 0) {
		size += n;
		if (size > max)
			break;
		if (size == room) {
			room *= 2;
			data = talloc_realloc_size(mem, data, room + 1);
		}
		if (data == NULL)
			abort();
	}
	if (ferror(file) || size > max) {
		fclose(file);
		return error_set(err, ERR_CONFIG, "%s: %s [E0011]", path,
				 size > max ? "the file is too large" : "cannot be read");
	}
	fclose(file);
	data[size] = '\0';
	*out = data;
	*length = size;
	return 0;
}

static bool
is_same_file(const char *path, const char *data, size_t length)
{
	TALLOC_CTX *scratch = talloc_new(NULL);
	struct error ignored;
	char *old;
	size_t old_length;
	bool is_same =
	    project_read_file(scratch, path, length, &old, &old_length, &ignored) == 0 &&
	    old_length == length && memcmp(old, data, length) == 0;

	talloc_free(scratch);
	return is_same;
}

int
project_write_file(const char *path, const char *data, size_t length, struct error *err)
{
	char *partial;
	FILE *file;
	bool is_written;

	if (is_same_file(path, data, length))
		return 0;
	partial = talloc_asprintf(NULL, "%s.%d.part", path, (int)getpid());
	file = fopen(partial, "wxe");
	is_written = file != NULL && fwrite(data, 1, length, file) == length;
	if (file != NULL)
		is_written = fclose(file) == 0 && is_written;
	if (!is_written || rename(partial, path) != 0) {
		error_set(err, ERR_SYSTEM, "cannot write %s: %s [E0011]", path,
			  strerror(errno));
		unlink(partial);
		talloc_free(partial);
		return -1;
	}
	talloc_free(partial);
	return 0;
}

int
project_spawn(const char *const *argv, struct error *err)
{
	pid_t pid;
	int state, result;

	fflush(stdout);
	result =
	    posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (result != 0)
		return error_set(
		    err, ERR_SYSTEM, "cannot run %s: %s [E0200]\nhelp: %s", argv[0],
		    strerror(result),
		    "apt install gcc, or name a compiler in the environment: CC=clang");
	while (waitpid(pid, &state, 0) < 0)
		if (errno != EINTR)
			return error_set_errno(err, ERR_SYSTEM, "waiting for %s", argv[0]);
	return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

/* The folder of the running program, links resolved. */
static char *
program_folder(TALLOC_CTX *mem)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return talloc_strdup(mem, ".");
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	return talloc_strdup(mem, path);
}

const char *
project_helper(const struct invocation *inv, const char *variable, const char *name)
{
	static const char *const places[] = {"", "../libexec/"}; /* build tree, moved install */
	const char *named = getenv(variable), *folder = program_folder(inv->mem);

	if (named != NULL && named[0] != '\0')
		return named;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		const char *path =
		    talloc_asprintf(inv->mem, "%s/%s%s", folder, places[i], name);

		if (access(path, X_OK) == 0)
			return path;
	}
	return talloc_asprintf(inv->mem, "%s/%s", NANGO_LIBEXECDIR, name);
}

const char *
project_sdk_include(const struct invocation *inv)
{
	const char *named = getenv("NANGO_SDK_INCLUDE");
	const char *folder = program_folder(inv->mem);
	const char *const places[] = {
	    named != NULL && named[0] != '\0' ? named : NULL,
	    talloc_asprintf(inv->mem, "%s/sdk/include", folder),
	    talloc_asprintf(inv->mem, "%s/../include", folder),
	    NANGO_SOURCE_INCLUDE,
	    NANGO_INCLUDEDIR,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (places[i] == NULL)
			continue;
		if (access(talloc_asprintf(inv->mem, "%s/nango/plugin.h", places[i]), R_OK) ==
		    0)
			return places[i];
	}
	return NULL;
}

int
project_find_object(const struct invocation *inv, const char *argument, struct project *project,
		    const char **path, struct error *err)
{
	struct stat status;

	*project = (struct project){0};
	if (argument != NULL && stat(argument, &status) == 0 && S_ISREG(status.st_mode)) {
		*path = argument;
		return 0;
	}
	if (argument != NULL && stat(argument, &status) != 0)
		return error_set(err, ERR_NOT_FOUND, "cannot read %s: %s [E0011]", argument,
				 strerror(errno));
	if (project_open(inv->mem, argument, NULL, project, err) < 0)
		return -1;
	*path = talloc_asprintf(inv->mem, "%s/%s.so", project->build, project->spec->provider);
	if (argument == NULL)
		*path = talloc_asprintf(inv->mem, "build/%s.so", project->spec->provider);
	if (access(*path, R_OK) != 0)
		return error_set(err, ERR_NOT_FOUND,
				 "there is no %s yet [E0012]\nhelp: nango-plugin build%s%s",
				 *path, argument == NULL ? "" : " ",
				 argument == NULL ? "" : argument);
	return 0;
}
