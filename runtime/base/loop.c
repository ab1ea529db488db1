/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop -- see loop.h. Posted calls go through a list under a mutex and one eventfd; the list is
 * taken whole, so a busy poster cannot starve the sockets.
 *
 * How long a turn takes is seen by those who wait for its end: each posted call and each timer
 * says how late it is. That needs no timer of its own and counts what blocks, too.
 */
#include "base/loop.h"
#include "base/clock.h"
#include "base/peak.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct posted {
	struct posted *next;
	loop_fn *fn;
	void *arg;
	int64_t since_us;
};

struct loop {
	struct event_base *base;
	struct event *wake;
	int wake_fd;
	pthread_mutex_t mutex;
	struct posted *first, **last;
	struct peak waits; /* microseconds; under the mutex */
	pthread_t thread;
	int is_running;
};

struct loop_timer {
	struct loop *loop;
	struct event *event;
	loop_fn *fn;
	void *arg;
	int64_t due_us;
};

static void
loop_note_wait(struct loop *loop, int64_t since_us)
{
	int64_t now_us = clock_monotonic_us();

	pthread_mutex_lock(&loop->mutex);
	peak_note(&loop->waits, now_us, now_us > since_us ? now_us - since_us : 0);
	pthread_mutex_unlock(&loop->mutex);
}

static void
loop_run_posted(struct loop *loop)
{
	struct posted *list, *next;

	pthread_mutex_lock(&loop->mutex);
	list = loop->first;
	loop->first = NULL;
	loop->last = &loop->first;
	pthread_mutex_unlock(&loop->mutex);
	for (; list != NULL; list = next) {
		next = list->next;
		loop_note_wait(loop, list->since_us);
		list->fn(list->arg);
		free(list);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));

	(void)n;
	(void)what;
	loop_run_posted(arg);
}

int
loop_new(struct loop **out, struct error *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	if (loop == NULL || config == NULL)
		abort();
	evthread_use_pthreads();
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->base == NULL || loop->wake_fd < 0) {
		error_set_errno(err, ERR_SYSTEM, "cannot make an event loop");
		if (loop->base != NULL)
			event_base_free(loop->base);
		free(loop);
		return -1;
	}
	pthread_mutex_init(&loop->mutex, NULL);
	loop->last = &loop->first;
	loop->thread = pthread_self();
	loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	event_add(loop->wake, NULL);
	*out = loop;
	return 0;
}

void
loop_settle(struct loop *loop)
{
	while (loop->first != NULL)
		loop_run_posted(loop);
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	loop_settle(loop);
	event_free(loop->wake);
	close(loop->wake_fd);
	event_base_free(loop->base);
	pthread_mutex_destroy(&loop->mutex);
	free(loop);
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

void
loop_run(struct loop *loop)
{
	loop->thread = pthread_self();
	event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

static void
loop_break(void *arg)
{
	struct loop *loop = arg;

	event_base_loopbreak(loop->base);
}

void
loop_stop(struct loop *loop)
{
	loop_post(loop, loop_break, loop);
}

void
loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
	struct posted *posted = malloc(sizeof(*posted));
	uint64_t one = 1;
	int was_empty;
	ssize_t n;

	if (posted == NULL)
		abort();
	*posted = (struct posted){NULL, fn, arg, clock_monotonic_us()};
	pthread_mutex_lock(&loop->mutex);
	was_empty = loop->first == NULL;
	*loop->last = posted;
	loop->last = &posted->next;
	pthread_mutex_unlock(&loop->mutex);
	if (was_empty) {
		n = write(loop->wake_fd, &one, sizeof(one));
		(void)n;
	}
}

int64_t
loop_longest_wait_us(struct loop *loop)
{
	int64_t wait_us;

	pthread_mutex_lock(&loop->mutex);
	wait_us = peak_read(&loop->waits, clock_monotonic_us());
	pthread_mutex_unlock(&loop->mutex);
	return wait_us;
}

int
loop_is_current(const struct loop *loop)
{
	return pthread_equal(loop->thread, pthread_self());
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	loop_note_wait(timer->loop, timer->due_us);
	timer->fn(timer->arg);
}

struct loop_timer *
loop_timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (timer == NULL)
		abort();
	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	timer->event = evtimer_new(loop->base, on_timer, timer);
	if (timer->event == NULL)
		abort();
	return timer;
}

void
loop_timer_set(struct loop_timer *timer, int64_t delay_ms)
{
	struct timeval delay = {delay_ms / 1000, (suseconds_t)(delay_ms % 1000 * 1000)};

	timer->due_us = clock_monotonic_us() + (delay_ms > 0 ? delay_ms * 1000 : 0);
	if (delay_ms <= 0)
		event_active(timer->event, EV_TIMEOUT, 1);
	else
		evtimer_add(timer->event, &delay);
}

void
loop_timer_cancel(struct loop_timer *timer)
{
	event_del(timer->event);
}

void
loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	event_free(timer->event);
	free(timer);
}
