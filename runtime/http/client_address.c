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
#include <strings.h>

struct range {
	uint8_t bytes[16];
	int bits;
};

/* IANA's special-purpose registries, and an address at which a cloud hands out credentials. */
static const struct {
	const char *range, *what;
} refused[] = {
    {"0.0.0.0/8", "this host"},
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "shared by carriers and clouds"},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local, and where clouds hand out credentials"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "reserved"},
    {"192.0.2.0/24", "for documentation"},
    {"192.88.99.0/24", "reserved"},
    {"192.168.0.0/16", "private"},
    {"198.18.0.0/15", "for benchmarks"},
    {"198.51.100.0/24", "for documentation"},
    {"203.0.113.0/24", "for documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved"},
    {"168.63.129.16/32", "a cloud's own service"},
    {"::/128", "this host"},
    {"::1/128", "loopback"},
    {"64:ff9b:1::/48", "a local translation of IPv4"},
    {"100::/64", "thrown away"},
    {"2001::/32", "a tunnel"},
    {"2001:db8::/32", "for documentation"},
    {"3fff::/20", "for documentation"},
    {"5f00::/16", "reserved"},
    {"fc00::/7", "private"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "private"},
    {"ff00::/8", "multicast"},
};

struct address_rules {
	struct range refused[sizeof(refused) / sizeof(refused[0])]; /* row by row */
	struct range allowed[ADDRESS_RANGES_MAX];
	size_t allowed_count;
};

/* Where an IPv4 address hides, and at which byte. */
static const struct {
	const char *range, *what;
	int at;
} embedded[] = {
    {"64:ff9b::/96", "NAT64 of ", 12},
    {"2002::/16", "6to4 of ", 2},
    {"::/96", "inside ::/96, ", 12},
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

int
address_rules_parse(TALLOC_CTX *mem, const char *allow, struct address_rules **out,
		    struct error *err)
{
	struct address_rules *rules = talloc_zero(mem, struct address_rules);

	if (rules == NULL)
		abort();
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (parse_range(refused[i].range, strlen(refused[i].range),
				&rules->refused[i]) < 0)
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
is_allowed(const struct address_rules *rules, const uint8_t bytes[16])
{
	for (size_t i = 0; i < rules->allowed_count; i++)
		if (range_has(&rules->allowed[i], bytes))
			return true;
	return false;
}

static const char *
text_of(const uint8_t bytes[16], char text[INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return inet_ntop(AF_INET, bytes + 12, text, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, bytes, text, INET6_ADDRSTRLEN);
}

/* within: "NAT64 of ", or "". */
static bool
is_refused(const struct address_rules *rules, const uint8_t bytes[16], const char *within,
	   char why[ADDRESS_WHY_MAX])
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (range_has(&rules->refused[i], bytes)) {
			if (why != NULL)
				snprintf(why, ADDRESS_WHY_MAX, "%s%s is %s (%s)", within,
					 text_of(bytes, text), refused[i].what,
					 refused[i].range);
			return true;
		}
	return false;
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

/* Where the IPv4 address that is inside hides; NULL when there is none. */
static const char *
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
		return embedded[i].what;
	}
	return NULL;
}

static bool
may_reach(const struct address_rules *rules, const uint8_t bytes[16], char why[ADDRESS_WHY_MAX])
{
	const char *within;
	uint8_t inner[16];

	if (is_allowed(rules, bytes))
		return true;
	if (is_refused(rules, bytes, "", why))
		return false;
	within = unwrap(bytes, inner);
	return within == NULL || is_allowed(rules, inner) ||
	       !is_refused(rules, inner, within, why);
}

bool
address_may_connect(const struct address_rules *rules, const struct sockaddr *address,
		    char why[ADDRESS_WHY_MAX])
{
	uint8_t bytes[16];

	if (!bytes_of(address, bytes)) {
		if (why != NULL)
			snprintf(why, ADDRESS_WHY_MAX, "it is no internet address");
		return false;
	}
	return may_reach(rules, bytes, why);
}

static bool
is_own_name(const char *host)
{
	size_t n = strlen(host);

	return n == 0 || (n >= 9 && strcasecmp(host + n - 9, "localhost") == 0 &&
			  (n == 9 || host[n - 10] == '.'));
}

bool
address_may_name(const struct address_rules *rules, const char *host, char why[ADDRESS_WHY_MAX])
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	char name[256];
	size_t n;

	/* Without brackets, zone and the dots at a name's end. */
	n = host[0] == '[' ? strcspn(host + 1, "]%") : strlen(host);
	snprintf(name, sizeof(name), "%.*s", (int)n, host + (host[0] == '['));
	for (n = strlen(name); n > 0 && name[n - 1] == '.';)
		name[--n] = '\0';
	if (inet_pton(AF_INET6, name, &v6.sin6_addr) == 1)
		return address_may_connect(rules, (const struct sockaddr *)&v6, why);
	if (inet_aton(name, &v4.sin_addr) != 0) /* also 127.1, 0x7f.1 and 2130706433 */
		return address_may_connect(rules, (const struct sockaddr *)&v4, why);
	if (!is_own_name(name))
		return true;
	inet_aton("127.0.0.1", &v4.sin_addr);
	return address_may_connect(rules, (const struct sockaddr *)&v4, why);
}
