/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth-signers-lines -- for the test against npm's signers: a line of JSON {signer, …} is
 * answered by {"out"} or {"error", "message"}.
 */
#include "lines.h"
#include "auth/jwt.h"
#include "auth/oauth1.h"
#include "auth/sigv4.h"
#include "auth/wsse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
sign_jwt(TALLOC_CTX *mem, struct json_object *row, char **out, struct error *err)
{
	struct jwt_key key = {
	    .text = json_string(row, "key"),
	    .is_hex = json_boolean(row, "hex", false),
	    .jwk = json_object_in(row, "jwk"),
	};

	return jwt_sign(mem, json_object_in(row, "header"), json_object_in(row, "payload"),
			&key, out, err);
}

static int
read_claims(TALLOC_CTX *mem, struct json_object *row, char **out, struct error *err)
{
	struct json_object *claims;

	if (jwt_claims(mem, json_string(row, "token"), &claims, err) < 0)
		return -1;
	*out = json_text(mem, claims);
	return 0;
}

static int
sign_oauth1(TALLOC_CTX *mem, struct json_object *row, char **out, struct error *err)
{
	struct oauth1 oauth = {
	    .method = (enum oauth1_method)json_integer(row, "method", 0),
	    .consumer_key = json_string(row, "consumerKey"),
	    .consumer_secret = json_string(row, "consumerSecret"),
	    .token = json_string(row, "token"),
	    .token_secret = json_string(row, "tokenSecret"),
	    .callback = json_string(row, "callback"),
	    .verifier = json_string(row, "verifier"),
	    .realm = json_string(row, "realm"),
	    .nonce = json_string(row, "nonce"),
	    .timestamp_s = json_integer(row, "timestamp", 0),
	};
	const char *form = json_string(row, "form");
	struct oauth1_request request = {
	    .method = json_string(row, "verb"),
	    .url = json_string(row, "url"),
	    .form = form,
	    .form_length = form == NULL ? 0 : strlen(form),
	};

	return oauth1_header(mem, &oauth, &request, out, err);
}

static int
sign_sigv4(TALLOC_CTX *mem, struct json_object *row, char **out, struct error *err)
{
	struct json_object *headers = json_object_in(row, "headers");
	struct sigv4_header given[64];
	struct sigv4_keys keys = {
	    .id = json_string(row, "id"),
	    .secret = json_string(row, "secret"),
	    .session_token = json_string(row, "token"),
	};
	struct sigv4_scope scope = {
	    .region = json_string(row, "region"),
	    .service = json_string(row, "service"),
	    .time_s = json_integer(row, "time", 0),
	    .is_bare = json_boolean(row, "bare", false),
	};
	const char *body = json_string(row, "body");
	struct sigv4_request request = {
	    .method = json_string(row, "method"),
	    .url = json_string(row, "url"),
	    .headers = given,
	    .body = body,
	    .body_length = body == NULL ? 0 : strlen(body),
	    .body_sha256 = json_string(row, "bodySha256"),
	};
	struct sigv4_signed made;

	json_object_object_foreach (headers, name, value)
		given[request.header_count++] =
		    (struct sigv4_header){name, json_object_get_string(value)};
	if (sigv4_sign(mem, &keys, &scope, &request, &made, err) < 0)
		return -1;
	*out = talloc_strdup(mem, "");
	for (size_t i = 0; i < made.count; i++)
		*out = talloc_asprintf(mem, "%s%s: %s\n", *out, made.headers[i].name,
				       made.headers[i].value);
	return 0;
}

static int
sign_wsse(TALLOC_CTX *mem, struct json_object *row, char **out, struct error *err)
{
	return wsse_header(mem, json_string(row, "username"), json_string(row, "password"),
			   NULL, json_integer(row, "created", 0), out, err);
}

static const struct {
	const char *name;
	int (*sign)(TALLOC_CTX *mem, struct json_object *row, char **out, struct error *err);
} signers[] = {
    {"jwt", sign_jwt},	   {"claims", read_claims}, {"oauth1", sign_oauth1},
    {"sigv4", sign_sigv4}, {"wsse", sign_wsse},
};

static void
answer(TALLOC_CTX *mem, struct json_object *row)
{
	struct json_object *out = json_own(mem, json_object_new_object());
	const char *name = json_string(row, "signer");
	struct error err = {0};
	char *text;

	for (size_t i = 0; i < sizeof(signers) / sizeof(signers[0]); i++) {
		if (strcmp(signers[i].name, name) != 0)
			continue;
		if (signers[i].sign(mem, row, &text, &err) == 0) {
			json_add(out, "out", text);
		} else {
			json_add(out, "error", error_name(err.code));
			json_add(out, "message", err.message);
		}
	}
	puts(json_text(mem, out));
}

int
main(void)
{
	return lines_answer(answer);
}
