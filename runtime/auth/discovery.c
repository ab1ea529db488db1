/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/discovery -- see discovery.h.
 */
#include "auth/discovery.h"
#include "auth/canonical.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* A name of this machine, or an address of a network that is nobody else's. */
static bool
is_private(const char *host)
{
	static const struct {
		uint32_t net;
		int bits;
	} nets[] = {{0x7f000000, 8}, {0x0a000000, 8}, {0xac100000, 12}, {0xc0a80000, 16}};
	char text[64];
	size_t length = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	struct in_addr address;

	if (length >= sizeof(text))
		return false;
	memcpy(text, host, length);
	text[length] = '\0';
	if (strcasecmp(text, "localhost") == 0 || strcmp(text, "[::1]") == 0 ||
	    strncasecmp(text, "[fc", 3) == 0 || strncasecmp(text, "[fd", 3) == 0)
		return true;
	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if (((ntohl(address.s_addr) ^ nets[i].net) >> (32 - nets[i].bits)) == 0)
			return true;
	return false;
}

static bool
is_address(const char *host)
{
	size_t length = strcspn(host, ":");

	if (host[0] == '[')
		return true;
	if (length == 9 && strncasecmp(host, "localhost", length) == 0)
		return true;
	return strspn(host, "0123456789.xXabcdefABCDEF") >= length &&
	       (isdigit((unsigned char)host[length - 1]) != 0);
}

/* What a stranger's document names is asked for only at https and by name; in networks that the
 * operator has opened also otherwise. */
static int
check_url(struct auth_grant *grant, const char *url, struct canonical_url *parts,
	  struct error *err)
{
	if (canonical_url_split(grant->mem, url, parts, err) < 0)
		return error_set(err, ERR_PROVIDER, "\"%.200s\" is no URL", url);
	if (grant->allows_http && is_private(parts->host))
		return 0;
	if (strcmp(parts->scheme, "https") != 0 || is_address(parts->host))
		return error_set(err, ERR_PROVIDER,
				 "\"%.200s\" must be an https URL with a host name", url);
	return 0;
}

/* A document as an object; ERR_NOT_FOUND when there is none. */
static int
get(struct auth_grant *grant, const char *url, struct json_object **out, struct error *err)
{
	struct auth_request request = {.method = "GET",
				       .url = url,
				       .headers =
					   json_own(grant->mem, json_object_new_object())};
	struct auth_answer answer;

	json_add(request.headers, "accept", "application/json");
	if (grant->send(grant->send_arg, grant->mem, &request, &answer, err) < 0)
		return -1;
	if (answer.status < 200 || answer.status > 299)
		return error_set(err, ERR_NOT_FOUND, "%.200s answered %d", url, answer.status);
	if (json_parse(grant->mem, answer.body, answer.body_length, out, err) < 0 ||
	    !json_object_is_type(*out, json_type_object))
		return error_set(err, ERR_PROVIDER, "%.200s holds no JSON object", url);
	return 0;
}

/* The well-known document of a URL: with its path behind, and then without. */
static int
get_known(struct auth_grant *grant, const struct canonical_url *u, const char *name,
	  struct json_object **out, struct error *err)
{
	const char *paths[] = {strcmp(u->path, "/") == 0 ? "" : u->path, ""};

	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(paths[i]);

		while (length > 0 && paths[i][length - 1] == '/')
			length--;
		if (get(grant,
			talloc_asprintf(grant->mem, "%s://%s/.well-known/%s%.*s", u->scheme,
					u->host, name, (int)length, paths[i]),
			out, err) == 0)
			return 0;
		if (err->code != ERR_NOT_FOUND)
			return -1;
	}
	return -1;
}

/* RFC 9728, 3.3: a document speaks for its own server only. Else a token for somebody else's
 * would be sent there. */
static int
check_resource(struct auth_grant *grant, const char *resource, const struct canonical_url *u,
	       struct error *err)
{
	struct canonical_url parts;
	size_t length;

	if (canonical_url_split(grant->mem, resource, &parts, err) == 0 &&
	    strcmp(parts.scheme, u->scheme) == 0 && strcasecmp(parts.host, u->host) == 0) {
		length = strlen(parts.path);
		length -= length > 0 && parts.path[length - 1] == '/';
		if (strncmp(parts.path, u->path, length) == 0 &&
		    (u->path[length] == '\0' || u->path[length] == '/'))
			return 0;
	}
	return error_set(err, ERR_PROVIDER,
			 "the server's document is about another resource: %.200s", resource);
}

/* The resource's document names its authorization server; older servers are their own. */
static int
find_issuer(struct auth_grant *grant, const char *server_url, const struct canonical_url *u,
	    const char **issuer, const char **resource, struct error *err)
{
	struct json_object *document, *servers;

	*resource = server_url;
	*issuer = talloc_asprintf(grant->mem, "%s://%s", u->scheme, u->host);
	if (get_known(grant, u, "oauth-protected-resource", &document, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	servers = json_array_in(document, "authorization_servers");
	if (servers != NULL && json_object_array_length(servers) > 0)
		*issuer = json_object_get_string(json_object_array_get_idx(servers, 0));
	if (*issuer == NULL)
		return error_set(err, ERR_PROVIDER,
				 "authorization_servers of %.200s must be URLs", server_url);
	if (json_string(document, "resource") != NULL)
		*resource = json_string(document, "resource");
	return check_resource(grant, *resource, u, err);
}

static bool
is_same(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	n -= n > 0 && a[n - 1] == '/';
	m -= m > 0 && b[m - 1] == '/';
	return n == m && strncmp(a, b, n) == 0;
}

static bool
has_s256(struct json_object *document)
{
	struct json_object *methods =
	    json_array_in(document, "code_challenge_methods_supported");

	if (methods == NULL)
		return true; /* it does not say */
	for (size_t i = 0; i < json_object_array_length(methods); i++) {
		struct json_object *method = json_object_array_get_idx(methods, i);

		if (json_object_is_type(method, json_type_string) &&
		    strcmp(json_object_get_string(method), "S256") == 0)
			return true;
	}
	return false;
}

static int
take(struct auth_grant *grant, struct json_object *document, const char *issuer,
     struct json_object *out, struct error *err)
{
	static const struct {
		const char *name;
		bool is_required;
	} rows[] = {{"authorization_endpoint", true},
		    {"token_endpoint", true},
		    {"registration_endpoint", false}};
	const char *said = json_string(document, "issuer");
	struct canonical_url parts;

	if (said == NULL || !is_same(said, issuer))
		return error_set(err, ERR_PROVIDER,
				 "the metadata of %.200s is that of another issuer", issuer);
	if (!has_s256(document))
		return error_set(err, ERR_PROVIDER, "%.200s does not take PKCE with S256",
				 issuer);
	json_add_boolean(
	    out, "takes_client_document",
	    json_boolean(document, "client_id_metadata_document_supported", false));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *url = json_string(document, rows[i].name);

		if (url == NULL && rows[i].is_required)
			return error_set(err, ERR_PROVIDER, "the metadata of %.200s has no %s",
					 issuer, rows[i].name);
		if (url == NULL)
			continue;
		if (check_url(grant, url, &parts, err) < 0)
			return -1;
		json_add(out, rows[i].name, url);
	}
	return 0;
}

int
discovery_find(struct auth_grant *grant, const char *server_url, struct json_object **out,
	       struct error *err)
{
	struct json_object *made = json_own(grant->mem, json_object_new_object()), *document;
	struct canonical_url server, authorization;
	const char *issuer, *resource;

	if (check_url(grant, server_url, &server, err) < 0 ||
	    find_issuer(grant, server_url, &server, &issuer, &resource, err) < 0 ||
	    check_url(grant, issuer, &authorization, err) < 0)
		return -1;
	if (get_known(grant, &authorization, "oauth-authorization-server", &document, err) <
		0 &&
	    (err->code != ERR_NOT_FOUND ||
	     get_known(grant, &authorization, "openid-configuration", &document, err) < 0))
		return err->code == ERR_NOT_FOUND
			   ? error_set(err, ERR_PROVIDER,
				       "%.200s has no metadata of an authorization server",
				       issuer)
			   : -1;
	json_add(made, "resource", resource);
	json_add(made, "issuer", issuer);
	*out = made;
	return take(grant, document, issuer, made, err);
}

int
discovery_register(struct auth_grant *grant, const char *registration_url,
		   const char *redirect_uri, struct json_object *more, struct json_object **out,
		   struct error *err)
{
	static const char *const grants[] = {"authorization_code", "refresh_token"};
	struct token_request request = {.url = registration_url, .format = "json"};
	struct json_object *list, *answer, *made;

	request.params = json_own(grant->mem, json_object_new_object());
	json_add(request.params, "client_name", "nangod");
	list = json_object_new_array();
	json_object_array_add(list, json_object_new_string(redirect_uri));
	json_object_object_add(request.params, "redirect_uris", list);
	list = json_object_new_array();
	for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++)
		json_object_array_add(list, json_object_new_string(grants[i]));
	json_object_object_add(request.params, "grant_types", list);
	list = json_object_new_array();
	json_object_array_add(list, json_object_new_string("code"));
	json_object_object_add(request.params, "response_types", list);
	json_add(request.params, "token_endpoint_auth_method", "none");
	if (more != NULL) {
		json_object_object_foreach (more, key, value)
			json_object_object_add(request.params, key, json_object_get(value));
	}
	if (token_send(grant, &request, &answer, err) < 0)
		return error_prefix(err, "the client could not be registered: ");
	if (json_string(answer, "client_id") == NULL)
		return error_set(err, ERR_PROVIDER,
				 "the registration's answer holds no client_id: %s",
				 token_describe(grant, answer));
	made = json_own(grant->mem, json_object_new_object());
	json_add(made, "client_id", json_string(answer, "client_id"));
	if (json_string(answer, "client_secret") != NULL)
		json_add(made, "client_secret", json_string(answer, "client_secret"));
	*out = made;
	return 0;
}
