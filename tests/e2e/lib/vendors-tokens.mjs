// SPDX-License-Identifier: Apache-2.0
// What is typed in and traded for a token, or signs one, as each vendor's documentation has it;
// flows-form.mjs drives the rows.
//
// token               the request for it: url, body, client, params; or check(request) where it is of a form of its own
// answer(n), life     what the vendor says the nth time; seconds until its end
// shows(kept, n)      what the connection has beside what was given, the nth time; it checks tokens that are made here
// signed(request)     checks a plugin's request that carries a signature of its own
import assert from "node:assert/strict";
import { createHash, createHmac, createPublicKey, generateKeyPairSync } from "node:crypto";
import aws4 from "aws4";
import { importSPKI, jwtVerify } from "jose";
import OAuth from "oauth-1.0a";
import { bodyOf, line, secret, told } from "./flows.mjs";
import { parameters } from "./oauth1.mjs";

const client = { client_id: "machine", client_secret: secret };
const hour = 3600;
const granted = (life, more) => (n) => ({ json: { access_token: `cc-s3cret-${n}`, token_type: "Bearer", ...(life && { expires_in: life }), ...more } });
const cc = (url, base, token, life, more) => ({
  mode: "OAUTH2_CC", given: client, base, token: { url, params: { grant_type: "client_credentials" }, ...token }, answer: granted(life), life: life || 55 * 60,
  shows: (kept, n) => (assert.equal(kept.token, `cc-s3cret-${n}`), { token: kept.token }), ...more,
});

export const machines = {
  "auth0-cc": cc("https://acme.eu.auth0.com/oauth/token", "https://acme.eu.auth0.com", { params: { grant_type: "client_credentials", audience: "https://acme.eu.auth0.com/api/v2/" } }, 24 * hour, {
    settings: { tenant: "acme.eu.auth0.com" }, refusal: { status: 401, json: { error: "access_denied", error_description: "Unauthorized" }, says: /access_denied/ },
  }),
  "generic-oauth2-cc": cc("https://id.example.com/token", "https://api.example.com/v1", { client: "basic-raw" }, hour, { integration: { tokenUrl: "https://id.example.com/token", baseUrl: "https://api.example.com/v1" } }),
  "microsoft-oauth2-cc": cc("https://login.microsoftonline.com/99999999-9999-4999-8999-999999999999/oauth2/v2.0/token", "https://graph.microsoft.com", { params: { grant_type: "client_credentials", scope: "https://graph.microsoft.com/.default" } }, 3599, {
    given: { client_id: "88888888-8888-4888-8888-888888888888", client_secret: secret }, settings: { tenantId: "99999999-9999-4999-8999-999999999999" },
    refusal: { status: 401, json: { error: "invalid_client", error_description: "AADSTS7000215: Invalid client secret provided." }, says: /AADSTS7000215/ },
  }),
  paypal: cc("https://api-m.paypal.com/v1/oauth2/token", "https://api-m.paypal.com", { client: "basic-raw" }, 9 * hour, { answer: granted(9 * hour, { scope: "one", app_id: "APP-1", nonce: "n" }) }),
  "paypal-sandbox": cc("https://api-m.sandbox.paypal.com/v1/oauth2/token", "https://api-m.sandbox.paypal.com", { client: "basic-raw" }, 9 * hour),
  // Salesforce does not say when its token ends.
  "salesforce-cc": cc("https://acme.my.salesforce.com/services/oauth2/token", "https://acme.my.salesforce.com", {}, 0, { settings: { domain: "acme" }, answer: granted(0, { instance_url: "https://acme.my.salesforce.com", id: "https://login.salesforce.com/id/0/1", issued_at: "1", signature: "x" }) }),
  "spotify-oauth2-cc": cc("https://accounts.spotify.com/api/token", "https://api.spotify.com", { client: "basic-raw" }, hour),
  "zoom-server-to-server": cc("https://zoom.us/oauth/token", "https://api.zoom.us/v2", { client: "basic-raw", params: { grant_type: "account_credentials", account_id: "acc-1" } }, 3599, { settings: { accountId: "acc-1" }, refusal: { status: 400, json: { reason: "Invalid client_id or client_secret", error: "invalid_client" }, says: /Invalid client_id/ } }),
};

// ---- logins ----

const login = { username: "ada@example.com", password: "p-s3cret" };
/** A login of JSON. */
const asked = (url, wanted) => ({ url, check: (request) => (assert.deepEqual([line(request), told(request.headers)], [`POST ${url}`, { accept: "application/json" }]), assert.deepEqual(bodyOf(request, "json"), wanted)) });
const token = (kept, n) => (assert.equal(kept.token, `t-s3cret-${n}`), { token: kept.token });
const bill = (host) => ({
  mode: "BILL", given: { ...login, organization_id: "0081234", dev_key: "d-s3cret" }, base: `https://${host}/connect`,
  token: asked(`https://${host}/connect/v3/login`, { ...login, organizationId: "0081234", devKey: "d-s3cret" }), answer: (n) => ({ json: { sessionId: `t-s3cret-${n}`, userId: "006", organizationId: "0081234" } }), life: 35 * 60,
  refusal: { status: 401, json: [{ code: "BDC_1109", message: "Invalid login" }], says: /Invalid login/ },
  shows: (kept, n) => (assert.equal(kept.session_id, `t-s3cret-${n}`), { session_id: kept.session_id }), headers: (session) => ({ sessionid: session, devkey: "d-s3cret" }),
});

export const logins = {
  bill: bill("gateway.prod.bill.com"),
  "bill-sandbox": bill("gateway.stage.bill.com"),
  directus: {
    mode: "TWO_STEP", given: { email: "ada@example.com", password: "p-s3cret" }, settings: { baseUrl: "https://cms.example.com" }, base: "https://cms.example.com",
    token: asked("https://cms.example.com/auth/login", { email: "ada@example.com", password: "p-s3cret" }), answer: (n) => ({ json: { data: { access_token: `t-s3cret-${n}`, expires: 900000, refresh_token: `r-s3cret-${n}` } } }), life: 900,
    refresh: asked("https://cms.example.com/auth/refresh", { refresh_token: "r-s3cret-1", mode: "json" }), shows: token,
    refusal: { status: 401, json: { errors: [{ message: "Invalid user credentials.", extensions: { code: "INVALID_CREDENTIALS" } }] }, says: /INVALID_CREDENTIALS/ },
  },
  "generic-two-step": {
    mode: "TWO_STEP", given: login, settings: { tokenUrl: "https://id.example.com/login", baseUrl: "https://api.example.com/v1" }, base: "https://api.example.com/v1",
    token: asked("https://id.example.com/login", login), answer: (n) => ({ json: { access_token: `t-s3cret-${n}`, expires_in: 1800 } }), life: 1800, shows: token,
  },
  metabase: {
    mode: "TWO_STEP", given: login, settings: { baseUrl: "https://bi.example.com" }, base: "https://bi.example.com",
    token: asked("https://bi.example.com/api/session", login), answer: (n) => ({ json: { id: `t-s3cret-${n}` } }), life: 14 * 24 * hour, shows: token,
    refusal: { status: 401, json: { errors: { password: "did not match stored password" } }, says: /did not match stored password/ }, headers: (session) => ({ "x-metabase-session": session }),
  },
};

// ---- tokens that are signed here ----

const pair = (type, options) => generateKeyPairSync(type, { ...options, privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
const rsa = pair("rsa", { modulusLength: 2048 });
const ec = pair("ec", { namedCurve: "P-256" });
/** By whom and for what, checked without our own code: parts of the token and its life. */
async function verified(jwt, key, alg, header, claims, life) {
  const { payload: { iat, exp, ...payload }, protectedHeader } = await jwtVerify(jwt, key, { currentDate: new Date(JSON.parse(Buffer.from(jwt.split(".")[1], "base64url")).iat * 1000) });
  assert.deepEqual([protectedHeader, payload, exp - iat], [{ alg, typ: "JWT", ...header }, claims, life]);
}
const jwt = (alg, key, header, claims, life, more) => ({
  mode: "JWT", life, shows: (kept) => ({ token: kept.token }), tokenCheck: async (text) => verified(text, await key(), alg, header, claims, life), ...more,
});
/** Logins with a statement that is signed here. */
const assertion = (row) => ({ mode: "TWO_STEP", answer: (n) => ({ json: { access_token: `t-s3cret-${n}`, token_type: "Bearer", expires_in: 3599 } }), life: 3599, ...row });
const stated = (kept, n) => (assert.equal(kept.token, `t-s3cret-${n}`), { token: kept.token, assertion: kept.assertion, assertion_expires_at: kept.assertion_expires_at });
const graphToken = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token", azureApp = "11111111-1111-4111-8111-111111111111";
async function checkGraph(request) {
  const { client_assertion, ...rest } = bodyOf(request, "form");
  assert.deepEqual([line(request), rest], [`POST ${graphToken}`, { grant_type: "client_credentials", client_id: azureApp, scope: "https://graph.microsoft.com/.default", client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" }]);
  const { protectedHeader, payload } = await jwtVerify(client_assertion, await importSPKI(rsa.publicKey, "PS256"), { audience: graphToken, issuer: azureApp, subject: azureApp });
  assert.deepEqual([protectedHeader, payload.exp - payload.nbf, typeof payload.jti], [{ alg: "PS256", typ: "JWT", "x5t#S256": "a".repeat(43) }, 600, "string"]);
}
const sapToken = "https://api4.successfactors.com/oauth/token";
function checkSap(request) {
  const { assertion: text, ...rest } = bodyOf(request, "form");
  assert.deepEqual([line(request), rest], [`POST ${sapToken}`, { company_id: "ACME", client_id: "sf-key", grant_type: "urn:ietf:params:oauth:grant-type:saml2-bearer" }]);
  const xml = Buffer.from(text, "base64").toString();
  for (const part of ["<saml2:Issuer>sf-key</saml2:Issuer>", ">ada</saml2:NameID>", `Recipient="${sapToken}"`, "<saml2:Audience>www.successfactors.com</saml2:Audience>", '<saml2:Attribute Name="api_key"><saml2:AttributeValue>sf-key</saml2:AttributeValue>'])
    assert.ok(xml.includes(part), `${part} is not in ${xml}`);
}
Object.assign(logins, {
  "microsoft-oauth2-cc-cert": assertion({
    given: { clientId: azureApp, certificateThumbprint: "a".repeat(43), privateKey: rsa.privateKey }, settings: { tenantId: "contoso.example" }, base: "https://graph.microsoft.com",
    token: { url: graphToken, check: checkGraph }, shows: stated,
  }),
  "sap-success-factors": assertion({
    given: { apiKey: "sf-key" }, options: { userName: "ada", privateKey: rsa.privateKey }, settings: { apiServer: "api4.successfactors.com", companyId: "ACME" }, base: "https://api4.successfactors.com/odata/v2",
    token: { url: sapToken, check: checkSap }, shows: stated, headers: (made) => ({ accept: "application/json", authorization: `Bearer ${made}` }),
    refusal: { status: 401, json: { errorHttpCode: "401", errorMessage: "Unable to verify the signature of the SAML assertion" }, says: /Unable to verify the signature/ },
  }),
});
const fingerprint = `SHA256:${createHash("sha256").update(createPublicKey(rsa.publicKey).export({ type: "spki", format: "der" })).digest("base64")}`;

/** Emarsys: base64 of the hexadecimal SHA-1 of nonce, time and password. */
function wsse(text) {
  const [, username, digest, nonce, created] = /^UsernameToken Username="([^"]*)", PasswordDigest="([^"]*)", Nonce="([^"]*)", Created="([^"]*)"$/.exec(text);
  assert.equal(username, "customer001");
  assert.match(nonce, /^[0-9a-f]{32}$/);
  assert.equal(digest, Buffer.from(createHash("sha1").update(`${nonce}${created}p-s3cret`).digest("hex")).toString("base64"));
}

export const signers = {
  "apple-app-store": jwt("ES256", () => importSPKI(ec.publicKey, "ES256"), { kid: "2X9R4HXF34" }, { iss: "57246542-96fe-1a63-e053-0824d011072a", aud: "appstoreconnect-v1" }, 1200, {
    given: { key_id: "2X9R4HXF34", issuer_id: "57246542-96fe-1a63-e053-0824d011072a", private_key: ec.privateKey }, base: "https://api.appstoreconnect.apple.com",
  }),
  "ghost-admin": jwt("HS256", () => Buffer.from("0f1e2d3c4b5a69788796a5b4c3d2e1f0", "hex"), { kid: "6489a1b2" }, { aud: "/admin/" }, 300, {
    given: { key_id: "6489a1b2", key_secret: "0f1e2d3c4b5a69788796a5b4c3d2e1f0" }, settings: { adminDomain: "acme.ghost.io" }, base: "https://acme.ghost.io/ghost/api/admin", headers: (made) => ({ authorization: `Ghost ${made}`, "accept-version": "v5.0" }),
  }),
  influxdb: jwt("HS256", () => Buffer.from("shared s3cret"), {}, { username: "ada" }, hour, { given: { username: "ada", shared_secret: "shared s3cret" }, settings: { baseUrl: "https://influx.example.com:8086" }, base: "https://influx.example.com:8086" }),
  "snowflake-jwt": jwt("RS256", () => importSPKI(rsa.publicKey, "RS256"), {}, { iss: `ORG-ACME.ADA.${fingerprint}`, sub: "ORG-ACME.ADA" }, hour, {
    given: { user: "ADA", private_key: rsa.privateKey }, settings: { hostname: "org-acme", account: "ORG-ACME" }, base: "https://org-acme.snowflakecomputing.com",
    headers: (made) => ({ accept: "application/json", authorization: `Bearer ${made}`, "x-snowflake-authorization-token-type": "KEYPAIR_JWT" }),
  }),
  emarsys: { mode: "SIGNATURE", given: { username: "customer001", password: "p-s3cret" }, life: 300, shows: (kept) => ({ token: kept.token }), tokenCheck: wsse, base: "https://api.emarsys.net/api", headers: (made) => ({ "x-wsse": made }) },
};

// ---- requests that are signed one by one ----

const consumer = { key: "consumer", secret: "consumer s3cret" };
/** OAuth 1.0 with HMAC-SHA256, for the realm of the account (NetSuite spells sandboxes with _). */
function signedForAccount(request) {
  const { realm, oauth_signature, ...sent } = parameters(request.headers.authorization);
  assert.deepEqual([realm, sent.oauth_signature_method, sent.oauth_token, sent.oauth_consumer_key], ["123456_SB1", "HMAC-SHA256", "t-1", "consumer"]);
  const oauth = new OAuth({ consumer, signature_method: "HMAC-SHA256", hash_function: (base, key) => createHmac("sha256", key).update(base).digest("base64") });
  assert.equal(oauth.getSignature({ method: "GET", url: line(request).slice(4), data: {} }, "t s3cret", sent), oauth_signature);
}

const stsKeys = { accessKeyId: "AKIA1", secretAccessKey: "aws/s3cret+" };
const role = (n) => ({ accessKeyId: `ASIA${n}`, secretAccessKey: `role/s3cret+${n}`, sessionToken: `session/s3cret+${n}==` });
/** npm's aws4 signs what came once more, and comes to the same. */
function signedForAws({ method, path, headers, body }, service, keys) {
  const names = /SignedHeaders=([^,]+)/.exec(headers.authorization)[1].split(";");
  assert.equal(headers["x-amz-content-sha256"], createHash("sha256").update(body).digest("hex"));
  const again = aws4.sign({ service, region: "eu-central-1", method, path, headers: Object.fromEntries(names.map((name) => [name, headers[name]])) }, keys);
  assert.equal(again.headers.Authorization, headers.authorization);
  assert.equal(headers["x-amz-security-token"], keys.sessionToken);
}
const sts = {
  url: "https://sts.eu-central-1.amazonaws.com/",
  check(request) {
    assert.equal(line(request), "POST https://sts.eu-central-1.amazonaws.com/");
    const { RoleSessionName, ...asks } = bodyOf(request, "form");
    assert.ok(RoleSessionName);
    assert.deepEqual(asks, { Action: "AssumeRole", Version: "2011-06-15", RoleArn: "arn:aws:iam::123456789012:role/integration", DurationSeconds: "3600" });
    signedForAws(request, "sts", stsKeys);
  },
};

export const signed = {
  "netsuite-tba": {
    mode: "TBA", given: { token_id: "t-1", token_secret: "t s3cret" }, app: { client_id: consumer.key, client_secret: consumer.secret }, settings: { accountId: "123456-sb1" },
    base: "https://123456-sb1.suitetalk.api.netsuite.com", signed: signedForAccount,
  },
  "aws-sigv4": {
    mode: "AWS_SIGV4", given: { role_arn: "arn:aws:iam::123456789012:role/integration" }, app: { access_key_id: stsKeys.accessKeyId, secret_access_key: stsKeys.secretAccessKey },
    integration: { service: "sqs", defaultRegion: "eu-central-1" }, settings: { region: "eu-central-1" }, config: { service: "sqs" }, token: sts, life: hour,
    refusal: { status: 403, json: { Error: { Code: "AccessDenied", Message: "not authorized to perform: sts:AssumeRole" } }, says: /AccessDenied/ },
    answer: (n) => ({ json: { AssumeRoleResponse: { AssumeRoleResult: { Credentials: { AccessKeyId: role(n).accessKeyId, SecretAccessKey: role(n).secretAccessKey, SessionToken: role(n).sessionToken, Expiration: Math.round(Date.now() / 1000) + hour } } } } }),
    shows: (kept, n) => (assert.equal(kept.access_key_id, role(n).accessKeyId), { region: "eu-central-1", service: "sqs", access_key_id: role(n).accessKeyId, secret_access_key: role(n).secretAccessKey, session_token: role(n).sessionToken }),
    base: "https://sqs.eu-central-1.amazonaws.com", signed: (request) => signedForAws(request, "sqs", role(2)),
  },
};
