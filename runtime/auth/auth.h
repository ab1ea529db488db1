/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth -- the auth modes behind one interface; a mode is one file and one row in auth.c.
 *
 * A mode knows protocols, not databases or sockets: its requests go through the sender of the
 * grant it works on. Calls that send block, and belong on pool threads.
 */
#ifndef NANGO_AUTH_AUTH_H
#define NANGO_AUTH_AUTH_H

#include "base/error.h"
#include "base/json.h"
#include "provider/expand.h"
#include "provider/template.h"

/* ---- requests of a flow ---- */

struct auth_request {
	const char *method, *url;
	struct json_object *headers;	       /* texts, by lower-case name */
	const char *body;		       /* NULL: none */
	const char *certificate, *private_key; /* PEM, for mutual TLS; NULL: none */
};

struct auth_answer {
	int status;
	const char *body; /* NUL-terminated */
	size_t body_length;
	struct json_object *headers; /* by lower-case name; of one that repeats, an array */
};

/* The answer belongs to mem. -1 only when there is none. */
typedef int auth_send_fn(void *arg, TALLOC_CTX *mem, const struct auth_request *request,
			 struct auth_answer *out, struct error *err);

/* ---- requests that are signed one by one ---- */

struct auth_field {
	const char *name, *value;
};

/* As it goes over the wire. */
struct auth_wire {
	const char *method, *url;
	const struct auth_field *headers; /* ends with a NULL name */
	const void *body;
	size_t body_length;
};

#define AUTH_SIGNED_MAX 4

/* ---- a grant: credentials that are made or renewed ---- */

struct auth_grant {
	TALLOC_CTX *mem; /* of all that is made */
	const struct template *template;
	struct json_object *app;      /* the integration's: client_id, client_secret … */
	struct json_object *settings; /* the integration's own (integration_config) */
	struct json_object *config;   /* the connection's; what an answer tells is added */
	struct json_object *metadata; /* the app's own words about the connection; NULL: none */
	struct json_object
	    *options; /* assertion_option: asked for once and not kept; or NULL */
	/* In: what the form gave, or what is stored. Out: what is to be sealed. */
	struct json_object *credentials;
	int64_t expires_ms; /* out: wall clock; 0: they do not, or nobody said */
	int64_t now_ms;
	struct json_object *answer_headers; /* of the newest answer */
	/* In place of the template's, where they were found; NULL: the template's. */
	const char *authorization_url, *token_url;
	const char *resource; /* whom tokens are for (RFC 8707), or NULL */
	bool needs_pkce;      /* whatever the template says */
	bool allows_http;     /* what is found may be at http and at addresses */
	auth_send_fn *send;
	void *send_arg;
};

/* A person's way through the provider's pages. */
struct auth_flow {
	const char *state, *verifier, *redirect_uri;
	const char *client_metadata_url; /* of the document that describes us; NULL: none */
	const char *scopes;		 /* separated by commas; NULL: the integration's */
	struct json_object *params; /* texts put over the template's; null takes one away */
};

struct auth_scheme {
	const char *mode; /* as in templates: "API_KEY" */
	const char *doc;
	/*
	 * The credentials of a request body, checked and in the form in which they are sealed:
	 * {"type", …}. *out belongs to mem. ERR_INVALID_BODY at credentials.….
	 */
	int (*validate)(TALLOC_CTX *mem, const struct template *template,
			struct json_object *given, struct json_object **out, struct error *err);
	/* The Authorization header unless the template has its own; NULL where a mode has none.
	 */
	char *(*authorization)(TALLOC_CTX *mem, struct json_object *credentials);
	/* From what a form gave to credentials that work. NULL: they work as they are. */
	int (*obtain)(struct auth_grant *grant, struct error *err);
	/* Before they expire. NULL: they cannot be renewed. */
	int (*renew)(struct auth_grant *grant, struct error *err);
	/* Whether what is stored can be renewed at all, such as with a refresh token. */
	bool (*is_renewable)(const struct auth_grant *grant);
	/*
	 * Headers for one try of a request, in place of any of the same name; their values are
	 * in mem. It sends nothing, and changes nothing of the grant. NULL: bearer and the
	 * like.
	 */
	int (*sign)(const struct auth_grant *grant, TALLOC_CTX *mem,
		    const struct auth_wire *request, struct auth_field out[AUTH_SIGNED_MAX + 1],
		    struct error *err);
	/*
	 * Where a person's browser goes; NULL: the mode has no such way. Members added to the
	 * credentials are kept, sealed, for complete.
	 */
	int (*begin)(struct auth_grant *grant, const struct auth_flow *flow, char **url,
		     struct error *err);
	/* What a browser came back with are keys, not a token: they are tried before they are
	 * kept, as those of a form are. */
	bool is_tried;
	/* It came back with these parameters. */
	int (*complete)(struct auth_grant *grant, const struct auth_flow *flow,
			struct json_object *query, struct error *err);
};

/* NULL when the mode cannot be connected by this version. */
const struct auth_scheme *auth_scheme_find(const char *mode);
const struct auth_scheme *const *auth_schemes(size_t *count);

extern const struct auth_scheme auth_api_key, auth_app, auth_aws_sigv4, auth_basic, auth_bill,
    auth_custom, auth_install_plugin, auth_jwt, auth_mcp_oauth2, auth_mcp_oauth2_generic,
    auth_none, auth_oauth1, auth_oauth2, auth_oauth2_cc, auth_signature, auth_tba,
    auth_two_step;

/* ---- for the modes ---- */

/* For validate: a string member within 1..max bytes (min 0: may be empty). */
MUST_CHECK int auth_text(struct json_object *given, const char *key, size_t min, size_t max,
			 const char **out, struct error *err);
/* The same, or NULL when it is absent or null. */
MUST_CHECK int auth_text_if(struct json_object *given, const char *key, size_t max,
			    const char **out, struct error *err);

/* Fields of the form that the template declares, and that are given, into out. */
MUST_CHECK int auth_fields(const struct template *template, struct json_object *given,
			   struct json_object *out, struct error *err);

/* Members of from that out does not have: what a renewal keeps of the form. */
void auth_keep(struct json_object *out, struct json_object *from);

char *auth_bearer(TALLOC_CTX *mem, const char *token); /* "Bearer …"; NULL for NULL */

/* Names for the templates of a grant: credentials, settings under config, clientId … */
void auth_scope(const struct auth_grant *grant, struct expand_scope *out);

/* Put where a text of a provider is shown or logged: no secret of the grant is in it. */
char *auth_redact(const struct auth_grant *grant, const char *text);

#endif
