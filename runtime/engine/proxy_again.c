/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine/proxy_again -- by the template's rules and the caller's: whether an answer is followed
 * by another try, and when.
 *
 * A try is repeated only where that is harmless: nothing was sent, the method is safe to
 * repeat, the provider said 429, or 401 to credentials that are made anew.
 */
#include "engine/proxy_internal.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "engine/freshen.h"
#include "http/url.h"
#include "run/fetch_request.h"
#include "run/fetch_rules.h"

#include <stdlib.h>
#include <string.h>

/* ---- which ---- */

static bool
is_asked_for(const struct proxy *proxy, int status)
{
	for (const int *s = proxy->options.retry_on; *s != 0; s++)
		if (*s == status)
			return true;
	return false;
}

static bool
may_retry(const struct proxy *proxy, const struct upstream_answer *answer)
{
	if (!proxy->is_body_whole || proxy->attempt >= proxy->options.retries)
		return false;
	if (!proxy_may_repeat_method(proxy) && answer->status != 429)
		return false;
	/* Nobody waits that long: the answer says it. */
	if (fetch_asked_ms(proxy->target->target.retry, answer->status, answer->fields, NULL,
			   clock_wall_ms()) > FETCH_WAIT_MAX_MS)
		return false;
	return is_asked_for(proxy, answer->status) ||
	       fetch_may_repeat(proxy->target->target.retry, answer->status, answer->fields);
}

/* Once what it told is known. */
static void
retry(struct proxy *proxy)
{
	struct json_object *rules = proxy->target->target.retry;
	const char *told = fetch_told(proxy, rules, proxy->told.data, proxy->told.length);

	proxy_note_told(proxy, told);
	proxy_send_at(proxy,
		      fetch_wait_ms(rules, proxy->dropped_status, proxy->dropped_fields, told,
				    proxy->attempt++, clock_wall_ms(), crypto_random_part()));
}

/* 401 to credentials that can be made anew, and are not new: once. */
static bool
may_renew(const struct proxy *proxy, const struct upstream_answer *answer)
{
	const struct cached_target *t = proxy->target;

	return answer->status == 401 && t->is_renewable && !proxy->was_renewed &&
	       !proxy->is_foreign && clock_monotonic_ms() - t->born_ms >= FRESHEN_AGAIN_MS;
}

static void
on_renewed_for_others(void *arg, const struct cached_target *found, const struct error *err)
{
	struct proxy *proxy = arg;

	(void)err; /* who asks next hears of it */
	proxy->ask = NULL;
	cache_drop_target(found);
}

/* This one cannot be sent again: those that follow are to have better credentials. */
static void
renew_for_others(struct proxy *proxy)
{
	proxy->was_renewed = true;
	cache_renew(proxy->node->cache, proxy->target, on_renewed_for_others, proxy,
		    &proxy->ask);
}

/* ---- redirects ---- */

static bool
is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 ||
	       status == 308;
}

/* RFC 9110 15.4: 303 is to be read; a POST becomes a GET at 301 and 302, as everybody does. */
static bool
becomes_get(const struct proxy *proxy, int status)
{
	bool is_read = strcmp(proxy->method, "GET") == 0 || strcmp(proxy->method, "HEAD") == 0;

	return !is_read &&
	       (status == 303 || (status < 303 && strcmp(proxy->method, "POST") == 0));
}

/* What was put into the body would be sent to the other host. */
static bool
takes_secrets_along(const struct proxy *proxy, int status)
{
	const struct fetch_target *target = &proxy->target->target;

	return target->body != NULL && proxy->body.length > 0 && !becomes_get(proxy, status) &&
	       !target->follows_with_all && !proxy->options.follows_with_all;
}

/* False: the answer is passed on as it is. */
static bool
may_follow(struct proxy *proxy, const struct upstream_answer *answer)
{
	const struct fetch_target *target = &proxy->target->target;
	const char *location = fetch_field(answer->fields, "location");
	struct upstream_place *place;
	struct error err;
	char *url;

	/* While a body is streamed its rest cannot be taken back: it would follow on the wire.
	 */
	if (!is_redirect(answer->status) || location == NULL || proxy->hops == PROXY_HOPS_MAX ||
	    !proxy->is_body_whole)
		return false;
	url = http_url_resolve(proxy, proxy_url(proxy, proxy), location);
	if (url == NULL)
		return false;
	proxy->led_to = url;
	/* From another host on nothing is put in, even when it leads back. */
	if (!http_url_same_origin(upstream_place_url(proxy->place), url)) {
		if (takes_secrets_along(proxy, answer->status))
			return false;
		proxy->is_foreign = true;
	}
	if (!proxy->is_foreign && (url = proxy_put_in_query(proxy, url)) == NULL)
		return false;
	if (upstream_place_new(proxy, url, proxy->is_foreign ? NULL : target->certificate,
			       target->private_key, &place, &err) < 0)
		return false;
	proxy->place = place; /* its own: the target may be asked for anew */
	proxy->url = url;
	if (becomes_get(proxy, answer->status)) {
		proxy->method = "GET";
		buf_reset(&proxy->body);
		proxy->is_body_whole = true;
	}
	proxy->hops++;
	return true;
}

/* ---- an answer that is not passed on ---- */

static void
keep_fields(struct proxy *proxy, const struct http_field *fields)
{
	unsigned count = 0;

	while (fields[count].name != NULL)
		count++;
	talloc_free(proxy->dropped_fields);
	proxy->dropped_fields = talloc_zero_array(proxy, struct http_field, count + 1);
	if (proxy->dropped_fields == NULL)
		abort();
	for (unsigned i = 0; i < count; i++)
		proxy->dropped_fields[i] =
		    (struct http_field){talloc_strdup(proxy->dropped_fields, fields[i].name),
					talloc_strdup(proxy->dropped_fields, fields[i].value)};
}

static void
drop(struct proxy *proxy, const struct upstream_answer *answer, void (*next)(struct proxy *))
{
	proxy->state = PROXY_DROPPING;
	proxy->next = next;
	proxy->dropped_status = answer->status;
	keep_fields(proxy, answer->fields);
	talloc_free(proxy->told.data);
	buf_init(&proxy->told, proxy, 256);
	proxy_set_timer(proxy, PROXY_DROP_MS);
	if (answer->length > PROXY_TOLD_BYTES) { /* not worth its connection */
		proxy_leave_drop(proxy);
	}
}

void
proxy_drop_data(struct proxy *proxy, const char *data, size_t length)
{
	if (proxy->told.length + length <= PROXY_TOLD_BYTES)
		buf_add(&proxy->told, data, length);
	else
		proxy_leave_drop(proxy);
}

/* ---- a refusal that is passed on, and may tell a time in its body ---- */

static void
listen_to(struct proxy *proxy, const struct upstream_answer *answer)
{
	proxy->listens = answer->status >= 400 && answer->has_body &&
			 json_object_in(proxy->target->target.retry, "in_body") != NULL;
	if (!proxy->listens)
		return;
	proxy->dropped_status = answer->status;
	keep_fields(proxy, answer->fields);
	talloc_free(proxy->told.data);
	buf_init(&proxy->told, proxy, 256);
}

void
proxy_hear(struct proxy *proxy, const char *data, size_t length)
{
	if (proxy->listens && proxy->told.length + length <= PROXY_TOLD_BYTES)
		buf_add(&proxy->told, data, length);
	else
		proxy->listens = false;
}

void
proxy_heard(struct proxy *proxy)
{
	if (proxy->listens)
		proxy_note_told(proxy, fetch_told(proxy, proxy->target->target.retry,
						  proxy->told.data, proxy->told.length));
}

/* ---- what follows ---- */

/* Of refusals, and of what a provider tells of its limit with every answer. */
static void
note_answer(struct proxy *proxy, const struct upstream_answer *answer)
{
	struct json_object *rules = proxy->target->target.retry;
	int64_t asked = -1;

	if (proxy->asking.scopes == NULL || (answer->status < 400 && rules == NULL))
		return;
	if (answer->status >= 400)
		asked = fetch_asked_ms(rules, answer->status, answer->fields, NULL,
				       clock_wall_ms());
	if (proxy->asking.url == NULL)
		proxy->asking.url = proxy_url(proxy, proxy);
	budget_note(proxy->node->front_budget, &proxy->asking, answer->status, answer->fields,
		    asked);
}

/* What the body tells of the limit. */
void
proxy_note_told(struct proxy *proxy, const char *told)
{
	int64_t asked = fetch_asked_ms(proxy->target->target.retry, proxy->dropped_status,
				       proxy->dropped_fields, told, clock_wall_ms());

	if (told != NULL && proxy->asking.scopes != NULL && !proxy->is_foreign)
		budget_note(proxy->node->front_budget, &proxy->asking, proxy->dropped_status,
			    proxy->dropped_fields, asked);
}

bool
proxy_again(struct proxy *proxy, const struct upstream_answer *answer)
{
	void (*next)(struct proxy *) = NULL;
	bool renews = may_renew(proxy, answer);

	if (!proxy->is_foreign)
		note_answer(proxy, answer);
	if (renews && proxy->is_body_whole)
		next = proxy_renew;
	else if (renews)
		renew_for_others(proxy);
	else if (may_retry(proxy, answer))
		next = retry;
	else if (may_follow(proxy, answer))
		next = proxy_send;
	if (next != NULL)
		drop(proxy, answer, next);
	else
		listen_to(proxy, answer);
	return next != NULL;
}

bool
proxy_again_after(struct proxy *proxy, const struct error *err, bool was_sent)
{
	bool is_harmless = !was_sent || proxy_may_repeat_method(proxy);
	bool is_passing =
	    err->code == ERR_NETWORK || (err->code == ERR_GATEWAY_TIMEOUT && !was_sent);

	if (!is_passing || !is_harmless || !proxy->is_body_whole ||
	    proxy->attempt >= proxy->options.retries)
		return false;
	proxy_send_at(proxy, fetch_wait_ms(NULL, 0, NULL, NULL, proxy->attempt++,
					   clock_wall_ms(), crypto_random_part()));
	return true;
}
