/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_address: where a request may go. Each row is a place an attacker would like.
 */
#include "http/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static bool
may(const struct address_rules *rules, const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return address_may_connect(rules, (struct sockaddr *)&v4, NULL);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return address_may_connect(rules, (struct sockaddr *)&v6, NULL);
}

static const struct {
	const char *why, *address;
	bool may;
} addresses_cases[] = {
    {"a public address", "140.82.121.6", true},
    {"a public IPv6 address", "2606:50c0:8000::154", true},
    {"loopback", "127.0.0.1", false},
    {"all of loopback", "127.255.255.254", false},
    {"this host", "0.0.0.0", false},
    {"private 10", "10.0.0.1", false},
    {"private 172.16, first", "172.16.0.0", false},
    {"private 172.16, last", "172.31.255.255", false},
    {"just below 172.16", "172.15.255.255", true},
    {"just above 172.31", "172.32.0.0", true},
    {"private 192.168", "192.168.1.1", false},
    {"the metadata service of most clouds", "169.254.169.254", false},
    {"Azure's wire server", "168.63.129.16", false},
    {"Alibaba's metadata, in the shared range", "100.100.100.200", false},
    {"carrier NAT, last", "100.127.255.255", false},
    {"just above carrier NAT", "100.128.0.0", true},
    {"Oracle's metadata", "192.0.0.192", false},
    {"benchmarks", "198.19.255.255", false},
    {"documentation", "203.0.113.7", false},
    {"multicast", "224.0.0.1", false},
    {"broadcast", "255.255.255.255", false},
    {"loopback of IPv6", "::1", false},
    {"no address", "::", false},
    {"unique local", "fd00::1", false},
    {"AWS's metadata by IPv6", "fd00:ec2::254", false},
    {"link-local", "fe80::1", false},
    {"site-local", "fec0::1", false},
    {"multicast of IPv6", "ff02::1", false},
    {"IPv4-mapped loopback", "::ffff:127.0.0.1", false},
    {"IPv4-mapped metadata", "::ffff:169.254.169.254", false},
    {"IPv4-mapped public", "::ffff:140.82.121.6", true},
    {"IPv4-compatible loopback", "::127.0.0.1", false},
    {"NAT64 of loopback", "64:ff9b::7f00:1", false},
    {"NAT64 of metadata", "64:ff9b::a9fe:a9fe", false},
    {"NAT64 of a public address", "64:ff9b::8c52:7906", true},
    {"local-use NAT64", "64:ff9b:1::8c52:7906", false},
    {"6to4 of loopback", "2002:7f00:1::1", false},
    {"6to4 of a private address", "2002:c0a8:101::1", false},
    {"Teredo carries an address that we cannot judge", "2001:0:1234::1", false},
    {"discard", "100::1", false},
};

static void
test_addresses(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct address_rules *rules;
	struct error err;

	(void)state;
	assert_int_equal(address_rules_parse(mem, NULL, &rules, &err), 0);
	for (size_t i = 0; i < sizeof(addresses_cases) / sizeof(addresses_cases[0]); i++)
		if (may(rules, addresses_cases[i].address) != addresses_cases[i].may)
			fail_msg("%s: %s", addresses_cases[i].why, addresses_cases[i].address);
	talloc_free(mem);
}

static void
test_allowed(void **state)
{
	static const struct {
		const char *why, *address;
		bool may;
	} cases[] = {
	    {"the range that was opened", "127.0.0.1", true},
	    {"mapped, it is the same address", "::ffff:127.0.0.1", true},
	    {"through NAT64 too", "64:ff9b::7f00:1", true},
	    {"a single address", "10.1.2.3", true},
	    {"its neighbour", "10.1.2.4", false},
	    {"an odd number of bits, inside", "192.168.127.255", true},
	    {"an odd number of bits, outside", "192.168.128.0", false},
	    {"IPv6", "::1", true},
	    {"the rest stays closed", "169.254.169.254", false},
	};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct address_rules *rules;
	struct error err;

	(void)state;
	assert_int_equal(address_rules_parse(
			     mem, "127.0.0.0/8,10.1.2.3, 192.168.0.0/17,::1/128", &rules, &err),
			 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (may(rules, cases[i].address) != cases[i].may)
			fail_msg("%s: %s", cases[i].why, cases[i].address);
	talloc_free(mem);
}

static void
test_bad_ranges(void **state)
{
	static const char *const texts[] = {"localhost",  "127.0.0.1/33", "127.0.0.1/",
					    "::1/129",	  "1.2.3",	  "10.0.0.0/8x",
					    "10.0.0.0/-1"};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct address_rules *rules;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (address_rules_parse(mem, texts[i], &rules, &err) == 0)
			fail_msg("%s was taken", texts[i]);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.message, texts[i]));
	}
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_allowed),
	    cmocka_unit_test(test_bad_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
