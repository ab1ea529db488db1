/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_place -- where an upstream is, read from a URL; see upstream.h. Any thread.
 */
#include "http/upstream_internal.h"

#include "base/crypto.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The parts of an URL that say where; NULLs where it is none for us. */
static void
read_url(TALLOC_CTX *mem, const char *text, char **host, char **port)
{
	CURLU *url = curl_url();
	char *name = NULL, *number = NULL;

	if (url == NULL)
		abort();
	*host = *port = NULL;
	if (curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &name, CURLU_PUNYCODE) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PORT, &number, CURLU_DEFAULT_PORT) == CURLUE_OK) {
		*host = talloc_strdup(mem, name);
		*port = talloc_strdup(mem, number);
	}
	curl_free(name);
	curl_free(number);
	curl_url_cleanup(url);
}

/* Connections of different certificates are kept apart. */
static void
make_key(struct upstream_place *place)
{
	unsigned char hash[CRYPTO_SHA256_BYTES];
	char hex[2 * CRYPTO_SHA256_BYTES + 1] = "";
	char *both;

	if (place->certificate != NULL) {
		both = talloc_asprintf(place, "%s%s", place->certificate, place->private_key);
		crypto_sha256(hash, both, strlen(both));
		crypto_hex(hex, hash, sizeof(hash));
		crypto_wipe(both, strlen(both));
		talloc_free(both);
	}
	place->key = talloc_asprintf(place, "%s%s%s", place->url, *hex == '\0' ? "" : "#", hex);
	if (place->key == NULL)
		abort();
}

int
upstream_place_new(TALLOC_CTX *mem, const char *url, const char *certificate,
		   const char *private_key, struct upstream_place **out, struct error *err)
{
	bool is_tls = strncasecmp(url, "https://", 8) == 0;
	struct upstream_place *place;
	char *host, *port;

	read_url(mem, url, &host, &port);
	if (host == NULL || (!is_tls && strncasecmp(url, "http://", 7) != 0))
		return error_set(err, ERR_BAD_REQUEST,
				 "\"%.200s\" is not an http or https URL without a user", url);
	place = talloc_zero(mem, struct upstream_place);
	if (place == NULL)
		abort();
	place->is_tls = is_tls;
	place->port = atoi(port);
	place->authority = place->port == (is_tls ? 443 : 80)
			       ? talloc_strdup(place, host)
			       : talloc_asprintf(place, "%s:%d", host, place->port);
	place->url =
	    talloc_asprintf(place, "%s://%s:%d", is_tls ? "https" : "http", host, place->port);
	if (host[0] == '[') { /* an IPv6 address, without its brackets and zone */
		host++;
		host[strcspn(host, "]%")] = '\0';
	}
	place->host = talloc_strdup(place, host);
	if (certificate != NULL && private_key != NULL) {
		place->certificate = talloc_strdup(place, certificate);
		place->private_key = crypto_secret(place, private_key, strlen(private_key));
	}
	make_key(place);
	*out = place;
	return 0;
}

struct upstream_place *
place_copy(const struct upstream_place *from)
{
	struct upstream_place *place = talloc_zero(NULL, struct upstream_place);

	if (place == NULL)
		abort();
	place->key = talloc_strdup(place, from->key);
	place->host = talloc_strdup(place, from->host);
	place->authority = talloc_strdup(place, from->authority);
	place->url = talloc_strdup(place, from->url);
	place->port = from->port;
	place->is_tls = from->is_tls;
	if (from->certificate != NULL) {
		place->certificate = talloc_strdup(place, from->certificate);
		place->private_key =
		    crypto_secret(place, from->private_key, strlen(from->private_key));
	}
	return place;
}

const char *
upstream_place_host(const struct upstream_place *place)
{
	return place->authority;
}

const char *
upstream_place_url(const struct upstream_place *place)
{
	return place->url;
}
