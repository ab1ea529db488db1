/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_wait -- see client_wait.h.
 *
 * A wait belongs to two: the thread that waits and the loop. Whoever leaves last frees it, so
 * that a thread can be sent away while its call is still on its way.
 */
#include "http/client_wait.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

TAILQ_HEAD(wait_list, wait);

struct http_waits {
	struct loop *loop;
	struct http_client *client;
	pthread_mutex_t mutex; /* of everything below, and of all waits */
	struct wait_list list;
	bool is_over;
};

struct wait {
	TAILQ_ENTRY(wait) entry;
	struct http_waits *waits;
	pthread_cond_t changed;
	const struct http_outgoing *request; /* the thread's; NULL: it is gone */
	bool is_answered, has_error;
	TALLOC_CTX *mem; /* of the answer */
	struct http_incoming answer;
	struct error err;
};

static int
waits_destructor(struct http_waits *waits)
{
	pthread_mutex_destroy(&waits->mutex);
	return 0;
}

struct http_waits *
http_waits_new(TALLOC_CTX *mem, struct loop *loop, struct http_client *client)
{
	struct http_waits *waits = talloc_zero(mem, struct http_waits);

	if (waits == NULL)
		abort();
	waits->loop = loop;
	waits->client = client;
	pthread_mutex_init(&waits->mutex, NULL);
	TAILQ_INIT(&waits->list);
	talloc_set_destructor(waits, waits_destructor);
	return waits;
}

static void
free_wait(struct wait *wait)
{
	pthread_cond_destroy(&wait->changed);
	talloc_free(wait->mem);
	free(wait);
}

static void
copy_answer(struct wait *wait, const struct http_incoming *answer)
{
	struct http_field *fields;
	size_t count = 0;

	while (answer->headers != NULL && answer->headers[count].name != NULL)
		count++;
	fields = talloc_zero_array(wait->mem, struct http_field, (unsigned)count + 1);
	wait->answer = *answer;
	wait->answer.body = talloc_strndup(wait->mem, "", 0);
	if (answer->body_length > 0) {
		char *body = talloc_size(wait->mem, answer->body_length + 1);

		if (body == NULL)
			abort();
		memcpy(body, answer->body, answer->body_length);
		body[answer->body_length] = '\0';
		wait->answer.body = body;
	}
	for (size_t i = 0; i < count; i++)
		fields[i] =
		    (struct http_field){talloc_strdup(fields, answer->headers[i].name),
					talloc_strdup(fields, answer->headers[i].value)};
	wait->answer.headers = fields;
}

static void
on_done(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct wait *wait = arg;
	struct http_waits *waits = wait->waits;
	bool is_left;

	pthread_mutex_lock(&waits->mutex);
	is_left = wait->request == NULL;
	if (!is_left) {
		copy_answer(wait, answer);
		wait->has_error = err != NULL;
		if (err != NULL)
			wait->err = *err;
		wait->is_answered = true;
		pthread_cond_signal(&wait->changed);
	}
	pthread_mutex_unlock(&waits->mutex);
	if (is_left)
		free_wait(wait);
}

static void
on_post(void *arg)
{
	struct wait *wait = arg;
	struct http_waits *waits = wait->waits;
	bool is_left;

	pthread_mutex_lock(&waits->mutex);
	is_left = wait->request == NULL;
	if (!is_left)
		http_client_send(waits->client, wait->request, on_done, wait);
	pthread_mutex_unlock(&waits->mutex);
	if (is_left)
		free_wait(wait);
}

static int
take_answer(struct wait *wait, TALLOC_CTX *mem, struct http_incoming *out, struct error *err)
{
	int result = wait->has_error ? -1 : 0;

	*out = wait->answer;
	if (wait->has_error)
		*err = wait->err;
	talloc_steal(mem, wait->mem);
	wait->mem = NULL;
	free_wait(wait);
	return result;
}

int
http_wait(struct http_waits *waits, TALLOC_CTX *mem, const struct http_outgoing *request,
	  struct http_incoming *out, struct error *err)
{
	struct wait *wait = calloc(1, sizeof(*wait));

	if (wait == NULL)
		abort();
	*out = (struct http_incoming){0};
	wait->waits = waits;
	wait->request = request;
	wait->mem = talloc_new(NULL);
	pthread_cond_init(&wait->changed, NULL);
	pthread_mutex_lock(&waits->mutex);
	if (waits->is_over) {
		pthread_mutex_unlock(&waits->mutex);
		free_wait(wait);
		return error_set(err, ERR_NETWORK, "the server is stopping");
	}
	TAILQ_INSERT_TAIL(&waits->list, wait, entry);
	loop_post(waits->loop, on_post, wait);
	while (!wait->is_answered && !waits->is_over)
		pthread_cond_wait(&wait->changed, &waits->mutex);
	TAILQ_REMOVE(&waits->list, wait, entry);
	if (!wait->is_answered) {
		wait->request = NULL; /* the loop frees it */
		out->was_sent = true; /* as far as anybody can tell */
		pthread_mutex_unlock(&waits->mutex);
		return error_set(err, ERR_NETWORK, "the server is stopping");
	}
	pthread_mutex_unlock(&waits->mutex);
	return take_answer(wait, mem, out, err);
}

void
http_waits_end(struct http_waits *waits)
{
	struct wait *wait;

	pthread_mutex_lock(&waits->mutex);
	waits->is_over = true;
	TAILQ_FOREACH(wait, &waits->list, entry)
	pthread_cond_signal(&wait->changed);
	pthread_mutex_unlock(&waits->mutex);
}

bool
http_waits_ended(struct http_waits *waits)
{
	bool is_over;

	pthread_mutex_lock(&waits->mutex);
	is_over = waits->is_over;
	pthread_mutex_unlock(&waits->mutex);
	return is_over;
}
