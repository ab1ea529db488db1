/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/template -- loading; the checks of form fields are in fields.c.
 *
 * Our own templates are read strictly: a key that nobody knows is a typing error.
 */
#include "provider/template.h"
#include "base/yaml.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

struct template
{
	char *name;
	const char *display_name, *auth_mode;
	struct json_object *body;
};

struct templates {
	struct template *list; /* by name */
	size_t count;
};

/* Keys of the reference's format that ours may use, and `x`, under which our own stand. */
static const char *const known_keys[] = {
    "display_name",
    "categories",
    "docs",
    "docs_connect",
    "setup_guide_url",
    "auth_mode",
    "proxy",
    "credentials",
    "connection_config",
    "integration_config",
    "x",
    "authorization_url",
    "authorization_params",
    "token_url",
    "token_params",
    "default_scopes",
    "scope_separator",
    "refresh_params",
    NULL,
};
static const char *const known_modes[] = {
    "API_KEY",
    "BASIC",
    "NONE",
    "OAUTH1",
    "OAUTH2",
    "OAUTH2_CC",
    "APP",
    "CUSTOM",
    "TBA",
    "JWT",
    "TWO_STEP",
    "SIGNATURE",
    "BILL",
    "AWS_SIGV4",
    "MCP_OAUTH2",
    "MCP_OAUTH2_GENERIC",
    "INSTALL_PLUGIN",
    NULL,
};

static bool
is_among(const char *const *list, const char *text)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

static int
check(const char *path, const struct yaml_node *root, struct error *err)
{
	static const char *const required[] = {"display_name", "docs", "auth_mode", NULL};
	const struct yaml_node *mode = yaml_get(root, "auth_mode");

	if (root->kind != YAML_MAPPING)
		return yaml_error(err, path, root, "a template is a mapping of keys");
	for (size_t i = 0; i < root->count; i++)
		if (!is_among(known_keys, root->items[2 * i]->text))
			return yaml_error(
			    err, path, root->items[2 * i],
			    "there is no key \"%s\": keys of our own stand under x",
			    root->items[2 * i]->text);
	for (const char *const *key = required; *key != NULL; key++)
		if (yaml_text(root, *key) == NULL)
			return yaml_error(err, path, root, "the key \"%s\" is missing", *key);
	if (!is_among(known_modes, mode->text))
		return yaml_error(err, path, mode, "there is no auth_mode \"%s\"", mode->text);
	if (yaml_text(yaml_get(root, "x"), "source") == NULL)
		return yaml_error(err, path, root,
				  "x.source is missing: the URL of the vendor's documentation");
	return 0;
}

static int
load_one(TALLOC_CTX *mem, const char *dir, const char *file, struct template *out,
	 struct error *err)
{
	TALLOC_CTX *scratch = talloc_new(mem);
	char *path = talloc_asprintf(scratch, "%s/%s", dir, file);
	struct yaml_node *root;
	int result = yaml_read(scratch, path, &root, err);

	if (result == 0)
		result = check(path, root, err);
	if (result == 0) {
		out->name = talloc_strndup(mem, file, strlen(file) - strlen(".yaml"));
		out->body = json_own(mem, yaml_to_json(root));
		out->display_name = json_string(out->body, "display_name");
		out->auth_mode = json_string(out->body, "auth_mode");
	}
	talloc_free(scratch);
	return result;
}

static int
is_template_file(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 5, ".yaml") == 0;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct template *)a)->name, ((const struct template *)b)->name);
}

int
templates_load(TALLOC_CTX *mem, const char *dir, struct templates **out, struct error *err)
{
	struct templates *t = talloc_zero(mem, struct templates);
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, is_template_file, alphasort), result = 0;

	if (t == NULL)
		abort();
	if (count < 0)
		return error_set_errno(err, ERR_CONFIG, "cannot read the templates in %s", dir);
	if (count > TEMPLATES_MAX)
		result = error_set(err, ERR_CONFIG, "%s holds over %d templates", dir,
				   TEMPLATES_MAX);
	t->list = talloc_zero_array(t, struct template, (unsigned)count + 1);
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result =
			    load_one(t, dir, entries[i]->d_name, &t->list[t->count++], err);
		free(entries[i]);
	}
	free(entries);
	if (result < 0) {
		talloc_free(t);
		return -1;
	}
	qsort(t->list, t->count, sizeof(*t->list), compare_names);
	*out = t;
	return 0;
}

size_t
templates_count(const struct templates *templates)
{
	return templates->count;
}

const struct template *
templates_at(const struct templates *templates, size_t index)
{
	return &templates->list[index];
}

static int
compare_name(const void *name, const void *template)
{
	return strcmp(name, ((const struct template *)template)->name);
}

const struct template *
template_find(const struct templates *templates, const char *name)
{
	return bsearch(name, templates->list, templates->count, sizeof(*templates->list),
		       compare_name);
}

const char *
template_name(const struct template *template)
{
	return template->name;
}

const char *
template_display_name(const struct template *template)
{
	return template->display_name;
}

const char *
template_auth_mode(const struct template *template)
{
	return template->auth_mode;
}

struct json_object *
template_body(const struct template *template)
{
	return template->body;
}

struct json_object *
template_definition(const struct template *template, const char *server_url)
{
	struct json_object *copy = NULL;
	TALLOC_CTX *mem = talloc_new(NULL);

	if (json_object_deep_copy(template->body, &copy, NULL) != 0)
		abort();
	json_object_object_del(copy, "x");
	json_add(copy, "name", template->name);
	json_add(copy, "logo_url",
		 talloc_asprintf(mem, "%s/images/template-logos/%s.svg", server_url,
				 template->name));
	talloc_free(mem);
	return copy;
}
