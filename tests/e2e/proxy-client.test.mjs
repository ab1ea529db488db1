// SPDX-License-Identifier: Apache-2.0
// The proxy methods of the official client, unmodified, against an API on loopback.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { apiKey, proxied, upstream } from "./lib/proxy.mjs";

const who = { providerConfigKey: "keyed", connectionId: "acme" };
const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const large = randomBytes(10 * 1024 * 1024);

/** What the client's promise is refused with: the answer. */
const refusal = async (promise) => {
  const error = await promise.then(
    (answer) => assert.fail(`answered ${answer.status}`),
    (e) => e,
  );
  assert.ok(error.response, error.stack);
  return error.response;
};

test("the official client", { timeout: 120_000 }, async (t) => {
  const api = await upstream(t);
  const nangod = await proxied(t, `${api.url}/v1`);
  const { client } = nangod;
  const last = () => api.requests.at(-1);

  for (const method of ["get", "post", "put", "patch", "delete"])
    await t.test(`${method}() is that method, with the connection's credentials and not the app's`, async () => {
      const data = method === "get" ? undefined : { n: 1, text: "ä" };
      const answer = await client[method]({ ...who, endpoint: "/items/7?a=b", data });
      assert.equal(answer.status, 200);
      assert.equal(answer.data.method, method.toUpperCase());
      assert.equal(answer.data.url, "/v1/items/7?a=b");
      assert.equal(last().headers.authorization, `Bearer ${apiKey}`);
      assert.equal(last().headers["x-fixed"], "of the template");
      assert.equal(last().headers.host, `127.0.0.1:${api.port}`);
      assert.ok(!JSON.stringify(last().raw).includes(nangod.key));
      for (const own of ["connection-id", "provider-config-key", "base-url-override", "nango-activity-log-id", "retries"])
        assert.equal(last().headers[own], undefined);
      if (data) {
        assert.deepEqual(JSON.parse(last().body), data);
        assert.match(last().headers["content-type"], /^application\/json/);
      } else {
        assert.equal(last().headers["content-type"], undefined);
        assert.equal(last().headers["content-length"], undefined);
      }
    });

  // The client knows no HEAD and OPTIONS: it sends GET.
  for (const [method, sent] of [["PROPFIND", "PROPFIND"], ["REPORT", "REPORT"], ["post", "POST"], ["HEAD", "GET"], ["OPTIONS", "GET"], [undefined, "GET"]])
    await t.test(`proxy() with ${method} sends ${sent}`, async () => {
      const answer = await client.proxy({ ...who, method, endpoint: "items", data: sent === "GET" ? undefined : { depth: 1 } });
      assert.equal(answer.data.method, sent);
      assert.equal(last().body.toString(), sent === "GET" ? "" : '{"depth":1}');
    });

  await t.test("a DELETE without a body has none", async () => {
    await client.delete({ ...who, endpoint: "/items/7" });
    assert.equal(last().body.length, 0);
    assert.equal(last().headers["content-type"], undefined);
  });

  const forms = [
    ["an object", { params: { a: "1", "b c": "d&e", "page[size]": "2" } }, "?a=1&b+c=d%26e&page%5Bsize%5D=2"],
    ["an array, joined by commas", { params: { ids: [1, 2, 3] } }, "?ids=1%2C2%2C3"],
    ["a text", { params: "a=1&b=%20x" }, "?a=1&b=%20x"],
    ["a text with its question mark", { params: "?a=1" }, "?a=1"],
    ["an object beside those of the endpoint", { endpoint: "/items?z=9", params: { a: 1 } }, "?z=9&a=1"],
    ["brackets, pipes and repetition in the endpoint", { endpoint: "/items?f[a]=1&f[a]=2&q=a|b" }, null],
  ];
  for (const [what, config, query] of forms)
    await t.test(`params as ${what}`, async () => {
      await client.get({ ...who, endpoint: "/items", ...config });
      const sent = last().url.slice("/v1/items".length);
      if (query === null) assert.deepEqual(new URLSearchParams(sent).getAll("f[a]"), ["1", "2"]);
      else assert.equal(sent, query);
    });

  await t.test("a path's escapes stay what they are", async () => {
    await client.get({ ...who, endpoint: "/files/a%2Fb%20c/%E2%82%AC" });
    assert.equal(last().url, "/v1/files/a%2Fb%20c/%E2%82%AC");
  });

  await t.test("an endpoint that begins with the base URL is not doubled", async () => {
    await client.get({ ...who, endpoint: `${api.url}/v1/items` });
    assert.equal(last().url, "/v1/items");
  });

  await t.test("custom headers arrive without their prefix; the credentials stay the connection's", async () => {
    await client.get({
      ...who,
      endpoint: "/items",
      headers: { "X-Custom": "a; b", "X-Empty": "", Accept: "text/plain", Authorization: "Bearer mine", "x-fixed": "mine" },
    });
    assert.equal(last().headers["x-custom"], "a; b");
    assert.equal(last().headers.accept, "text/plain");
    assert.equal(last().headers.authorization, `Bearer ${apiKey}`);
    assert.equal(last().headers["x-fixed"], "mine"); // it is no secret: the template's is a default
    assert.deepEqual(Object.keys(last().headers).filter((name) => name.startsWith("nango")), []);
  });

  api.routes["/v1/types"] = (req, res) => {
    res.setHeader("content-type", "application/json");
    res.setHeader("x-request-id", "r-1");
    res.end('{"a": [1, "ä"]}');
  };
  const text = '{"a": [1, "ä"]}';
  const kinds = {
    json: (data) => assert.deepEqual(data, { a: [1, "ä"] }),
    text: (data) => assert.equal(data, text),
    arraybuffer: (data) => assert.equal(Buffer.from(data).toString(), text),
    stream: async (data) => assert.equal(Buffer.concat(await Array.fromAsync(data)).toString(), text),
    // Node's axios has no blobs: it gives the text, or what it reads out of it.
    blob: (data) => assert.deepEqual(typeof data === "string" ? JSON.parse(data) : data, { a: [1, "ä"] }),
  };
  for (const [responseType, check] of Object.entries(kinds))
    await t.test(`responseType ${responseType}`, async () => {
      const answer = await client.get({ ...who, endpoint: "/types", responseType });
      assert.equal(answer.headers["x-request-id"], "r-1");
      assert.match(answer.headers["content-type"], /^application\/json/);
      await check(answer.data);
    });

  for (const status of [400, 401, 403, 404, 409, 418, 422, 500, 502, 503])
    await t.test(`status ${status} is seen as it was`, async () => {
      api.routes["/v1/status"] = (req, res) => {
        res.writeHead(status, { "content-type": "application/problem+json", "x-reason": "because", "retry-after": "9" });
        res.end(`{"status":${status}}`);
      };
      const { status: got, data, headers } = await refusal(client.post({ ...who, endpoint: "/status", data: {} }));
      assert.equal(got, status);
      assert.deepEqual(data, { status });
      assert.equal(headers["x-reason"], "because");
      assert.equal(headers["retry-after"], "9");
      assert.equal(headers["content-type"], "application/problem+json");
    });

  await t.test("204 has no body", async () => {
    api.routes["/v1/none"] = (req, res) => res.writeHead(204, { "x-a": "b" }).end();
    const answer = await client.delete({ ...who, endpoint: "/none" });
    assert.equal(answer.status, 204);
    assert.equal(answer.data, "");
    assert.equal(answer.headers["x-a"], "b");
  });

  await t.test("retries: as often as asked, and no more", async () => {
    let failures = 2;
    api.routes["/v1/flaky"] = (req, res) => {
      res.writeHead(failures-- > 0 ? 503 : 200, { "content-type": "application/json", "retry-after": "0" });
      res.end('{"ok":true}');
    };
    const count = api.requests.length;
    assert.deepEqual((await client.get({ ...who, endpoint: "/flaky", retries: 3 })).data, { ok: true });
    assert.equal(api.requests.length - count, 3);
    failures = 5;
    assert.equal((await refusal(client.get({ ...who, endpoint: "/flaky", retries: 1 }))).status, 503);
    assert.equal(api.requests.length - count, 5);
    assert.equal((await refusal(client.get({ ...who, endpoint: "/flaky" }))).status, 503);
    assert.equal(api.requests.length - count, 6);
  });

  await t.test("a POST is not sent twice for a 503, and is for a 429, with its body", async () => {
    let status = 503;
    api.routes["/v1/unsafe"] = (req, res) => {
      res.writeHead(status, { "retry-after": "0" }).end();
      status = 200;
    };
    const count = api.requests.length;
    assert.equal((await refusal(client.post({ ...who, endpoint: "/unsafe", data: { n: 1 }, retries: 3 }))).status, 503);
    assert.equal(api.requests.length - count, 1);
    status = 429;
    assert.equal((await client.post({ ...who, endpoint: "/unsafe", data: { n: 1 }, retries: 3 })).status, 200);
    assert.equal(api.requests.length - count, 3);
    assert.deepEqual(api.requests.slice(-2).map((r) => r.body.toString()), ['{"n":1}', '{"n":1}']);
  });

  await t.test("retryOn adds statuses", async () => {
    let status = 418;
    api.routes["/v1/teapot"] = (req, res) => {
      res.writeHead(status, { "retry-after": "0" }).end();
      status = status === 418 ? 451 : 200;
    };
    const count = api.requests.length;
    assert.equal((await client.get({ ...who, endpoint: "/teapot", retries: 2, retryOn: [418, 451] })).status, 200);
    assert.equal(api.requests.length - count, 3);
    status = 418;
    assert.equal((await refusal(client.get({ ...who, endpoint: "/teapot", retries: 2 }))).status, 418);
    assert.equal(api.requests.length - count, 4);
  });

  await t.test("decompress: the app gets the bytes unpacked; without it as they came", async () => {
    api.routes["/v1/packed"] = (req, res) => {
      const packs = /\bgzip\b/.test(req.headers["accept-encoding"] ?? "");
      res.writeHead(200, { "content-type": "application/json", ...(packs ? { "content-encoding": "gzip" } : {}) });
      res.end(packs ? gzipSync(text) : text);
    };
    for (const decompress of [true, false, undefined])
      assert.deepEqual((await client.get({ ...who, endpoint: "/packed", decompress })).data, { a: [1, "ä"] });
    const raw = async (headers) => {
      const answer = await nangod.call("GET", "/proxy/packed", {
        raw: true,
        headers: { "provider-config-key": "keyed", "connection-id": "acme", "accept-encoding": "identity", ...headers },
      });
      return { coding: answer.headers.get("content-encoding"), text: answer.text, asked: last().headers["accept-encoding"] };
    };
    assert.deepEqual(await raw({ decompress: "true" }), { coding: null, text, asked: "gzip" });
    assert.deepEqual(await raw({}), { coding: null, text, asked: "identity" });
  });

  await t.test("baseUrlOverride sends it elsewhere; empty is none", async () => {
    const other = await upstream(t);
    const answer = await client.get({ ...who, endpoint: "/items?a=1", baseUrlOverride: `${other.url}/v9` });
    assert.equal(answer.data.url, "/v9/items?a=1");
    assert.equal(other.requests[0].headers.authorization, `Bearer ${apiKey}`);
    assert.equal((await client.get({ ...who, endpoint: "/items", baseUrlOverride: "" })).data.url, "/v1/items");
    assert.equal(other.requests.length, 1);
    const { status, data } = await refusal(client.get({ ...who, endpoint: "/items", baseUrlOverride: "ftp://example.com" }));
    assert.equal(status, 400);
    assert.equal(data.error.code, "invalid_headers");
  });

  await t.test("a binary body arrives byte for byte", async () => {
    const body = Buffer.concat([Buffer.from([0, 255, 13, 10, 0]), randomBytes(300_000)]);
    await client.post({ ...who, endpoint: "/upload", data: body, headers: { "Content-Type": "application/octet-stream" } });
    assert.equal(last().headers["content-type"], "application/octet-stream");
    assert.equal(sha256(last().body), sha256(body));
  });

  await t.test("a stream of unknown length arrives, too", async () => {
    const pieces = Array.from({ length: 40 }, () => randomBytes(50_000));
    await client.put({ ...who, endpoint: "/upload", data: Readable.from(pieces), headers: { "Content-Type": "video/mp4" } });
    assert.equal(last().headers["content-type"], "video/mp4");
    assert.equal(sha256(last().body), sha256(Buffer.concat(pieces)));
  });

  await t.test("text with its own type", async () => {
    await client.post({ ...who, endpoint: "/soap", data: "<a>ä</a>", headers: { "Content-Type": "text/xml; charset=utf-8" } });
    assert.equal(last().headers["content-type"], "text/xml; charset=utf-8");
    assert.equal(last().body.toString(), "<a>ä</a>");
  });

  await t.test("a multipart form with a file", async () => {
    const form = new FormData();
    const file = randomBytes(100_000);
    form.set("title", "ä & b");
    form.set("file", new Blob([file], { type: "image/png" }), "a b.png");
    await client.post({ ...who, endpoint: "/forms", data: form });
    const { headers, body } = last();
    assert.match(headers["content-type"], /^multipart\/form-data; boundary=/);
    const got = await new Response(body, { headers: { "content-type": headers["content-type"] } }).formData();
    assert.equal(got.get("title"), "ä & b");
    assert.equal(got.get("file").name, "a b.png");
    assert.equal(got.get("file").type, "image/png");
    assert.equal(sha256(Buffer.from(await got.get("file").arrayBuffer())), sha256(file));
  });

  await t.test("a form of pairs", async () => {
    await client.post({ ...who, endpoint: "/forms", data: new URLSearchParams({ a: "1", b: "ä &" }) });
    assert.match(last().headers["content-type"], /^application\/x-www-form-urlencoded/);
    assert.equal(last().body.toString(), "a=1&b=%C3%A4+%26");
  });

  for (const framing of ["content-length", "chunked"])
    for (const responseType of ["arraybuffer", "stream"])
      await t.test(`10 MB, ${framing}, as ${responseType}, byte for byte`, async () => {
        api.routes["/v1/large"] = (req, res) => {
          res.writeHead(200, {
            "content-type": "application/pdf",
            "content-disposition": 'attachment; filename="a.pdf"',
            ...(framing === "chunked" ? {} : { "content-length": large.length }),
          });
          res.end(large);
        };
        const answer = await client.get({ ...who, endpoint: "/large", responseType });
        const data = responseType === "stream" ? Buffer.concat(await Array.fromAsync(answer.data)) : Buffer.from(answer.data);
        assert.equal(answer.headers["content-disposition"], 'attachment; filename="a.pdf"');
        assert.equal(sha256(data), sha256(large));
      });

  await t.test("what is wrong with the call itself is nangod's error", async () => {
    const rows = [
      [{ ...who, connectionId: "nobody" }, 400],
      [{ ...who, providerConfigKey: "nothing" }, [400, 404]],
    ];
    const count = api.requests.length;
    for (const [config, status] of rows) {
      const answer = await refusal(client.get({ ...config, endpoint: "/items" }));
      assert.ok([status].flat().includes(answer.status), `${answer.status}`);
      assert.ok(answer.data.error.code && answer.data.error.message, JSON.stringify(answer.data));
    }
    assert.equal(api.requests.length, count);
  });
});
