/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client -- see client.h. Here is the loop's side: sockets and timers for curl, and the
 * queue in front: calls wait in their group and are handed to curl one turn a group, within the
 * limits of the node and of each host.
 */
#include "http/client_internal.h"
#include "base/clock.h"
#include "base/crypto.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 30000
#define QUEUE_CHECK_MS 250

struct watch { /* a socket of curl's */
	struct event *event;
	int what;
};

static void
client_collect(struct http_client *client)
{
	struct http_call *call;
	CURLMsg *message;
	int left;

	while (!client->is_freed &&
	       (message = curl_multi_info_read(client->multi, &left)) != NULL) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		call_ended(call, code);
	}
}

/* ---- the loop's side ---- */

static void
client_act(struct http_client *client, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(client->multi, fd, what, &running);
	client_collect(client);
	if (!client->is_freed && call_queue_waiting(client->queue) > 0)
		loop_timer_set(client->kick, 0);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *client = arg;

	client_act(client, fd,
		   (what & EV_READ ? CURL_CSELECT_IN : 0) |
		       (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *client = arg;
	struct watch *watch = socket_arg;
	short events = EV_PERSIST;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL) {
			event_free(watch->event);
			free(watch);
		}
		return 0;
	}
	if (watch != NULL && watch->what == what)
		return 0;
	if (watch == NULL) {
		watch = calloc(1, sizeof(*watch));
		if (watch == NULL)
			abort();
		curl_multi_assign(client->multi, fd, watch);
	} else {
		event_free(watch->event);
	}
	watch->what = what;
	events |= (short)((what & CURL_POLL_IN ? EV_READ : 0) |
			  (what & CURL_POLL_OUT ? EV_WRITE : 0));
	watch->event = event_new(loop_base(client->loop), fd, events, on_socket, client);
	if (watch->event == NULL)
		abort();
	event_add(watch->event, NULL);
	return 0;
}

/* Only notes the time: curl must not be called from here. 0 ms runs in the same turn. */
static int
on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *client = arg;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_cancel(client->timer);
	else
		loop_timer_set(client->timer, timeout_ms);
	return 0;
}

static void
on_timer(void *arg)
{
	client_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void
fail_early(struct http_call *call)
{
	struct http_incoming none = {0};
	struct error err = call->err;

	call_finish(call, &none, &err);
}

/* Those that waited for their turn until their time was over. */
static void
expire_waiting(struct http_client *client)
{
	int64_t now = clock_monotonic_ms();
	struct http_call *call, *next;

	if (now - client->checked_ms < QUEUE_CHECK_MS)
		return;
	client->checked_ms = now;
	for (call = TAILQ_FIRST(&client->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, entry);
		if (call->easy != NULL || call->is_over || now < call->deadline_ms)
			continue;
		error_set(&call->err, ERR_NETWORK,
			  "no connection to %s became free in time (%zu a host, %zu in all)",
			  call->queued.host, client->per_host_max, client->connections_max);
		call->is_over = true;
		TAILQ_INSERT_TAIL(&client->over, call, over_entry);
	}
}

static void
on_kick(void *arg)
{
	struct http_client *client = arg;
	struct queued_call *next;
	struct http_call *call;

	expire_waiting(client);
	while ((call = TAILQ_FIRST(&client->over)) != NULL)
		fail_early(call);
	while ((next = call_queue_next(client->queue)) != NULL)
		call_start((struct http_call *)next);
	if (call_queue_waiting(client->queue) > 0)
		loop_timer_set(client->kick, QUEUE_CHECK_MS);
}

/* ---- public ---- */

struct http_call *
http_client_send(struct http_client *client, const struct http_outgoing *request,
		 http_done *done, void *arg)
{
	struct http_call *call = talloc_zero(NULL, struct http_call);

	if (call == NULL)
		abort();
	call->client = client;
	call->done = done;
	call->arg = arg;
	call->late = request->late;
	call->late_arg = request->late_arg;
	call->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : DEFAULT_TIMEOUT_MS;
	call->waits_apart = request->queue_ms > 0;
	call->deadline_ms =
	    clock_monotonic_ms() + (call->waits_apart ? request->queue_ms : call->timeout_ms);
	call->head_is_enough = request->head_is_enough;
	call->response_max =
	    request->response_max > 0 ? request->response_max : HTTP_CLIENT_BODY_MAX;
	call->method = talloc_strdup(call, request->method);
	call->url = talloc_strdup(call, request->url);
	if (request->certificate != NULL && request->private_key != NULL) {
		call->certificate = talloc_strdup(call, request->certificate);
		call->private_key =
		    crypto_secret(call, request->private_key, strlen(request->private_key));
	}
	call->body_length = request->body_length;
	if (request->body_length > 0)
		call->body = talloc_memdup(call, request->body, request->body_length);
	TAILQ_INSERT_TAIL(&client->calls, call, entry);
	talloc_set_destructor(call, call_destructor);
	if (call_check(call, request) < 0) {
		call->is_over = true;
		TAILQ_INSERT_TAIL(&client->over, call, over_entry);
	} else {
		call_queue_add(client->queue, &call->queued,
			       request->group == NULL ? "" : request->group);
	}
	loop_timer_set(client->kick, 0);
	return call;
}

void
http_call_cancel(struct http_call *call)
{
	if (call == NULL)
		return;
	loop_timer_set(call->client->kick, 0);
	talloc_free(call);
}

int
http_client_new(struct http_client **out, const struct http_client_config *config,
		struct error *err)
{
	struct http_client *client = talloc_zero(NULL, struct http_client);

	if (client == NULL)
		abort();
	if (address_rules_parse(client, config->egress_allow, &client->rules, err) < 0 ||
	    client_proxy_parse(client, config->proxy, config->direct, &client->proxy, err) <
		0) {
		talloc_free(client);
		return -1;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	signal(SIGPIPE, SIG_IGN); /* CURLOPT_NOSIGNAL leaves it to us */
	client->loop = config->loop;
	client->http_version =
	    config->is_h2_off ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS;
	client->connections_max =
	    config->connections_max > 0 ? config->connections_max : HTTP_CLIENT_CONNECTIONS_MAX;
	client->per_host_max =
	    config->per_host_max > 0 ? config->per_host_max : HTTP_CLIENT_PER_HOST_MAX;
	client->user_agent = talloc_strdup(client, config->user_agent);
	client->ca_file = talloc_strdup(client, config->ca_file);
	client->queue = call_queue_new(client, client->connections_max, client->per_host_max);
	TAILQ_INIT(&client->calls);
	TAILQ_INIT(&client->over);
	client->multi = curl_multi_init();
	if (client->multi == NULL)
		abort();
	client->timer = loop_timer_new(config->loop, on_timer, client);
	client->kick = loop_timer_new(config->loop, on_kick, client);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)client->connections_max);
	curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
			  (long)client->connections_max);
	*out = client;
	return 0;
}

void
http_client_free(struct http_client *client)
{
	struct http_incoming none = {0};
	struct http_call *call;
	struct error err;

	if (client == NULL)
		return;
	client->is_freed = true;
	error_set(&err, ERR_NETWORK, "the server is stopping");
	while ((call = TAILQ_FIRST(&client->calls)) != NULL) {
		none.was_sent = call->attempts > 0;
		call_finish(call, &none, &err);
	}
	curl_multi_cleanup(client->multi);
	loop_timer_free(client->timer);
	loop_timer_free(client->kick);
	talloc_free(client);
}
