/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/resolver: one question a name, whoever asks, and what is kept of the answer. The
 * system's resolver is replaced by one that answers when it is told to.
 */
#include "base/loop.h"
#include "http/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool may_answer;
static unsigned questions;

/* In place of libc's. "gone.test" has no address. */
int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
	    struct addrinfo **out)
{
	struct addrinfo *found;
	struct sockaddr_in *address;

	(void)service;
	if ((hints->ai_flags & AI_NUMERICHOST) != 0)
		return EAI_NONAME;
	pthread_mutex_lock(&mutex);
	questions++;
	pthread_cond_broadcast(&changed);
	while (!may_answer)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	if (strcmp(host, "gone.test") == 0)
		return EAI_NONAME;
	found = calloc(1, sizeof(*found) + sizeof(*address));
	assert_non_null(found);
	address = (void *)(found + 1);
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(0x7f000001);
	found->ai_addr = (void *)address;
	found->ai_addrlen = sizeof(*address);
	*out = found;
	return 0;
}

void
freeaddrinfo(struct addrinfo *found)
{
	free(found);
}

static void
let_answer(bool may)
{
	pthread_mutex_lock(&mutex);
	may_answer = may;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

struct fixture {
	struct loop *loop;
	struct resolver *resolver;
	struct resolver_ask *victim; /* is called off by whoever is told first */
	unsigned told, wanted, ports;
	size_t count;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err;

	assert_non_null(f);
	may_answer = false;
	questions = 0;
	assert_int_equal(loop_new(&f->loop, &err), 0);
	assert_int_equal(resolver_new(&f->resolver, f->loop, &err), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	let_answer(true);
	resolver_free(f->resolver);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct resolver_list *list)
{
	struct fixture *f = arg;

	f->count = list->count;
	if (list->count > 0)
		f->ports += ntohs(
		    ((const struct sockaddr_in *)(const void *)&list->addresses[0])->sin_port);
	resolver_cancel(f->victim);
	f->victim = NULL;
	if (++f->told == f->wanted)
		loop_stop(f->loop);
}

static struct resolver_ask *
ask(struct fixture *f, const char *host, int port)
{
	struct resolver_list list = {0};
	struct resolver_ask *it = resolver_find(f->resolver, host, port, &list, on_done, f);

	assert_non_null(it);
	return it;
}

static void
wait_for(struct fixture *f, unsigned wanted)
{
	f->told = 0;
	f->wanted = wanted;
	let_answer(true);
	loop_run(f->loop);
}

static void
test_one_question(void **state)
{
	struct fixture *f = *state;
	struct resolver_list list = {0};

	for (int i = 1; i <= 8; i++)
		ask(f, "slow.test", i);
	wait_for(f, 8);
	assert_int_equal(questions, 1);
	assert_int_equal(f->ports, 36); /* each its own */
	assert_null(resolver_find(f->resolver, "slow.test", 99, &list, on_done, f));
	assert_int_equal(list.count, 1);
	assert_int_equal(questions, 1);
}

static void
test_failure_is_kept(void **state)
{
	struct fixture *f = *state;
	struct resolver_list list = {0};

	ask(f, "gone.test", 1);
	wait_for(f, 1);
	assert_int_equal(f->count, 0);
	assert_null(resolver_find(f->resolver, "gone.test", 1, &list, on_done, f));
	assert_int_equal(list.count, 0);
	assert_int_equal(list.err.code, ERR_NETWORK);
	assert_int_equal(questions, 1);
}

/* RESOLVER_THREADS names at a time: a slow one is not in the way of the next. */
static void
test_slow_names(void **state)
{
	struct fixture *f = *state;
	char host[32];

	for (int i = 0; i < RESOLVER_THREADS; i++) {
		snprintf(host, sizeof(host), "slow%d.test", i);
		ask(f, host, 1);
	}
	pthread_mutex_lock(&mutex);
	while (questions < RESOLVER_THREADS)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
	wait_for(f, RESOLVER_THREADS);
}

static void
test_called_off(void **state)
{
	struct fixture *f = *state;

	resolver_cancel(ask(f, "slow.test", 1));
	ask(f, "slow.test", 2);
	f->victim = ask(f, "slow.test", 4);
	ask(f, "slow.test", 8);
	wait_for(f, 2);
	assert_int_equal(f->ports, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_one_question, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_failure_is_kept, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_slow_names, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_called_off, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
