// SPDX-License-Identifier: Apache-2.0
// /proxy: what follows an answer that is not passed on, and what is kept from one request for the next.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { replies } from "./http-helper.mjs";
import { certificate } from "./lib/certificate.mjs";
import { psql, scratch, start, until } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";
import { bearer, Client, head, withTemplates } from "./lib/proxy.mjs";

/** A connection whose token can be made anew, at an API that knows the newest token only. */
async function renewable(t, proxy = {}) {
  const provider = await fakeProvider(t);
  const tokens = { issued: 0, valid: undefined };
  const isKnown = (request) => request.headers.authorization === `Bearer ${tokens.valid}`;
  const answer = (request) => (isKnown(request) ? { json: { ok: true } } : { status: 401, json: { no: true } });
  provider.reply("POST /token", () => ({ json: { access_token: (tokens.valid = `token-${++tokens.issued}`), expires_in: 86400 } }));
  provider.reply("GET /items", answer);
  provider.reply("POST /items", answer);
  provider.reply("GET /moved", { status: 302, headers: { location: "/items?a=1" } });
  provider.reply("GET /slow", async (request) => {
    const judged = answer(request);
    await new Promise((done) => (tokens.release = done));
    return judged;
  });
  const file = join(scratch(t), "providers.yaml");
  const cc = { display_name: "cc", docs: "https://example.com", auth_mode: "OAUTH2_CC", token_url: `${provider.url}/token`, proxy: { base_url: provider.url, ...proxy } };
  writeFileSync(file, JSON.stringify({ cc: { ...cc, token_params: { grant_type: "client_credentials" } } }));
  const nangod = await start(t, { env: { NANGO_PROVIDERS: file } });
  await nangod.connect("cc", { credentials: { type: "OAUTH2_CC", client_id: "id", client_secret: "s" } });
  const acme = { "provider-config-key": "cc", "connection-id": "acme" };
  const ask = (path = "/items") => nangod.call("GET", `/proxy${path}`, { headers: acme });
  // A minute older (those made within 30 s are not made anew), and seen so by the node: the connection
  // goes and comes back, which shows in what is answered.
  const age = async () => {
    await psql(nangod, "UPDATE nango.connection SET connection_id = 'away', credentials_at = credentials_at - interval '1 minute'");
    await until(async () => (await ask()).status === 400);
    await psql(nangod, "UPDATE nango.connection SET connection_id = 'acme'");
    await until(async () => (await nangod.call("GET", "/proxy/none", { headers: acme })).status === 404);
  };
  return { nangod, provider, acme, ask, age, tokens };
}

test("401: credentials are made anew once, for all who were refused at the same time", async (t) => {
  const { ask, age, tokens } = await renewable(t);
  assert.equal((await ask()).status, 200);
  const first = tokens.issued;
  tokens.valid = "revoked";
  assert.equal((await ask()).status, 401, "those that were made less than 30 s ago are not made anew");
  assert.equal(tokens.issued, first);
  await age();
  assert.equal((await ask()).status, 200);
  assert.equal(tokens.issued, first + 1);
  await age();
  tokens.valid = "revoked";
  const together = await Promise.all(Array.from({ length: 20 }, () => ask()));
  assert.deepEqual(together.map((a) => a.status), Array(20).fill(200));
  assert.equal(tokens.issued, first + 2);
});

test("a 401 to credentials that were made anew meanwhile is followed by a try with those", async (t) => {
  const { ask, age, tokens } = await renewable(t);
  const first = tokens.issued;
  assert.equal((await ask()).status, 200);
  await age();
  tokens.valid = "revoked";
  const slow = ask("/slow");
  await until(() => tokens.release);
  assert.equal((await ask()).status, 200);
  assert.equal(tokens.issued, first + 1);
  const release = tokens.release;
  tokens.release = undefined;
  release();
  await until(() => tokens.release); // the second try
  tokens.release();
  assert.equal((await slow).status, 200);
  assert.equal(tokens.issued, first + 1, "one token was enough");
});

test("a 401 to an upload that is not kept is passed on, and those that follow have better credentials", async (t) => {
  const { nangod, acme, age, tokens } = await renewable(t);
  const upload = () => nangod.call("POST", "/proxy/items", { headers: { ...acme, "content-type": "text/plain" }, body: "a".repeat(70_000), raw: true });
  const first = tokens.issued;
  await age();
  tokens.valid = "revoked";
  assert.equal((await upload()).status, 401);
  await until(async () => (await upload()).status === 200);
  assert.equal(tokens.issued, first + 1);
});

test("a 401 behind a redirect: the next try has the new token, also in its query", async (t) => {
  const { ask, age, tokens, provider } = await renewable(t, { query: { token: "${accessToken}" } });
  await age();
  tokens.valid = "revoked";
  assert.equal((await ask("/moved")).status, 200);
  assert.equal(provider.requests.at(-1).query.get("token"), tokens.valid);
  assert.equal(provider.requests.at(-1).query.get("a"), "1");
});

test("an answer that is not passed on is waited for no longer than 5 s", async (t) => {
  let count = 0;
  const upstream = createServer((req, res) => {
    if (++count > 1) return res.end("here");
    res.writeHead(503, { "content-length": "100" });
    res.write("the rest never comes");
  });
  await new Promise((done) => upstream.listen(0, "127.0.0.1", done));
  t.after(() => (upstream.closeAllConnections(), upstream.close()));
  const { ask } = await withTemplates(t, { fake: { proxy: { base_url: `http://127.0.0.1:${upstream.address().port}`, headers: bearer } } });
  const begun = performance.now();
  const answer = await ask("GET", "/x", { headers: { retries: "1" } });
  assert.equal(answer.text, "here");
  assert.ok(performance.now() - begun >= 4900, "the rest was given its time");
});

test("a turn that moves away while it is waited for is refused after 30 s", async (t) => {
  const provider = await fakeProvider(t);
  let release;
  const refusal = (seconds) => ({ status: 429, headers: { "retry-after": String(seconds) }, json: {} });
  provider.reply("GET /slow", () => new Promise((done) => (release = () => done(refusal(3600)))));
  provider.reply("GET /x", () => refusal(20));
  const { nangod, ask } = await withTemplates(t, { fake: { proxy: { base_url: provider.url, headers: bearer, retry: { after: "retry-after" } } } });
  const slow = ask("GET", "/slow");
  await until(() => release);
  assert.equal((await ask("GET", "/x")).status, 429);
  const waiting = new Client(t, nangod);
  waiting.write(head(nangod, "GET", "/x", { provider: "fake", headers: ["connection: close"] }));
  await once(waiting.socket, "connect");
  await nangod.call("GET", "/health"); // so the other has been read, too
  const begun = performance.now();
  release();
  assert.equal((await slow).status, 429);
  await waiting.closed;
  const [refused] = replies(waiting.text);
  assert.equal(JSON.parse(refused.body).error.code, "provider_rate_limited");
  assert.ok(performance.now() - begun > 20_000, "as long as it might still have come");
  assert.ok(Number(refused.headers["retry-after"]) > 3000, waiting.text);
  assert.equal(provider.requests.filter((r) => r.path === "/x").length, 1, "the provider was not asked");
});

test("a TLS session is used again after its connection has ended", async (t) => {
  const dir = scratch(t);
  const reused = [];
  const server = createSecureServer(await certificate(dir, "server"), (req, res) => {
    reused.push(req.socket.isSessionReused());
    res.writeHead(200, { connection: "close" }).end("here");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => (server.closeAllConnections(), server.close()));
  const { ask } = await withTemplates(t, { fake: { proxy: { base_url: `https://127.0.0.1:${server.address().port}`, headers: bearer } } }, { NANGO_CA_FILE: join(dir, "server.crt") });
  for (let i = 0; i < 4; i++) {
    assert.equal((await ask("GET", "/x")).text, "here");
    await new Promise((done) => setTimeout(done, 600)); // two sweeps, which drop origins that hold nothing
  }
  assert.deepEqual(reused, [false, true, true, true]);
});
