/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/server -- listeners, the list of connections, and one timer that sweeps all time-outs.
 *
 * One sweep of thousands of connections costs less than a timer per request would, and
 * time-outs need no better precision than a fraction of a second.
 */
#include "http/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SWEEP_MS 500
#define SWEEP_MIN_MS 10
#define LISTEN_BACKLOG 1024

const char *
server_date(struct http_server *server)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now != server->date_s) {
		server->date_s = now;
		gmtime_r(&now, &tm);
		strftime(server->date, sizeof(server->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return server->date;
}

void
server_release(struct http_server *server)
{
	if (!server->is_freed || server->requests_count > 0 || server->dispatch.drainers > 0)
		return;
	pthread_mutex_destroy(&server->dispatch.mutex);
	talloc_free(server);
}

static void
listeners_enable(struct http_server *server, bool enable)
{
	for (struct http_listener *l = server->listeners; l != NULL; l = l->next) {
		if (enable)
			evconnlistener_enable(l->listener);
		else
			evconnlistener_disable(l->listener);
	}
}

static void
on_sweep(void *arg)
{
	struct http_server *server = arg;
	struct http_conn *conn, *next;
	int64_t now = clock_monotonic_ms();

	for (conn = TAILQ_FIRST(&server->conns); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, entry);
		conn_check(conn, now);
	}
	if (server->is_paused) {
		server->is_paused = false;
		listeners_enable(server, true);
	}
	loop_timer_set(server->sweep, server->sweep_ms);
}

/* Over the maximum: said in words, since silence looks like a broken network. */
static void
refuse_connection(struct http_conn *conn)
{
	static const char body[] =
	    "{\"error\":{\"code\":\"busy\",\"message\":\"the server has its "
	    "maximum of connections; try again in a second\"}}";
	char reply[512];
	int n = snprintf(reply, sizeof(reply),
			 "HTTP/1.1 503 Service Unavailable\r\nDate: %s\r\n"
			 "Content-Type: application/json; charset=utf-8\r\nRetry-After: 1\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
			 server_date(conn->server), sizeof(body) - 1, body);

	conn_send(conn, reply, (size_t)n);
	conn_linger(conn);
}

static void
peer_text(const struct sockaddr *address, char *out, size_t size)
{
	const void *ip = &((const struct sockaddr_in *)(const void *)address)->sin_addr;

	if (address->sa_family == AF_INET6)
		ip = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	if (inet_ntop(address->sa_family, ip, out, (socklen_t)size) == NULL)
		snprintf(out, size, "unknown");
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
	  int length, void *arg)
{
	struct http_server *server = ((struct http_listener *)arg)->server;
	char peer[HTTP_PEER_MAX];
	struct http_conn *conn;

	(void)listener;
	(void)length;
	if (server->conns_count >= server->limits.connections_max + HTTP_CONNECTIONS_OVER) {
		close(fd);
		return;
	}
	peer_text(address, peer, sizeof(peer));
	conn = conn_new(server, fd, peer);
	if (server->conns_count > server->limits.connections_max)
		refuse_connection(conn);
}

/* Usually out of descriptors: without a pause the loop would spin on the same error. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct http_server *server = ((struct http_listener *)arg)->server;

	(void)listener;
	if (!server->is_paused)
		log_warn("http", "cannot accept connections for a moment: %s",
			 strerror(EVUTIL_SOCKET_ERROR()));
	server->is_paused = true;
	listeners_enable(server, false);
}

static int64_t
or_default(int64_t value, int64_t otherwise)
{
	return value > 0 ? value : otherwise;
}

static void
limits_fill(struct http_limits *limits)
{
	limits->header_ms = or_default(limits->header_ms, HTTP_HEADER_TIMEOUT_MS);
	limits->body_ms = or_default(limits->body_ms, HTTP_BODY_TIMEOUT_MS);
	limits->idle_ms = or_default(limits->idle_ms, HTTP_IDLE_TIMEOUT_MS);
	limits->write_ms = or_default(limits->write_ms, HTTP_WRITE_TIMEOUT_MS);
	limits->linger_ms = or_default(limits->linger_ms, HTTP_LINGER_MS);
	if (limits->connections_max == 0)
		limits->connections_max = HTTP_CONNECTIONS_MAX;
	if (limits->queue_max == 0)
		limits->queue_max = HTTP_QUEUE_MAX;
	if (limits->bodies_budget == 0)
		limits->bodies_budget = HTTP_BODIES_BUDGET;
}

/* A quarter of the shortest time-out, so that tests with short ones are served as well. */
static int64_t
sweep_interval(const struct http_limits *limits)
{
	const int64_t all[] = {limits->header_ms, limits->body_ms, limits->idle_ms,
			       limits->write_ms, limits->linger_ms};
	int64_t least = SWEEP_MS;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] / 4 < least)
			least = all[i] / 4;
	return least < SWEEP_MIN_MS ? SWEEP_MIN_MS : least;
}

int
http_server_new(struct http_server **out, const struct http_server_config *config,
		struct error *err)
{
	struct http_server *server = talloc_zero(NULL, struct http_server);

	(void)err;
	if (server == NULL)
		abort();
	signal(SIGPIPE,
	       SIG_IGN); /* writev has no flag for it; a client that went is no signal */
	server->config = *config;
	server->limits = config->limits;
	limits_fill(&server->limits);
	TAILQ_INIT(&server->conns);
	TAILQ_INIT(&server->resuming);
	server->resume = loop_timer_new(config->loop, relay_resume, server);
	server->router = router_new(server, config->routes, config->routes_count);
	dispatch_init(server);
	server->sweep_ms = sweep_interval(&server->limits);
	server->sweep = loop_timer_new(config->loop, on_sweep, server);
	loop_timer_set(server->sweep, server->sweep_ms);
	*out = server;
	return 0;
}

static void
note_port(struct http_server *server, struct evconnlistener *listener)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (server->port != 0 || getsockname(evconnlistener_get_fd(listener),
					     (struct sockaddr *)&address, &length) < 0)
		return;
	if (address.ss_family == AF_INET6)
		server->port = ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
	else
		server->port = ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

/* "127.0.0.1:3003" or "[::1]:3003"; libevent's own reader refuses port 0. */
static int
parse_address(const char *text, struct sockaddr_storage *out, int *length)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
	char host[INET6_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);
	unsigned port;
	int used = 0;

	memset(out, 0, sizeof(*out));
	if (n == 0 || n >= sizeof(host) || sscanf(colon + 1, "%5u%n", &port, &used) != 1 ||
	    colon[1 + used] != '\0' || port > 65535)
		return -1;
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*length = sizeof(*v4);
		return 0;
	}
	if (host[0] != '[' || host[n - 1] != ']')
		return -1;
	host[n - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
		return -1;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	*length = sizeof(*v6);
	return 0;
}

int
http_server_listen(struct http_server *server, const char *address, struct error *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
	struct http_listener *l;
	struct sockaddr_storage storage;
	int length;

	if (parse_address(address, &storage, &length) < 0)
		return error_set(
		    err, ERR_CONFIG,
		    "cannot listen on \"%s\": write an address and a port, such as "
		    "127.0.0.1:3003 or [::1]:3003",
		    address);
	l = talloc_zero(server, struct http_listener);
	if (l == NULL)
		abort();
	l->server = server;
	l->listener =
	    evconnlistener_new_bind(loop_base(server->config.loop), on_accept, l, flags,
				    LISTEN_BACKLOG, (struct sockaddr *)&storage, length);
	if (l->listener == NULL) {
		talloc_free(l);
		return error_set_errno(err, ERR_SYSTEM, "cannot listen on %s", address);
	}
	evconnlistener_set_error_cb(l->listener, on_accept_error);
	l->next = server->listeners;
	server->listeners = l;
	note_port(server, l->listener);
	return 0;
}

int
http_server_port(const struct http_server *server)
{
	return server->port;
}

static void
listeners_free(struct http_server *server)
{
	for (struct http_listener *l = server->listeners; l != NULL; l = l->next)
		evconnlistener_free(l->listener);
	server->listeners = NULL;
}

void
http_server_drain(struct http_server *server)
{
	struct http_conn *conn, *next;

	server->is_draining = true;
	listeners_free(server);
	for (conn = TAILQ_FIRST(&server->conns); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, entry);
		if (conn->state == CONN_IDLE && conn_unsent(conn) == 0)
			conn_close(conn);
	}
}

size_t
http_server_connections(const struct http_server *server)
{
	return server->conns_count;
}

size_t
http_server_relays(const struct http_server *server)
{
	return server->relays;
}

void
http_server_free(struct http_server *server)
{
	if (server == NULL)
		return;
	listeners_free(server);
	while (!TAILQ_EMPTY(&server->conns))
		conn_close(TAILQ_FIRST(&server->conns));
	loop_timer_free(server->sweep);
	loop_timer_free(server->resume);
	dispatch_close(server);
	server->is_freed = true;
	server_release(server);
}
