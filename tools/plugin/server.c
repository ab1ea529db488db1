/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server -- see server.h.
 */
#include "server.h"
#include "base/json.h"
#include "command.h"
#include "base/loop.h"
#include "command.h"
#include "http/client.h"
#include "project.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOTENV_BYTES_MAX (64 * 1024)
#define TIMEOUT_MS 60000
#define ANSWER_MAX (16 * 1024 * 1024)
#define FOLDERS_MAX 64

/* The value of `name=value` in a .env file: `export` before it and quotes around it may stand.
 */
static const char *
value_in(TALLOC_CTX *mem, const char *text, const char *name)
{
	size_t length = strlen(name);

	for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n') {
		const char *at = text + strspn(text, " \t");
		size_t n;

		if (strncmp(at, "export ", 7) == 0)
			at += 7 + strspn(at + 7, " \t");
		if (strncmp(at, name, length) != 0 ||
		    at[length + strspn(at + length, " \t")] != '=')
			continue;
		at = strchr(at + length, '=') + 1;
		at += strspn(at, " \t");
		if (*at == '"' || *at == '\'') {
			const char quote[] = {*at, '\n', '\0'};

			return talloc_strndup(mem, at + 1, strcspn(at + 1, quote));
		}
		n = strcspn(at, "#\r\n");
		while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
			n--;
		return talloc_strndup(mem, at, n);
	}
	return NULL;
}

const char *
server_setting(TALLOC_CTX *mem, const char *name)
{
	const char *value = getenv(name);
	struct error ignored;
	char folder[4096], *text;
	size_t length;

	if (value != NULL && value[0] != '\0')
		return value;
	if (getcwd(folder, sizeof(folder)) == NULL)
		return NULL;
	for (int i = 0; i < FOLDERS_MAX; i++) {
		const char *path = talloc_asprintf(mem, "%s/.env", folder);

		if (access(path, R_OK) == 0 &&
		    project_read_file(mem, path, DOTENV_BYTES_MAX, &text, &length, &ignored) ==
			0) {
			value = value_in(mem, text, name);
			if (value != NULL && value[0] != '\0')
				return value;
		}
		if (folder[0] == '\0' || strrchr(folder, '/') == NULL)
			return NULL;
		*strrchr(folder, '/') = '\0';
	}
	return NULL;
}

int
server_find(TALLOC_CTX *mem, const char *environment, struct server *out, struct error *err)
{
	char *name = talloc_asprintf(mem, "NANGO_SECRET_KEY_%s", environment);
	size_t n;

	for (char *c = name; *c != '\0'; c++)
		*c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
	out->environment = environment;
	out->url = server_setting(mem, "NANGO_HOSTPORT");
	out->key = server_setting(mem, name);
	if (out->url == NULL) {
		error_set(
		    err, ERR_CONFIG,
		    "NANGO_HOSTPORT is not set [E0401]\nhelp: put "
		    "NANGO_HOSTPORT=http://127.0.0.1:3003 into the environment or a .env file");
		return STATUS_USAGE;
	}
	if (strncmp(out->url, "http://", 7) != 0 && strncmp(out->url, "https://", 8) != 0) {
		error_set(err, ERR_CONFIG,
			  "NANGO_HOSTPORT is \"%.80s\", which is no URL [E0401]\nhelp: "
			  "NANGO_HOSTPORT=http://127.0.0.1:3003",
			  out->url);
		return STATUS_USAGE;
	}
	if (out->key == NULL) {
		error_set(err, ERR_MISSING_AUTH,
			  "%s is not set [E0402]\nhelp: put the secret key of the environment "
			  "\"%.40s\" into it, in the environment or a .env file",
			  name, environment);
		return STATUS_AUTH;
	}
	for (n = strlen(out->url); n > 0 && out->url[n - 1] == '/';)
		n--;
	out->url = talloc_strndup(mem, out->url, n);
	return STATUS_OK;
}

struct waiting {
	TALLOC_CTX *mem;
	struct loop *loop;
	struct server_answer *answer;
	struct error *err;
	int result;
};

static void
on_done(void *arg, const struct http_incoming *answer, const struct error *err)
{
	struct waiting *waiting = arg;

	if (err != NULL) {
		*waiting->err = *err;
		waiting->result = -1;
	} else {
		waiting->answer->status = answer->status;
		waiting->answer->body =
		    talloc_strndup(waiting->mem, answer->body == NULL ? "" : answer->body,
				   answer->body_length);
		waiting->answer->body_length = strlen(waiting->answer->body);
		waiting->result = 0;
	}
	loop_stop(waiting->loop);
}

static int
send_and_wait(struct loop *loop, const struct http_outgoing *request, struct waiting *waiting,
	      struct error *err)
{
	/* The developer named this server; that it is on a private network is no surprise. */
	struct http_client_config config = {
	    .loop = loop, .egress_allow = "0.0.0.0/0,::/0", .user_agent = "nango-plugin"};
	struct http_client *client;

	if (http_client_new(&client, &config, err) < 0)
		return -1;
	http_client_send(client, request, on_done, waiting);
	loop_run(loop);
	http_client_free(client);
	return waiting->result;
}

static int
server_send(TALLOC_CTX *mem, const struct server *server, struct http_outgoing *request,
	    const char *path, struct server_answer *out, struct error *err)
{
	struct waiting waiting = {.mem = mem, .answer = out, .err = err, .result = -1};
	int result;

	request->url = talloc_asprintf(mem, "%s%s", server->url, path);
	request->timeout_ms = TIMEOUT_MS;
	request->response_max = ANSWER_MAX;
	if (loop_new(&waiting.loop, err) < 0)
		return -1;
	result = send_and_wait(waiting.loop, request, &waiting, err);
	loop_free(waiting.loop);
	return result;
}

int
server_post(TALLOC_CTX *mem, const struct server *server, const char *path,
	    const char *content_type, const void *body, size_t length,
	    struct server_answer *out, struct error *err)
{
	const struct http_field headers[] = {
	    {"authorization", talloc_asprintf(mem, "Bearer %s", server->key)},
	    {"content-type", content_type},
	    {"accept", "application/json"},
	    {0},
	};
	struct http_outgoing request = {
	    .method = "POST", .headers = headers, .body = body, .body_length = length};

	return server_send(mem, server, &request, path, out, err);
}

int
server_get(TALLOC_CTX *mem, const struct server *server, const char *path,
	   const char *integration, const char *connection, struct server_answer *out,
	   struct error *err)
{
	const struct http_field headers[] = {
	    {"authorization", talloc_asprintf(mem, "Bearer %s", server->key)},
	    {"accept", "application/json"},
	    {integration == NULL ? NULL : "provider-config-key", integration},
	    {"connection-id", connection},
	    {0},
	};
	struct http_outgoing request = {.method = "GET", .headers = headers};

	return server_send(mem, server, &request, path, out, err);
}

int
server_silent(const struct server *server, const struct error *why, struct error *err)
{
	error_set(err, ERR_NETWORK,
		  "no answer from %s: %.500s [E0403]\nhelp: start it (nangod dev), or correct "
		  "NANGO_HOSTPORT",
		  server->url, why->message);
	return STATUS_DEPLOY;
}

int
server_refused(TALLOC_CTX *mem, const struct server *server, const struct server_answer *answer,
	       const char *what, struct error *err)
{
	struct json_object *tree = NULL, *error;
	struct error ignored;
	const char *code, *message;

	if (answer->body_length > 0 &&
	    json_parse(mem, answer->body, answer->body_length, &tree, &ignored) < 0)
		tree = NULL;
	error = json_object_in(tree, "error");
	code = json_string(error, "code");
	message = json_string(error, "message");
	if (answer->status == 401 || answer->status == 403) {
		error_set(err, ERR_UNKNOWN_KEY,
			  "%s refused the key of the environment \"%s\"%s%.300s [E0404]\nhelp: "
			  "compare "
			  "NANGO_SECRET_KEY_… with the key that the server shows",
			  server->url, server->environment, message == NULL ? "" : ": ",
			  message == NULL ? "" : message);
		return STATUS_AUTH;
	}
	if (message == NULL) {
		error_set(
		    err, ERR_PROTOCOL,
		    "%s answered with status %d and no reason [E0407]\nhelp: is it a nangod of "
		    "this version?",
		    server->url, answer->status);
		return STATUS_DEPLOY;
	}
	error_set(err, ERR_UPSTREAM, "the server refused %s: %.700s (%s) [E0405]", what,
		  message, code == NULL ? "error" : code);
	return STATUS_DEPLOY;
}
