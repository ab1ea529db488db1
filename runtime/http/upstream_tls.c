/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/upstream_tls -- TLS to providers: certificates are checked against the host's name,
 * HTTP/2 or HTTP/1.1 is agreed on (ALPN), and the newest session of an origin is used again.
 */
#include "http/upstream_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_AHEAD_BYTES (64 * 1024)

static int
set_error(struct error *err, const char *what)
{
	unsigned long code = ERR_get_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	ERR_clear_error();
	return error_set(err, ERR_NETWORK, "%s: %s", what, reason == NULL ? "failed" : reason);
}

/* A session came: of TLS 1.3 behind the handshake, several times. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct link *link = SSL_get_app_data(ssl);

	SSL_SESSION_free(link->origin->session);
	link->origin->session = session;
	return 1; /* it is kept */
}

static int
use_certificate(SSL_CTX *ctx, const char *certificate, const char *private_key)
{
	BIO *chain = BIO_new_mem_buf(certificate, -1),
	    *key_text = BIO_new_mem_buf(private_key, -1);
	X509 *own = PEM_read_bio_X509(chain, NULL, NULL, NULL), *more;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(key_text, NULL, NULL, NULL);
	bool works = own != NULL && key != NULL && SSL_CTX_use_certificate(ctx, own) == 1 &&
		     SSL_CTX_use_PrivateKey(ctx, key) == 1;

	while (works && (more = PEM_read_bio_X509(chain, NULL, NULL, NULL)) != NULL)
		works = SSL_CTX_add0_chain_cert(ctx, more) == 1;
	X509_free(own);
	EVP_PKEY_free(key);
	BIO_free(chain);
	BIO_free(key_text);
	return works ? 0 : -1;
}

int
tls_context(SSL_CTX **out, const char *ca_file, const char *certificate,
	    const char *private_key, struct error *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		abort();
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1); /* several records a read */
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD_BYTES);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	if ((ca_file != NULL ? SSL_CTX_load_verify_file(ctx, ca_file)
			     : SSL_CTX_set_default_verify_paths(ctx)) != 1) {
		SSL_CTX_free(ctx);
		return set_error(err, ca_file != NULL
					  ? ca_file
					  : "the system's certificates cannot be read");
	}
	if (certificate != NULL && use_certificate(ctx, certificate, private_key) < 0) {
		SSL_CTX_free(ctx);
		return set_error(err, "the connection's client certificate cannot be used");
	}
	ERR_clear_error();
	*out = ctx;
	return 0;
}

static bool
is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* A copy: OpenSSL uses one of TLS 1.3 once, and not all servers issue another when it was. */
static void
use_session(SSL *ssl, const SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	if (copy == NULL)
		abort();
	SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}

/* HTTP/2 first, unless it is not wanted, here or there. */
static void
offer(const struct link *link)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	size_t skip = link->origin->wants_old || link->upstream->config.is_h2_off ? 3 : 0;

	SSL_set_alpn_protos(link->ssl, both + skip, (unsigned)(sizeof(both) - 1 - skip));
}

bool
tls_speaks_h2(const struct link *link)
{
	const unsigned char *name;
	unsigned length;

	SSL_get0_alpn_selected(link->ssl, &name, &length);
	return length == 2 && memcmp(name, "h2", 2) == 0;
}

int
tls_begin(struct link *link, struct error *err)
{
	struct origin *origin = link->origin;
	const struct upstream_place *place = origin->place;
	SSL_CTX *ctx = link->upstream->ssl;

	if (place->certificate != NULL && origin->ssl == NULL &&
	    tls_context(&origin->ssl, link->upstream->config.ca_file, place->certificate,
			place->private_key, err) < 0)
		return -1;
	link->ssl = SSL_new(origin->ssl != NULL ? origin->ssl : ctx);
	if (link->ssl == NULL)
		abort();
	SSL_set_app_data(link->ssl, link);
	offer(link);
	if (is_address(place->host)) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(link->ssl), place->host);
	} else {
		SSL_set1_host(link->ssl, place->host);
		SSL_set_tlsext_host_name(link->ssl, place->host);
	}
	if (origin->session != NULL)
		use_session(link->ssl, origin->session);
	SSL_set_fd(link->ssl, link->fd);
	SSL_set_connect_state(link->ssl);
	return 0;
}

static enum tls_result
result_of(struct link *link, int n)
{
	switch (SSL_get_error(link->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_EOF;
	default:
		return TLS_FAILED;
	}
}

enum tls_result
tls_shake(struct link *link, struct error *err)
{
	enum tls_result result;
	long verdict;
	int n;

	ERR_clear_error();
	n = SSL_do_handshake(link->ssl);
	if (n == 1)
		return TLS_DONE;
	result = result_of(link, n);
	if (result != TLS_FAILED && result != TLS_EOF)
		return result;
	verdict = SSL_get_verify_result(link->ssl);
	if (verdict != X509_V_OK) {
		ERR_clear_error();
		error_set(err, ERR_NETWORK, "the certificate of %s does not hold: %s",
			  link->origin->place->host, X509_verify_cert_error_string(verdict));
	} else {
		set_error(err, "TLS");
	}
	return TLS_FAILED;
}

enum tls_result
tls_read(struct link *link, void *out, size_t size, size_t *length)
{
	int n;

	ERR_clear_error();
	n = SSL_read(link->ssl, out, (int)size);
	*length = n > 0 ? (size_t)n : 0;
	return n > 0 ? TLS_DONE : result_of(link, n);
}

enum tls_result
tls_write(struct link *link, const void *data, size_t length, size_t *written)
{
	int n;

	ERR_clear_error();
	n = SSL_write(link->ssl, data, length > 65536 ? 65536 : (int)length);
	*written = n > 0 ? (size_t)n : 0;
	return n > 0 ? TLS_DONE : result_of(link, n);
}

/* Most often the socket has nothing, and TLS need not look. */
static enum tls_result
peek(struct link *link)
{
	char byte;
	int n;

	if (!SSL_has_pending(link->ssl) &&
	    recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
		return TLS_WANTS_READ;
	ERR_clear_error();
	n = SSL_peek(link->ssl, &byte, 1);
	return n > 0 ? TLS_DONE : result_of(link, n);
}

bool
tls_is_quiet(struct link *link)
{
	return peek(link) == TLS_WANTS_READ;
}

bool
tls_is_over(struct link *link)
{
	enum tls_result result = peek(link);

	return result == TLS_EOF || result == TLS_FAILED;
}
