/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth/saml -- see saml.h.
 *
 * What is signed is the canonical form of the document (xml-exc-c14n). The document is written
 * in that form from the start, so a digest is that of the text as it stands: no prefix is
 * declared twice, attributes are in order, and characters are escaped as that form wants it.
 */
#include "auth/saml.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/id.h"

#include <string.h>

#define NS "urn:oasis:names:tc:SAML:2.0:assertion"
#define DSIG "http://www.w3.org/2000/09/xmldsig#"
#define EXCLUSIVE "http://www.w3.org/2001/10/xml-exc-c14n#"
#define EARLY_MS 60000 /* their clock may be behind */

struct parts {
	struct buf head, tail; /* before and behind the signature */
	char id[ID_UUID_MAX + 1];
};

static void
escape(struct buf *out, const char *text, bool is_attribute)
{
	for (; *text != '\0'; text++) {
		if (*text == '&')
			buf_adds(out, "&amp;");
		else if (*text == '<')
			buf_adds(out, "&lt;");
		else if (*text == '>' && !is_attribute)
			buf_adds(out, "&gt;");
		else if (*text == '"' && is_attribute)
			buf_adds(out, "&quot;");
		else if (*text == '\r' || (is_attribute && (*text == '\t' || *text == '\n')))
			buf_addf(out, "&#x%X;", (unsigned)*text);
		else
			buf_addc(out, *text);
	}
}

/* name="value", the first of an element or behind another. */
static void
attribute(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, " %s=\"", name);
	escape(out, value, true);
	buf_addc(out, '"');
}

static void
element(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, "<saml2:%s>", name);
	escape(out, text, false);
	buf_addf(out, "</saml2:%s>", name);
}

/* ---- the statement ---- */

static void
write_subject(struct buf *out, const struct saml_assertion *from, const char *until)
{
	buf_adds(out, "<saml2:Subject><saml2:NameID "
		      "Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified\">");
	escape(out, from->name_id, false);
	buf_adds(out, "</saml2:NameID><saml2:SubjectConfirmation "
		      "Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">"
		      "<saml2:SubjectConfirmationData");
	attribute(out, "NotOnOrAfter", until);
	attribute(out, "Recipient", from->recipient);
	buf_adds(out, "></saml2:SubjectConfirmationData></saml2:SubjectConfirmation>"
		      "</saml2:Subject>");
}

static void
write_attributes(struct buf *out, struct json_object *attributes)
{
	if (attributes == NULL || json_object_object_length(attributes) == 0)
		return;
	buf_adds(out, "<saml2:AttributeStatement>");
	json_object_object_foreach (attributes, name, value) {
		buf_adds(out, "<saml2:Attribute");
		attribute(out, "Name", name);
		buf_addc(out, '>');
		element(out, "AttributeValue", json_object_get_string(value));
		buf_adds(out, "</saml2:Attribute>");
	}
	buf_adds(out, "</saml2:AttributeStatement>");
}

static void
write_parts(TALLOC_CTX *mem, const struct saml_assertion *from, struct parts *parts)
{
	char now[CLOCK_ISO_MAX], early[CLOCK_ISO_MAX], until[CLOCK_ISO_MAX];
	struct buf *tail = &parts->tail;

	parts->id[0] = '_'; /* an ID begins with a letter or this */
	id_uuid4(parts->id + 1);
	clock_iso(now, from->now_ms);
	clock_iso(early, from->now_ms - EARLY_MS);
	clock_iso(until, from->now_ms + from->life_ms);
	buf_init(&parts->head, mem, 512);
	buf_init(tail, mem, 2048);
	buf_addf(&parts->head,
		 "<saml2:Assertion xmlns:saml2=\"" NS
		 "\" ID=\"%s\" IssueInstant=\"%s\" Version=\"2.0\">",
		 parts->id, now);
	element(&parts->head, "Issuer", from->issuer);
	write_subject(tail, from, until);
	buf_addf(tail, "<saml2:Conditions NotBefore=\"%s\" NotOnOrAfter=\"%s\">", early, until);
	buf_adds(tail, "<saml2:AudienceRestriction>");
	element(tail, "Audience", from->audience);
	buf_adds(tail, "</saml2:AudienceRestriction></saml2:Conditions><saml2:AuthnStatement");
	attribute(tail, "AuthnInstant", now);
	if (from->session_index != NULL)
		attribute(tail, "SessionIndex", from->session_index);
	buf_adds(tail, "><saml2:AuthnContext>");
	element(tail, "AuthnContextClassRef",
		"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport");
	buf_adds(tail, "</saml2:AuthnContext></saml2:AuthnStatement>");
	write_attributes(tail, from->attributes);
	buf_adds(tail, "</saml2:Assertion>");
}

/* ---- the signature ---- */

static char *
digest(TALLOC_CTX *mem, const struct parts *parts)
{
	unsigned char sum[CRYPTO_SHA256_BYTES];
	struct buf whole;

	buf_init(&whole, mem, 4096);
	buf_add(&whole, parts->head.data, parts->head.length);
	buf_add(&whole, parts->tail.data, parts->tail.length);
	crypto_sha256(sum, whole.data, whole.length);
	return crypto_base64(mem, sum, sizeof(sum));
}

/* In canonical form by itself, so with the namespace that it inherits in the document. */
static void
write_info(struct buf *out, const char *id, const char *sum, bool has_namespace)
{
	buf_addf(out, "<ds:SignedInfo%s>", has_namespace ? " xmlns:ds=\"" DSIG "\"" : "");
	buf_adds(out, "<ds:CanonicalizationMethod Algorithm=\"" EXCLUSIVE
		      "\"></ds:CanonicalizationMethod>"
		      "<ds:SignatureMethod "
		      "Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\">"
		      "</ds:SignatureMethod>");
	buf_addf(out, "<ds:Reference URI=\"#%s\"><ds:Transforms>", id);
	buf_adds(out,
		 "<ds:Transform Algorithm=\"" DSIG "enveloped-signature\"></ds:Transform>"
		 "<ds:Transform Algorithm=\"" EXCLUSIVE "\"></ds:Transform></ds:Transforms>"
		 "<ds:DigestMethod "
		 "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>");
	buf_addf(out, "<ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo>",
		 sum);
}

int
saml_sign(TALLOC_CTX *mem, const struct saml_assertion *from, const char *key, char **out,
	  struct error *err)
{
	struct crypto_key *private_key;
	struct buf info, whole;
	struct parts parts;
	unsigned char *signature;
	size_t length;
	char *sum;

	write_parts(mem, from, &parts);
	sum = digest(mem, &parts);
	buf_init(&info, mem, 1024);
	write_info(&info, parts.id, sum, true);
	if (crypto_key_read(mem, key, &private_key, err) < 0 ||
	    crypto_key_sign(mem, private_key, CRYPTO_RS256, info.data, info.length, &signature,
			    &length, err) < 0)
		return -1;
	buf_init(&whole, mem, 4096);
	buf_add(&whole, parts.head.data, parts.head.length);
	buf_adds(&whole, "<ds:Signature xmlns:ds=\"" DSIG "\">");
	write_info(&whole, parts.id, sum, false);
	buf_addf(&whole, "<ds:SignatureValue>%s</ds:SignatureValue></ds:Signature>",
		 crypto_base64(mem, signature, length));
	buf_add(&whole, parts.tail.data, parts.tail.length);
	*out = whole.data;
	return 0;
}
