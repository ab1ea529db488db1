/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proxy/… -- what the caller asks for in its headers; engine/proxy does the rest.
 *
 * Empty values count as absent: clients send them for what was not set.
 */
#include "api/access.h"
#include "auth/apikey.h"
#include "engine/proxy.h"
#include "http/relay.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *
header(struct request *req, const char *name)
{
	const char *value = request_header(req, name);

	return value == NULL || value[0] == '\0' ? NULL : value;
}

static int
need(struct request *req, const char *name, const char *shown, const char **out,
     struct error *err)
{
	*out = header(req, name);
	if (*out == NULL)
		return error_set_at(err, ERR_INVALID_HEADERS, name, "%s is required", shown);
	return 0;
}

static int
read_number(struct request *req, const char *name, const char *shown, unsigned max,
	    unsigned *out, struct error *err)
{
	const char *value = header(req, name);
	size_t digits = value == NULL ? 0 : strspn(value, "0123456789");

	*out = 0;
	if (value == NULL)
		return 0;
	if (digits == 0 || digits > 6 || value[digits] != '\0')
		return error_set_at(err, ERR_INVALID_HEADERS, name,
				    "%s must be a whole number, not \"%.50s\"", shown, value);
	*out = (unsigned)atoi(value);
	if (*out > max)
		*out = max;
	return 0;
}

static int
read_flag(struct request *req, const char *name, const char *shown, bool *out,
	  struct error *err)
{
	const char *value = header(req, name);

	*out = value != NULL && strcasecmp(value, "true") == 0;
	if (value == NULL || *out || strcasecmp(value, "false") == 0)
		return 0;
	return error_set_at(err, ERR_INVALID_HEADERS, name,
			    "%s must be true or false, not \"%.50s\"", shown, value);
}

/* "418, 500" */
static int
read_statuses(struct request *req, int out[PROXY_STATUSES_MAX + 1], struct error *err)
{
	const char *at = header(req, "retry-on");
	size_t count = 0;
	char *end;

	out[0] = 0;
	while (at != NULL && *at != '\0') {
		long status = strtol(at, &end, 10);

		if (end == at || status < 100 || status > 599 || strchr(", ", *end) == NULL ||
		    count == PROXY_STATUSES_MAX)
			return error_set_at(err, ERR_INVALID_HEADERS, "retry-on",
					    "Retry-On must be statuses separated by commas, at "
					    "most %d",
					    PROXY_STATUSES_MAX);
		out[count++] = (int)status;
		out[count] = 0;
		at = end + strspn(end, ", ");
	}
	return 0;
}

static int
read_options(struct request *req, struct proxy_options *out, struct error *err)
{
	if (need(req, "provider-config-key", "Provider-Config-Key", &out->integration_key,
		 err) < 0 ||
	    need(req, "connection-id", "Connection-Id", &out->connection_id, err) < 0 ||
	    read_number(req, "retries", "Retries", PROXY_RETRIES_MAX, &out->retries, err) < 0 ||
	    read_statuses(req, out->retry_on, err) < 0 ||
	    read_flag(req, "decompress", "Decompress", &out->decodes, err) < 0 ||
	    read_flag(req, "forward-headers-on-redirect", "Forward-Headers-On-Redirect",
		      &out->follows_with_all, err) < 0)
		return -1;
	out->base_url = header(req, "base-url-override");
	return 0;
}

static void
begin(struct request *req, const struct http_route *route)
{
	unsigned char hash[CRYPTO_SHA256_BYTES];
	struct proxy_options options = {.key_hash = hash};
	struct error err;
	const char *key;

	(void)route;
	if (access_read_key(req, &key, &err) < 0 || read_options(req, &options, &err) < 0) {
		relay_refuse(req, &err);
		return;
	}
	apikey_hash(hash, key);
	proxy_begin(request_app(req), req, &options, access_scopes_hold);
}

const struct http_relay api_proxy = {
    .begin = begin,
    .data = proxy_data,
    .end = proxy_end,
    .drained = proxy_drained,
    .gone = proxy_gone,
};
