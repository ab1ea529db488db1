/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider: form fields, our own templates; auth: what each mode accepts.
 */
#include "auth/auth.h"
#include "auth/vault.h"
#include "provider/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* A folder of templates with one file. */
static int
load(TALLOC_CTX *mem, const char *text, struct templates **out, struct error *err)
{
	char dir[] = "/tmp/nango-unit-XXXXXX", path[64];
	FILE *file;
	int result;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/shop.yaml", dir);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
	result = templates_load(mem, dir, NULL, out, err);
	unlink(path);
	rmdir(dir);
	return result;
}

#define GOOD                                                                          \
	"display_name: Shop\ndocs: https://d\nauth_mode: API_KEY\nproxy: {base_url: " \
	"https://a}\n"                                                                \
	"x: {source: https://d}\n"

static void
test_own_templates(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const char *top = getenv("NANGO_TOP_SRCDIR");
	struct templates *templates;
	struct error err;
	char *dir = talloc_asprintf(mem, "%s/templates", top == NULL ? "." : top);

	(void)state;
	if (templates_load(mem, dir, NULL, &templates, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(templates_count(templates) >= 4);
	assert_string_equal(template_display_name(template_find(templates, "github")),
			    "GitHub");
	assert_null(template_find(templates, "nope"));
	talloc_free(mem);
}

static const char form[] =
    GOOD "connection_config:\n"
	 "    host: {type: string, title: t, description: d, format: hostname}\n"
	 "    code: {type: string, title: t, description: d, pattern: '^[a-z]{3}$', optional: "
	 "true}\n"
	 "    size: {type: string, title: t, description: d, enum: [s, m], default_value: s}\n";

static void
test_fields(void **state)
{
	static const struct {
		const char *why, *values, *at; /* NULL: fine */
	} rows[] = {
	    {"complete", "{\"host\":\"a.b-c\",\"code\":\"abc\",\"size\":\"m\"}", NULL},
	    {"the optional one is left out", "{\"host\":\"a\"}", NULL},
	    {"the required one is missing", "{}", "config.host"},
	    {"empty is missing", "{\"host\":\"\"}", "config.host"},
	    {"a URL is no host name", "{\"host\":\"https://a\"}", "config.host"},
	    {"the pattern", "{\"host\":\"a\",\"code\":\"abcd\"}", "config.code"},
	    {"the pattern's end is the very end", "{\"host\":\"a\",\"code\":\"abc\\n\"}",
	     "config.code"},
	    {"a word that is no choice", "{\"host\":\"a\",\"size\":\"xl\"}", "config.size"},
	    {"a number is no text", "{\"host\":5}", "config.host"},
	};
	TALLOC_CTX *mem = talloc_new(NULL);
	struct templates *templates;
	struct error err = {0};

	(void)state;
	assert_int_equal(load(mem, form, &templates, &err), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_object *values = tree(mem, rows[i].values);
		int result = template_check_fields(template_find(templates, "shop"),
						   "connection_config", values, "config", &err);

		if ((result == 0) != (rows[i].at == NULL) ||
		    (result < 0 && strcmp(err.at, rows[i].at) != 0))
			fail_msg("%s: %s at %s", rows[i].why, err.message, err.at);
		if (result == 0)
			assert_non_null(json_string(values, "size"));
	}
	talloc_free(mem);
}

/* Fields that the template declares are kept beside those of the mode; others are not. */
static void
test_schemes(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	const struct auth_scheme *basic = auth_scheme_find("BASIC");
	const struct template *shop;
	struct templates *templates;
	struct json_object *out;
	struct error err;

	(void)state;
	assert_int_equal(load(mem, form, &templates, &err), 0);
	shop = template_find(templates, "shop");
	assert_null(auth_scheme_find("NOPE"));
	assert_int_equal(
	    basic->validate(mem, shop,
			    tree(mem, "{\"username\":\"u\",\"password\":\"\",\"other\":\"x\"}"),
			    &out, &err),
	    0);
	assert_string_equal(basic->authorization(mem, out), "Basic dTo=");
	assert_null(json_string(out, "other"));
	assert_int_equal(
	    basic->validate(mem, shop, tree(mem, "{\"username\":\"u\"}"), &out, &err), -1);
	assert_string_equal(err.at, "credentials.password");
	assert_int_equal(basic->validate(mem, shop,
					 tree(mem, "{\"username\":\"u\\u0000v\","
						   "\"password\":\"p\"}"),
					 &out, &err),
			 -1);
	assert_string_equal(err.at, "credentials.username");
	talloc_free(mem);
}

static void
test_vault(void **state)
{
	static const char keys[] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
	static const char other[] = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=";
	TALLOC_CTX *mem = talloc_new(NULL);
	struct vault *vault, *rotated, *wrong;
	struct vault_place place = {1, "connection", "5:acme"};
	struct error err;
	size_t length, plain_length;
	char *plain;
	void *sealed;

	(void)state;
	assert_int_equal(vault_open_keys(mem, keys, &vault, &err), 0);
	assert_int_equal(vault_open_keys(mem, other, &wrong, &err), 0);
	assert_int_equal(
	    vault_open_keys(mem, talloc_asprintf(mem, "%s,%s", other, keys), &rotated, &err),
	    0);
	sealed = vault_seal(mem, vault, &place, "secret", 6, &length);
	assert_int_equal(
	    vault_unseal(mem, vault, &place, sealed, length, &plain, &plain_length, &err), 0);
	assert_string_equal(plain, "secret");
	assert_int_equal(
	    vault_unseal(mem, rotated, &place, sealed, length, &plain, &plain_length, &err), 0);
	assert_int_equal(
	    vault_unseal(mem, wrong, &place, sealed, length, &plain, &plain_length, &err), -1);
	place.key = "5:other"; /* in another row it does not open */
	assert_int_equal(
	    vault_unseal(mem, vault, &place, sealed, length, &plain, &plain_length, &err), -1);
	place =
	    (struct vault_place){2, "connection", "5:acme"}; /* nor in another environment */
	assert_int_equal(
	    vault_unseal(mem, vault, &place, sealed, length, &plain, &plain_length, &err), -1);
	assert_int_equal(vault_open_keys(mem, "c2hvcnQ=", &vault, &err), -1);
	assert_int_equal(vault_open_keys(mem, "", &vault, &err), -1);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own_templates),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_schemes),
	    cmocka_unit_test(test_vault),
	};

	return cmocka_run_group_tests_name("provider", tests, NULL, NULL);
}
