/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api/access -- see access.h.
 */
#include "api/access.h"
#include "auth/apikey.h"

#include <string.h>
#include <strings.h>

/* "environment:*" and "environment:connections:*" hold what begins like them. */
static bool
scope_holds(const char *given, size_t length, const char *wanted)
{
	static const char prefix[] = "environment:";

	if (length < sizeof(prefix) - 1 || strncmp(given, prefix, sizeof(prefix) - 1) != 0)
		return false;
	given += sizeof(prefix) - 1;
	length -= sizeof(prefix) - 1;
	if (length > 0 && given[length - 1] == '*')
		return strncmp(given, wanted, length - 1) == 0;
	return strlen(wanted) == length && strncmp(given, wanted, length) == 0;
}

bool
access_scopes_hold(const char *scopes, const char *scope)
{
	const char *p = scopes;

	while (*p != '\0') {
		size_t length = strcspn(p, " ");

		if (scope_holds(p, length, scope))
			return true;
		p += length + (p[length] == ' ');
	}
	return false;
}

bool
call_may(const struct call *call, const char *scope)
{
	if (scope[0] == '\0' || call->key == NULL)
		return call->key != NULL;
	return access_scopes_hold(call->key->scopes, scope);
}

int
access_read_key(struct request *req, const char **key, struct error *err)
{
	const char *header = request_header(req, "authorization");

	if (header == NULL)
		return error_set(
		    err, ERR_MISSING_AUTH,
		    "send the environment's secret key as `Authorization: Bearer <key>`");
	if (strncasecmp(header, "Bearer ", 7) != 0)
		return error_set(err, ERR_MALFORMED_AUTH,
				 "the Authorization header must be `Bearer <key>`");
	*key = header + 7 + strspn(header + 7, " ");
	if (!id_is_uuid4(*key))
		return error_set(err, ERR_KEY_FORMAT, "the key is not a UUID v4");
	return 0;
}

static int
check_key(struct call *call, const struct api_route *route, struct error *err)
{
	unsigned char hash[CRYPTO_SHA256_BYTES];
	const char *key;
	struct db *db;

	if (access_read_key(call->req, &key, err) < 0)
		return -1;
	apikey_hash(hash, key);
	if (call_db(call, &db, err) < 0 ||
	    api_key_find(call->mem, db, hash, sizeof(hash), &call->key, &call->env, err) < 0)
		return -1;
	if (!call_may(call, route->scope))
		return error_set(err, ERR_FORBIDDEN,
				 "Insufficient scope. Required: environment:%s", route->scope);
	return 0;
}

#define SESSION_PREFIX "nango_connect_session_"
#define SESSION_HEX 64

void
access_session_token(char out[ACCESS_SESSION_TOKEN_MAX])
{
	unsigned char bytes[SESSION_HEX / 2];

	crypto_random(bytes, sizeof(bytes));
	strcpy(out, SESSION_PREFIX);
	crypto_hex(out + sizeof(SESSION_PREFIX) - 1, bytes, sizeof(bytes));
	crypto_wipe(bytes, sizeof(bytes));
}

static const char *
session_token(struct request *req)
{
	const char *header = request_header(req, "authorization");

	if (header != NULL && strncasecmp(header, "Bearer ", 7) == 0)
		return header + 7 + strspn(header + 7, " ");
	return request_query(req, "connect_session_token");
}

int
access_session(struct call *call, struct error *err)
{
	const char *token = session_token(call->req);
	unsigned char hash[CRYPTO_SHA256_BYTES];
	struct db *db;

	if (token == NULL)
		return error_set(err, ERR_MISSING_AUTH,
				 "a connect session's token is needed: as `Authorization: "
				 "Bearer <token>` or connect_session_token=");
	if (strncmp(token, SESSION_PREFIX, sizeof(SESSION_PREFIX) - 1) != 0 ||
	    strlen(token) != sizeof(SESSION_PREFIX) - 1 + SESSION_HEX)
		return error_set(err, ERR_SESSION_FORMAT,
				 "the token is not that of a connect session");
	crypto_sha256(hash, token, strlen(token));
	if (call_db(call, &db, err) < 0 ||
	    connect_session_find(call->mem, db, hash, sizeof(hash), &call->session, err) < 0)
		return -1;
	return environment_find(call->mem, db, call->session->environment_id, &call->env, err);
}

int
access_check(struct call *call, const struct api_route *route, struct error *err)
{
	switch (route->access) {
	case API_OPEN:
		return 0;
	case API_KEY:
		return check_key(call, route, err);
	case API_SESSION:
		return access_session(call, err);
	case API_PAGE:
		if (call->node->is_dev)
			return 0;
		return error_set(err, ERR_FORBIDDEN,
				 "this page is open in `nangod dev` only: it has no sign-in");
	}
	return error_set(err, ERR_FORBIDDEN, "no access");
}

/* "localhost:3003", "[::1]:3003", "127.0.0.1": does the name mean this machine? */
static bool
is_local_host(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = strlen(names[i]);

		if (strncasecmp(host, names[i], n) == 0 &&
		    (host[n] == '\0' || (host[n] == ':' && strspn(host + n + 1, "0123456789") ==
							       strlen(host + n + 1))))
			return true;
	}
	return false;
}

static bool
has_body(const struct request *req)
{
	const char *length = request_header(req, "content-length");

	return request_header(req, "transfer-encoding") != NULL ||
	       (length != NULL && strcmp(length, "0") != 0);
}

/* Queries are not read yet: it is found in the target as it stands. */
static bool
names_session(const struct request *req)
{
	const char *header = request_header(req, "authorization");

	return strstr(request_target(req), SESSION_PREFIX) != NULL ||
	       (header != NULL && strstr(header, SESSION_PREFIX) != NULL);
}

/* Providers have no key of ours: their signature is checked once the body is there. */
static bool
is_webhook(const struct request *req)
{
	static const char prefix[] = "/webhook/";

	return strncmp(request_target(req), prefix, strlen(prefix)) == 0;
}

int
access_admit(struct request *req, struct node *node, struct error *err)
{
	const char *host = request_header(req, "host");
	const char *origin = request_header(req, "origin");
	const char *key;

	if (is_webhook(req)) /* in dev, too, through a tunnel with a name of its own */
		return 0;
	/* Every other route with a body needs a key or a session: without one nothing is
	 * buffered. */
	if (has_body(req) && !names_session(req) && access_read_key(req, &key, err) < 0)
		return -1;
	if (!node->is_dev)
		return 0;
	if (host != NULL && !is_local_host(host))
		return error_set(
		    err, ERR_FORBIDDEN,
		    "nangod dev answers to localhost only, not to \"%s\": use `nangod "
		    "serve` for other names",
		    host);
	if (origin != NULL &&
	    !(strncasecmp(origin, "http://", 7) == 0 && is_local_host(origin + 7)))
		return error_set(err, ERR_FORBIDDEN,
				 "nangod dev takes no requests from pages of \"%s\"", origin);
	return 0;
}
