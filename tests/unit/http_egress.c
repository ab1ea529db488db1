/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client: URLs that somebody gives in order to reach what only this machine can. Each must
 * be refused before a byte leaves, with the rule that refuses it.
 */
#include "base/loop.h"
#include "base/pool.h"
#include "http/client.h"

#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static atomic_int served, asked;

/*
 * Stands in for the system's: what curl asks of it. A name of rebind.test is 127.0.0.1,
 * whatever it was when somebody looked before; no other name may be asked for in these tests.
 */
__attribute__((visibility("default"))) int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
	    struct addrinfo **out)
{
	static int (*real)(const char *, const char *, const struct addrinfo *,
			   struct addrinfo **);
	size_t n = node == NULL ? 0 : strlen(node);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (n >= 11 && strcmp(node + n - 11, "rebind.test") == 0) {
		atomic_fetch_add(&asked, 1);
		return real("127.0.0.1", service, hints, out);
	}
	if (node != NULL && strspn(node, "0123456789abcdefABCDEF.:xX") != n)
		return EAI_NONAME;
	return real(node, service, hints, out);
}

struct fixture {
	struct loop *loop;
	struct pool *pool;
	struct http_server *server;
	struct http_client *client;
	int port, code, was_sent;
	char message[ERROR_MESSAGE_MAX];
	bool is_done;
};

static int
handle(struct request *req, const struct http_route *route, struct response *res,
       struct error *err)
{
	(void)req;
	(void)route;
	(void)err;
	atomic_fetch_add(&served, 1);
	return response_empty(res, 200);
}

static const struct http_route routes[] = {{"GET", "/", 0, ""}};

static void
make_client(struct fixture *f, const char *allow, const char *proxy, const char *direct)
{
	struct http_client_config config = {
	    .loop = f->loop, .egress_allow = allow, .proxy = proxy, .direct = direct};
	struct error err;

	http_client_free(f->client);
	assert_int_equal(http_client_new(&f->client, &config, &err), 0);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct http_server_config config = {
	    .routes = routes, .routes_count = 1, .handle = handle};
	struct error err;

	assert_non_null(f);
	assert_int_equal(loop_new(&f->loop, &err), 0);
	assert_int_equal(pool_new(&f->pool, "test", 2, 64, &err), 0);
	config.loop = f->loop;
	config.pool = f->pool;
	assert_int_equal(http_server_new(&f->server, &config, &err), 0);
	assert_int_equal(http_server_listen(f->server, "127.0.0.1:0", &err), 0);
	f->port = http_server_port(f->server);
	make_client(f, NULL, NULL, NULL);
	atomic_store(&served, 0);
	atomic_store(&asked, 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	http_client_free(f->client);
	http_server_free(f->server);
	pool_free(f->pool);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void
on_done(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct fixture *f = arg;

	f->is_done = true;
	f->was_sent = answer->was_sent;
	f->code = err == NULL ? -1 : (int)err->code;
	snprintf(f->message, sizeof(f->message), "%s", err == NULL ? "" : err->message);
	loop_stop(f->loop);
}

/* format may hold %d: the port of a server that must not be reached. */
static void
ask(struct fixture *f, const char *format)
{
	const char *place = strstr(format, "%d");
	char url[512];
	struct http_outgoing request = {.method = "GET", .url = url, .timeout_ms = 2000};

	if (place == NULL)
		snprintf(url, sizeof(url), "%s", format);
	else
		snprintf(url, sizeof(url), "%.*s%d%s", (int)(place - format), format, f->port,
			 place + 2);
	f->is_done = false;
	assert_non_null(http_client_send(f->client, &request, on_done, f));
	while (!f->is_done)
		loop_run(f->loop);
}

/* What the message says of the rule; NULL: it is not an URL for us at all. */
static const struct {
	const char *url, *rule;
} hostile[] = {
    /* loopback, spelled in every way that a URL allows */
    {"http://127.0.0.1:%d/", "127.0.0.1 is loopback (127.0.0.0/8)"},
    {"https://127.0.0.1:%d/", "loopback"},
    {"http://127.0.0.1.:%d/", "loopback"},
    {"http://127.1:%d/", "loopback"},
    {"http://127.0.1:%d/", "loopback"},
    {"http://127.255.255.254:%d/", "loopback"},
    {"http://2130706433:%d/", "loopback"},
    {"http://017700000001:%d/", "loopback"},
    {"http://0x7f000001:%d/", "loopback"},
    {"http://0x7F.0.0.1:%d/", "loopback"},
    {"http://0x7f.1:%d/", "loopback"},
    {"http://0177.0.0.1:%d/", "loopback"},
    {"http://0177.0.0.01:%d/", "loopback"},
    {"http://00000177.0.0.1:%d/", "loopback"},
    {"http://127.0.0.0x1:%d/", "loopback"},
    {"http://%31%32%37.0.0.1:%d/", "loopback"},
    {"http://127%2e0%2e0%2e1:%d/", "loopback"},
    {"http://localhost:%d/", "loopback"},
    {"http://LOCALHOST:%d/", "loopback"},
    {"http://LocalHost.:%d/", "loopback"},
    {"http://a.localhost:%d/", "loopback"},
    {"http://localhost.localhost:%d/", "loopback"},
    {"http://%6c%6f%63%61%6c%68%6f%73%74:%d/", "loopback"},
    {"http://[::1]:%d/", "::1 is loopback (::1/128)"},
    {"http://[0:0:0:0:0:0:0:1]:%d/", "loopback"},
    {"http://[0000::0001]:%d/", "loopback"},
    {"http://[::ffff:127.0.0.1]:%d/", "127.0.0.1 is loopback"},
    {"http://[::ffff:7f00:1]:%d/", "127.0.0.1 is loopback"},
    {"http://[0:0:0:0:0:ffff:127.0.0.1]:%d/", "loopback"},
    {"http://[::127.0.0.1]:%d/", "inside ::/96, 127.0.0.1 is loopback"},
    {"http://[64:ff9b::127.0.0.1]:%d/", "NAT64 of 127.0.0.1 is loopback"},
    {"http://[2002:7f00:1::]:%d/", "6to4 of 127.0.0.1 is loopback"},
    {"http://0.0.0.0:%d/", "0.0.0.0 is this host"},
    {"http://0:%d/", "this host"},
    {"http://0x0:%d/", "this host"},
    {"http://0.1.2.3:%d/", "this host"},
    {"http://[::]:%d/", "this host"},
    {"http://[::ffff:0.0.0.0]:%d/", "this host"},
    /* names that point there, whatever they pointed to before */
    {"http://rebind.test:%d/", NULL},
    {"http://public.rebind.test:%d/", NULL},
    /* where clouds hand out credentials */
    {"http://169.254.169.254/latest/meta-data/", "clouds hand out credentials"},
    {"http://2852039166/", "clouds hand out credentials"},
    {"http://0xa9fea9fe/", "clouds hand out credentials"},
    {"http://0251.0376.0251.0376/", "clouds hand out credentials"},
    {"http://169.254.43518/", "clouds hand out credentials"},
    {"http://169.16689662/", "clouds hand out credentials"},
    {"http://[::ffff:169.254.169.254]/", "clouds hand out credentials"},
    {"http://[::ffff:a9fe:a9fe]/", "clouds hand out credentials"},
    {"http://[64:ff9b::a9fe:a9fe]/", "clouds hand out credentials"},
    {"http://[2002:a9fe:a9fe::1]/", "clouds hand out credentials"},
    {"http://169.254.170.2/v2/credentials", "clouds hand out credentials"},
    {"http://[fd00:ec2::254]/latest/meta-data/", "private (fc00::/7)"},
    {"http://168.63.129.16/", "a cloud's own service"},
    {"http://100.100.100.200/", "shared by carriers and clouds"},
    {"http://192.0.0.192/opc/v1/", "reserved (192.0.0.0/24)"},
    /* the inside of a network */
    {"http://10.0.0.1/", "private (10.0.0.0/8)"},
    {"http://10.255.255.255/", "private"},
    {"http://167772161/", "private"},
    {"http://012.0.0.1/", "private"},
    {"http://172.16.0.1/", "private (172.16.0.0/12)"},
    {"http://172.31.255.255/", "private"},
    {"http://0xac.0x10.0x0.0x1/", "private"},
    {"http://192.168.0.1/", "private (192.168.0.0/16)"},
    {"http://192.168.257/", "private"},
    {"http://3232235521/", "private"},
    {"http://[::ffff:192.168.0.1]/", "private"},
    {"http://[64:ff9b::c0a8:1]/", "private"},
    {"http://[fc00::1]/", "private"},
    {"http://[fdff:ffff::1]/", "private"},
    {"http://[fe80::1]/", "link-local"},
    {"http://[fe80::1%25lo]/", "link-local"},
    {"http://[fec0::1]/", "private"},
    {"http://100.64.0.1/", "shared"},
    {"http://100.127.255.254/", "shared"},
    /* nobody's, everybody's */
    {"http://192.0.2.1/", "documentation"},
    {"http://198.51.100.1/", "documentation"},
    {"http://203.0.113.1/", "documentation"},
    {"http://[2001:db8::1]/", "documentation"},
    {"http://198.18.0.1/", "benchmarks"},
    {"http://224.0.0.1/", "multicast"},
    {"http://239.255.255.255/", "multicast"},
    {"http://[ff02::1]/", "multicast"},
    {"http://240.0.0.1/", "reserved"},
    {"http://255.255.255.255/", "reserved"},
    {"http://4294967295/", "reserved"},
    {"http://[2001:0:7f00:1::1]/", "a tunnel"},
    {"http://[64:ff9b:1::7f00:1]/", "a local translation"},
};

/* Not http or https, or written so that two parsers may see two hosts. */
static const char *const malformed[] = {
    "file:///etc/passwd",
    "ftp://127.0.0.1/",
    "gopher://127.0.0.1:%d/_GET",
    "dict://127.0.0.1:%d/",
    "ldap://127.0.0.1/",
    "unix:///run/postgresql/.s.PGSQL.5432",
    "http+unix://%2Frun%2Fdocker.sock/",
    "//127.0.0.1:%d/",
    "127.0.0.1:%d",
    "",
    "http://",
    "http:///",
    "http://:%d/",
    "http://user@127.0.0.1:%d/",
    "http://api.example.com@127.0.0.1:%d/",
    "http://127.0.0.1:%d@api.example.com/",
    "http://a:b@127.0.0.1:%d/",
    "http://127.0.0.1:%d\\@api.example.com/",
    "http://127.0.0.1:%d:80/",
    "http://127.0.0.1:99999/",
    "http://[127.0.0.1]:%d/",
    "http://[::1:%d/",
    "http://127.0.0.1\r\nHost: a:%d/",
    "http://127.0.0.1 :%d/",
    "http://127.0.0.1\t:%d/",
    "http://127.0.0.1%00.example.com:%d/",
    /* not ASCII: would be 127.0.0.1 and localhost once it is made so */
    "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.\xe2\x93\xaa.\xe2\x93\xaa.\xe2\x91\xa0:%d/",
    "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1:%d/",
    "http://127\xe3\x80\x82"
    "0\xe3\x80\x82"
    "0\xe3\x80\x82"
    "1:%d/",
    "http://\xe2\x93\x9bocalhost:%d/",
};

static void
check_hostile(struct fixture *f)
{
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		if (hostile[i].rule == NULL)
			continue;
		ask(f, hostile[i].url);
		if (f->code != ERR_EGRESS || f->was_sent ||
		    strstr(f->message, hostile[i].rule) == NULL ||
		    strstr(f->message, "NANGO_EGRESS_ALLOW") == NULL)
			fail_msg("%s: code %d, sent %d: %s", hostile[i].url, f->code,
				 f->was_sent, f->message);
	}
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		ask(f, malformed[i]);
		if (f->code != ERR_BAD_REQUEST || f->was_sent)
			fail_msg("%s: code %d, sent %d: %s", malformed[i], f->code, f->was_sent,
				 f->message);
	}
	assert_int_equal(atomic_load(&served), 0);
}

static void
test_hostile(void **state)
{
	check_hostile(*state);
}

static void
test_names(void **state)
{
	struct fixture *f = *state;
	int names = 0;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		if (hostile[i].rule != NULL)
			continue;
		names++;
		ask(f, hostile[i].url);
		if (f->code != ERR_EGRESS)
			fail_msg("%s: %d %s", hostile[i].url, f->code, f->message);
		assert_false(f->was_sent);
		assert_non_null(strstr(f->message, "127.0.0.1 is loopback (127.0.0.0/8)"));
	}
	assert_int_equal(names, 2);
	assert_int_equal(atomic_load(&asked), names); /* curl asked the stand-in */
	assert_int_equal(atomic_load(&served), 0);
	/* The same name where the operator opened the range: it was the rule that refused. */
	make_client(f, "127.0.0.0/8", NULL, NULL);
	ask(f, "http://rebind.test:%d/");
	assert_int_equal(f->code, -1);
	assert_int_equal(atomic_load(&served), 1);
}

/* Through a proxy, nobody here sees the address that is connected to. */
static void
test_proxy(void **state)
{
	struct fixture *f = *state;
	char proxy[64];

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", f->port);
	make_client(f, NULL, proxy, NULL);
	check_hostile(f);
	/* The server stands in for the proxy: it answers the whole URL that it gets. */
	ask(f, "http://api.example.com/");
	assert_int_equal(f->code, -1);
	make_client(f, NULL, proxy, "example.org, example.com");
	ask(f, "http://api.example.com/");
	assert_int_equal(f->code, ERR_NETWORK); /* no such name: it was not for the proxy */
	ask(f, "http://notexample.com/");
	assert_int_equal(f->code, -1);
	make_client(f, "127.0.0.0/8", "http://127.0.0.1:1", "127.0.0.1");
	ask(f, "http://127.0.0.1:%d/");
	assert_int_equal(f->code, -1);
	assert_int_equal(atomic_load(&served), 3);
}

static void
test_bad_proxy(void **state)
{
	static const char *const texts[] = {"proxy:3128", "socks5://127.0.0.1:1080", "http://",
					    "http://proxy.example.com/path"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct http_client_config config = {.loop = f->loop, .proxy = texts[i]};
		struct http_client *client;
		struct error err;

		if (http_client_new(&client, &config, &err) == 0)
			fail_msg("%s was taken", texts[i]);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.message, "NANGO_HTTPS_PROXY"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_hostile, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_proxy, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_bad_proxy, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
