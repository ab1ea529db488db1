/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/aws_sigv4 -- the mode AWS_SIGV4: a role of the customer is assumed with the keys of the
 * integration (AWS STS, AssumeRole), and each request is signed with what that gives.
 *
 * The keys are the integration's, sealed. So where they are used is never the connection's
 * choice: the service is a setting of the integration, and a region is a plain word.
 */
#include "auth/sigv4.h"
#include "auth/sts.h"
#include "auth/token.h"
#include "auth/wire.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define ROLE_MAX 2048
#define WORD_MAX 64
#define SESSION_NAME "nangod" /* as the customer's CloudTrail shows it */
#define LIFE_S 3600
#define LIFE_TEXT "3600"

/* A region or a service: it becomes a part of a host's name. */
static bool
is_word(const char *text)
{
	size_t length = text == NULL ? 0 : strlen(text);

	return length > 0 && length <= WORD_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static int
validate(TALLOC_CTX *mem, const struct template *template, struct json_object *given,
	 struct json_object **out, struct error *err)
{
	struct json_object *made = json_own(mem, json_object_new_object());
	const char *role, *region;

	(void)template;
	if (auth_text(given, "role_arn", 20, ROLE_MAX, &role, err) < 0 ||
	    auth_text_if(given, "region", WORD_MAX, &region, err) < 0)
		return -1;
	if (strncmp(role, "arn:", 4) != 0)
		return error_set_at(err, ERR_INVALID_BODY, "credentials.role_arn",
				    "credentials.role_arn must be the ARN of a role");
	json_add(made, "type", "AWS_SIGV4");
	json_add(made, "role_arn", role);
	if (region != NULL)
		json_add(made, "region", region);
	*out = made;
	return 0;
}

/* ---- signing ---- */

static int
put_signature(TALLOC_CTX *mem, const struct sigv4_keys *keys, struct sigv4_scope scope,
	      const struct auth_wire *request, struct auth_field out[AUTH_SIGNED_MAX + 1],
	      struct error *err)
{
	struct sigv4_request what = {.method = request->method,
				     .url = request->url,
				     .body = request->body,
				     .body_length = request->body_length};
	struct sigv4_signed made;
	struct sigv4_header *headers;
	size_t i;

	while (request->headers[what.header_count].name != NULL)
		what.header_count++;
	headers = talloc_array(mem, struct sigv4_header, (unsigned)what.header_count + 1);
	if (headers == NULL)
		abort();
	for (i = 0; i < what.header_count; i++)
		headers[i] =
		    (struct sigv4_header){request->headers[i].name, request->headers[i].value};
	what.headers = headers;
	scope.time_s = clock_wall_ms() / 1000;
	if (sigv4_sign(mem, keys, &scope, &what, &made, err) < 0)
		return -1;
	for (i = 0; i < made.count; i++)
		out[i] = (struct auth_field){made.headers[i].name, made.headers[i].value};
	out[i] = (struct auth_field){NULL, NULL};
	return 0;
}

static int
sign(const struct auth_grant *grant, TALLOC_CTX *mem, const struct auth_wire *request,
     struct auth_field out[AUTH_SIGNED_MAX + 1], struct error *err)
{
	struct json_object *c = grant->credentials;
	const struct sigv4_keys keys = {.id = json_string(c, "access_key_id"),
					.secret = json_string(c, "secret_access_key"),
					.session_token = json_string(c, "session_token")};
	const struct sigv4_scope scope = {.region = json_string(c, "region"),
					  .service = json_string(c, "service")};

	return put_signature(mem, &keys, scope, request, out, err);
}

/* ---- AssumeRole ---- */

struct assuming {
	struct sigv4_keys keys;
	struct sigv4_scope scope;
	const char *service; /* that the role is used for; scope is of STS */
};

static int
sign_assume(void *arg, TALLOC_CTX *mem, struct auth_request *request, struct error *err)
{
	const struct assuming *a = arg;
	const struct auth_wire wire = wire_of(mem, request);
	struct auth_field fields[AUTH_SIGNED_MAX + 1];

	if (put_signature(mem, &a->keys, a->scope, &wire, fields, err) < 0)
		return -1;
	wire_put(request, fields);
	return 0;
}

/* Region and service; both become settings, which base URLs name. */
static int
find_place(struct auth_grant *grant, struct assuming *out, struct error *err)
{
	const char *region = json_string(grant->credentials, "region");
	const char *service = json_string(grant->settings, "service");
	const char *mode = json_string(grant->settings, "stsMode");

	if (region == NULL)
		region = json_string(grant->config, "region");
	if (region == NULL || region[0] == '\0')
		region = json_string(grant->settings, "defaultRegion");
	if (mode != NULL && strcmp(mode, "builtin") != 0 && !sts_is_own(grant))
		return error_set(err, ERR_CREDENTIALS,
				 "integration_config.stsMode must be builtin or custom");
	if (!is_word(service))
		return error_set(err, ERR_CREDENTIALS,
				 "integration_config.service must name an AWS service: small "
				 "letters, digits and \"-\"");
	if (!is_word(region))
		return error_set_at(
		    err, ERR_INVALID_BODY, "credentials.region",
		    "a region is needed: small letters, digits and \"-\", 64 at "
		    "most (region, or integration_config.defaultRegion)");
	json_add(grant->config, "region", region);
	json_add(grant->config, "service", service);
	out->scope = (struct sigv4_scope){.region = json_string(grant->config, "region"),
					  .service = "sts"};
	out->service = json_string(grant->config, "service");
	return 0;
}

static int
find_keys(struct auth_grant *grant, struct assuming *out, struct error *err)
{
	out->keys = (struct sigv4_keys){.id = json_string(grant->app, "access_key_id"),
					.secret = json_string(grant->app, "secret_access_key")};
	if (out->keys.id == NULL) /* where the reference has them */
		out->keys = (struct sigv4_keys){
		    .id = json_string(grant->settings, "awsAccessKeyId"),
		    .secret = json_string(grant->settings, "awsSecretAccessKey")};
	if (out->keys.id != NULL && out->keys.secret != NULL)
		return 0;
	return error_set(err, ERR_CREDENTIALS,
			 "the integration has no keys: give it credentials with access_key_id "
			 "and secret_access_key");
}

/* STS of the region, unless the template's token_url names another (partitions of AWS). */
static int
find_url(struct auth_grant *grant, const struct assuming *a, char **out, struct error *err)
{
	const char *from = json_string(template_body(grant->template), "token_url");
	struct expand_scope scope;

	if (from == NULL) {
		*out = talloc_asprintf(grant->mem, "https://sts.%s.amazonaws.com/",
				       a->scope.region);
		return 0;
	}
	auth_scope(grant, &scope);
	if (expand(grant->mem, from, &scope, EXPAND_URL, out, err) < 0)
		return error_prefix(
		    err, "the token URL of provider %s: ", template_name(grant->template));
	return 0;
}

/* The text of the first <name> behind at; none of ours holds markup or entities. */
static void
take_element(TALLOC_CTX *mem, const char *at, const char *name, struct json_object *out)
{
	const char *open = talloc_asprintf(mem, "<%s>", name), *text = strstr(at, open);
	size_t length;

	if (text == NULL)
		return;
	text += strlen(open);
	length = strcspn(text, "<&");
	if (strncmp(text + length, "</", 2) == 0)
		json_object_object_add(out, name,
				       json_object_new_string_len(text, (int)length));
}

/* The Credentials of an answer in JSON, which is asked for, or in XML. */
static struct json_object *
credentials_in(TALLOC_CTX *mem, const struct auth_answer *answer)
{
	static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "SessionToken",
					    "Expiration"};
	const char *at = strstr(answer->body, "<Credentials>");
	struct json_object *tree, *out;
	struct error none;

	if (json_parse(mem, answer->body, answer->body_length, &tree, &none) == 0)
		return token_at(tree, "AssumeRoleResponse.AssumeRoleResult.Credentials");
	if (at == NULL)
		return NULL;
	out = json_own(mem, json_object_new_object());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		take_element(mem, at, names[i], out);
	return out;
}

static int
take(struct auth_grant *grant, const struct assuming *a, struct json_object *got,
     struct error *err)
{
	struct json_object *made = json_own(grant->mem, json_object_new_object());
	const char *id = json_string(got, "AccessKeyId");
	const char *secret = json_string(got, "SecretAccessKey");
	const char *token = json_string(got, "SessionToken");
	char iso[CLOCK_ISO_MAX];

	if (id == NULL || secret == NULL || token == NULL)
		return error_set(err, ERR_PROVIDER,
				 "the answer of AWS STS holds no AccessKeyId, SecretAccessKey "
				 "and SessionToken");
	grant->expires_ms = token_moment(json_member(got, "Expiration"));
	if (grant->expires_ms == 0)
		grant->expires_ms = grant->now_ms + LIFE_S * 1000;
	clock_iso(iso, grant->expires_ms);
	json_add(made, "type", "AWS_SIGV4");
	json_add(made, "role_arn", json_string(grant->credentials, "role_arn"));
	json_add(made, "region", a->scope.region);
	json_add(made, "service", a->service);
	json_add(made, "access_key_id", id);
	json_add(made, "secret_access_key", secret);
	json_add(made, "session_token", token);
	json_add(made, "expires_at", iso);
	grant->credentials = made;
	return 0;
}

static int
ask_aws(struct auth_grant *grant, struct assuming *a, struct json_object **out,
	struct error *err)
{
	struct json_object *params = json_own(grant->mem, json_object_new_object());
	const char *external_id = json_string(grant->config, "external_id");
	struct token_request request = {
	    .format = "form", .params = params, .sign = sign_assume, .sign_arg = a};
	struct auth_answer answer;
	char *url;

	if (find_keys(grant, a, err) < 0 || find_url(grant, a, &url, err) < 0)
		return -1;
	request.url = url;
	json_add(params, "Action", "AssumeRole");
	json_add(params, "Version", "2011-06-15");
	json_add(params, "RoleArn", json_string(grant->credentials, "role_arn"));
	json_add(params, "RoleSessionName", SESSION_NAME);
	json_add(params, "DurationSeconds", LIFE_TEXT);
	if (external_id != NULL && external_id[0] != '\0')
		json_add(params, "ExternalId", external_id);
	if (token_ask(grant, &request, &answer, err) < 0)
		return -1;
	*out = credentials_in(grant->mem, &answer);
	return 0;
}

static int
assume(struct auth_grant *grant, struct error *err)
{
	struct json_object *got;
	struct assuming a;

	if (find_place(grant, &a, err) < 0 ||
	    (sts_is_own(grant) ? sts_ask(grant, a.scope.region, a.service, &got, err)
			       : ask_aws(grant, &a, &got, err)) < 0)
		return -1;
	return take(grant, &a, got, err);
}

const struct auth_scheme auth_aws_sigv4 = {
    .mode = "AWS_SIGV4",
    .doc = "A role at AWS that is assumed; requests are signed (Signature Version 4).",
    .validate = validate,
    .obtain = assume,
    .renew = assume,
    .sign = sign,
};
