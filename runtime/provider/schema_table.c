/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/schema_table -- every key of a template. The reference's format is followed; keys of
 * our own are `extends` and what stands under `x`. templates/README.md says what each means.
 */
#include "provider/schema.h"

#include <stddef.h>

#define END                               \
	{                                 \
		NULL, SCHEMA_ANY, 0, NULL \
	}

const char *const schema_modes[] = {
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
static const char *const formats[] = {"hostname", "uuid", "email", "uri", NULL};
static const char *const text_type[] = {"string", NULL};
static const char *const body_formats[] = {"json", "form", "query", "xml", NULL};
static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
static const char *const client_auths[] = {"basic", "private_key_jwt", "custom", NULL};
static const char *const header_word[] = {"header", NULL};
static const char *const skips[] = {"scopes", "base_url", NULL};
static const char *const pagings[] = {"link", "cursor", "offset", NULL};
static const char *const offsets[] = {"by-response-size", "per-page", NULL};
static const char *const expirations[] = {"expireIn", "expireAt", NULL};
static const char *const assertions[] = {"jwt", "saml", NULL};
static const char *const signatures[] = {"RSA", "HMAC", "EC", "WSSE", NULL};
static const char *const encodings[] = {"hex", "utf8", NULL};
static const char *const registrations[] = {"dynamic", "static", "cimd", NULL};
static const char *const oauth1_methods[] = {"HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT", NULL};
static const char *const units[] = {"seconds", "milliseconds", NULL};

static const struct schema_key visible_when[] = {
    {"field", SCHEMA_TEXT, 0, NULL}, {"equals", SCHEMA_SCALAR, 0, NULL}, END};

static const struct schema_key field[] = {
    {"type", SCHEMA_WORD, SCHEMA_REQUIRED, text_type},
    {"title", SCHEMA_TEXT, SCHEMA_REQUIRED, NULL},
    {"description", SCHEMA_TEXT, SCHEMA_REQUIRED, NULL},
    {"example", SCHEMA_TEXT, 0, NULL},
    {"pattern", SCHEMA_PATTERN, 0, NULL},
    {"format", SCHEMA_WORD, 0, formats},
    {"enum", SCHEMA_TEXTS, 0, NULL},
    {"prefix", SCHEMA_TEXT, 0, NULL},
    {"suffix", SCHEMA_TEXT, 0, NULL},
    {"default_value", SCHEMA_TEXT, 0, NULL},
    {"hidden", SCHEMA_BOOLEAN, 0, NULL},
    {"optional", SCHEMA_BOOLEAN, 0, NULL},
    {"secret", SCHEMA_BOOLEAN, 0, NULL},
    {"automated", SCHEMA_BOOLEAN, 0, NULL},
    {"order", SCHEMA_INTEGER, 0, NULL},
    {"doc_section", SCHEMA_TEXT, 0, NULL},
    {"visible_when", SCHEMA_MAPPING, 0, visible_when},
    {"warnings", SCHEMA_SCALARS, 0, NULL},
    END,
};

static const struct schema_key in_body[] = {
    {"path", SCHEMA_TEXT, 0, NULL}, {"value", SCHEMA_PATTERN, 0, NULL}, END};

static const struct schema_key retry[] = {
    {"at", SCHEMA_TEXT_OR_TEXTS, 0, NULL},	  {"after", SCHEMA_TEXT_OR_TEXTS, 0, NULL},
    {"remaining", SCHEMA_TEXT_OR_TEXTS, 0, NULL}, {"error_code", SCHEMA_TEXT_OR_TEXTS, 0, NULL},
    {"in_body", SCHEMA_MAPPING, 0, in_body},	  END,
};

static const struct schema_key paginate[] = {
    {"type", SCHEMA_WORD, SCHEMA_REQUIRED, pagings},
    {"cursor_name_in_request", SCHEMA_TEXT, 0, NULL},
    {"cursor_path_in_response", SCHEMA_TEXT, 0, NULL},
    {"link_rel_in_response_header", SCHEMA_TEXT, 0, NULL},
    {"link_path_in_response_body", SCHEMA_TEXT, 0, NULL},
    {"offset_name_in_request", SCHEMA_TEXT, 0, NULL},
    {"offset_start_value", SCHEMA_INTEGER, 0, NULL},
    {"offset_calculation_method", SCHEMA_WORD, 0, offsets},
    {"limit_name_in_request", SCHEMA_TEXT, 0, NULL},
    {"limit", SCHEMA_INTEGER, 0, NULL},
    {"response_path", SCHEMA_TEXT, 0, NULL},
    {"more_path_in_response", SCHEMA_TEXT, 0, NULL},
    {"in_body", SCHEMA_BOOLEAN, 0, NULL},
    END,
};

static const struct schema_key verification[] = {
    {"method", SCHEMA_WORD, 0, methods},
    {"endpoints", SCHEMA_TEXTS, SCHEMA_REQUIRED, NULL},
    {"base_url_override", SCHEMA_TEMPLATE, 0, NULL},
    {"headers", SCHEMA_SCALARS, 0, NULL},
    {"data", SCHEMA_PARAMS, 0, NULL},
    END,
};

static const struct schema_key proxy[] = {
    {"base_url", SCHEMA_TEMPLATE, SCHEMA_REQUIRED, NULL},
    {"headers", SCHEMA_SCALARS, 0, NULL},
    {"query", SCHEMA_SCALARS, 0, NULL},
    {"body", SCHEMA_PARAMS, 0, NULL},
    {"connection_config", SCHEMA_PARAMS, 0, NULL},
    {"retry", SCHEMA_MAPPING, 0, retry},
    {"paginate", SCHEMA_MAPPING, 0, paginate},
    {"verification", SCHEMA_MAPPING, 0, verification},
    {"decompress", SCHEMA_BOOLEAN, 0, NULL},
    {"forward_headers_on_redirect", SCHEMA_BOOLEAN, 0, NULL},
    END,
};

static const struct schema_key token_urls[] = {
    {"OAUTH2", SCHEMA_TEMPLATE, 0, NULL}, {"APP", SCHEMA_TEMPLATE, 0, NULL}, END};

static const struct schema_key token_response[] = {
    {"token", SCHEMA_TEXT, SCHEMA_REQUIRED, NULL},
    {"token_expiration", SCHEMA_TEXT, 0, NULL},
    {"token_expiration_strategy", SCHEMA_WORD, 0, expirations},
    {"refresh_token", SCHEMA_TEXT, 0, NULL},
    END,
};

static const struct schema_key signature[] = {
    {"protocol", SCHEMA_WORD, SCHEMA_REQUIRED, signatures},
    {"hmac_secret_encoding", SCHEMA_WORD, 0, encodings},
    END,
};

static const struct schema_key token[] = {
    {"signing_key", SCHEMA_TEMPLATE, 0, NULL},
    {"expires_in_ms", SCHEMA_INTEGER, 0, NULL},
    {"header", SCHEMA_PARAMS, 0, NULL},
    {"payload", SCHEMA_PARAMS, 0, NULL},
    END,
};

static const struct schema_key assertion[] = {
    {"type", SCHEMA_WORD, SCHEMA_REQUIRED, assertions},
    {"key", SCHEMA_TEMPLATE, SCHEMA_REQUIRED, NULL},
    {"lifetimeInSeconds", SCHEMA_SCALAR, 0, NULL},
    {"singleUse", SCHEMA_BOOLEAN, 0, NULL},
    {"header", SCHEMA_PARAMS, 0, NULL},
    {"payload", SCHEMA_PARAMS, 0, NULL},
    {"issuer", SCHEMA_TEMPLATE, 0, NULL},
    {"nameIdentifier", SCHEMA_TEMPLATE, 0, NULL},
    {"recipient", SCHEMA_TEMPLATE, 0, NULL},
    {"audiences", SCHEMA_TEMPLATE, 0, NULL},
    {"sessionIndex", SCHEMA_TEMPLATE, 0, NULL},
    {"attributes", SCHEMA_SCALARS, 0, NULL},
    END,
};

static const struct schema_key step[] = {
    {"token_url", SCHEMA_TEMPLATE, SCHEMA_REQUIRED, NULL},
    {"token_params", SCHEMA_PARAMS, 0, NULL},
    {"token_headers", SCHEMA_SCALARS, 0, NULL},
    {"token_request_method", SCHEMA_WORD, 0, methods},
    {"body_format", SCHEMA_WORD, 0, body_formats},
    END,
};

static const char *const sources[] = {"response", "claims", NULL};

static const char *const clients[] = {"none",	    "id",	    "body",  "basic",
				      "basic_form", "basic_secret", "login", "private_key_jwt",
				      NULL};

#define REQUEST(url_flags)                                                                   \
	{"url", SCHEMA_TEMPLATE, url_flags, NULL}, {"method", SCHEMA_WORD, 0, methods},      \
	    {"client", SCHEMA_WORD, 0, clients},                                             \
	    {"body_format", SCHEMA_WORD, 0, body_formats}, {"body", SCHEMA_PARAMS, 0, NULL}, \
	    {"query", SCHEMA_SCALARS, 0, NULL},                                              \
	{                                                                                    \
		"headers", SCHEMA_SCALARS, 0, NULL                                           \
	}

static const struct schema_key own_request[] = {REQUEST(SCHEMA_REQUIRED), END};

static const struct schema_key token_request[] = {
    REQUEST(0),
    {"omit", SCHEMA_TEXTS, 0, NULL},
    {"then", SCHEMA_LIST, 0, own_request},
    {"without_refresh_token", SCHEMA_BOOLEAN, 0, NULL},
    END,
};

static const struct schema_key where[] = {{"path", SCHEMA_TEXT, SCHEMA_REQUIRED, NULL},
					  {"equals", SCHEMA_TEMPLATE, SCHEMA_REQUIRED, NULL},
					  END};

static const struct schema_key post_connect[] = {
    {"request", SCHEMA_MAPPING, 0, own_request},
    {"source", SCHEMA_WORD, 0, sources},
    {"at", SCHEMA_TEXT, 0, NULL},
    {"where", SCHEMA_MAPPING, 0, where},
    {"set", SCHEMA_SCALARS, SCHEMA_REQUIRED, NULL},
    {"optional", SCHEMA_BOOLEAN, 0, NULL},
    END,
};

static const struct schema_key own_response[] = {
    {"ok", SCHEMA_MAPPING, 0, where},
    {"error", SCHEMA_TEXT, 0, NULL},
    {"access_token", SCHEMA_TEXT, 0, NULL},
    {"refresh_token", SCHEMA_TEXT, 0, NULL},
    {"expires_in", SCHEMA_TEXT, 0, NULL},
    {"expires_at", SCHEMA_TEXT, 0, NULL},
    END,
};

static const struct schema_key extra_token[] = {
    {"request", SCHEMA_MAPPING, 0, own_request},
    {"refresh", SCHEMA_MAPPING, 0, own_request},
    {"at", SCHEMA_TEXT, 0, NULL},
    {"optional", SCHEMA_BOOLEAN, 0, NULL},
    END,
};

static const struct schema_key introspection[] = {
    {"request", SCHEMA_MAPPING, SCHEMA_REQUIRED, own_request},
    {"active", SCHEMA_TEXT, 0, NULL},
    {"expires", SCHEMA_TEXT, 0, NULL},
    END,
};

static const struct schema_key pre_delete[] = {
    {"request", SCHEMA_MAPPING, SCHEMA_REQUIRED, own_request},
    {"unless", SCHEMA_TEMPLATE, 0, NULL},
    END,
};

static const struct schema_key own_verification[] = {
    {"form", SCHEMA_SCALARS, 0, NULL},
    {"status", SCHEMA_TEXTS, 0, NULL},
    {"at", SCHEMA_TEXT, 0, NULL},
    {"equals", SCHEMA_TEMPLATE, 0, NULL},
    {"contains", SCHEMA_TEXT, 0, NULL},
    {"lacks", SCHEMA_TEXT, 0, NULL},
    END,
};

static const char *const webhook_schemes[] = {"hmac", "hash", "token", "rsa", "ed25519", NULL};
static const char *const webhook_formats[] = {"plain", "pairs", "standard", NULL};
static const char *const webhook_hashes[] = {"sha256", "sha1", NULL};
static const char *const webhook_encodings[] = {"hex", "base64", NULL};
static const char *const webhook_secrets[] = {"webhook_secret", "client_secret", NULL};
static const char *const webhook_ways[] = {"connection_id", "config", "metadata", NULL};

static const struct schema_key webhook_verify[] = {
    {"scheme", SCHEMA_WORD, SCHEMA_REQUIRED, webhook_schemes},
    {"header", SCHEMA_TEXT, SCHEMA_REQUIRED, NULL},
    {"format", SCHEMA_WORD, 0, webhook_formats},
    {"prefix", SCHEMA_TEXT, 0, NULL},
    {"algorithm", SCHEMA_WORD, 0, webhook_hashes},
    {"encoding", SCHEMA_WORD, 0, webhook_encodings},
    {"signed", SCHEMA_TEXT, 0, NULL},
    {"id", SCHEMA_TEXT, 0, NULL},
    {"timestamp", SCHEMA_TEXT, 0, NULL},
    {"tolerance", SCHEMA_INTEGER, 0, NULL},
    {"secret", SCHEMA_WORD, 0, webhook_secrets},
    {"key", SCHEMA_TEXT, 0, NULL},
    END,
};

static const struct schema_key webhook_challenge[] = {
    {"query", SCHEMA_TEXT, 0, NULL}, {"at", SCHEMA_TEXT, 0, NULL}, END};

static const struct schema_key webhook_match[] = {
    {"at", SCHEMA_TEXT, 0, NULL},
    {"header", SCHEMA_TEXT, 0, NULL},
    {"query", SCHEMA_TEXT, 0, NULL},
    {"strip", SCHEMA_TEXT, 0, NULL},
    {"by", SCHEMA_WORD, SCHEMA_REQUIRED, webhook_ways},
    {"key", SCHEMA_TEXT, 0, NULL},
    END,
};

static const struct schema_key webhook[] = {
    {"verify", SCHEMA_MAPPING, 0, webhook_verify},
    {"challenge", SCHEMA_MAPPING, 0, webhook_challenge},
    {"events", SCHEMA_TEXT, 0, NULL},
    {"match", SCHEMA_LIST, SCHEMA_REQUIRED, webhook_match},
    END,
};

static const char *const limit_scopes[] = {"client", "connection", "environment", NULL};
static const char *const limit_methods[] = {"GET",    "POST", "PUT",	 "PATCH",
					    "DELETE", "HEAD", "OPTIONS", NULL};

static const struct schema_key limit_match[] = {
    {"method", SCHEMA_WORDS, 0, limit_methods},
    {"path", SCHEMA_TEXT, 0, NULL},
    {"apart", SCHEMA_BOOLEAN, 0, NULL},
    END,
};

static const struct schema_key limit[] = {
    {"per", SCHEMA_WORD, SCHEMA_REQUIRED, limit_scopes},
    {"requests", SCHEMA_INTEGER, SCHEMA_REQUIRED, NULL},
    {"seconds", SCHEMA_INTEGER, SCHEMA_REQUIRED, NULL},
    {"burst", SCHEMA_INTEGER, 0, NULL},
    {"match", SCHEMA_MAPPING, 0, limit_match},
    END,
};

/* All that is ours. A key that is read by nobody does not belong here yet. */
static const struct schema_key ours[] = {
    {"source", SCHEMA_TEXT, SCHEMA_REQUIRED, NULL}, /* the vendor's documentation */
    {"token_request", SCHEMA_MAPPING, 0, token_request},
    {"refresh_request", SCHEMA_MAPPING, 0, token_request},
    {"token_response", SCHEMA_MAPPING, 0, own_response},
    {"extra_tokens", SCHEMA_MAPPINGS, 0, extra_token},
    {"introspection", SCHEMA_MAPPING, 0, introspection},
    {"post_connect", SCHEMA_LIST, 0, post_connect},
    {"pre_delete", SCHEMA_LIST, 0, pre_delete},
    {"verification", SCHEMA_MAPPING, 0, own_verification},
    {"webhook", SCHEMA_MAPPING, 0, webhook},
    {"idempotency_header", SCHEMA_TEXT, 0, NULL},
    {"limits", SCHEMA_LIST, 0, limit},
    END,
};

const struct schema_key schema_template[] = {
    {"display_name", SCHEMA_TEXT, SCHEMA_REQUIRED, NULL},
    {"categories", SCHEMA_TEXTS, 0, NULL},
    {"docs", SCHEMA_TEXT, SCHEMA_REQUIRED, NULL},
    {"docs_connect", SCHEMA_TEXT, 0, NULL},
    {"setup_guide_url", SCHEMA_TEXT, 0, NULL},
    {"auth_mode", SCHEMA_WORD, SCHEMA_REQUIRED | SCHEMA_ALWAYS, schema_modes},
    {"proxy", SCHEMA_MAPPING, 0, proxy},
    {"credentials", SCHEMA_MAPPINGS, 0, field},
    {"connection_config", SCHEMA_MAPPINGS, 0, field},
    {"integration_config", SCHEMA_MAPPINGS, 0, field},
    {"assertion_option", SCHEMA_MAPPINGS, 0, field},
    {"authorization_url", SCHEMA_TEMPLATE, 0, NULL},
    {"authorization_params", SCHEMA_SCALARS, 0, NULL},
    {"authorization_url_replacements", SCHEMA_SCALARS, 0, NULL},
    {"authorization_url_skip_encode", SCHEMA_WORDS, 0, skips},
    {"authorization_url_skip_empty", SCHEMA_BOOLEAN, 0, NULL},
    {"authorization_url_fragment", SCHEMA_TEXT, 0, NULL},
    {"authorization_code_param_in_callback", SCHEMA_TEXT, 0, NULL},
    {"authorization_code_param_in_webhook", SCHEMA_TEXT, SCHEMA_CHECKED, NULL},
    {"authorization_method", SCHEMA_WORD, 0, header_word},
    {"disable_pkce", SCHEMA_BOOLEAN, 0, NULL},
    {"scope_separator", SCHEMA_TEXT, 0, NULL},
    {"default_scopes", SCHEMA_TEXTS, 0, NULL},
    {"token_url", SCHEMA_TEMPLATE_OR_MAPPING, 0, token_urls},
    {"token_url_skip_encode", SCHEMA_WORDS, 0, skips},
    {"token_params", SCHEMA_PARAMS, 0, NULL},
    {"token_headers", SCHEMA_SCALARS, 0, NULL},
    {"token_request_auth_method", SCHEMA_WORD, 0, client_auths},
    {"token_request_method", SCHEMA_WORD, 0, methods},
    {"body_format", SCHEMA_WORD, 0, body_formats},
    {"refresh_params", SCHEMA_PARAMS, 0, NULL},
    {"refresh_url", SCHEMA_TEMPLATE, 0, NULL},
    {"refresh_token_params", SCHEMA_PARAMS, 0, NULL},
    {"refresh_token_headers", SCHEMA_SCALARS, 0, NULL},
    {"token_response", SCHEMA_MAPPING, 0, token_response},
    {"token_response_headers", SCHEMA_TEXTS, 0, NULL},
    {"token_response_metadata", SCHEMA_TEXTS, 0, NULL},
    {"redirect_uri_metadata", SCHEMA_TEXTS, 0, NULL},
    {"webhook_response_metadata", SCHEMA_TEXTS, SCHEMA_CHECKED, NULL},
    {"token_expires_in_ms", SCHEMA_INTEGER, 0, NULL},
    {"token_expiration_buffer", SCHEMA_INTEGER, 0, NULL},
    {"expires_in_unit", SCHEMA_WORD, 0, units},
    {"alternate_access_token_response_path", SCHEMA_TEXT, 0, NULL},
    {"require_client_certificate", SCHEMA_BOOLEAN, 0, NULL},
    {"signature", SCHEMA_MAPPING, 0, signature},
    {"token", SCHEMA_MAPPING, 0, token},
    {"assertion", SCHEMA_MAPPING, 0, assertion},
    {"additional_steps", SCHEMA_LIST, 0, step},
    {"request_url", SCHEMA_TEMPLATE, 0, NULL},
    {"request_params", SCHEMA_SCALARS, 0, NULL},
    {"signature_method", SCHEMA_WORD, 0, oauth1_methods},
    {"client_registration", SCHEMA_WORD, 0, registrations},
    {"registration_url", SCHEMA_TEMPLATE, 0, NULL},
    {"registration_params", SCHEMA_PARAMS, 0, NULL},
    {"auth_type", SCHEMA_TEXT, 0, NULL},
    {"installation", SCHEMA_TEXT, 0, NULL},
    {"connection_configuration", SCHEMA_TEXTS, 0, NULL},
    {"post_connection_script", SCHEMA_TEXT, SCHEMA_HOOK, NULL},
    {"pre_connection_creation_script", SCHEMA_TEXT, SCHEMA_HOOK, NULL},
    {"pre_connection_deletion_script", SCHEMA_TEXT, SCHEMA_HOOK, NULL},
    {"credentials_verification_script", SCHEMA_TEXT, SCHEMA_HOOK, NULL},
    {"webhook_routing_script", SCHEMA_TEXT, SCHEMA_HOOK, NULL},
    {"webhook_user_defined_secret", SCHEMA_BOOLEAN, 0, NULL},
    {"webhook_allowed_query_params", SCHEMA_TEXTS, SCHEMA_CHECKED, NULL},
    {"auth", SCHEMA_ANY, SCHEMA_DEAD, NULL},
    {"decode_url", SCHEMA_ANY, SCHEMA_DEAD, NULL},
    {"refresh_token_response_metadata", SCHEMA_ANY, SCHEMA_DEAD, NULL},
    {"x", SCHEMA_MAPPING, SCHEMA_REQUIRED | SCHEMA_OURS, ours},
    END,
};
