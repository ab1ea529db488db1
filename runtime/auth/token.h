/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/token -- requests to token endpoints, as templates describe them, and what is read from
 * their answers.
 */
#ifndef NANGO_AUTH_TOKEN_H
#define NANGO_AUTH_TOKEN_H

#include "auth/auth.h"

#define TOKEN_ANSWER_MAX (256 * 1024)
#define TOKEN_TEXT_MAX 16384 /* of one token */

/* How the client says who it is: exactly one way, as RFC 6749 2.3 wants it. */
enum token_client {
	TOKEN_CLIENT_NONE,
	TOKEN_CLIENT_BODY,
	TOKEN_CLIENT_BASIC,	 /* id and secret as they are */
	TOKEN_CLIENT_BASIC_FORM, /* each form-encoded first (RFC 6749 2.3.1) */
	TOKEN_CLIENT_LOGIN,	 /* as username and password in the body */
	TOKEN_CLIENT_ASSERTION,	 /* with a JWT (RFC 7523); client_secret is the private key */
};

/* Adds headers to a request that is otherwise final. */
typedef int token_sign_fn(void *arg, TALLOC_CTX *mem, struct auth_request *request,
			  struct error *err);

struct token_request {
	const char *url, *method;    /* POST when NULL */
	const char *format;	     /* form, json, query, xml */
	struct json_object *params;  /* in order; text, but with json anything */
	struct json_object *headers; /* more of them; NULL: none */
	enum token_client client;
	const char *client_id, *client_secret;
	token_sign_fn *sign; /* NULL: it is not signed */
	void *sign_arg;
};

/* The answer as it came, if it is 2xx; ERR_PROVIDER with what the provider said otherwise. */
MUST_CHECK int token_ask(struct auth_grant *grant, const struct token_request *request,
			 struct auth_answer *out, struct error *err);

/*
 * A 2xx answer as a tree. ERR_PROVIDER for any other, with what the provider said about it, and
 * for one that is neither JSON nor a form.
 */
MUST_CHECK int token_send(struct auth_grant *grant, const struct token_request *request,
			  struct json_object **out, struct error *err);

/*
 * A section of a template with its placeholders filled, in depth; what does not resolve is left
 * out, or with is_strict the error. A missing section gives an empty mapping.
 */
MUST_CHECK int token_params(struct auth_grant *grant, const struct expand_scope *scope,
			    const char *section, bool is_strict, struct json_object **out,
			    struct error *err);
/* The same of any tree, in the mode in which its texts are filled. *out belongs to mem. */
MUST_CHECK int token_fill(struct auth_grant *grant, const struct expand_scope *scope,
			  enum expand_mode mode, bool is_strict, struct json_object *from,
			  struct json_object **out, struct error *err);
void token_put(struct json_object *params, const char *key, const char *value); /* over */

/* A dotted path in an answer; NULL when nothing is there. */
struct json_object *token_at(struct json_object *tree, const char *path);
/* The text of a text or number, in mem. */
const char *token_text_at(TALLOC_CTX *mem, struct json_object *tree, const char *path);

/* x=1&y=2, as old servers answer; -1 when it is no such text. */
MUST_CHECK int token_from_form(TALLOC_CTX *mem, const char *text, struct json_object **out);

/* A moment as answers tell it: ISO, seconds, milliseconds. 0 when it is none. */
int64_t token_moment(struct json_object *value);
/* expires_at of a request body, checked, into out as ISO; an absent one is fine. */
MUST_CHECK int token_given_expiry(struct json_object *given, struct json_object *out,
				  struct error *err);
/* When a life from now ends; not after the year 9999. */
int64_t token_end(const struct auth_grant *grant, int64_t life_ms);
/* expires_at or expires_in of an answer, or the template's fixed life; 0: nothing said. */
int64_t token_expiry(const struct auth_grant *grant, struct json_object *answer);

/* ERR_PROVIDER unless an answer is an object. */
MUST_CHECK int token_object(const struct auth_grant *grant, struct json_object *answer,
			    struct error *err);

/*
 * What x.token_response makes of an answer: ERR_PROVIDER when the provider says no in it,
 * whatever its status was; else *out has access_token, refresh_token, expires_in and
 * expires_at where OAuth 2 has them. Without the key it is the answer.
 */
MUST_CHECK int token_mapped(const struct auth_grant *grant, struct json_object *answer,
			    struct json_object **out, struct error *err);

/* What an answer without a token says: its error, or the names of its members, never values
 * that may be secret. */
const char *token_describe(const struct auth_grant *grant, struct json_object *answer);

/* Members that token_response_metadata names, into the connection's settings. */
void token_keep_metadata(struct auth_grant *grant, struct json_object *answer);

#endif
