/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client_address -- see client_address.h. Every address is 16 bytes here, IPv4 as
 * ::ffff:a.b.c.d, so that one comparison serves both families.
 */
#include "http/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct range {
	uint8_t bytes[16];
	int bits;
};

struct address_rules {
	struct range refused[48], allowed[ADDRESS_RANGES_MAX];
	size_t refused_count, allowed_count;
};

/* IANA's special-purpose registries, and two addresses at which clouds hand out credentials. */
static const char *const refused[] = {
    "0.0.0.0/8",	"10.0.0.0/8",	   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12",	"192.0.0.0/24",	   "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15",	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
    "168.63.129.16/32", "::/128",	   "::1/128",	     "64:ff9b:1::/48", "100::/64",
    "2001::/32",	"2001:db8::/32",   "3fff::/20",	     "5f00::/16",      "fc00::/7",
    "fe80::/10",	"fec0::/10",	   "ff00::/8",
};

/* Where an IPv4 address hides, and at which byte. */
static const struct {
	const char *range, *what;
	int at;
} embedded[] = {
    {"64:ff9b::/96", "NAT64", 12},
    {"2002::/16", "6to4", 2},
    {"::/96", "IPv4-compatible", 12},
};

static int
parse_range(const char *text, size_t length, struct range *out)
{
	char copy[64], *slash;
	uint8_t v4[4];
	int most = 128, used = 0;

	if (length >= sizeof(copy))
		return -1;
	memcpy(copy, text, length);
	copy[length] = '\0';
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, copy, v4) == 1) {
		most = 32;
		out->bytes[10] = out->bytes[11] = 0xff;
		memcpy(out->bytes + 12, v4, 4);
	} else if (inet_pton(AF_INET6, copy, out->bytes) != 1) {
		return -1;
	}
	out->bits = most;
	if (slash != NULL && (sscanf(slash + 1, "%3d%n", &out->bits, &used) != 1 ||
			      slash[1 + used] != '\0' || out->bits < 0 || out->bits > most))
		return -1;
	out->bits += 128 - most;
	return 0;
}

static bool
range_has(const struct range *range, const uint8_t bytes[16])
{
	int whole = range->bits / 8, rest = range->bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (memcmp(range->bytes, bytes, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((range->bytes[whole] ^ bytes[whole]) & mask) == 0;
}

static bool
ranges_have(const struct range *ranges, size_t count, const uint8_t bytes[16])
{
	for (size_t i = 0; i < count; i++)
		if (range_has(&ranges[i], bytes))
			return true;
	return false;
}

int
address_rules_parse(TALLOC_CTX *mem, const char *allow, struct address_rules **out,
		    struct error *err)
{
	struct address_rules *rules = talloc_zero(mem, struct address_rules);

	if (rules == NULL)
		abort();
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (parse_range(refused[i], strlen(refused[i]),
				&rules->refused[rules->refused_count++]) < 0)
			abort();
	while (allow != NULL && *allow != '\0') {
		size_t n = strcspn(allow, ", ");

		if (n > 0 &&
		    (rules->allowed_count == ADDRESS_RANGES_MAX ||
		     parse_range(allow, n, &rules->allowed[rules->allowed_count++]) < 0)) {
			talloc_free(rules);
			return error_set(
			    err, ERR_CONFIG,
			    "NANGO_EGRESS_ALLOW: \"%.*s\" is not an address range; "
			    "write for example 10.1.0.0/16,::1/128 (at most %d)",
			    (int)n, allow, ADDRESS_RANGES_MAX);
		}
		allow += n + (allow[n] != '\0');
	}
	*out = rules;
	return 0;
}

static bool
bytes_of(const struct sockaddr *address, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	if (address->sa_family == AF_INET6) {
		memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
		       16);
		return true;
	}
	bytes[10] = bytes[11] = 0xff;
	memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	return address->sa_family == AF_INET;
}

/* The IPv4 address inside, as ::ffff:a.b.c.d; false when there is none. */
static bool
unwrap(const uint8_t bytes[16], uint8_t inner[16])
{
	struct range range;

	for (size_t i = 0; i < sizeof(embedded) / sizeof(embedded[0]); i++) {
		if (parse_range(embedded[i].range, strlen(embedded[i].range), &range) < 0 ||
		    !range_has(&range, bytes))
			continue;
		memset(inner, 0, 16);
		inner[10] = inner[11] = 0xff;
		memcpy(inner + 12, bytes + embedded[i].at, 4);
		return true;
	}
	return false;
}

bool
address_may_connect(const struct address_rules *rules, const struct sockaddr *address)
{
	uint8_t bytes[16], inner[16];

	if (!bytes_of(address, bytes))
		return false;
	if (ranges_have(rules->allowed, rules->allowed_count, bytes))
		return true;
	if (ranges_have(rules->refused, rules->refused_count, bytes))
		return false;
	return !unwrap(bytes, inner) ||
	       !ranges_have(rules->refused, rules->refused_count, inner) ||
	       ranges_have(rules->allowed, rules->allowed_count, inner);
}
