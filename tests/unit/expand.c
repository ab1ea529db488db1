/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/expand: each form of placeholders; tests/e2e/providers-expand.test.mjs has random
 * ones.
 */
#include "base/buf.h"
#include "provider/expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct json_object *
tree(TALLOC_CTX *mem, const char *text)
{
	struct json_object *out;
	struct error err;

	if (json_parse(mem, text, strlen(text), &out, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	return out;
}

/* The key of RFC 8032, section 7.1, test 1, and its public half. */
#define KEY "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"
#define PUBLIC "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static const struct {
	const char *why, *template;
	enum expand_mode mode;
	const char *out; /* NULL: a placeholder does not resolve */
} expansions[] = {
    {"text without placeholders", "plain $ {x}", EXPAND_TEXT, "plain $ {x}"},
    {"a credential by its own name", "Bearer ${apiKey}", EXPAND_TEXT, "Bearer k&y"},
    {"a credential by its path", "${credentials.apiKey}", EXPAND_TEXT, "k&y"},
    {"a nested path", "${credentials.raw.id}", EXPAND_TEXT, "7"},
    {"a flat key with a dot", "${connectionConfig.a.b}", EXPAND_TEXT, "flat"},
    {"metadata", "${metadata.team}", EXPAND_TEXT, "blue"},
    {"nothing of that name", "x${connectionConfig.nope}", EXPAND_TEXT, NULL},
    {"an empty value does not count", "${connectionConfig.empty}", EXPAND_TEXT, NULL},
    {"nor in the metadata", "${metadata.none}", EXPAND_TEXT, NULL},
    {"an object is no text", "${credentials.raw}", EXPAND_TEXT, NULL},
    {"the first alternative that resolves", "${connectionConfig.nope} || https://a",
     EXPAND_TEXT, "https://a"},
    {"the first of two that resolve", "${apiKey} || b", EXPAND_TEXT, "k&y"},
    {"no alternative resolves", "${metadata.x} || ${metadata.y}", EXPAND_TEXT, NULL},
    {"base64", "Basic ${base64(${username}:${password})}", EXPAND_TEXT, "Basic dTpwKHcp"},
    {"base64 in base64", "${base64(${base64(a)})}", EXPAND_TEXT, "WVE9PQ=="},
    {"no function of that name", "${nope(a)}", EXPAND_TEXT, NULL},
    {"an open brace stays", "${apiKey", EXPAND_TEXT, "${apiKey"},
    {"URL: values are encoded", "https://x/${apiKey}/y", EXPAND_URL, "https://x/k%26y/y"},
    {"URL: the start is taken as it is", "${connectionConfig.url}/v1", EXPAND_URL,
     "https://h:1/v1"},
    {"an empty password is a password", "${base64(${username}:${credentials.none})}",
     EXPAND_TEXT, "dTo="},
    {"a flat name of the configuration", "${url}/v1", EXPAND_TEXT, "https://h:1/v1"},
    {"a value of the caller goes first", "${method}", EXPAND_TEXT, "GET"},
    {"accessToken is access_token", "${accessToken}", EXPAND_TEXT, "at"},
    {"the first step is step1", "${step1.data.id}-${step2.id}", EXPAND_TEXT, "5-6"},
    {"no third step", "${step3.id}", EXPAND_TEXT, NULL},
    {"an assertion's option", "${assertionOption.user}", EXPAND_TEXT, "eve"},
    {"braces of other languages", "{{$guid}} {a {b}} ${apiKey}", EXPAND_TEXT,
     "{{$guid}} {a {b}} k&y"},
    {"bars in a JWT's claim", "${apiKey}||x", EXPAND_WHOLE, "k&y||x"},
    {"bars inside a placeholder", "${base64(a||b)} || c", EXPAND_TEXT, "YXx8Yg=="},
    {"one alternative keeps its spaces", " a ", EXPAND_TEXT, " a "},
    {"URL: what encodeURIComponent lets be", "x/${credentials.odd}", EXPAND_URL,
     "x/-_.!~*'()%2F%3A%C3%A4%20"},
    {"URL: a port in a host", "https://${connectionConfig.host}/a", EXPAND_URL,
     "https://h.example:8443/a"},
    {"URL: no port in a path", "https://a/${connectionConfig.host}", EXPAND_URL,
     "https://a/h.example%3A8443"},
    {"URL: nothing else than a host in a host", "https://${credentials.evil}/a", EXPAND_URL,
     "https://evil.example%2F%3Fb/a"},
    {"URL: a function's value is a value", "a?b=${base64(>>>)}", EXPAND_URL, "a?b=Pj4%2B"},
    {"sha256Hex", "${sha256Hex(abc)}", EXPAND_TEXT,
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"sha256Base64", "${sha256Base64()}", EXPAND_TEXT,
     "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
    {"hmacSha1Hex (RFC 2202, case 2), a comma in the message",
     "${hmacSha1Hex(what do ya want for nothing?, Jefe)}", EXPAND_TEXT,
     "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
    {"the last comma parts", "${hmacSha1Hex(a, b,k)}", EXPAND_TEXT,
     "c39e8f08849e760d81b6d0fe2114124fde7242c9"},
    {"ed25519Sign (RFC 8032, 7.1, test 1)", "${ed25519Sign(,${credentials.pem})}", EXPAND_TEXT,
     "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw="
     "="},
    {"a key on one line, with \\n", "${ed25519Sign(,${credentials.pem_line})}", EXPAND_TEXT,
     "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw="
     "="},
    {"the fingerprint of a key's public half", "${fingerprint(${credentials.pem})}",
     EXPAND_TEXT, "SHA256:BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k="},
    {"the same of a public key", "${fingerprint(${credentials.pub})}", EXPAND_TEXT,
     "SHA256:BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k="},
    {"the signer's own text", "${awsSigV4(${apiKey}, s, eu , sts)}", EXPAND_TEXT,
     "k&y;s;eu;sts"},
    {"now", "${now}", EXPAND_TEXT, "2026-01-31T23:05:09.007Z"},
    {"now as ISO without a zone", "${now:YYYY-MM-DDTHH:mm:ss}", EXPAND_TEXT,
     "2026-01-31T23:05:09"},
    {"now for AWS", "${now:YYYYMMDDTHHmmss[Z]}", EXPAND_TEXT, "20260131T230509Z"},
    {"now as an HTTP date", "${now:ddd, DD MMM YYYY HH:mm:ss ZZ}", EXPAND_TEXT,
     "Sat, 31 Jan 2026 23:05:09 +0000"},
    {"now in seconds and milliseconds", "${now:X} ${now:x}", EXPAND_TEXT,
     "1769900709 1769900709007"},
    {"now in other letters", "${now:dddd D MMMM YY h:m:s.SSS a A hh Z d}", EXPAND_TEXT,
     "Saturday 31 January 26 11:5:9.007 pm PM 11 +00:00 6"},
    {"in a week", "${now+7:days:YYYY-MM-DD}", EXPAND_TEXT, "2026-02-07"},
    {"a minute ago", "${now-1:minute:X}", EXPAND_TEXT, "1769900649"},
    {"a month on is the end of February", "${now+1:months:YYYY-MM-DD}", EXPAND_TEXT,
     "2026-02-28"},
    {"two years back", "${now-2:years}", EXPAND_TEXT, "2024-01-31T23:05:09.007Z"},
    {"no such unit", "${now+1:moons:X}", EXPAND_TEXT, NULL},
    {"beyond the calendar", "${now+999999:years:X}", EXPAND_TEXT, NULL},
    {"a name that only begins like it", "${nowhere}", EXPAND_TEXT, NULL},
    {"random, twice the same", "${random} ${random}", EXPAND_TEXT,
     "11111111-2222-4333-8444-555555555555 11111111-2222-4333-8444-555555555555"},
};

/* Joins what it is given: the real one needs a request. */
static int
sign(void *arg, TALLOC_CTX *mem, char *const *arguments, size_t count, char **out,
     struct error *err)
{
	struct buf text;

	(void)arg;
	(void)err;
	buf_init(&text, mem, 64);
	for (size_t i = 0; i < count; i++)
		buf_addf(&text, "%s%s", i > 0 ? ";" : "", arguments[i]);
	*out = text.data;
	return 0;
}

static void
fill(TALLOC_CTX *mem, struct expand_scope *scope)
{
	static const struct expand_moment moment = {1769900709007,
						    "11111111-2222-4333-8444-555555555555"};

	*scope = (struct expand_scope){
	    .values = tree(mem, "{\"method\":\"GET\"}"),
	    .credentials = tree(
		mem,
		"{\"apiKey\":\"k&y\",\"username\":\"u\",\"password\":\"p(w)\",\"none\":\"\","
		"\"access_token\":\"at\",\"method\":\"no\",\"raw\":{\"id\":7},"
		"\"odd\":\"-_.!~*'()/:\u00e4 \",\"evil\":\"evil.example/?b\","
		"\"pem\":\"-----BEGIN PRIVATE KEY-----\\n" KEY
		"\\n-----END PRIVATE KEY-----\\n\","
		"\"pem_line\":\"-----BEGIN PRIVATE KEY-----\\\\n" KEY
		"\\\\n-----END PRIVATE KEY-----\\\\n\",\"pub\":\"" PUBLIC "\"}"),
	    .connection_config =
		tree(mem, "{\"a.b\":\"flat\",\"empty\":\"\",\"url\":\"https://h:1\","
			  "\"host\":\"h.example:8443\"}"),
	    .metadata = tree(mem, "{\"team\":\"blue\",\"none\":\"\"}"),
	    .assertion_option = tree(mem, "{\"user\":\"eve\"}"),
	    .steps = tree(mem, "[{\"data\":{\"id\":5}},{\"id\":\"6\"}]"),
	    .moment = &moment,
	    .sign = sign,
	};
}

static void
test_expand(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct expand_scope scope;

	(void)state;
	fill(mem, &scope);
	for (size_t i = 0; i < sizeof(expansions) / sizeof(expansions[0]); i++) {
		struct error err = {0};
		char *out = NULL;
		int result =
		    expand(mem, expansions[i].template, &scope, expansions[i].mode, &out, &err);

		if (expansions[i].out == NULL
			? result == 0 || err.code != ERR_NOT_FOUND
			: result < 0 || strcmp(out, expansions[i].out) != 0)
			fail_msg("%s: %s %s", expansions[i].why, out, err.message);
	}
	talloc_free(mem);
}

/* What no value can mend is an error, not a header that is silently left out. */
static void
test_expand_refused(void **state)
{
	static const struct {
		const char *template, *message;
	} rows[] = {
	    {"${ed25519Sign(a, ${apiKey})} || b", "no Ed25519 private key"},
	    {"${ed25519Sign(a, ${credentials.pub})}", "no Ed25519 private key"},
	    {"${fingerprint(MIIB)}", "no key"},
	    {"${hmacSha1Hex(a)}", "takes 2 arguments, not 1"},
	    {"${awsSigV4(a, b, c)}", "takes 4 arguments, not 3"},
	    {"${awsSigV4(a, b, c, d, e, f)}", "takes 4 arguments, not 6"},
	};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct expand_scope scope;
	struct error err;
	char *deep = talloc_strdup(mem, "a"), *out = NULL;

	(void)state;
	fill(mem, &scope);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (expand(mem, rows[i].template, &scope, EXPAND_TEXT, &out, &err) == 0 ||
		    err.code != ERR_TEMPLATE || strstr(err.message, rows[i].message) == NULL)
			fail_msg("%s: %s", rows[i].template, err.message);
	for (int i = 0; i < 40; i++)
		deep = talloc_asprintf(mem, "${base64(%s)}", deep);
	assert_int_equal(expand(mem, deep, &scope, EXPAND_TEXT, &out, &err), -1);
	assert_int_equal(err.code, ERR_TEMPLATE);
	deep = talloc_zero_size(mem, EXPAND_TEMPLATE_MAX + 2);
	memset(deep, 'a', EXPAND_TEMPLATE_MAX + 1);
	assert_int_equal(expand(mem, deep, &scope, EXPAND_TEXT, &out, &err), -1);
	assert_null(out);
	talloc_free(mem);
}

/* Without a moment each expansion has its own; without a signer there is no signature. */
static void
test_expand_defaults(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct expand_scope scope = {0};
	struct error err;
	char *first, *second;

	(void)state;
	assert_int_equal(expand(mem, "${random}", &scope, EXPAND_TEXT, &first, &err), 0);
	assert_int_equal(expand(mem, "${random}", &scope, EXPAND_TEXT, &second, &err), 0);
	assert_true(id_is_uuid4(first));
	assert_string_not_equal(first, second);
	assert_int_equal(
	    expand(mem, "${awsSigV4(a, b, c, d)}", &scope, EXPAND_TEXT, &first, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	talloc_free(mem);
}

static void
note_name(void *arg, const char *name)
{
	buf_addf(arg, "%s;", name);
}

static void
note_fault(void *arg, const char *text)
{
	buf_addf(arg, "(%s)", text);
}

static void
test_visit(void **state)
{
	static const struct {
		const char *template, *found;
	} rows[] = {
	    {"plain", ""},
	    {"${a}/${connectionConfig.b} || ${c}", "a;connectionConfig.b;c;"},
	    {"${base64(${user}:${base64(${password})})}", "user;password;"},
	    {"${hmacSha1Hex(${a}, ${b}, ${k})}", "a;b;k;"},
	    {"${nope(${a})}", "(there is no function nope())"},
	    {"${hmacSha1Hex(${a})}", "(hmacSha1Hex() takes 2 arguments, not 1)"},
	};
	TALLOC_CTX *mem = talloc_new(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf found;

		buf_init(&found, mem, 64);
		expand_visit(rows[i].template,
			     &(struct expand_visitor){note_name, note_fault, &found});
		assert_string_equal(found.data, rows[i].found);
	}
	assert_true(expand_knows_name("now+1:days:X"));
	assert_true(expand_knows_name("step12.a"));
	assert_true(expand_knows_name("apiKey"));
	assert_false(expand_knows_name("apikey"));
	assert_false(expand_knows_name("now+1:moons"));
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expand),
	    cmocka_unit_test(test_expand_refused),
	    cmocka_unit_test(test_expand_defaults),
	    cmocka_unit_test(test_visit),
	};

	return cmocka_run_group_tests_name("expand", tests, NULL, NULL);
}
