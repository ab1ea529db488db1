/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_files -- see template_files.h. What differs from mode to mode is a row here.
 */
#include "template_files.h"

#include "base/buf.h"
#include "base/json.h"
#include "project.h"
#include "texts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name, title, more)                                                               \
	"    " name ":\n        type: string\n        title: " title "\n        description: " \
	"Where a person finds it\n" more

static const struct mode {
	const char *name, *access;
} modes[] = {
    {"API_KEY", "credentials:\n" FIELD("apiKey", "API key", "        secret: true\n")},
    {"BASIC", "credentials:\n" FIELD("username", "User name", "")
		  FIELD("password", "Password", "        secret: true\n")},
    {"NONE", ""},
    {"OAUTH2", "authorization_url: https://example.com/oauth/authorize\n"
	       "token_url: https://example.com/oauth/token\nscope_separator: ' '\n"
	       "default_scopes: [read]\n"},
    {"OAUTH2_CC",
     "token_url: https://example.com/oauth/token\nbody_format: form\ncredentials:\n" FIELD(
	 "client_id", "Client ID", "")
	 FIELD("client_secret", "Client secret", "        secret: true\n")},
};

static const struct mode *
find_mode(const char *name, struct error *err)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcasecmp(modes[i].name, name) == 0)
			return &modes[i];
	error_set(
	    err, ERR_USAGE,
	    "there is no first template for the mode %.40s [E0003]\nhelp: API_KEY, BASIC, "
	    "NONE, OAUTH2 or OAUTH2_CC",
	    name);
	return NULL;
}

static void
fill_line(struct buf *out, const char *line, const char *name, const struct mode *mode)
{
	const struct {
		const char *mark, *text;
	} marks[] = {
	    {"@PROVIDER@", name},
	    {"@MODE@", mode->name},
	    {"@ACCESS@\n", mode->access},
	};

	for (size_t i = 0; *line != '\0';) {
		for (i = 0; i < 3; i++)
			if (strncmp(line, marks[i].mark, strlen(marks[i].mark)) == 0)
				break;
		if (i < 3) {
			buf_adds(out, marks[i].text);
			line += strlen(marks[i].mark);
		} else {
			buf_addc(out, *line++);
		}
	}
}

static const char *
fill(TALLOC_CTX *mem, const char *name, const struct mode *mode)
{
	struct buf out;

	buf_init(&out, mem, 1024);
	for (const char *const *line = texts_skeleton_template; *line != NULL; line++) {
		bool is_proxy_key = strncmp(*line, "    verification:", 17) == 0;

		/* Nothing tells good credentials from bad ones where there are none. */
		if (is_proxy_key && strcmp(mode->name, "NONE") == 0) {
			while (line[1] != NULL && strncmp(line[1], "        ", 8) == 0)
				line++;
			continue;
		}
		fill_line(&out, *line, name, mode);
	}
	return out.data;
}

int
template_files_new(struct invocation *inv, struct error *err)
{
	const char *name = inv->arguments[1], *dir = command_option(inv, "output"), *path;
	const char *mode_name = command_option(inv, "mode"), *text;
	const struct mode *mode = find_mode(mode_name == NULL ? "API_KEY" : mode_name, err);

	if (mode == NULL)
		return STATUS_USAGE;
	if (name[0] == '\0' ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0') {
		error_set(err, ERR_USAGE,
			  "\"%.64s\" is no name of a provider [E0710]\nhelp: small letters, "
			  "digits and -: my-crm",
			  name);
		return STATUS_USAGE;
	}
	path = talloc_asprintf(inv->mem, "%s/%s.yaml", dir == NULL ? "." : dir, name);
	if (access(path, F_OK) == 0) {
		error_set(err, ERR_CONFLICT, "%s exists already [E0013]", path);
		return STATUS_FAILURE;
	}
	text = fill(inv->mem, name, mode);
	if (project_write_file(path, text, strlen(text), err) < 0)
		return STATUS_FAILURE;
	if (inv->is_json)
		printf("{\"ok\":true,\"file\":%s}\n",
		       json_text(inv->mem, json_own(inv->mem, json_object_new_string(path))));
	else
		printf("%s\n\nNext:\n  nango-plugin template check %s\n", path, path);
	return STATUS_OK;
}
