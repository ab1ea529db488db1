/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner/loader -- see loader.h.
 *
 * The plugin's constructors run in here, already sandboxed. They may set up globals, which
 * every run then finds; they may not leave a process behind or grow the zygote beyond reason.
 */
#include "runner/loader.h"

#include "runner/death.h"
#include "runner/sandbox.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int statm_fd = -1;

/*
 * Libraries besides libc that plugins may need are loaded before files are out of reach. Only
 * those whose name stands in the plugin's bytes: each costs every fork some page tables.
 */
static void
preload(const void *bytes, size_t length)
{
	static const char *const libraries[] = {"libm.so.6", "libgcc_s.so.1", "libstdc++.so.6"};

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		if (memmem(bytes, length, libraries[i], strlen(libraries[i])) != NULL)
			dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
	}
}

void
loader_prepare(int plugin_fd)
{
	struct stat st;
	void *bytes;

	statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fstat(plugin_fd, &st) < 0 || st.st_size <= 0 || st.st_size > LOADER_BYTES_MAX)
		death("load", "a plugin may have 1 to %d bytes", LOADER_BYTES_MAX);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, plugin_fd, 0);
	if (bytes == MAP_FAILED)
		death("load", "cannot map the plugin: %s", strerror(errno));
	preload(bytes, (size_t)st.st_size);
	munmap(bytes, (size_t)st.st_size);
}

static void
check_abi(const struct nango_plugin *plugin)
{
	if (plugin->abi_major == NANGO_ABI_MAJOR && plugin->abi_minor <= NANGO_ABI_MINOR &&
	    plugin->size >= offsetof(struct nango_plugin, actions))
		return;
	death("abi", "plugin was built for SDK ABI %u.%u, this runner speaks %d.%d: %s",
	      plugin->abi_major, plugin->abi_minor, NANGO_ABI_MAJOR, NANGO_ABI_MINOR,
	      plugin->abi_major < NANGO_ABI_MAJOR
		  ? "rebuild the plugin with the SDK of this server"
		  : "rebuild it with the SDK of this server, or "
		    "update the server");
}

static void
check_no_children(void)
{
	siginfo_t info;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD)
		death("sandbox: fork", "a constructor of the plugin left a process behind");
}

static void
check_resident(void)
{
	char text[128] = "";
	unsigned long total, resident = 0;
	ssize_t n = statm_fd < 0 ? -1 : pread(statm_fd, text, sizeof(text) - 1, 0);

	if (statm_fd >= 0)
		close(statm_fd);
	if (n <= 0 || sscanf(text, "%lu %lu", &total, &resident) != 2)
		return;
	resident *= (unsigned long)sysconf(_SC_PAGESIZE);
	if (resident > LOADER_RESIDENT_MAX)
		death("load",
		      "the plugin uses %lu MiB of memory before any function is called, %d "
		      "MiB are allowed: fill large tables in the function, not in constructors",
		      resident >> 20, LOADER_RESIDENT_MAX >> 20);
}

const struct nango_plugin *
loader_load(int plugin_fd)
{
	const struct nango_plugin *plugin;
	char path[64];
	void *handle;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", plugin_fd);
	lseek(plugin_fd, 0, SEEK_SET);
	sandbox_let_open(path, plugin_fd);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	sandbox_let_open(NULL, -1);
	if (handle == NULL)
		death("load", "the plugin cannot be loaded: %s", dlerror());
	close(plugin_fd);
	plugin = dlsym(handle, "nango_plugin_v1");
	if (plugin == NULL)
		death(
		    "abi",
		    "the plugin does not export nango_plugin_v1, so it was not built for SDK "
		    "ABI %d: NANGO_PLUGIN() must stand once in its source, built with the SDK "
		    "of this server",
		    NANGO_ABI_MAJOR);
	check_abi(plugin);
	check_no_children();
	check_resident();
	return plugin;
}

nango_function *
loader_find(const struct nango_plugin *plugin, int kind, const char *name)
{
	if (kind == NANGO_KIND_SYNC && plugin->syncs != NULL) {
		for (size_t i = 0; plugin->syncs[i] != NULL; i++) {
			if (strcmp(plugin->syncs[i]->name, name) == 0)
				return plugin->syncs[i]->run;
		}
	}
	if (kind == NANGO_KIND_ACTION &&
	    plugin->size > offsetof(struct nango_plugin, actions) && plugin->actions != NULL) {
		for (size_t i = 0; plugin->actions[i] != NULL; i++) {
			if (strcmp(plugin->actions[i]->name, name) == 0)
				return plugin->actions[i]->run;
		}
	}
	return NULL;
}
