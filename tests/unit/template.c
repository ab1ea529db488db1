/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/template: alias and extends, what is refused of ours and warned of in others, and
 * sets that are replaced while they are in use. All of the reference's entries are loaded by
 * tests/e2e/providers.test.mjs.
 */
#include "provider/catalogue.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of templates and a file of many, made for one test. */
struct place {
	char dir[32], files[8][64];
	size_t count;
	const char *catalogue;
};

static void
place_write(struct place *place, const char *name, const char *text)
{
	char path[64];
	FILE *file;

	if (place->count == 0) {
		strcpy(place->dir, "/tmp/nango-unit-XXXXXX");
		assert_non_null(mkdtemp(place->dir));
	}
	snprintf(path, sizeof(path), "%s/%.24s", place->dir, name);
	strcpy(place->files[place->count], path);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	if (strstr(name, ".yaml") == NULL)
		place->catalogue = place->files[place->count];
	place->count++;
}

static void
place_remove(struct place *place)
{
	for (size_t i = 0; i < place->count; i++)
		unlink(place->files[i]);
	rmdir(place->dir);
}

#define BODY                                                                              \
	"display_name: Shop\ndocs: https://d\nauth_mode: API_KEY\nproxy:\n    base_url: " \
	"https://a\n    headers: {authorization: '${apiKey}', b: '1'}\n"
#define OWN BODY "x: {source: https://d}\n"
#define OVER(key) "display_name: Sub\ndocs: https://s\n" key

static const char *
body_of(TALLOC_CTX *mem, struct templates *templates, const char *name)
{
	const struct template *template = template_find(templates, name);

	return template == NULL ? NULL : json_text(mem, template_body(template));
}

static bool
is_found(const struct templates *templates, const char *message)
{
	const struct findings *findings = templates_findings(templates);

	for (size_t i = 0; i < findings->count; i++)
		if (strstr(findings->list[i].message, message) != NULL)
			return true;
	return false;
}

/* ---- alias and extends ---- */

static const char many[] =
    "third: {alias: second, proxy: {base_url: https://c}}\n"
    "second: {alias: first, docs: two}\n"
    "first: {display_name: First, docs: one, auth_mode: NONE, proxy: {base_url: https://a, "
    "query: "
    "{q: a}}, credentials: {}}\n"
    "deep: {extends: first, docs: three, proxy: {query: {r: b}}, credentials: null}\n"
    "loop-a: {alias: loop-b}\nloop-b: {extends: loop-a}\nself: {alias: self}\n"
    "lost: {alias: nobody}\nboth: {alias: first, extends: first}\nlist: []\n"
    "of-lost: {alias: lost}\nmode: {display_name: M, docs: d}\n";

static void
test_merge(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct place place = {0};
	struct templates *templates;
	struct error err;
	static const struct {
		const char *why, *name, *body; /* NULL: it is left out */
	} rows[] = {
	    {"an alias of an alias that comes later; keys are replaced whole, in their places",
	     "third",
	     "{\"display_name\":\"First\",\"docs\":\"two\",\"auth_mode\":\"NONE\",\"proxy\":{"
	     "\"base_url\":\"https://c\"},\"credentials\":{}}"},
	    {"mappings are merged all the way, null takes away", "deep",
	     "{\"display_name\":\"First\",\"docs\":\"three\",\"auth_mode\":\"NONE\",\"proxy\":{"
	     "\"base_url\":\"https://a\",\"query\":{\"q\":\"a\",\"r\":\"b\"}}}"},
	    {"a circle", "loop-a", NULL},
	    {"the other end of it", "loop-b", NULL},
	    {"a circle of one", "self", NULL},
	    {"no such template", "lost", NULL},
	    {"an alias of what is left out", "of-lost", NULL},
	    {"both", "both", NULL},
	    {"no mapping", "list", NULL},
	    {"no mode", "mode", NULL},
	};

	(void)state;
	place_write(&place, "many", many);
	if (templates_read(mem, NULL, place.catalogue, &templates, &err) < 0)
		fail_msg("%s", err.message);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *body = body_of(mem, templates, rows[i].name);

		if ((body == NULL) != (rows[i].body == NULL) ||
		    (body != NULL && strcmp(body, rows[i].body) != 0))
			fail_msg("%s: %s", rows[i].why, body);
	}
	assert_true(
	    is_found(templates, "loop-b is made of loop-a, and that of loop-b: a circle"));
	/* Nobody who looks by a name that its entry lacks meets a NULL. */
	assert_string_equal(template_display_name(template_find(templates, "third")), "First");
	place_remove(&place);
	talloc_free(mem);
}

static void
test_place_of_fault(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct place place = {0};
	struct templates *templates;
	struct error err;

	(void)state;
	/* A fault is said where it stands, whoever is made of it. */
	place_write(&place, "far.yaml", OVER("alias: near\n"));
	place_write(&place, "near.yaml", OWN "disable_pkce: 5\n");
	assert_int_equal(templates_load(mem, place.dir, NULL, &templates, &err), -1);
	assert_non_null(strstr(err.message, "/near.yaml:8:15: disable_pkce must be"));
	/* The same place is an oddity in an alias of theirs, and still an error of ours. */
	place_write(&place, "odd", "user: {alias: near}\n");
	assert_int_equal(templates_load(mem, place.dir, place.catalogue, &templates, &err), -1);
	assert_non_null(strstr(err.message, "/near.yaml:8:15: disable_pkce must be"));
	place_remove(&place);
	talloc_free(mem);
}

/* A chain has an end, so that reading one needs no more stack than that. */
static void
test_chain(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct place place = {0};
	struct templates *templates;
	struct error err;
	char *text = talloc_strdup(mem, "");

	(void)state;
	for (int i = 0; i < TEMPLATE_ALIASES_MAX + 2; i++)
		text = talloc_asprintf_append(text, "a%d: {alias: a%d}\n", i, i + 1);
	text =
	    talloc_asprintf_append(text, "a%d: {auth_mode: NONE}\n", TEMPLATE_ALIASES_MAX + 2);
	place_write(&place, "many", text);
	assert_int_equal(templates_read(mem, NULL, place.catalogue, &templates, &err), 0);
	assert_null(template_find(templates, "a0"));
	assert_non_null(template_find(templates, "a18"));
	assert_true(is_found(templates, "a circle, or a chain of over 16"));
	place_remove(&place);
	talloc_free(mem);
}

/* A user's entry takes the place of ours, but ours that are made of ours stay what they are. */
static void
test_override(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct place place = {0};
	struct templates *templates;
	struct error err;

	(void)state;
	place_write(&place, "shop.yaml", OWN);
	place_write(&place, "shop-eu.yaml",
		    OVER("extends: shop\nproxy: {base_url: https://eu}\n"));
	place_write(&place, "shop-us.yaml",
		    OVER("alias: shop\nproxy: {base_url: https://us}\n"));
	place_write(&place, "many",
		    "shop: {display_name: Theirs, docs: d, auth_mode: NONE, proxy: {base_url: "
		    "https://t}}\nmore: {alias: shop-us}\n");
	if (templates_load(mem, place.dir, place.catalogue, &templates, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(templates_count(templates), 4);
	assert_string_equal(template_display_name(template_find(templates, "shop")), "Theirs");
	assert_string_equal(template_auth_mode(template_find(templates, "shop-eu")), "API_KEY");
	assert_string_equal(template_auth_mode(template_find(templates, "more")), "API_KEY");
	assert_non_null(strstr(body_of(mem, templates, "shop-eu"),
			       "\"proxy\":{\"base_url\":\"https://eu\",\"headers\""));
	assert_non_null(strstr(body_of(mem, templates, "shop-us"),
			       "\"proxy\":{\"base_url\":\"https://us\"},\"x\""));
	place_remove(&place);
	talloc_free(mem);
}

/* ---- what is refused, and what is warned of ---- */

static const struct {
	const char *why, *text, *message; /* NULL: it is right */
} refusals[] = {
    {"complete", OWN, NULL},
    {"an unknown key", OWN "colour: red\n",
     ":8:1: a template has no key \"colour\": what is ours stands under x [E0702]"},
    {"an unknown key within", OWN "token_response: {token: a, tokn: b}\n",
     ":8:28: token_response has no key \"tokn\" [E0702]"},
    {"an unknown key under x", BODY "x: {source: a, sauce: b}\n", ":7:16: x has no key"},
    {"a key that nobody reads", OWN "decode_url: a\n", ":8:1: nothing reads decode_url"},
    {"a secret among settings",
     OWN "connection_config: {key: {type: string, title: a, description: b, secret: true}}\n",
     ":8:21: key is a secret: it belongs into credentials"},
    {"a hook", OWN "post_connection_script: a\n",
     ":8:1: post_connection_script names code of the reference"},
    {"no source", BODY, "a template has no \"x\" [E0703]"},
    {"no source under x", BODY "x: {}\n", ":7:4: x has no \"source\" [E0703]"},
    {"no name", "docs: b\nauth_mode: NONE\nx: {source: c}\n", "no \"display_name\" [E0703]"},
    {"no mode", "display_name: a\ndocs: b\nx: {source: c}\n", "no \"auth_mode\" [E0703]"},
    {"an unknown mode", "display_name: a\ndocs: b\nauth_mode: MAGIC\nx: {source: c}\n",
     ":3:12: there is no auth_mode \"MAGIC\" [E0705]"},
    {"a number for a text", OWN "scope_separator: 5\n",
     ":8:18: scope_separator must be a text (what YAML"},
    {"a date is a text", OWN "setup_guide_url: 2026-01-31\n", NULL},
    {"a text for a truth", OWN "disable_pkce: 'true'\n",
     ":8:15: disable_pkce must be true or false [E0704]"},
    {"a fraction for a number", OWN "token_expires_in_ms: 1.5\n", "must be a whole number"},
    {"a text for a list", OWN "default_scopes: a b\n", "must be a list of texts"},
    {"a list for a mapping", OWN "token_params: [a]\n", "token_params must be a mapping"},
    {"a mapping for a word", OWN "body_format: {}\n", "body_format must be a word"},
    {"an unknown word in a list", OWN "token_url_skip_encode: [scopes, url]\n",
     ":8:33: there is no token_url_skip_encode \"url\" [E0705]"},
    {"null for a header", OWN "token_headers: {a: }\n",
     "token_headers.a must be a text, a number, true or false"},
    {"a number for a header", OWN "token_headers: {a: 5}\n", NULL},
    {"an unknown function", OWN "token_headers: {a: '${md5(${apiKey})}'}\n",
     ":8:20: there is no function md5() [E0706]"},
    {"too few arguments", OWN "token_headers: {a: '${hmacSha1Hex(b)}'}\n",
     "hmacSha1Hex() takes 2 arguments, not 1"},
    {"a name that nothing fills", OWN "token_headers: {a: '${apikey}'}\n",
     "nothing fills ${apikey} [E0706]"},
    {"a setting that is not declared", OWN "token_headers: {a: '${connectionConfig.b}'}\n",
     "nothing fills ${connectionConfig.b}: connection_config does not have it"},
    {"a setting of the token's answer",
     OWN "token_headers: {a: '${connectionConfig.b.c}'}\ntoken_response_metadata: [b.c]\n",
     NULL},
    {"names deep in parameters", OWN "token_params: {a: [{b: '${nope}'}]}\n",
     ":8:24: nothing fills ${nope}"},
    {"a pattern that does not compile",
     OWN
     "credentials:\n    apiKey: {type: string, title: t, description: d, pattern: '[z-a]'}\n",
     ":9:63: credentials.apiKey.pattern does not compile: range out of order"},
    {"a field without a title", OWN "credentials: {k: {type: string, description: d}}\n",
     ":8:18: credentials.k has no \"title\" [E0703]"},
    {"a mode that needs more", OWN "x2: 1\n", "has no key \"x2\""},
    {"no YAML", "a: [1\n", "shop.yaml:2:1: did not find expected"},
    {"no mapping", "[1]", ":1:1: a template is a mapping of keys [E0701]"},
    {"an alias that is no text", "alias: [a]\n", "the name of a template is a text"},
};

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct place place = {0};
		struct templates *templates;
		struct error err = {0};
		int result;

		place_write(&place, "shop.yaml", refusals[i].text);
		result = templates_load(mem, place.dir, NULL, &templates, &err);
		if ((result == 0) != (refusals[i].message == NULL) ||
		    (result < 0 && strstr(err.message, refusals[i].message) == NULL))
			fail_msg("%s: %s", refusals[i].why, err.message);
		place_remove(&place);
		talloc_free(mem);
	}
}

static void
test_rules(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
	    {"auth_mode: OAUTH2",
	     "auth_mode OAUTH2 needs the key \"authorization_url\" [E0709]"},
	    {"auth_mode: TWO_STEP\ntoken_url: a", "needs the key \"token_response\""},
	    {"auth_mode: OAUTH1\nrequest_url: a\nauthorization_url: b",
	     "the key \"token_url\""},
	    {"auth_mode: NONE\nproxy: {base_url: a, paginate: {type: cursor, "
	     "cursor_name_in_request: a}}",
	     ":3:32: paginate of type cursor needs cursor_name_in_request and "
	     "cursor_path_in_response [E0709]"},
	    {"auth_mode: NONE\nproxy: {base_url: a, paginate: {type: link}}",
	     "needs link_rel_in_response_header or link_path_in_response_body"},
	    {"auth_mode: NONE\nproxy: {base_url: a, paginate: {type: offset}}",
	     "paginate of type offset needs offset_name_in_request [E0709]"},
	    {"auth_mode: NONE\nx: {source: a, limits: [{per: client, requests: 0, seconds: "
	     "1}]}",
	     "requests of a limit is 1 to 1000000 [E0704]"},
	    {"auth_mode: NONE\nx: {source: a, limits: [{per: user, requests: 1, seconds: 1}]}",
	     "there is no x.limits.per \"user\" [E0705]"},
	    {"auth_mode: NONE\nx: {source: a, limits: [{per: client, requests: 1, seconds: 1, "
	     "match: {apart: true}}]}",
	     "match of a limit needs method or path [E0709]"},
	    {"auth_mode: NONE\nx: {source: a, limits: [{per: client, requests: 1, seconds: 1, "
	     "match: {path: items}}]}",
	     "path of a limit begins with / or *"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		TALLOC_CTX *mem = talloc_new(NULL);
		struct place place = {0};
		struct templates *templates;
		struct error err = {0};

		place_write(
		    &place, "shop.yaml",
		    talloc_asprintf(mem, "display_name: a\n%s\ndocs: b\n%s", rows[i].text,
				    strstr(rows[i].text, "\nx: ") == NULL ? "x: {source: c}\n"
									  : ""));
		if (templates_load(mem, place.dir, NULL, &templates, &err) == 0 ||
		    strstr(err.message, rows[i].message) == NULL)
			fail_msg("%s: %s", rows[i].text, err.message);
		place_remove(&place);
		talloc_free(mem);
	}
}

/* What nothing carries out yet is loaded, and said. */
static void
test_checked_only(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct place place = {0};
	struct templates *templates;
	struct error err;

	(void)state;
	place_write(&place, "shop.yaml",
		    OWN "webhook_allowed_query_params: [a]\nwebhook_response_metadata: [b]\n");
	if (templates_load(mem, place.dir, NULL, &templates, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(templates_findings(templates)->warnings, 2);
	assert_true(is_found(templates, "shop.yaml:8:1: webhook_allowed_query_params is not "
					"carried out yet [E0702]"));
	place_remove(&place);
	talloc_free(mem);
}

/* What would be refused of ours is loaded from others, and said once. */
static void
test_tolerance(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct place place = {0};
	struct templates *templates;
	const struct findings *findings;
	struct error err;

	(void)state;
	place_write(
	    &place, "many",
	    "odd: {auth_mode: MAGIC, colour: red, auth: {}, docs: 5, post_connection_script: "
	    "a,\n  proxy: {base_url: '${nope}'}}\n"
	    "again: {alias: odd, post_connection_script: b}\nthird: {alias: odd, "
	    "post_connection_script: ''}\nBad_Name: {alias: odd}\nhollow: 5\nnumber: "
	    "{auth_mode: 5}\n"
	    "filled: {auth_mode: NONE, display_name: a, docs: b, post_connection_script: c, "
	    "proxy: {base_url: '${connectionConfig.q}'}}\n");
	if (templates_load(mem, NULL, place.catalogue, &templates, &err) < 0)
		fail_msg("%s", err.message);
	findings = templates_findings(templates);
	assert_int_equal(templates_count(templates), 5);
	assert_string_equal(template_display_name(template_find(templates, "odd")), "odd");
	assert_int_equal(findings->errors, 2);
	assert_int_equal(findings->count, 13); /* aliases lack what the target lacks */
	assert_true(is_found(templates, "many:1:18: there is no auth_mode \"MAGIC\""));
	assert_true(is_found(templates, "many:1:25: a template has no key \"colour\" [E0702]"));
	assert_true(is_found(templates, ":1:38: nothing reads auth"));
	assert_true(is_found(templates, "docs must be a text"));
	assert_true(is_found(templates, "no \"display_name\""));
	assert_true(is_found(templates, "nothing fills ${nope}"));
	assert_true(is_found(templates, "\"Bad_Name\" is no name of a provider"));
	assert_true(
	    is_found(templates, "post_connection_script is not carried out (3 providers"));
	assert_true(is_found(templates, "number has no \"auth_mode\" [E0703]"));
	assert_false(is_found(templates, "${connectionConfig.q}")); /* a hook may */
	assert_true(is_found(templates, "hollow is no mapping of keys [E0701]"));
	place_remove(&place);
	talloc_free(mem);
}

static void
test_unreadable(void **state)
{
	TALLOC_CTX *mem = talloc_new(NULL);
	struct place place = {0};
	struct templates *templates;
	struct error err;
	bool is_many;

	(void)state;
	assert_int_equal(templates_load(mem, "/nowhere", NULL, &templates, &err), -1);
	assert_int_equal(templates_load(mem, NULL, "/nowhere", &templates, &err), -1);
	place_write(&place, "many", "[1]");
	assert_int_equal(templates_load(mem, NULL, place.catalogue, &templates, &err), -1);
	assert_non_null(strstr(err.message, "many:1:1: a file of providers is a mapping"));
	assert_int_equal(templates_is_catalogue(place.catalogue, &is_many, &err), 0);
	assert_false(is_many);
	place_write(&place, "many", "a: {b: c}\nd: {}\n");
	assert_int_equal(templates_is_catalogue(place.catalogue, &is_many, &err), 0);
	assert_true(is_many);
	place_write(&place, "shop.yaml", OWN);
	assert_int_equal(templates_is_catalogue(place.files[2], &is_many, &err), 0);
	assert_false(is_many);
	place_write(&place, "Shop.yaml", OWN);
	assert_int_equal(templates_load(mem, place.dir, NULL, &templates, &err), -1);
	assert_non_null(strstr(err.message, "\"Shop\" is no name of a provider"));
	place_remove(&place);
	talloc_free(mem);
}

/* ---- sets that are replaced ---- */

#define READERS 4
#define RELOADS 50

struct race {
	struct catalogue *catalogue;
	atomic_bool is_over;
	atomic_int looked;
};

static void *
read_on(void *arg)
{
	struct race *race = arg;

	while (!race->is_over) {
		TALLOC_CTX *mem = talloc_new(NULL);
		const struct templates *templates = catalogue_use(race->catalogue, mem);
		const struct template *template = template_find(templates, "shop");

		if (template == NULL ||
		    strcmp(json_string(template_body(template), "docs"), "https://d") != 0)
			abort();
		race->looked++;
		talloc_free(mem);
	}
	return NULL;
}

static void
test_reload(void **state)
{
	struct race race = {0};
	struct place place = {0};
	TALLOC_CTX *mem = talloc_new(NULL);
	pthread_t readers[READERS];
	const struct templates *held;
	struct error err;

	(void)state;
	place_write(&place, "shop.yaml", OWN);
	assert_int_equal(catalogue_open(place.dir, NULL, &race.catalogue, &err), 0);
	held = catalogue_use(race.catalogue, mem);
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_on, &race), 0);
	for (int i = 0; i < RELOADS; i++)
		assert_int_equal(catalogue_reload(race.catalogue, &err), 0);
	while (race.looked < READERS * RELOADS)
		sched_yield();
	race.is_over = true;
	for (size_t i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_ptr_not_equal(held, catalogue_use(race.catalogue, mem));
	assert_string_equal(template_auth_mode(template_find(held, "shop")), "API_KEY");
	place_write(&place, "bad.yaml", "colour: red\n");
	held = catalogue_use(race.catalogue, mem);
	assert_int_equal(catalogue_reload(race.catalogue, &err), -1);
	assert_non_null(strstr(err.message, "bad.yaml:1:1: bad has no \"auth_mode\""));
	assert_ptr_equal(held, catalogue_use(race.catalogue, mem));
	catalogue_free(race.catalogue); /* what is held stays */
	assert_non_null(template_find(held, "shop"));
	place_remove(&place);
	talloc_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_merge),      cmocka_unit_test(test_place_of_fault),
	    cmocka_unit_test(test_chain),      cmocka_unit_test(test_override),
	    cmocka_unit_test(test_refusals),   cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_tolerance),  cmocka_unit_test(test_checked_only),
	    cmocka_unit_test(test_unreadable), cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
