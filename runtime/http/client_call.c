/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_call -- one call's life with curl: what is asked, what comes back.
 *
 * Curl itself would send a POST twice when a reused connection turns out to be dead; it is
 * stopped before that (on_prerequest), because only the caller knows whether a call may be
 * repeated.
 */
#include "http/client_internal.h"
#include "base/clock.h"
#include "http/syntax.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define KEEP_IDLE_S 60L /* a connection that was idle longer is not used again */

bool
http_method_is_unsafe(const char *method)
{
	static const char *const repeatable[] = {"GET",	   "HEAD",     "OPTIONS", "PUT",
						 "DELETE", "PROPFIND", "REPORT",  "SEARCH"};

	for (size_t i = 0; i < sizeof(repeatable) / sizeof(repeatable[0]); i++)
		if (strcmp(repeatable[i], method) == 0)
			return false;
	return true;
}

/* ---- curl's callbacks about one call ---- */

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t n = size * count;

	if (call->answer.length + n > call->response_max) {
		call->is_too_large = true;
		return 0;
	}
	buf_add(&call->answer, data, n);
	return n;
}

/* Lines of all heads; a status line begins a new one (100 Continue comes before the answer's).
 */
static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t n = size * count, length = n;

	if (n >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		buf_reset(&call->head);
		call->head_fields = 0;
		call->has_head = false;
		return n;
	}
	while (length > 0 && (data[length - 1] == '\r' || data[length - 1] == '\n'))
		length--;
	if (call->head.length + length > HTTP_CLIENT_HEADER_MAX ||
	    call->head_fields == HTTP_CLIENT_FIELDS_MAX) {
		call->is_too_large = true;
		return 0;
	}
	call->has_head |= length == 0;
	if (length == 0 || memchr(data, ':', length) == NULL ||
	    memchr(data, '\0', length) != NULL)
		return n;
	buf_add(&call->head, data, length);
	buf_addc(&call->head, '\0');
	call->head_fields++;
	return n;
}

/* The address that is really connected to, whatever the name said before. */
static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_call *call = arg;

	(void)purpose;
	/* A proxy is the operator's own; call_check has judged what it is asked for. */
	if (call->proxy[0] == '\0' &&
	    !address_may_connect(call->client->rules, &address->addr, call->why)) {
		call->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int
on_prerequest(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct http_call *call = arg;

	(void)remote;
	(void)local;
	(void)remote_port;
	(void)local_port;
	if (call->attempts++ > 0 && http_method_is_unsafe(call->method)) {
		call->is_repeat = true;
		return CURL_PREREQFUNC_ABORT;
	}
	return CURL_PREREQFUNC_OK;
}

/* ---- a call's beginning ---- */

static int
add_header(struct http_call *call, const struct http_field *field)
{
	const char *value = field->value == NULL ? "" : field->value;
	struct curl_slist *longer;
	char *line;

	if (!http_is_token(field->name, strlen(field->name)) ||
	    !http_is_field_value(value, strlen(value)))
		return error_set(
		    &call->err, ERR_BAD_REQUEST,
		    "the header \"%.100s\" holds a byte that does not belong there",
		    field->name);
	/* An empty value needs curl's own spelling; "Name:" would take the header away. */
	line = talloc_asprintf(call, *value == '\0' ? "%s;" : "%s: %s", field->name, value);
	longer = curl_slist_append(call->headers, line);
	if (line == NULL || longer == NULL)
		abort();
	call->headers = longer;
	talloc_free(line);
	return 0;
}

static void
drop_default(struct http_call *call, const char *line)
{
	struct curl_slist *longer = curl_slist_append(call->headers, line);

	if (longer == NULL)
		abort();
	call->headers = longer;
}

static int
add_headers(struct http_call *call, const struct http_field *fields)
{
	bool has_type = false, has_expect = false;

	for (; fields != NULL && fields->name != NULL; fields++) {
		if (add_header(call, fields) < 0)
			return -1;
		has_type |= strcasecmp(fields->name, "content-type") == 0;
		has_expect |= strcasecmp(fields->name, "expect") == 0;
	}
	if (!has_type)
		drop_default(call, "Content-Type:"); /* curl would say that it is a form */
	if (!has_expect)
		drop_default(call, "Expect:");
	return 0;
}

/* *host as the URL spells it; the result with its port. NULL: not an URL for us. */
static char *
host_key(struct http_call *call, char **host)
{
	CURLU *url = curl_url();
	char *name = NULL, *port = NULL, *key = NULL;

	if (url == NULL)
		abort();
	if (curl_url_set(url, CURLUPART_URL, call->url, CURLU_DISALLOW_USER) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &name, CURLU_PUNYCODE) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
		key = talloc_asprintf(call, "%s:%s", name, port);
		*host = talloc_strdup(call, name);
	}
	curl_free(name);
	curl_free(port);
	curl_url_cleanup(url);
	return key;
}

static void
describe_refusal(struct http_call *call)
{
	error_set(&call->err, ERR_EGRESS,
		  "%s is not reached: %s. NANGO_EGRESS_ALLOW opens ranges", call->queued.host,
		  call->why);
}

int
call_check(struct http_call *call, const struct http_outgoing *request)
{
	char *host, *key = host_key(call, &host);

	if (key == NULL || (strncasecmp(call->url, "http://", 7) != 0 &&
			    strncasecmp(call->url, "https://", 8) != 0))
		return error_set(&call->err, ERR_BAD_REQUEST,
				 "\"%.200s\" is not an http or https URL without a user",
				 call->url);
	if (!http_is_token(request->method, strlen(request->method)))
		return error_set(&call->err, ERR_BAD_REQUEST, "the method is not a word");
	call->queued.host = key;
	call->proxy = client_proxy_for(call->client->proxy, host);
	if (!address_may_name(call->client->rules, host, call->why)) {
		describe_refusal(call);
		return -1;
	}
	return call->late != NULL ? 0 : add_headers(call, request->headers);
}

/* curl keeps connections of different certificates apart. */
static void
set_certificate(CURL *easy, const struct http_call *call)
{
	struct curl_blob certificate, key;

	if (call->certificate == NULL)
		return;
	certificate =
	    (struct curl_blob){call->certificate, strlen(call->certificate), CURL_BLOB_NOCOPY};
	key =
	    (struct curl_blob){call->private_key, strlen(call->private_key), CURL_BLOB_NOCOPY};
	curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
	curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
	curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
	curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
}

static void
set_options(struct http_call *call, CURL *easy)
{
	const struct http_client *client = call->client;
	int64_t left = call->deadline_ms - clock_monotonic_ms();

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_URL, call->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY,
			 call->proxy); /* "": none, whatever the environment says */
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, client->http_version);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left < 1 ? 1 : left));
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CLIENT_CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, KEEP_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_prerequest);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	if (client->user_agent != NULL)
		curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
	if (client->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
	if (client->ca_file != NULL && call->proxy[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, client->ca_file);
	set_certificate(easy, call);
}

static void
set_method(struct http_call *call, CURL *easy)
{
	bool takes_body = strcmp(call->method, "POST") == 0 ||
			  strcmp(call->method, "PUT") == 0 ||
			  strcmp(call->method, "PATCH") == 0;

	if (strcmp(call->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (call->body_length > 0 || takes_body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)call->body_length);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
				 call->body == NULL ? "" : call->body);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

/* False: there is nothing to send, and the call is over. */
static bool
add_late(struct http_call *call)
{
	const struct http_field *fields;

	if (call->late == NULL || (call->late(call->late_arg, &fields, &call->err) == 0 &&
				   add_headers(call, fields) == 0))
		return true;
	call->is_over = true;
	TAILQ_INSERT_TAIL(&call->client->over, call, over_entry);
	loop_timer_set(call->client->kick, 0);
	return false;
}

void
call_start(struct http_call *call)
{
	struct http_client *client = call->client;

	if (call->waits_apart)
		call->deadline_ms = clock_monotonic_ms() + call->timeout_ms;
	call->easy = curl_easy_init();
	if (call->easy == NULL)
		abort();
	buf_init(&call->answer, call, 4096);
	buf_init(&call->head, call, 1024);
	if (!add_late(call))
		return;
	set_options(call, call->easy);
	set_method(call, call->easy);
	if (curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
		abort();
}

/* ---- a call's end ---- */

int
call_destructor(struct http_call *call)
{
	struct http_client *client = call->client;

	if (call->easy != NULL) {
		curl_multi_remove_handle(client->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	call_queue_leave(client->queue, &call->queued);
	curl_slist_free_all(call->headers);
	TAILQ_REMOVE(&client->calls, call, entry);
	if (call->is_over)
		TAILQ_REMOVE(&client->over, call, over_entry);
	return 0;
}

void
call_finish(struct http_call *call, const struct http_incoming *answer, const struct error *err)
{
	http_done *done = call->done;
	void *arg = call->arg;
	TALLOC_CTX *keep = talloc_new(NULL);

	/* The slot is free before the caller hears of it, and the answer still there. */
	talloc_reparent(call, keep, call->answer.data);
	talloc_reparent(call, keep, call->head.data);
	if (answer != NULL)
		talloc_reparent(call, keep, answer->headers);
	talloc_free(call);
	done(arg, answer, err);
	talloc_free(keep);
}

static bool
is_dropped(const char *name, bool was_decoded)
{
	return was_decoded &&
	       (strcmp(name, "content-encoding") == 0 || strcmp(name, "content-length") == 0);
}

/* "Name: value\0Name: value\0" as fields. What told of an encoding that is gone goes too. */
static struct http_field *
make_fields(struct http_call *call)
{
	struct http_field *fields =
	    talloc_array(call, struct http_field, (unsigned)call->head_fields + 1);
	bool was_decoded = false;
	size_t n = 0;
	char *line = call->head.data;

	if (fields == NULL)
		abort();
	for (size_t i = 0; i < call->head_fields; i++) {
		char *colon = strchr(line, ':'), *next = line + strlen(line) + 1;

		*colon = '\0';
		for (char *c = line; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c - 'A' + 'a');
		for (char *c = next - 2; c > colon && (*c == ' ' || *c == '\t'); c--)
			*c = '\0';
		colon += 1 + strspn(colon + 1, " \t");
		was_decoded |=
		    strcmp(line, "content-encoding") == 0 && strcasestr(colon, "gzip") != NULL;
		fields[n++] = (struct http_field){line, colon};
		line = next;
	}
	fields[n] = (struct http_field){NULL, NULL};
	for (size_t i = 0, kept = 0; i <= n; i++)
		if (fields[i].name == NULL || !is_dropped(fields[i].name, was_decoded))
			fields[kept++] = fields[i];
	return fields;
}

static void
describe_failure(struct http_call *call, CURLcode code)
{
	if (call->is_refused && code == CURLE_COULDNT_CONNECT)
		describe_refusal(call);
	else if (call->is_too_large)
		error_set(&call->err, ERR_NETWORK, "the answer of %s is over %zu bytes",
			  call->queued.host, call->response_max);
	else if (call->is_repeat)
		error_set(&call->err, ERR_NETWORK,
			  "%s closed the connection before it answered; a %s is not repeated",
			  call->queued.host, call->method);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		error_set(&call->err, ERR_NETWORK, "%s did not answer in time",
			  call->queued.host);
	else
		error_set(&call->err, ERR_NETWORK, "%s: %s", call->queued.host,
			  curl_easy_strerror(code));
}

void
call_ended(struct http_call *call, CURLcode code)
{
	struct http_incoming answer = {0};
	struct error err;
	long status = 0, sent = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent);
	answer.was_sent = sent > 0;
	if (code == CURLE_OK || (call->head_is_enough && call->has_head && status >= 200)) {
		answer.status = (int)status;
		answer.headers = make_fields(call);
		answer.body = call->answer.data;
		answer.body_length = call->answer.length;
		call_finish(call, &answer, NULL);
		return;
	}
	describe_failure(call, code);
	err = call->err;
	call_finish(call, &answer, &err);
}
