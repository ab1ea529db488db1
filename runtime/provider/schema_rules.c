/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/schema_rules -- what a row of the table cannot say: keys that need each other, and
 * placeholders that nothing fills.
 */
#include "provider/expand.h"
#include "provider/limits.h"
#include "provider/schema.h"

#include <stdlib.h>
#include <string.h>

/* ---- keys that need each other ---- */

static const struct {
	const char *mode;
	const char *keys[3]; /* all of them */
} needs[] = {
    {"OAUTH2", {"authorization_url", "token_url", NULL}},
    {"OAUTH2_CC", {"token_url", NULL}},
    {"OAUTH1", {"request_url", "authorization_url", "token_url"}},
    {"TWO_STEP", {"token_url", "token_response", NULL}},
    {"JWT", {"signature", "token", NULL}},
    {"MCP_OAUTH2", {"authorization_url", "token_url", NULL}},
};

static void
check_mode(struct schema_walk *walk)
{
	const char *mode = yaml_text(walk->root, "auth_mode");

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		for (size_t k = 0; k < 3 && strcmp(needs[i].mode, mode) == 0; k++)
			if (needs[i].keys[k] != NULL &&
			    yaml_get(walk->root, needs[i].keys[k]) == NULL)
				schema_fault(walk, yaml_get(walk->root, "auth_mode"), "E0709",
					     "auth_mode %s needs the key \"%s\"", mode,
					     needs[i].keys[k]);
}

static const struct {
	const char *type, *first, *second; /* second: instead of the first, or as well */
	bool is_either;
} pagings[] = {
    {"link", "link_rel_in_response_header", "link_path_in_response_body", true},
    {"cursor", "cursor_name_in_request", "cursor_path_in_response", false},
    {"offset", "offset_name_in_request", "offset_name_in_request", false},
};

static void
check_paginate(struct schema_walk *walk)
{
	const struct yaml_node *rules = yaml_get(yaml_get(walk->root, "proxy"), "paginate");
	const char *type = yaml_text(rules, "type");

	for (size_t i = 0; type != NULL && i < sizeof(pagings) / sizeof(pagings[0]); i++) {
		bool has_first = yaml_get(rules, pagings[i].first) != NULL;
		bool has_second = yaml_get(rules, pagings[i].second) != NULL;

		if (strcmp(type, pagings[i].type) == 0 &&
		    (pagings[i].is_either ? !has_first && !has_second
					  : !has_first || !has_second))
			schema_fault(walk, rules, "E0709", "paginate of type %s needs %s%s%s",
				     type, pagings[i].first,
				     pagings[i].first == pagings[i].second ? ""
				     : pagings[i].is_either		   ? " or "
									   : " and ",
				     pagings[i].first == pagings[i].second ? ""
									   : pagings[i].second);
	}
}

static void
check_verification(struct schema_walk *walk)
{
	const struct yaml_node *script =
	    yaml_get(walk->root, "credentials_verification_script");

	if (script != NULL && script->kind == YAML_SCALAR && script->text[0] != '\0' &&
	    yaml_get(yaml_get(walk->root, "proxy"), "verification") != NULL)
		schema_fault(walk, script, "E0709",
			     "proxy.verification and credentials_verification_script exclude "
			     "each other");
}

/* ---- who says where secrets go ---- */

/* The setting that is the host of a URL, whole: ${connectionConfig.x}/…, https://${…}/… */
static bool
host_setting(const char *url, char name[64])
{
	static const char open[] = "${connectionConfig.";
	const char *at = strstr(url, "://"), *end;

	at = strncmp(url, open, strlen(open)) == 0 ? url : at == NULL ? NULL : at + 3;
	if (at == NULL || strncmp(at, open, strlen(open)) != 0)
		return false;
	at += strlen(open);
	end = strchr(at, '}');
	if (end == NULL || end - at >= 64 || (end[1] != '\0' && strchr("/?: ", end[1]) == NULL))
		return false;
	memcpy(name, at, (size_t)(end - at));
	name[end - at] = '\0';
	return true;
}

static void
check_host(struct schema_walk *walk, const struct yaml_node *url)
{
	char name[64];

	if (url == NULL || url->kind != YAML_SCALAR || !host_setting(url->text, name) ||
	    yaml_get(yaml_get(walk->root, "integration_config"), name) != NULL)
		return;
	schema_fault(walk, url, "E0709",
		     "the app's secret would go where a person says: %s belongs into "
		     "integration_config",
		     name);
}

/* The secrets of these are the integration's. */
static void
check_hosts(struct schema_walk *walk)
{
	static const char *const modes[] = {"OAUTH1", "OAUTH2", "CUSTOM", "APP"};
	const struct yaml_node *url = yaml_get(walk->root, "token_url");
	const char *mode = yaml_text(walk->root, "auth_mode");

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i], mode) != 0)
			continue;
		check_host(walk, url);
		check_host(walk, yaml_get(walk->root, "refresh_url"));
		if (url != NULL && url->kind == YAML_MAPPING) {
			check_host(walk, yaml_get(url, "OAUTH2"));
			check_host(walk, yaml_get(url, "APP"));
		}
	}
}

/* Settings of a connection are stored as they are, and shown. */
static void
check_secrets(struct schema_walk *walk)
{
	const struct yaml_node *fields = yaml_get(walk->root, "connection_config");

	for (size_t i = 0; fields != NULL && fields->kind == YAML_MAPPING && i < fields->count;
	     i++) {
		const char *secret = yaml_text(fields->items[2 * i + 1], "secret");

		if (secret != NULL && strcmp(secret, "true") == 0)
			schema_fault(walk, fields->items[2 * i], "E0709",
				     "%.80s is a secret: it belongs into credentials",
				     fields->items[2 * i]->text);
	}
}

static void
check_range(struct schema_walk *walk, const struct yaml_node *limit, const char *name,
	    long most)
{
	const struct yaml_node *value = yaml_get(limit, name);
	long number = value == NULL || value->kind != YAML_SCALAR ? 1 : atol(value->text);

	if (number < 1 || number > most)
		schema_fault(walk, value, "E0704", "%s of a limit is 1 to %ld", name, most);
}

static void
check_limit(struct schema_walk *walk, const struct yaml_node *limit)
{
	const struct yaml_node *match = yaml_get(limit, "match");
	const char *path = yaml_text(match, "path");
	const struct yaml_node *methods = yaml_get(match, "method");

	check_range(walk, limit, "requests", LIMITS_REQUESTS_MAX);
	check_range(walk, limit, "seconds", LIMITS_SECONDS_MAX);
	check_range(walk, limit, "burst", LIMITS_REQUESTS_MAX);
	if (match != NULL && path == NULL && methods == NULL)
		schema_fault(walk, match, "E0709", "match of a limit needs method or path");
	if (path != NULL && (strchr("/*", path[0]) == NULL || strlen(path) > LIMITS_PATH_MAX))
		schema_fault(walk, yaml_get(match, "path"), "E0704",
			     "path of a limit begins with / or *, and is at most %d bytes",
			     LIMITS_PATH_MAX);
	if (methods != NULL && methods->count > LIMITS_METHODS_MAX)
		schema_fault(walk, methods, "E0704", "a limit has at most %d methods",
			     LIMITS_METHODS_MAX);
}

static void
check_limits(struct schema_walk *walk)
{
	const struct yaml_node *limits = yaml_get(yaml_get(walk->root, "x"), "limits");

	if (limits == NULL || limits->kind != YAML_SEQUENCE)
		return;
	if (limits->count > LIMITS_MAX)
		schema_fault(walk, limits, "E0704", "a template has at most %d limits",
			     LIMITS_MAX);
	for (size_t i = 0; i < limits->count; i++)
		if (limits->items[i]->kind == YAML_MAPPING)
			check_limit(walk, limits->items[i]);
}

void
schema_check_rules(struct schema_walk *walk)
{
	if (walk->is_own) { /* others have decided otherwise, knowingly or not */
		check_hosts(walk);
		check_secrets(walk);
	}
	check_mode(walk);
	check_paginate(walk);
	check_verification(walk);
	check_limits(walk);
}

/* ---- placeholders ---- */

/* Whether a list or mapping of the template names it, whole or up to the first dot. */
static bool
names(const struct yaml_node *node, const char *name)
{
	size_t length = strcspn(name, "."), step = 1;

	if (node == NULL || node->kind == YAML_SCALAR)
		return false;
	step = node->kind == YAML_MAPPING ? 2 : 1;
	for (size_t i = 0; i < node->count; i++) {
		const struct yaml_node *item = node->items[step * i];

		if (item->kind == YAML_SCALAR &&
		    (strcmp(item->text, name) == 0 ||
		     (strlen(item->text) == length && strncmp(item->text, name, length) == 0)))
			return true;
	}
	return false;
}

static bool
is_setting(const struct schema_walk *walk, const char *name)
{
	static const char *const sections[] = {
	    "connection_config",       "integration_config",	    "redirect_uri_metadata",
	    "token_response_metadata", "webhook_response_metadata", "connection_configuration",
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (names(yaml_get(walk->root, sections[i]), name))
			return true;
	return names(yaml_get(yaml_get(walk->root, "proxy"), "connection_config"), name);
}

struct visit {
	struct schema_walk *walk;
	const struct yaml_node *text;
};

static void
on_name(void *arg, const char *name)
{
	static const char config[] = "connectionConfig.";
	struct visit *visit = arg;
	struct schema_walk *walk = visit->walk;
	bool has_script = yaml_text(walk->root, "post_connection_script") != NULL;

	if (strncmp(name, config, strlen(config)) == 0) {
		if (!is_setting(walk, name + strlen(config)) && !has_script)
			schema_fault(
			    walk, visit->text, "E0706",
			    "nothing fills ${%.80s}: connection_config does not have it", name);
	} else if (!expand_knows_name(name) && !is_setting(walk, name) &&
		   !names(yaml_get(walk->root, "credentials"), name)) {
		schema_fault(walk, visit->text, "E0706", "nothing fills ${%.80s}", name);
	}
}

static void
on_fault(void *arg, const char *text)
{
	struct visit *visit = arg;

	schema_fault(visit->walk, visit->text, "E0706", "%s", text);
}

void
schema_check_placeholders(struct schema_walk *walk, const struct yaml_node *text)
{
	struct visit visit = {walk, text};

	if (strstr(text->text, "${") != NULL)
		expand_visit(text->text, &(struct expand_visitor){on_name, on_fault, &visit});
}
