// SPDX-License-Identifier: Apache-2.0
// /proxy: what changed while a request waited, and what refusals tell.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { psql, until } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";
import { replies } from "./http-helper.mjs";
import { bearer, Client, head, proxied, upstream, withTemplates } from "./lib/proxy.mjs";

/** A provider whose /slow waits for release(), and nangod with one place for it. */
async function onePlace(t) {
  const provider = await fakeProvider(t);
  const held = {};
  provider.reply("GET /slow", () => new Promise((done) => (held.release = () => done({ json: {} }))));
  provider.reply("GET /x", { json: { here: true } });
  const config = { base_url: "${connectionConfig.base}", headers: bearer };
  const { nangod, ask } = await withTemplates(t, { fake: { proxy: config } }, { NANGO_UPSTREAM_HOST_MAX: "1" }, { base: provider.url });
  const slow = ask("GET", "/slow");
  await until(() => held.release);
  const waiting = new Client(t, nangod);
  waiting.write(head(nangod, "GET", "/x", { provider: "fake", headers: ["connection: close"] }));
  await once(waiting.socket, "connect");
  await nangod.call("GET", "/health"); // so the other has been read, too
  const answer = async () => {
    held.release();
    await slow;
    await waiting.closed;
    return replies(waiting.text)[0];
  };
  const asked = () => provider.requests.filter((r) => r.path === "/x").length;
  // Until the node knows of a change: another request is answered so, one that still waits for the place is not.
  const pause = () => new Promise((done) => setTimeout(() => done({}), 200));
  const known = (status) => until(async () => (await Promise.race([ask("GET", "/y"), pause()])).status === status);
  return { nangod, answer, asked, known };
}

test("a connection that was deleted while a request waited for its place is not used", async (t) => {
  const { nangod, answer, asked, known } = await onePlace(t);
  await nangod.ok("DELETE", "/connections/acme?provider_config_key=fake");
  await known(400);
  assert.equal((await answer()).status, 400);
  assert.equal(asked(), 0);
});

test("a request that waited goes where the connection leads by then", async (t) => {
  const elsewhere = await upstream(t);
  const { nangod, answer, asked, known } = await onePlace(t);
  await psql(nangod, `UPDATE nango.connection SET config = jsonb_set(config::jsonb, '{base}', '"${elsewhere.url}"')`);
  await known(200);
  assert.equal((await answer()).status, 200);
  assert.equal(asked(), 0);
  assert.equal(elsewhere.requests.filter((r) => r.url === "/x").length, 1);
});

test("a connection that was deleted while a request waited for its turn is not used", async (t) => {
  const provider = await fakeProvider(t);
  let count = 0;
  provider.reply("GET /x", () => (++count === 1 ? { status: 429, headers: { "retry-after": "9" }, json: {} } : { json: {} }));
  const { nangod, ask } = await withTemplates(t, { fake: { proxy: { base_url: provider.url, headers: bearer, retry: { after: "retry-after" } } } });
  assert.equal((await ask("GET", "/x")).status, 429);
  const waiting = ask("GET", "/x");
  await new Promise((done) => setTimeout(done, 6000)); // what the node keeps is too old by now, so no notice is about it
  await nangod.ok("DELETE", "/connections/acme?provider_config_key=fake");
  assert.equal((await waiting).status, 400);
  assert.equal(count, 1);
});

test("a time in the body of a refusal stops the calls that follow, also where it is passed on", async (t) => {
  const provider = await fakeProvider(t);
  const times = [];
  const refusal = () => JSON.stringify({ error: { message: `Retry after ${new Date(Date.now() + 4000).toISOString()}` } });
  provider.reply("GET /x", () => {
    times.push(performance.now());
    return times.length === 1 ? { status: 429, text: refusal() } : { json: {} };
  });
  const retry = { in_body: { path: "error.message", value: "Retry after (.+)" } };
  const { ask } = await withTemplates(t, { fake: { proxy: { base_url: provider.url, headers: bearer, retry } } });
  const refused = await ask("GET", "/x");
  assert.equal(refused.status, 429);
  assert.match(refused.text, /Retry after/);
  assert.equal((await ask("GET", "/x")).status, 200);
  assert.ok(times[1] - times[0] > 3000, `${times[1] - times[0]} ms`);
});

test("a refusal for longer than anybody waits is passed on, whatever Retries says", async (t) => {
  const provider = await fakeProvider(t);
  provider.reply("GET /x", { status: 429, headers: { "retry-after": "3600" }, json: { of: "the provider" } });
  const { ask } = await withTemplates(t, { fake: { proxy: { base_url: provider.url, headers: bearer, retry: { after: "retry-after" } } } });
  const answer = await ask("GET", "/x", { headers: { retries: "3" } });
  assert.deepEqual([answer.status, answer.text], [429, '{"of":"the provider"}']);
  assert.equal(provider.requests.length, 1);
});

test("what was packed twice is passed on as it is", async (t) => {
  const packed = gzipSync(gzipSync("hello"));
  const server = createServer((req, res) => {
    res.writeHead(200, ["content-encoding", "gzip", "content-encoding", "gzip", "content-length", String(packed.length)]);
    res.end(packed);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.closeAllConnections(), server.close()));
  const nangod = await proxied(t, `http://127.0.0.1:${server.address().port}`);
  const client = new Client(t, nangod);
  client.write(head(nangod, "GET", "/x", { headers: ["decompress: true", "connection: close"] }));
  await client.closed;
  assert.equal(client.text.match(/content-encoding: gzip/g).length, 2);
  assert.ok(client.bytes.subarray(-packed.length).equals(packed));
});
