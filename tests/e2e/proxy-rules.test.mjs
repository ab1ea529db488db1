// SPDX-License-Identifier: Apache-2.0
// /proxy: what is put into a request, what is tried again, and where credentials may go.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { internet } from "./lib/internet.mjs";
import { psql, scratch, start, until } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";
import { bearer, SECRET, withTemplates } from "./lib/proxy.mjs";

test("what is put in, and what the caller may set", async (t) => {
  const provider = await fakeProvider(t);
  for (const method of ["GET", "POST", "DELETE"]) provider.reply(`${method} /v1/items`, (request) => ({ json: { ...request, query: request.query.toString() } }));
  const { ask } = await withTemplates(t, {
    headers: { proxy: { base_url: `${provider.url}/v1`, headers: { ...bearer, accept: "application/vnd.one+json", "user-agent": "ours" } } },
    query: { proxy: { base_url: `${provider.url}/v1/`, query: { key: "${apiKey}" } } },
    body: { proxy: { base_url: `${provider.url}/v1`, body: { auth: { key: "${apiKey}" }, absent: "${metadata.none}" } } },
    form: { proxy: { base_url: `${provider.url}/v1`, body: { key: "${apiKey}" } } },
  });
  const seen = async (...args) => JSON.parse((await ask(...args)).text);

  const plain = await seen("GET", "/items?a=1&b=x%20y");
  assert.equal(plain.headers.authorization, `Bearer ${SECRET}`);
  assert.equal(plain.headers.accept, "application/vnd.one+json");
  assert.equal(plain.query, "a=1&b=x+y");
  assert.ok(!Object.keys(plain.headers).some((name) => /^(nango|provider-config-key|connection-id|cookie)/.test(name)), JSON.stringify(plain.headers));

  const own = await seen("GET", "/items", {
    headers: { "nango-proxy-accept": "text/csv", "nango-proxy-user-agent": "mine", "nango-proxy-authorization": "Bearer stolen", "nango-proxy-x-own": "1", cookie: "a=b", "x-not-named": "1" },
  });
  assert.equal(own.headers.accept, "text/csv", "a header of the template that names nobody is a default");
  assert.equal(own.headers["user-agent"], "ours", "who we say that we are is the template's");
  assert.equal(own.headers.authorization, `Bearer ${SECRET}`, "credentials are not the caller's to replace");
  assert.equal(own.headers["x-own"], "1");
  assert.equal(own.headers["x-not-named"], undefined);
  assert.equal(own.headers.cookie, undefined);

  const query = await seen("GET", "/items?key=mine&z=1", { provider: "query" });
  assert.deepEqual(query.query.split("&").sort(), [`key=${SECRET}`, "z=1"]);

  const json = await seen("POST", "/items", { provider: "body", body: { auth: { key: "mine", more: 1 }, n: 1 } });
  assert.deepEqual(JSON.parse(json.body), { auth: { key: SECRET, more: 1 }, n: 1 });
  const alone = await seen("DELETE", "/items", { provider: "body" });
  assert.deepEqual(JSON.parse(alone.body), { auth: { key: SECRET } });
  assert.equal(alone.headers["content-type"], "application/json");
  const read = await seen("GET", "/items", { provider: "body" });
  assert.equal(read.body, "");
  const form = await seen("POST", "/items", { provider: "form", body: "key=mine&a=b%20c", headers: { "content-type": "application/x-www-form-urlencoded" } });
  assert.equal(form.body, `a=b%20c&key=${SECRET}`);
  const bytes = await seen("POST", "/items", { provider: "form", body: new Uint8Array([104, 105]) });
  assert.equal(bytes.body, "hi", "bytes are passed on as they are");
  const broken = await ask("POST", "/items", { provider: "body", body: "{" });
  assert.equal(broken.status, 400);

  const whole = await seen("GET", `/${provider.url}/v1/items?a=1`);
  assert.equal(whole.path, "/v1/items", "the base URL may stand in the path once more");
});

test("what is tried again", async (t) => {
  const provider = await fakeProvider(t);
  const answers = [];
  let count = 0;
  for (const method of ["GET", "POST", "PUT"])
    provider.reply(`${method} /items`, (request) => {
      count++;
      return answers.shift() ?? { json: { body: request.body } };
    });
  const rules = { after: "retry-after", error_code: ["418"] };
  const { ask } = await withTemplates(t, {
    usual: { proxy: { base_url: provider.url, headers: bearer, retry: { after: "retry-after" } } },
    own: { proxy: { base_url: provider.url, headers: bearer, retry: rules } },
    idempotent: { proxy: { base_url: provider.url, headers: bearer, retry: { after: "retry-after" } }, x: { source: "https://example.com", idempotency_header: "Idempotency-Key" } },
  });
  const soon = { headers: { "retry-after": "0" } };
  const round = async (list, method, options) => {
    answers.splice(0, answers.length, ...list);
    count = 0;
    const { status, text } = await ask(method, "/items", options);
    return { status, count, text };
  };
  const retries = (n, more = {}) => ({ headers: { retries: String(n), ...more } });
  const rows = [
    ["no retries are asked for", [{ status: 503, ...soon }], "GET", {}, 503, 1],
    ["a 503, then it works", [{ status: 503, ...soon }], "GET", retries(2), 200, 2],
    ["429 three times of two", [429, 429, 429].map((status) => ({ status, ...soon })), "GET", retries(2), 429, 3],
    ["404 is an answer", [{ status: 404, ...soon }], "GET", retries(2), 404, 1],
    ["404 that the caller names", [{ status: 404, ...soon }], "GET", retries(2, { "retry-on": "404, 410" }), 200, 2],
    ["the template's own list replaces the usual one", [{ status: 503, ...soon }], "GET", { ...retries(2), provider: "own" }, 503, 1],
    ["and holds", [{ status: 418, ...soon }], "GET", { ...retries(2), provider: "own" }, 200, 2],
    ["a POST may have been carried out", [{ status: 503, ...soon }], "POST", { ...retries(2), body: { a: 1 } }, 503, 1],
    ["429 says that it was not", [{ status: 429, ...soon }], "POST", { ...retries(2), body: { a: 1 } }, 200, 2],
    ["a PUT is the same when it is repeated", [{ status: 503, ...soon }], "PUT", { ...retries(2), body: { a: 1 } }, 200, 2],
    ["a POST that the provider would recognise", [{ status: 503, ...soon }], "POST", { ...retries(2, { "nango-proxy-idempotency-key": "1" }), provider: "idempotent", body: { a: 1 } }, 200, 2],
    ["but not without its key", [{ status: 503, ...soon }], "POST", { ...retries(2), provider: "idempotent", body: { a: 1 } }, 503, 1],
  ];
  for (const [why, list, method, options, status, tries] of rows) {
    const got = await round(list, method, options);
    assert.deepEqual({ status: got.status, count: got.count }, { status, count: tries }, why);
    if (status === 200 && options.body) assert.deepEqual(JSON.parse(JSON.parse(got.text).body), options.body, why);
  }
  const wrong = await ask("GET", "/items", { headers: { retries: "many" } });
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /Retries must be a whole number/);
});

test("a connection that is refused is tried again, whatever the method", async (t) => {
  const upstream = createServer((req, res) => res.end("here"));
  await new Promise((done) => upstream.listen(0, "127.0.0.1", done));
  const { port } = upstream.address();
  upstream.close();
  const { ask } = await withTemplates(t, { fake: { proxy: { base_url: `http://127.0.0.1:${port}`, headers: bearer } } });
  assert.equal((await ask("POST", "/x", { body: { a: 1 } })).status, 502);
  const waiting = ask("POST", "/x", { body: { a: 1 }, headers: { retries: "3" } });
  const again = createServer((req, res) => res.end("here"));
  await new Promise((done) => again.listen(port, "127.0.0.1", done));
  t.after(() => again.close());
  const answer = await waiting;
  assert.equal(answer.text, "here");
  again.closeAllConnections();
});

test("redirects: the same host gets everything, another one nothing", async (t) => {
  const provider = await fakeProvider(t);
  const other = await fakeProvider(t);
  const echo = (request) => ({ json: { headers: request.headers, body: request.body, method: request.method } });
  provider.reply("GET /moved", { status: 302, headers: { location: "/items?x=1" }, json: {} });
  provider.reply("GET /items", echo);
  provider.reply("GET /away", { status: 307, headers: { location: `${other.url}/items` }, json: {} });
  provider.reply("POST /done", { status: 303, headers: { location: "/items" }, json: {} });
  provider.reply("POST /kept", { status: 307, headers: { location: "/posted" }, json: {} });
  provider.reply("POST /posted", echo);
  provider.reply("GET /round", { status: 302, headers: { location: "/round" }, json: {} });
  provider.reply("GET /inside", { status: 302, headers: { location: "http://169.254.169.254/latest" }, json: {} });
  other.reply("GET /items", echo);
  const { ask } = await withTemplates(t, {
    fake: { proxy: { base_url: provider.url, headers: bearer } },
    along: { proxy: { base_url: provider.url, headers: bearer, forward_headers_on_redirect: true } },
    filled: { proxy: { base_url: provider.url, body: { key: "${apiKey}" } } },
  });
  const seen = async (...args) => JSON.parse((await ask(...args)).text);
  assert.equal((await seen("GET", "/moved")).headers.authorization, `Bearer ${SECRET}`);
  const away = await seen("GET", "/away", { headers: { "nango-proxy-cookie": "a=b", "nango-proxy-x-api-key": "k", "nango-proxy-x-own": "1" } });
  assert.deepEqual([away.headers.authorization, away.headers.cookie, away.headers["x-api-key"], away.headers["x-own"]], [undefined, undefined, undefined, "1"]);
  assert.equal((await seen("GET", "/away", { provider: "along" })).headers.authorization, `Bearer ${SECRET}`, "the template says so");
  assert.equal((await seen("POST", "/done", { body: { a: 1 } })).method, "GET");
  assert.deepEqual(JSON.parse((await seen("POST", "/kept", { body: { a: 1 } })).body), { a: 1 });
  provider.reply("POST /kept-away", { status: 307, headers: { location: `${other.url}/items` }, json: {} });
  const told = other.requests.length;
  assert.equal((await ask("POST", "/kept-away", { provider: "filled", body: { a: 1 } })).status, 307, "a body with a secret does not go to another host");
  assert.equal(other.requests.length, told);
  assert.equal((await ask("GET", "/round")).status, 302, "five times, then it is the caller's");
  assert.equal(provider.requests.filter((r) => r.path === "/round").length, 6);
  const inside = await ask("GET", "/inside");
  assert.equal(inside.status, 400);
  assert.match(inside.text, /egress_refused/);
});

test("Base-Url-Override needs a key that may read credentials, and the address rule holds for it", async (t) => {
  const provider = await fakeProvider(t);
  const other = await fakeProvider(t);
  other.reply("GET /api/items", (request) => ({ json: { headers: request.headers } }));
  provider.reply("GET /items", { json: { at: "home" } });
  const { nangod, ask } = await withTemplates(t, { fake: { proxy: { base_url: provider.url, headers: bearer } } });
  const away = await ask("GET", "/items", { headers: { "base-url-override": `${other.url}/api` } });
  assert.equal(JSON.parse(away.text).headers.authorization, `Bearer ${SECRET}`);
  assert.equal((await ask("GET", "/items", { headers: { "base-url-override": "" } })).text, '{"at":"home"}');
  for (const url of ["http://169.254.169.254", "http://localhost.:1", "http://[::1]:1", "http://10.0.0.1", "http://2130706433.example.invalid"]) {
    const answer = await ask("GET", "/items", { headers: { "base-url-override": url } });
    assert.ok([400, 502].includes(answer.status), `${url}: ${answer.status} ${answer.text}`);
  }
  assert.equal((await ask("GET", "/items", { headers: { "base-url-override": "file:///etc/passwd" } })).status, 400);
  await psql(nangod, "UPDATE nango.api_key SET scopes = '{environment:proxy}'");
  const refused = await until(async () => {
    const answer = await ask("GET", "/items", { headers: { "base-url-override": other.url } });
    return answer.status === 403 && answer;
  });
  assert.match(refused.text, /read_credentials/);
  const along = await ask("GET", "/items", { headers: { "forward-headers-on-redirect": "true" } });
  assert.equal(along.status, 403, "a redirect is another way to another host");
  assert.equal((await ask("GET", "/items")).status, 200);
  await psql(nangod, "UPDATE nango.api_key SET scopes = '{environment:records:*}'");
  await until(async () => (await ask("GET", "/items")).status === 403);
});

test("TLS through the company's proxy; an answer is that of the vendor's own host", async (t) => {
  const net = await internet(t, ["api.example.com"]);
  net.reply("GET https://api.example.com/v1/items", (request) => ({ json: { authorization: request.headers.authorization } }));
  const { ask } = await withTemplates(t, { fake: { proxy: { base_url: "https://api.example.com/v1", headers: bearer } } }, net.env);
  for (let i = 0; i < 3; i++) assert.equal(JSON.parse((await ask("GET", "/items")).text).authorization, `Bearer ${SECRET}`);
});

test("a provider's 429 stops the connection's next calls; one that would wait long is told so", async (t) => {
  const provider = await fakeProvider(t);
  let count = 0;
  const times = [];
  provider.reply("GET /soon", () => {
    times.push(Date.now());
    return ++count === 1 ? { status: 429, headers: { "retry-after": "1" }, json: {} } : { json: { count } };
  });
  provider.reply("GET /late", { status: 429, headers: { "retry-after": "3600" }, json: {} });
  const { ask } = await withTemplates(t, { fake: { proxy: { base_url: provider.url, headers: bearer, retry: { after: "retry-after" } } } });
  assert.equal((await ask("GET", "/soon")).status, 429, "no retries were asked for");
  assert.equal((await ask("GET", "/soon")).status, 200);
  assert.ok(times[1] - times[0] >= 900, `${times[1] - times[0]} ms`);
  assert.equal((await ask("GET", "/late")).status, 429);
  const before = provider.requests.length;
  const refused = await ask("GET", "/soon");
  assert.equal(refused.status, 429);
  assert.equal(JSON.parse(refused.text).error.code, "provider_rate_limited");
  assert.ok(Number(refused.headers.get("retry-after")) > 3000, refused.headers.get("retry-after"));
  assert.equal(provider.requests.length, before, "the provider was not asked");
});

test("a stop waits for what is being passed on", async (t) => {
  const provider = await fakeProvider(t);
  let answer;
  provider.reply("GET /slow", () => new Promise((done) => (answer = () => done({ json: { whole: true } }))));
  const { nangod, ask } = await withTemplates(t, { fake: { proxy: { base_url: provider.url, headers: bearer } } });
  const waiting = ask("GET", "/slow");
  await until(() => answer);
  nangod.child.kill("SIGTERM");
  await until(() => nangod.log().includes("stopping"));
  answer();
  assert.equal((await waiting).text, '{"whole":true}');
  await nangod.closed;
  assert.equal(nangod.child.exitCode, 0, nangod.log());
});

test("an answer that unpacks to 200 MB is unpacked as its reader takes it; a damaged one is broken off", async (t) => {
  const size = 200 * 1024 * 1024;
  const packed = gzipSync(Buffer.alloc(size));
  const upstream = createServer((req, res) => {
    res.writeHead(200, { "content-encoding": "gzip" });
    res.end(req.url === "/cut" ? packed.subarray(0, 1000) : req.url === "/damaged" ? Buffer.from("no gzip at all") : packed);
  });
  await new Promise((done) => upstream.listen(0, "127.0.0.1", done));
  t.after(() => (upstream.closeAllConnections(), upstream.close()));
  const { nangod, ask } = await withTemplates(t, { fake: { proxy: { base_url: `http://127.0.0.1:${upstream.address().port}`, headers: bearer, decompress: true } } });
  const headers = { authorization: `Bearer ${nangod.key}`, "provider-config-key": "fake", "connection-id": "acme" };
  const peak = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${nangod.pid}/status`, "utf8"))[1]) * 1024;
  for (const path of ["/cut", "/damaged"]) await assert.rejects(ask("GET", path), path);
  const before = peak();
  const response = await new Promise((done, fail) => get(`${nangod.url}/proxy/large`, { headers, agent: false }, done).on("error", fail));
  assert.equal(response.headers["content-encoding"], undefined);
  await until(() => response.readableLength > 0); // and then nobody reads for as long as the rest takes
  await ask("GET", "/cut").catch(() => {});
  let bytes = 0;
  for await (const piece of response) bytes += piece.length;
  assert.equal(bytes, size);
  assert.ok(peak() - before < 64 * 1024 * 1024, `${peak() - before} bytes more`);
});
