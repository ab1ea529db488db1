// SPDX-License-Identifier: Apache-2.0
// Each auth mode's flow against a provider of its shape: connect, call, renew.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { form, world } from "./lib/auth.mjs";
import { buildItems } from "./lib/items.mjs";

const { jwtVerify, importSPKI } = await import("jose");
const server = "${connectionConfig.server}";
const entry = (auth_mode, more) => ({ display_name: auth_mode, docs: "https://example.com", auth_mode, proxy: { base_url: `${server}/api` }, ...more });
const field = (title, more) => ({ type: "string", title, description: title, ...more });

/** The items plugin runs once with what the connection gives, and the headers of its first request are told. */
async function headersOfRun(w, name) {
  const t = w.t;
  await w.nangod.deploy(await buildItems(t, (text) => text.replace("provider: unauthenticated", `provider: ${name}`), name), name);
  w.provider.reply("GET /api/items", { json: [] });
  const status = await w.nangod.settled(name, "acme", "items");
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  return w.provider.requests.find((r) => r.path === "/api/items").headers;
}

async function mode(t, name, template) {
  const w = await world(t, { more: { [name]: template } });
  await w.integrate(name);
  return { ...w, t };
}

test("TWO_STEP: a JSON login, a step behind it, cookies, and a refresh of its own", async (t) => {
  const w = await mode(t, "login", entry("TWO_STEP", {
    credentials: { email: field("E-mail"), password: field("Password", { secret: true }) },
    token_url: `${server}/login`, token_params: { user: { email: "${credentials.email}", password: "${credentials.password}" }, mode: "json" },
    token_headers: { "x-tenant": "${connectionConfig.tenant}" },
    additional_steps: [{ token_url: `${server}/session/\${step1.data.id}`, token_params: { code: "${step1.data.code}" }, token_headers: {} }],
    token_response: { token: "result.access", token_expiration: "result.ttl", token_expiration_strategy: "expireIn", refresh_token: "result.refresh" },
    token_response_headers: ["set-cookie"],
    refresh_url: `${server}/refresh`, refresh_token_params: { token: "${refresh_token}" },
    proxy: { base_url: `${server}/api`, headers: { cookie: "${credentials._cookies}" } },
  }));
  w.provider.reply("POST /login", { json: { data: { id: 7, code: "c-1" } } });
  w.provider.reply("POST /session/7", { headers: { "set-cookie": ["sid=abc; Path=/; HttpOnly", "lb=2"] }, json: { result: { access: "t-1", ttl: "2 hours", refresh: "r-1" } } });
  w.provider.reply("POST /refresh", ({ body }) => ({ json: { result: { access: "t-2", ttl: 60, refresh: JSON.parse(body).token + "+" } } }));
  const made = await w.connect("login", { type: "TWO_STEP", email: "a@b.c", password: "s3cret-word" }, { connection_config: { server: w.provider.url, tenant: "T" } });
  assert.equal(made.status, 200, made.text);
  const [login, step] = w.provider.requests;
  assert.deepEqual([JSON.parse(login.body), login.headers["x-tenant"]], [{ user: { email: "a@b.c", password: "s3cret-word" }, mode: "json" }, "T"]);
  assert.deepEqual([step.path, JSON.parse(step.body)], ["/session/7", { code: "c-1" }]);
  assert.equal(made.body.credentials.token, "t-1");
  assert.ok(Math.abs(Date.parse(made.body.credentials.expires_at) - Date.now() - 7_200_000) < 30_000);
  const headers = await headersOfRun(w, "login");
  assert.deepEqual([headers.cookie, headers.authorization], ["sid=abc; lb=2", undefined]);
  await w.pass("110 minutes");
  const fresh = await w.show("login", "&refresh_token=true");
  assert.deepEqual([fresh.body.credentials.token, fresh.body.credentials.refresh_token, fresh.body.credentials.email], ["t-2", "r-1+", "a@b.c"], fresh.text);
});

test("TWO_STEP: form and GET, a whole body as the token, an expiry in the token itself, and login again", async (t) => {
  const jwt = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from(JSON.stringify({ exp: Math.round(Date.now() / 1000) + 7200 })).toString("base64url")}.x`;
  const w = await mode(t, "bare", entry("TWO_STEP", {
    credentials: { key: field("Key") }, token_url: `${server}/token`, body_format: "form", token_params: { k: "${credentials.key}" }, token_response: { token: "" },
  }));
  w.provider.reply("POST /token", { headers: { "content-type": "text/plain" }, text: jwt });
  const made = await w.connect("bare", { type: "TWO_STEP", key: "k v" });
  assert.equal(made.status, 200, made.text);
  assert.deepEqual(form(w.tokens()[0]), { k: "k v" });
  assert.equal(made.body.credentials.token, jwt);
  assert.ok(Math.abs(Date.parse(made.body.credentials.expires_at) - Date.now() - 7_200_000) < 30_000);
  assert.equal((await headersOfRun(w, "bare")).authorization, `Bearer ${jwt}`);
  await w.pass("119 minutes");
  w.provider.reply("POST /token", { json: "t-2" });
  assert.equal((await w.show("bare")).body.credentials.token, "t-2");
});

for (const [name, alg] of Object.entries({ rsa: "RS256", ec: "ES256" }))
  test(`JWT: signed with the customer's ${name.toUpperCase()} key, and anew before it expires`, async (t) => {
    const { privateKey, publicKey } = generateKeyPairSync(name, { modulusLength: 2048, namedCurve: "P-256", privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
    const w = await mode(t, "signed", entry("JWT", {
      credentials: { privateKey: field("Key", { secret: true }), keyId: field("Key id") }, signature: { protocol: name.toUpperCase() },
      token: { signing_key: "${credentials.privateKey}", expires_in_ms: 600000, header: { alg, kid: "${credentials.keyId}" }, payload: { iss: "${credentials.keyId}", aud: ["${connectionConfig.audience}"], sub: "${connectionConfig.absent}", scope: ["a,b"] } },
    }));
    const made = await w.connect("signed", { type: "JWT", privateKey: privateKey.replaceAll("\n", "\\n"), keyId: "K1" }, { connection_config: { server: w.provider.url, audience: "https://api.example.com" } });
    assert.equal(made.status, 200, made.text);
    const key = await importSPKI(publicKey, alg);
    const { payload, protectedHeader } = await jwtVerify(made.body.credentials.token, key);
    assert.deepEqual(protectedHeader, { alg, kid: "K1", typ: "JWT" });
    const { iat, exp, ...claims } = payload;
    assert.deepEqual([claims, exp - iat], [{ iss: "K1", aud: ["https://api.example.com"], scope: ["a", "b"] }, 600]);
    assert.equal((await headersOfRun(w, "signed")).authorization, `Bearer ${made.body.credentials.token}`);
    await w.pass("9 minutes");
    const fresh = await w.show("signed");
    await jwtVerify(fresh.body.credentials.token, key);
    const bad = await w.connect("signed", { type: "JWT", privateKey: "no key of mine", keyId: "K1" });
    assert.deepEqual([bad.status, bad.body.error.code], [400, "invalid_credentials"]);
    assert.ok(!bad.text.includes("no key of mine"));
  });

test("SIGNATURE: a WSSE token in the template's header, which lasts for five minutes", async (t) => {
  const w = await mode(t, "wsse", entry("SIGNATURE", { signature: { protocol: "WSSE" }, proxy: { base_url: `${server}/api`, headers: { "x-wsse": "${accessToken}" } } }));
  const made = await w.connect("wsse", { type: "SIGNATURE", username: "user", password: "pass-word" });
  assert.equal(made.status, 200, made.text);
  const headers = await headersOfRun(w, "wsse");
  const [, username, digest, nonce, created] = /^UsernameToken Username="([^"]*)", PasswordDigest="([^"]*)", Nonce="([^"]*)", Created="([^"]*)"$/.exec(headers["x-wsse"]);
  assert.equal(username, "user");
  assert.equal(digest, Buffer.from(createHash("sha1").update(nonce + created + "pass-word").digest("hex")).toString("base64"));
  assert.equal(headers.authorization, undefined);
  await w.pass("3 minutes");
  assert.notEqual((await w.show("wsse")).body.credentials.token, made.body.credentials.token);
});

test("BILL: a login with four values, whose session lasts for 35 minutes", async (t) => {
  const w = await mode(t, "bill-like", entry("BILL", { token_url: `${server}/login`, proxy: { base_url: `${server}/api`, headers: { sessionid: "${credentials.session_id}", devkey: "${credentials.dev_key}" } } }));
  let n = 0;
  w.provider.reply("POST /login", () => ({ json: { sessionId: `s-${++n}`, userId: "u" } }));
  const made = await w.connect("bill-like", { type: "BILL", username: "u", password: "p", organization_id: "o", dev_key: "d" });
  assert.equal(made.status, 200, made.text);
  assert.deepEqual(JSON.parse(w.provider.requests[0].body), { username: "u", password: "p", organizationId: "o", devKey: "d" });
  const headers = await headersOfRun(w, "bill-like");
  assert.deepEqual([headers.sessionid, headers.devkey, headers.authorization], ["s-1", "d", undefined]);
  await w.pass("30 minutes");
  assert.equal((await w.show("bill-like")).body.credentials.session_id, "s-2");
});
