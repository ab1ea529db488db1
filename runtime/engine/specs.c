/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/specs -- see specs.h.
 */
#include "engine/specs.h"
#include "store/plugin.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
	unsigned char sha256[32];
	const struct spec *spec;
} kept[SPECS_MAX];
static size_t kept_count;

static const struct spec *
find_kept(const unsigned char sha256[32])
{
	const struct spec *found = NULL;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < kept_count && found == NULL; i++)
		if (memcmp(kept[i].sha256, sha256, sizeof(kept[i].sha256)) == 0)
			found = kept[i].spec;
	pthread_mutex_unlock(&mutex);
	return found;
}

/* Whether it is kept; two threads may both have read it, then both are. */
static bool
keep(const unsigned char sha256[32], const struct spec *spec)
{
	bool has_room;

	pthread_mutex_lock(&mutex);
	has_room = kept_count < SPECS_MAX;
	if (has_room) {
		memcpy(kept[kept_count].sha256, sha256, sizeof(kept[kept_count].sha256));
		kept[kept_count++].spec = spec;
	}
	pthread_mutex_unlock(&mutex);
	return has_room;
}

int
specs_find(TALLOC_CTX *mem, struct db *control, const unsigned char sha256[32],
	   const struct spec **out, struct error *err)
{
	TALLOC_CTX *own;
	const char *json;
	struct spec *spec;

	*out = find_kept(sha256);
	if (*out != NULL)
		return 0;
	own = talloc_new(NULL);
	if (plugin_build_spec(own, control, sha256, &json, err) < 0 ||
	    spec_parse(own, json, strlen(json), &spec, err) < 0) {
		talloc_free(own);
		return -1;
	}
	if (!keep(sha256, spec))
		talloc_steal(mem, own);
	*out = spec;
	return 0;
}
