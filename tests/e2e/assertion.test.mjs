// SPDX-License-Identifier: Apache-2.0
// Logins with a signed statement: a JWT that jose verifies, SAML that xmlsec1 verifies.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { jwtVerify } from "jose";
import { form, session, world } from "./lib/auth.mjs";
import { scratch } from "./lib/nangod.mjs";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = privateKey.export({ type: "pkcs8", format: "pem" });
const server = "${connectionConfig.server}";
const field = (more) => ({ type: "string", title: "t", description: "d", ...more });
const entry = (assertion, more) => ({
  display_name: "Asserts", docs: "https://example.com", auth_mode: "TWO_STEP", token_url: `${server}/token`, body_format: "form", proxy: { base_url: server },
  token_params: { assertion: "${credentials.assertion}" }, token_response: { token: "access_token", token_expiration: "expires_in", token_expiration_strategy: "expireIn" },
  credentials: { clientId: field(), privateKey: field({ secret: true, optional: true }), assertion: field({ automated: true, hidden: true }) },
  assertion_option: { user: field({ optional: true }), key: field({ secret: true, optional: true }) }, assertion, ...more,
});
const jwt = (key, more) => ({ type: "jwt", key, lifetimeInSeconds: "600", header: { alg: "PS256", kid: "k1" }, payload: { iss: "${credentials.clientId}", aud: "https://example.com/token", jti: "${random}", gone: "${credentials.nothing}" }, ...more });

async function connected(t, assertion, body) {
  const w = await world(t, { more: { own: entry(assertion) } });
  let n = 0;
  w.provider.reply("POST /token", () => ({ json: { access_token: `token-${++n}`, expires_in: 3600 } }));
  await w.integrate("own");
  const { token } = await session(w.nangod);
  const post = (given) => w.nangod.call("POST", `/auth/two-step/own?params[server]=${encodeURIComponent(w.provider.url)}`, { key: token, body: given });
  const answer = await post(body);
  const id = answer.body?.connectionId;
  const get = (query = "") => w.nangod.call("GET", `/connections/${id}?provider_config_key=own${query}`);
  const sent = () => w.tokens().map((r) => form(r).assertion);
  return { ...w, post, answer, get, sent };
}

test("a JWT is signed with a key that is kept, used again while it lasts, then made anew", async (t) => {
  const w = await connected(t, jwt("${credentials.privateKey}"), { clientId: "client-1", privateKey: pem });
  assert.equal(w.answer.status, 200, w.answer.text);
  const verified = async (token) => (await jwtVerify(token, publicKey, { algorithms: ["PS256"], audience: "https://example.com/token", issuer: "client-1", currentDate: new Date(Date.now() + 1000) }));
  const { protectedHeader, payload } = await verified(w.sent()[0]);
  assert.deepEqual(protectedHeader, { alg: "PS256", kid: "k1", typ: "JWT" });
  assert.deepEqual(Object.keys(payload), ["iss", "aud", "jti", "iat", "nbf", "exp"]);
  assert.equal(payload.exp - payload.iat, 600);
  assert.equal((await w.get("&force_refresh=true")).body.credentials.token, "token-2");
  assert.equal(w.sent()[1], w.sent()[0]);
  // The provider's clock is not the database's: what is over is told by the assertion's own end.
  await w.nangod.ok("POST", "/connections", { body: { provider_config_key: "own", connection_id: w.answer.body.connectionId, connection_config: { server: w.provider.url }, credentials: { type: "TWO_STEP", clientId: "client-1", privateKey: pem } } });
  assert.notEqual(w.sent().at(-1), w.sent()[0]);
  await verified(w.sent().at(-1));
});

test("single use: one for each request", async (t) => {
  const w = await connected(t, jwt("${credentials.privateKey}", { singleUse: true }), { clientId: "c", privateKey: pem });
  await w.get("&force_refresh=true");
  assert.equal(new Set(w.sent()).size, 2);
});

test("an option is not kept: once the assertion is over, the connection must be made anew", async (t) => {
  const rules = jwt("${assertionOption.key}", { lifetimeInSeconds: 90, payload: { sub: "${assertionOption.user}" } });
  const w = await connected(t, rules, { clientId: "c", assertionOption: { key: pem, user: "eve" } });
  assert.equal(w.answer.status, 200, w.answer.text);
  assert.equal((await jwtVerify(w.sent()[0], publicKey)).payload.sub, "eve");
  assert.ok(!JSON.stringify((await w.get()).body).includes("PRIVATE KEY"));
  assert.equal((await w.get("&force_refresh=true")).status, 200, "30 seconds are left of it");
  const short = await connected(t, { ...rules, lifetimeInSeconds: 30 }, { clientId: "c", assertionOption: { key: pem, user: "eve" } });
  const over = await short.get("&force_refresh=true");
  assert.equal(over.status, 424, over.text);
  assert.match(over.text, /key, which is not kept: connect it anew/);
  const brought = await w.post({ clientId: "c", assertion: "of somebody else" });
  assert.match(brought.text, /connect it anew/, "what the server fills is not taken from a form");
  const none = await w.post({ clientId: "c" });
  assert.equal(none.status, 400, none.text);
  assert.match(none.text, /connect it anew/);
  const odd = await w.post({ clientId: "c", assertionOption: { key: "no key", user: "eve" } });
  assert.equal(odd.status, 400, odd.text);
  assert.ok(!odd.text.includes("no key"));
});

test("SAML: xmlsec1 verifies the signature, whatever the texts hold, and no changed byte", async (t) => {
  const dir = scratch(t);
  const user = `Zoë <&> "O'Neil"\r\n\ttab ]]>`;
  const rules = { type: "saml", key: "${assertionOption.key}", lifetimeInSeconds: "600", issuer: "${credentials.clientId}", nameIdentifier: "${assertionOption.user}", recipient: `${server}/token?a=1&b="2"`, audiences: "www.example.com", sessionIndex: "${random}", attributes: { api_key: "${credentials.clientId}", use_username: true, 'odd "name"<': "a\r\nb" } };
  const w = await connected(t, rules, { clientId: "key & <1>", assertionOption: { key: pem, user } });
  assert.equal(w.answer.status, 200, w.answer.text);
  const xml = Buffer.from(w.sent()[0], "base64").toString();
  writeFileSync(join(dir, "public.pem"), publicKey.export({ type: "spki", format: "pem" }));
  const verify = (text) => {
    writeFileSync(join(dir, "a.xml"), text);
    return execFileSync("xmlsec1", ["--verify", "--pubkey-pem", join(dir, "public.pem"), "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", join(dir, "a.xml")], { stdio: "pipe" });
  };
  verify(xml);
  verify(`<?xml version="1.0"?>\n<wrap xmlns="urn:x">${xml}</wrap>`);
  assert.throws(() => verify(xml.replace("www.example.com", "www.example.org")));
  assert.throws(() => verify(xml.replace(/(<ds:DigestValue>.)(.)/, (_, a, b) => a + (b === "A" ? "B" : "A"))));
  for (const text of ['<saml2:Issuer>key &amp; &lt;1&gt;</saml2:Issuer>', "Zoë &lt;&amp;&gt; \"O'Neil\"&#xD;\n\ttab ]]&gt;</saml2:NameID>", '?a=1&amp;b=&quot;2&quot;"', "<saml2:Audience>www.example.com</saml2:Audience>", '<saml2:Attribute Name="use_username"><saml2:AttributeValue>true</saml2:AttributeValue>'])
    assert.ok(xml.includes(text), `${text}\nis not in\n${xml}`);
  const at = (name) => Date.parse(new RegExp(`${name}="([^"]+)"`).exec(xml)[1]);
  assert.deepEqual([at("NotOnOrAfter") - at("IssueInstant"), at("IssueInstant") - at("NotBefore")], [600_000, 60_000]);
  const missing = await w.post({ clientId: "k", assertionOption: { key: pem } });
  assert.match(missing.text, /no nameIdentifier/);
});
