// SPDX-License-Identifier: Apache-2.0
// Webhooks from providers: signatures of every form, challenges, whom they are about, and how the app
// is told. Providers are signed for by Node's crypto and by the standardwebhooks package.
import assert from "node:assert/strict";
import { createHash, createHmac, generateKeyPairSync, sign } from "node:crypto";
import { createRequire } from "node:module";
import { test } from "node:test";
import { providers, world as authWorld } from "./lib/auth.mjs";
import { start, until } from "./lib/nangod.mjs";
import { provider as httpServer } from "./lib/provider.mjs";

const { Nango } = createRequire(import.meta.url)("@nangohq/node");
const { Webhook } = createRequire(import.meta.url)("standardwebhooks");
const secret = "hook-s3cret-1", client_secret = "app-s3cret";
const credentials = { type: "OAUTH2", client_id: "app-id", client_secret, webhook_secret: secret };
const now = () => Math.floor(Date.now() / 1000);
const hmac = (text, { key = secret, algorithm = "sha256", encoding = "hex" } = {}) => createHmac(algorithm, key).update(text).digest(encoding);
const own = (webhook) => ({ ...providers.code, display_name: "Hooks", x: { source: "https://example.com", webhook: { match: [{ at: "account", by: "config", key: "account" }], ...webhook } } });

/** Integrations of such providers, an app that is told, and the way in: send(name, body, headers). */
async function world(t, entries) {
  const w = await authWorld(t, { more: Object.fromEntries(Object.entries(entries).map(([name, webhook]) => [name, own(webhook)])) });
  return { ...w, ...(await listening(t, w.nangod, Object.keys(entries))) };
}

async function listening(t, nangod, names) {
  const app = await httpServer(t);
  app.reply("POST /hook", { json: {} });
  await nangod.ok("PATCH", "/environment/webhooks", { body: { primary_url: `${app.url}/hook`, on_auth_creation: false } });
  const urls = {};
  for (const name of names) {
    await nangod.ok("POST", "/integrations", { body: { provider: name, unique_key: name, credentials } });
    urls[name] = (await nangod.ok("GET", `/integrations/${name}?include=webhook`)).data.webhook_url;
  }
  const send = async (name, body, headers = {}, query = "") => {
    const answer = await fetch(urls[name] + query, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: typeof body === "string" ? body : JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, text, headers: answer.headers, code: text.startsWith("{") ? JSON.parse(text).error?.code : undefined };
  };
  const told = (n) => until(() => app.requests.length >= n && app.requests.map((r) => JSON.parse(r.body)), () => `${n} did not come: ${JSON.stringify(app.requests)}`);
  const connect = (name, connection_id, config, metadata) =>
    nangod.ok("POST", "/connections", { body: { provider_config_key: name, connection_id, credentials: { type: "OAUTH2", access_token: "at" }, connection_config: { server: "http://x", ...config }, ...(metadata && { metadata }) } });
  return { app, urls, send, told, connect };
}

test("signatures: every scheme and form; nothing else is believed", async (t) => {
  const standard = new Webhook(secret, { format: "raw" });
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }), ed25519 = generateKeyPairSync("ed25519");
  const forms = {
    plain: [{ scheme: "hmac", header: "x-sig" }, (b) => ({ "x-sig": hmac(b) })],
    prefixed: [{ scheme: "hmac", header: "x-sig", prefix: "sha256=" }, (b) => ({ "x-sig": `sha256=${hmac(b)}` })],
    base64: [{ scheme: "hmac", header: "x-sig", encoding: "base64", secret: "client_secret" }, (b) => ({ "x-sig": hmac(b, { key: client_secret, encoding: "base64" }) })],
    sha1: [{ scheme: "hmac", header: "x-sig", algorithm: "sha1", prefix: "sha1=" }, (b) => ({ "x-sig": `sha1=${hmac(b, { algorithm: "sha1" })}` })],
    list: [{ scheme: "hmac", header: "x-sig", prefix: "v1=" }, (b) => ({ "x-sig": `v1=${"0".repeat(64)}, v1=${hmac(b)},v2=x` })],
    hash: [{ scheme: "hash", header: "x-sig" }, (b) => ({ "x-sig": createHash("sha256").update(secret + b).digest("hex") })],
    token: [{ scheme: "token", header: "x-token", prefix: "Bearer " }, () => ({ "x-token": `Bearer ${secret}` })],
    stamped: [{ scheme: "hmac", header: "x-sig", prefix: "v0=", signed: "v0:${timestamp}:${body}", timestamp: "x-time" }, (b, at = now()) => ({ "x-time": `${at}`, "x-sig": `v0=${hmac(`v0:${at}:${b}`)}` })],
    milliseconds: [{ scheme: "hmac", header: "x-sig", signed: "${timestamp}${body}", timestamp: "x-time", tolerance: 60 }, (b, at = now()) => ({ "x-time": `${at * 1000}`, "x-sig": hmac(`${at * 1000}${b}`) })],
    pairs: [{ scheme: "hmac", header: "x-sig", format: "pairs", signed: "${timestamp}.${body}" }, (b, at = now()) => ({ "x-sig": `t=${at},v1=${hmac(`${at}.${b}`)},v0=old` })],
    rsa: [{ scheme: "rsa", header: "x-sig", encoding: "base64", key: rsa.publicKey.export({ type: "spki", format: "pem" }) }, (b) => ({ "x-sig": sign("sha256", b, rsa.privateKey).toString("base64") })],
    ed25519: [{ scheme: "ed25519", header: "x-sig", signed: "${timestamp}${body}", timestamp: "x-time", key: ed25519.publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex") },
      (b, at = now()) => ({ "x-time": `${at}`, "x-sig": sign(null, Buffer.from(`${at}${b}`), ed25519.privateKey).toString("hex") })],
    standard: [{ scheme: "hmac", header: "webhook-signature", format: "standard", encoding: "base64", id: "webhook-id", timestamp: "webhook-timestamp", signed: "${id}.${timestamp}.${body}" },
      (b, at = now()) => ({ "webhook-id": "msg_1", "webhook-timestamp": `${at}`, "webhook-signature": `v1,AAAA ${standard.sign("msg_1", new Date(at * 1000), b)}` })],
  };
  const w = await world(t, Object.fromEntries(Object.entries(forms).map(([name, [verify]]) => [name, { verify }])));
  const body = '{"account": "none", "n": 1}';
  let good = 0;
  for (const [name, [rules, signed]] of Object.entries(forms)) {
    const right = await w.send(name, body, signed(body));
    assert.deepEqual([right.status, right.text], [200, '{"status":"success"}'], name);
    good++;
    if (rules.scheme !== "token") {
      const other = await w.send(name, `${body} `, signed(body));
      assert.deepEqual([other.status, other.code], [401, "webhook_invalid_signature"], `${name}: ${other.text}`);
    }
    const header = rules.header;
    const sent = signed(body)[header];
    const spoilt = ["list", "pairs"].includes(name) ? sent.replace(/v1=(.{9})./g, "v1=$1g") : `${sent.slice(0, -3)}A`;
    for (const value of ["", "x", spoilt]) {
      const wrong = await w.send(name, body, { ...signed(body), [header]: value });
      assert.equal(wrong.status, 401, `${name} ${value}: ${wrong.text}`);
    }
    const { [header]: _, ...without } = signed(body);
    assert.equal((await w.send(name, body, without)).code, "webhook_missing_signature", name);
    for (const off of signed.length > 1 ? [-400, 400] : []) {
      const late = await w.send(name, body, signed(body, now() + off));
      assert.match(late.text, /another time/, `${name} ${off}`);
    }
  }
  assert.equal((await w.send("stamped", body, { "x-sig": forms.stamped[1](body)["x-sig"] })).status, 401, "without its time");
  // Without a secret nobody is believed.
  await w.nangod.ok("PATCH", "/integrations/plain", { body: { credentials: { ...credentials, webhook_secret: "" } } });
  const unset = await w.send("plain", body, { "x-sig": hmac(body, { key: "" }) });
  assert.equal(unset.code, "webhook_invalid_signature");
  assert.match(unset.text, /no webhook_secret/);
  assert.equal((await w.told(good)).length, good);
});

test("signed with method and address: the one that the provider was given", async (t) => {
  const w = await world(t, { whole: { verify: { scheme: "hmac", header: "x-sig", signed: "${method}${url}${body}" } } });
  const sign = (body, query) => ({ "x-sig": hmac(`POST${w.urls.whole}${query}${body}`) });
  assert.equal((await w.send("whole", "{}", sign("{}", "?a=1&b=%20"), "?a=1&b=%20")).status, 200);
  assert.equal((await w.send("whole", "{}", sign("{}", "?a=1"), "?a=2")).status, 401);
});

test("forwarded: one for each connection that it is about, in its envelope, with the provider's headers", async (t) => {
  const w = await world(t, {
    ways: { match: [{ header: "x-shop", strip: ".example.com", by: "config", key: "shop" }, { at: "team.id", by: "metadata", key: "teams" }, { query: "conn", by: "connection_id" }] },
  });
  await w.connect("ways", "one", { shop: "acme" }, { teams: ["T1", 7] });
  await w.connect("ways", "two", { shop: "acme", other: "T9" }, { teams: "T1" });
  await w.connect("ways", "gone", { shop: "acme" });
  await w.nangod.ok("DELETE", "/connections/gone?provider_config_key=ways");
  await w.connect("ways", "quo\"te", { shop: 'so "quoted" ü' });
  const raw = '{"b": 1.10, "a": 12345678901234567890, "team": {"id": "T1"}}';

  assert.equal((await w.send("ways", raw, { "x-shop": "acme.example.com", "x-kept": "yes", authorization: "Basic no", "webhook-id": "theirs", cookie: "no", "user-agent": "them" })).status, 200);
  await w.told(2);
  const first = w.app.requests.slice(0, 2).sort((a, b) => a.body.localeCompare(b.body));
  assert.deepEqual(first.map((r) => r.body), ["one", "two"].map((id) => `{"connectionId":"${id}","from":"ways","payload":${raw},"providerConfigKey":"ways","type":"forward"}`), "no digit is changed");
  const { headers, body } = first[0];
  assert.deepEqual([headers["x-kept"], headers["x-shop"], headers.authorization, headers.cookie, headers["content-type"]], ["yes", "acme.example.com", undefined, undefined, "application/json"]);
  assert.notEqual(headers["webhook-id"], "theirs");
  const { webhook_signing_key } = (await w.nangod.ok("GET", "/environment/webhooks")).data;
  assert.ok(new Nango({ secretKey: w.nangod.key, webhookSigningKey: webhook_signing_key }).verifyIncomingWebhookRequest(body, headers));
  assert.deepEqual(new Webhook(webhook_signing_key).verify(body, headers).connectionId, "one");

  const about = async (event, headers, query) => {
    const before = w.app.requests.length;
    assert.equal((await w.send("ways", event, headers, query)).status, 200);
    return async (n) => (await w.told(before + n)).slice(before).map((b) => b.connectionId ?? b).sort();
  };
  assert.deepEqual(await (await about({ team: { id: "T1" } }))(2), ["one", "two"], "metadata: a list that holds it, or the text");
  assert.deepEqual(await (await about({ team: { id: 7 } }))(1), ["one"], "a number");
  assert.deepEqual(await (await about({ team: { id: "T9" } }, {}, "?conn=two"))(1), ["two"], "what another setting holds is no match; the next way is tried");
  assert.deepEqual(await (await about({}, { "x-shop": Buffer.from('so "quoted" ü').toString("latin1") }))(1), ['quo"te']);
  assert.deepEqual(await (await about({ team: { id: "T404" }, x: [1] }))(1), [{ team: { id: "T404" }, x: [1] }], "about none: as it came");

  await w.nangod.ok("PATCH", "/integrations/ways", { body: { forward_webhooks: false } });
  const { deliveries: before } = await w.nangod.ok("GET", "/webhooks/deliveries");
  assert.equal((await w.send("ways", raw, { "x-shop": "acme.example.com" })).status, 200);
  assert.equal((await w.nangod.ok("GET", "/webhooks/deliveries")).deliveries.length, before.length);
});

test("several events in one, forms, challenges, and bodies that are none", async (t) => {
  const w = await world(t, { list: { events: "" }, nested: { events: "data.events", challenge: { at: "challenge" } }, asked: { challenge: { query: "validationToken" } } });
  for (const name of ["list", "nested"]) {
    await w.connect(name, `${name}-1`, { account: "A1" });
    await w.connect(name, `${name}-2`, { account: "A2" });
  }
  await w.send("list", [{ account: "A1", n: 1 }, { account: "A2", n: 2 }, { account: "A3", n: 3 }]);
  const of = (body) => [body.connectionId, body.payload?.n ?? body.n];
  assert.deepEqual((await w.told(3)).map(of).sort((a, b) => a[1] - b[1]), [["list-1", 1], ["list-2", 2], [undefined, 3]]);
  await w.send("nested", { data: { events: [{ account: "A2", n: 4 }] } });
  assert.deepEqual((await w.told(4)).map(of).at(-1), ["nested-2", 4]);

  const form = { "content-type": "application/x-www-form-urlencoded" };
  await w.send("nested", `payload=${encodeURIComponent('{"account":"A1","n":5}')}`, form);
  assert.deepEqual((await w.told(5)).map(of).at(-1), ["nested-1", 5]);
  const mistaken = await w.send("nested", { challenge: "c-2" }, form);
  assert.equal(mistaken.text, "c-2", "JSON that calls itself a form");
  assert.equal((await w.send("nested", "neither form nor JSON", form)).code, "webhook_invalid_payload");
  await w.send("nested", "account=A1&n=6&b=a+b", form);
  assert.deepEqual((await w.told(6)).at(-1).payload, { account: "A1", n: "6", b: "a b" });

  const echo = await w.send("nested", { type: "url_verification", challenge: "<b>c-1</b>" });
  assert.deepEqual([echo.status, echo.text, echo.headers.get("content-type"), echo.headers.get("x-content-type-options")], [200, "<b>c-1</b>", "text/plain; charset=utf-8", "nosniff"]);
  assert.equal((await w.send("asked", "", {}, "?validationToken=v%201")).text, "v 1");
  assert.equal((await w.send("list", "{", {})).code, "webhook_invalid_payload");
  assert.equal((await w.send("list", "a=%e9", form)).code, "webhook_invalid_payload");
  assert.equal((await w.send("list", JSON.stringify(Array.from({ length: 1001 }, () => ({}))))).code, "webhook_invalid_payload");
  assert.equal((await w.send("list", JSON.stringify({ pad: "x".repeat(10 * 1024 * 1024) }))).status, 413);
  assert.equal((await w.told(6)).length, 6);
});

test("a secret that is the header goes no further, and a provider of keys has a webhook_secret, too", async (t) => {
  const entry = { display_name: "Keys", docs: "https://example.com", auth_mode: "API_KEY", proxy: { base_url: "https://x" }, credentials: { apiKey: { type: "string", title: "k", description: "k" } },
    x: { source: "https://example.com", webhook: { verify: { scheme: "token", header: "x-token" }, match: [{ at: "account", by: "config", key: "account" }] } } };
  const w = await authWorld(t, { more: { keys: entry } });
  await w.nangod.ok("POST", "/integrations", { body: { provider: "keys", unique_key: "keys", credentials: { type: "API_KEY", webhook_secret: secret } } });
  const app = await httpServer(t);
  app.reply("POST /hook", { json: {} });
  await w.nangod.ok("PATCH", "/environment/webhooks", { body: { primary_url: `${app.url}/hook` } });
  const url = (await w.nangod.ok("GET", "/integrations/keys?include=webhook")).data.webhook_url;
  const answer = await fetch(url, { method: "POST", body: "{}", headers: { "x-token": secret, "tenant-id": "T", "content-type": "application/json" } });
  assert.equal(answer.status, 200, await answer.text());
  await until(() => app.requests.length > 0, "it did not come");
  assert.deepEqual([app.requests[0].headers["x-token"], app.requests[0].headers["tenant-id"]], [undefined, "T"]);
});

test("addresses: no integration, no environment, a provider without webhooks", async (t) => {
  const w = await world(t, { there: {} });
  const post = async (path) => (await fetch(w.nangod.url + path, { method: "POST", body: "{}" })).status;
  const [, , environment] = new URL(w.urls.there).pathname.split("/");
  assert.equal(await post("/webhook/no-uuid/there"), 400);
  assert.equal(await post("/webhook/6f1d0f7e-5a1c-4b52-9d07-3f3b7a3f7c11/there"), 404);
  assert.equal(await post(`/webhook/${environment}/absent`), 404);
  await w.integrate("code", credentials);
  assert.equal((await w.nangod.ok("GET", "/integrations/code?include=webhook")).data.webhook_url, null);
  assert.equal(await post(`/webhook/${environment}/code`), 204);
});

test("own templates: Slack, HubSpot, Shopify, Stripe, GitHub, Linear, Xero, Notion as they sign", async (t) => {
  const nangod = await start(t);
  const apps = { "github-app": { type: "APP", app_id: "1", app_link: "https://github.com/apps/x", private_key: "k", webhook_secret: secret } };
  const w = await listening(t, nangod, ["slack", "hubspot", "shopify", "stripe-app", "linear", "xero", "notion"]);
  await nangod.ok("POST", "/integrations", { body: { provider: "github-app", unique_key: "github-app", credentials: apps["github-app"] } });
  w.urls["github-app"] = (await nangod.ok("GET", "/integrations/github-app?include=webhook")).data.webhook_url;
  const at = now();
  const cases = {
    slack: [{ "team.id": "T1" }, { team_id: "T1", event: {} }, (b) => ({ "x-slack-request-timestamp": `${at}`, "x-slack-signature": `v0=${hmac(`v0:${at}:${b}`)}` })],
    hubspot: [{ portalId: "12" }, [{ portalId: 12, eventId: 1 }], (b) => ({ "x-hubspot-request-timestamp": `${at}000`, "x-hubspot-signature-v3": hmac(`POST${w.urls.hubspot}${b}${at}000`, { key: client_secret, encoding: "base64" }) })],
    shopify: [{ subdomain: "acme" }, { id: 1 }, (b) => ({ "x-shopify-shop-domain": "acme.myshopify.com", "x-shopify-hmac-sha256": hmac(b, { key: client_secret, encoding: "base64" }) })],
    "stripe-app": [{ stripe_user_id: "acct_1" }, { account: "acct_1", type: "x" }, (b) => ({ "stripe-signature": `t=${at},v1=${hmac(`${at}.${b}`)}` })],
    linear: [{ organizationId: "o-1" }, { organizationId: "o-1" }, (b) => ({ "linear-signature": hmac(b) })],
    xero: [{ tenant_id: "6f1d0f7e-5a1c-4b52-9d07-3f3b7a3f7c11" }, { events: [{ tenantId: "6f1d0f7e-5a1c-4b52-9d07-3f3b7a3f7c11" }] }, (b) => ({ "x-xero-signature": hmac(b, { encoding: "base64" }) })],
    notion: [{ workspace_id: "w-1" }, { workspace_id: "w-1" }, (b) => ({ "x-notion-signature": `sha256=${hmac(b)}` })],
  };
  for (const [name, [config, event, sign]] of Object.entries(cases)) {
    await w.connect(name, `${name}-1`, config);
    await w.connect(name, `${name}-2`, Object.fromEntries(Object.entries(config).map(([key, value]) => [key, value.replace(/[^-]/, "9")])));
    const body = JSON.stringify(event);
    const answer = await w.send(name, body, sign(body));
    assert.equal(answer.status, 200, `${name}: ${answer.text}`);
    const last = (await w.told(Object.keys(cases).indexOf(name) + 1)).at(-1);
    assert.deepEqual([last.connectionId, last.from, last.type], [`${name}-1`, name, "forward"]);
  }
  const push = JSON.stringify({ installation: { id: 5 } });
  assert.equal((await w.send("github-app", push, { "x-hub-signature-256": `sha256=${hmac(push)}` })).status, 200);
  assert.equal((await w.send("github-app", push, { "x-hub-signature-256": `sha256=${hmac("other")}` })).status, 401);
});
