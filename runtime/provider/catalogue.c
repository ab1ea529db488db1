/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/catalogue -- see catalogue.h.
 */
#include "provider/catalogue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct edition {
	atomic_size_t users; /* the catalogue is one of them */
	struct templates *templates;
};

struct catalogue {
	const char *dir, *file;
	pthread_mutex_t lock; /* of current, held for a few instructions */
	pthread_mutex_t
	    reloading; /* one at a time: the last that begins is the last that ends */
	struct edition *current;
};

struct use { /* in the user's context */
	struct edition *edition;
};

static int
edition_load(const struct catalogue *catalogue, struct edition **out, struct error *err)
{
	struct edition *edition = talloc_zero(NULL, struct edition);

	if (edition == NULL)
		abort();
	atomic_init(&edition->users, 1);
	if (templates_load(edition, catalogue->dir, catalogue->file, &edition->templates, err) <
	    0) {
		talloc_free(edition);
		return -1;
	}
	*out = edition;
	return 0;
}

static void
edition_leave(struct edition *edition)
{
	if (atomic_fetch_sub(&edition->users, 1) == 1)
		talloc_free(edition);
}

static int
use_destructor(struct use *use)
{
	edition_leave(use->edition);
	return 0;
}

int
catalogue_open(const char *dir, const char *file, struct catalogue **out, struct error *err)
{
	struct catalogue *catalogue = talloc_zero(NULL, struct catalogue);

	if (catalogue == NULL)
		abort();
	catalogue->dir = dir;
	catalogue->file = file;
	if (edition_load(catalogue, &catalogue->current, err) < 0) {
		talloc_free(catalogue);
		return -1;
	}
	pthread_mutex_init(&catalogue->lock, NULL);
	pthread_mutex_init(&catalogue->reloading, NULL);
	*out = catalogue;
	return 0;
}

void
catalogue_free(struct catalogue *catalogue)
{
	if (catalogue == NULL)
		return;
	edition_leave(catalogue->current);
	pthread_mutex_destroy(&catalogue->lock);
	pthread_mutex_destroy(&catalogue->reloading);
	talloc_free(catalogue);
}

const struct templates *
catalogue_use(struct catalogue *catalogue, TALLOC_CTX *mem)
{
	struct use *use = talloc(mem, struct use);

	if (use == NULL)
		abort();
	pthread_mutex_lock(&catalogue->lock);
	use->edition = catalogue->current;
	atomic_fetch_add(&use->edition->users, 1);
	pthread_mutex_unlock(&catalogue->lock);
	talloc_set_destructor(use, use_destructor);
	return use->edition->templates;
}

int
catalogue_reload(struct catalogue *catalogue, struct error *err)
{
	struct edition *fresh, *old;
	int result;

	pthread_mutex_lock(&catalogue->reloading);
	result = edition_load(catalogue, &fresh, err);
	if (result == 0) {
		pthread_mutex_lock(&catalogue->lock);
		old = catalogue->current;
		catalogue->current = fresh;
		pthread_mutex_unlock(&catalogue->lock);
		edition_leave(old);
	}
	pthread_mutex_unlock(&catalogue->reloading);
	return result;
}
