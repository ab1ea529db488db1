// SPDX-License-Identifier: Apache-2.0
// /proxy byte by byte: what passes between the app, nangod and the API, and what never does.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { deflateRawSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { replies } from "./http-helper.mjs";
import { until } from "./lib/nangod.mjs";
import { Client, apiKey, ask, head, proxied, rawUpstream } from "./lib/proxy.mjs";

const ok = (body = "", ...headers) => ["HTTP/1.1 200 OK", `content-length: ${body.length}`, ...headers, "", body].join("\r\n");
const only = (client) => {
  const all = replies(client.text);
  assert.equal(all.length, 1, client.text.slice(0, 500));
  return all[0];
};
const names = (call) => call.head.split("\r\n").slice(1).map((line) => line.split(":")[0].toLowerCase()).sort();

test("headers", { timeout: 60_000 }, async (t) => {
  const api = await rawUpstream(t, (call) => call.answer(ok("{}")));
  const nangod = await proxied(t, api.url);
  const told = async (headers, options) => {
    const came = api.next();
    await ask(t, nangod, "GET", "/x", { headers, ...options });
    return came;
  };

  await t.test("of the app's only those that it names for the API arrive", async () => {
    const call = await told([
      "cookie: session=s3cret", "x-api-key: mine", "x-forwarded-for: 1.2.3.4", "accept: text/html", "te: trailers",
      "proxy-authorization: Basic eDp5", "keep-alive: 5", "nango-activity-log-id: 7", "nango-is-sync: true", "retries: 0",
      "nango-proxy-x-one: 1", "nango-proxy-x-two: a, b", "nango-proxy-x-two: c", "Nango-Proxy-X-Three:  spaced  ",
    ]);
    assert.deepEqual(names(call), ["accept", "host", "user-agent", "x-one", "x-three", "x-two", "x-two"]);
    assert.equal(call.header("x-three"), "spaced");
    assert.equal(call.header("accept"), "*/*");
    assert.ok(!call.head.includes(nangod.key));
  });

  await t.test("headers of the connection and of framing do not pass under a prefix", async () => {
    const call = await told([
      "connection: nango-proxy-x-listed", "nango-proxy-x-listed: 1", "nango-proxy-connection: x-a", "nango-proxy-keep-alive: 5",
      "nango-proxy-transfer-encoding: chunked", "nango-proxy-content-length: 5", "nango-proxy-host: evil.example",
      "nango-proxy-te: trailers", "nango-proxy-trailer: x", "nango-proxy-upgrade: websocket", "nango-proxy-expect: 100-continue",
      "nango-proxy-proxy-authorization: x", "nango-proxy-proxy-connection: x", "nango-proxy-x-ok: 1",
    ]);
    assert.deepEqual(names(call), ["accept", "host", "user-agent", "x-ok"]);
    assert.equal(call.header("host"), `127.0.0.1:${api.port}`);
  });

  await t.test("the app's key and cookies are nobody's credentials there", async () => {
    assert.equal((await told([])).header("authorization"), undefined);
    const mine = await told(["nango-proxy-authorization: Bearer of-the-app"]);
    assert.equal(mine.header("authorization"), "Bearer of-the-app"); // the template has none
  });

  await t.test("what the template puts in as a secret cannot be overridden", async () => {
    for (const name of ["nango-proxy-authorization", "Nango-Proxy-AUTHORIZATION"]) {
      const call = await told([`${name}: Bearer mine`], { provider: "keyed" });
      assert.deepEqual(call.head.match(/^authorization: .*$/gim), [`authorization: Bearer ${apiKey}`]);
    }
    const fixed = await told(["nango-proxy-x-fixed: mine"], { provider: "keyed" });
    assert.deepEqual(fixed.head.match(/^x-fixed: .*$/gim), ["x-fixed: mine"]); // a fixed text is a default
  });

  await t.test("nor can a secret of the query", async () => {
    for (const query of ["?api_key=mine&a=1", "?a=1&api%5Fkey=mine", "?a=1&%61pi_key=mine"]) {
      const came = api.next();
      await ask(t, nangod, "GET", `/x${query}`, { provider: "queried" });
      const [, target] = (await came).head.split(" ");
      assert.deepEqual(new URLSearchParams(target.split("?")[1]).getAll("api_key"), [apiKey]);
      assert.equal(new URLSearchParams(target.split("?")[1]).get("a"), "1");
    }
  });

  await t.test("a header that would be two does not leave", async () => {
    for (const header of ["nango-proxy-x: a\rset: b", "nango-proxy-x: a\nset: b", "nango-proxy-x: a\0b", "nango-proxy- x: a", "nango-proxy-: a"]) {
      const count = api.calls.length;
      const answer = await ask(t, nangod, "GET", "/x", { headers: [header] });
      if (api.calls.length === count) assert.equal(only(answer).status, 400, JSON.stringify(header));
      else assert.deepEqual(names(api.calls.at(-1)), ["accept", "host", "user-agent"], JSON.stringify(header));
    }
  });

  await t.test("of the API's those of its connection stay behind, with what Connection lists", async () => {
    api.answer = (call) =>
      call.answer(
        ok("{}", "Connection: keep-alive, X-Listed", "X-Listed: 1", "Connection: X-Second", "X-Second: 1", "Keep-Alive: timeout=5", "Proxy-Connection: x", "Upgrade: h2c", "TE: x",
          "Trailer: x", "Proxy-Authenticate: Basic", "Access-Control-Allow-Origin: https://evil.example", "Set-Cookie: a=s3cret",
          "WWW-Authenticate: Basic", "X-Kept: 1", "x-kept: 2", "Content-Type: a/b", "ETag: \"7\"", "Link: <x>; rel=next"),
      );
    const answer = await ask(t, nangod, "GET", "/x");
    const lines = answer.text.split("\r\n\r\n")[0].split("\r\n").slice(1).map((l) => l.toLowerCase());
    const kept = lines.filter((l) => !/^(date|content-length|connection|x-request-id|access-control-allow-origin: \*)/.test(l)).sort();
    assert.deepEqual(kept, ["content-type: a/b", 'etag: "7"', "link: <x>; rel=next", "x-kept: 1", "x-kept: 2"]);
    assert.deepEqual(lines.filter((l) => l.startsWith("connection")), ["connection: close"]);
    api.answer = undefined;
  });

  await t.test("a reason, a status that nobody knows and an empty header pass", async () => {
    api.answer = (call) => call.answer("HTTP/1.1 299 Whatever It Is\r\nx-empty:\r\ncontent-length: 2\r\n\r\nok");
    const answer = only(await ask(t, nangod, "GET", "/x"));
    assert.equal(answer.status, 299);
    assert.equal(answer.headers["x-empty"], "");
    assert.equal(answer.body, "ok");
    api.answer = undefined;
  });
});

test("bodies", { timeout: 60_000 }, async (t) => {
  const api = await rawUpstream(t);
  const nangod = await proxied(t, api.url);

  await t.test("HEAD keeps the length, and the connection goes on behind it", async () => {
    api.answer = (call) =>
      call.answer(call.head.startsWith("HEAD") ? "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\nx-a: b\r\n\r\n" : ok("next"));
    const client = new Client(t, nangod);
    client.write(head(nangod, "HEAD", "/x"));
    await client.until(/\r\n\r\n/);
    assert.match(client.text, /^HTTP\/1\.1 200 [^]*content-length: 1234\r\n/i);
    assert.match(client.text, /x-a: b/i);
    const before = client.text.length;
    client.write(head(nangod, "GET", "/y"));
    await client.until(/\r\n\r\nnext$/);
    assert.match(client.text.slice(before), /^HTTP\/1\.1 200 /);
    assert.match(api.calls.at(-2).head, /^HEAD \/x HTTP\/1\.1\r\n/);
    assert.equal(api.calls.at(-2).socket, api.calls.at(-1).socket); // nothing of the first was left on it
  });

  for (const [status, more] of [[204, ""], [304, 'etag: "7"\r\n'], [304, "content-length: 5\r\n"]])
    await t.test(`${status} has no body${more && `, with ${more.trim()}`}`, async () => {
      api.answer = (call) => call.answer(call.head.includes("/next") ? ok("next") : `HTTP/1.1 ${status} X\r\n${more}\r\n`);
      const client = new Client(t, nangod);
      client.write(head(nangod, "GET", "/x"));
      await client.until(/\r\n\r\n/);
      assert.match(client.text, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.doesNotMatch(client.text, /transfer-encoding/i);
      if (status === 204) assert.doesNotMatch(client.text, /content-length/i);
      client.write(head(nangod, "GET", "/next"));
      await client.until(/\r\n\r\nHTTP\/1\.1 200 [^]*\r\n\r\nnext$/);
    });

  await t.test("OPTIONS is the API's", async () => {
    api.answer = (call) => call.answer(ok("", "allow: GET, PUT"));
    const answer = only(await ask(t, nangod, "OPTIONS", "/x"));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.allow, "GET, PUT");
    assert.match(api.calls.at(-1).head, /^OPTIONS \/x HTTP/);
  });

  await t.test("chunks both ways; trailers are dropped", async () => {
    api.answer = async (call) => {
      await until(() => /world/.test(call.body) && /(\r\n0\r\n[^]*\r\n\r\n|content-length)/i.test(call.head + call.body));
      call.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nx-sum: s3cret\r\n\r\n");
    };
    const body = "5\r\nhello\r\n7\r\n, world\r\n0\r\nx-trailer: t\r\n\r\n";
    const client = await ask(t, nangod, "POST", "/x", { headers: ["transfer-encoding: chunked", "trailer: x-trailer"], body });
    const answer = only(client);
    assert.equal(answer.body, "abcde");
    assert.ok(answer.isWhole);
    assert.doesNotMatch(client.text, /x-sum|trailer|ext=1/);
    const call = api.calls.at(-1);
    assert.doesNotMatch(call.bytes.toString(), /trailer/);
    assert.ok(call.header("content-length") === "12" || call.header("transfer-encoding") === "chunked");
    assert.equal(call.header("content-length") && call.header("transfer-encoding"), undefined);
  });

  await t.test("an answer that ends with its connection is whole", async () => {
    api.answer = (call) => {
      call.answer("HTTP/1.1 200 OK\r\n\r\nuntil the end");
      call.socket.end();
    };
    const answer = only(await ask(t, nangod, "GET", "/x"));
    assert.equal(answer.body, "until the end");
    assert.equal(answer.headers["transfer-encoding"], "chunked");
  });

  const packed = gzipSync("packed ".repeat(1000)).toString("latin1");
  await t.test("gzip passes as it is", async () => {
    api.answer = (call) => call.answer(ok(packed, "content-encoding: gzip"));
    const answer = only(await ask(t, nangod, "GET", "/x", { headers: ["accept-encoding: br"] }));
    assert.equal(api.calls.at(-1).header("accept-encoding"), "br");
    assert.equal(answer.headers["content-encoding"], "gzip");
    assert.equal(gunzipSync(Buffer.from(answer.body, "latin1")).toString(), "packed ".repeat(1000));
  });

  for (const [what, options] of [["Decompress", { headers: ["decompress: true"] }], ["the template's decompress", { provider: "unpacked" }]])
    await t.test(`gzip is unpacked by ${what}`, async () => {
      const answer = only(await ask(t, nangod, "GET", "/x", options));
      assert.equal(api.calls.at(-1).header("accept-encoding"), "gzip");
      assert.equal(answer.headers["content-encoding"], undefined);
      assert.equal(answer.body, "packed ".repeat(1000));
      assert.ok(answer.isWhole);
    });

  const texts = ["packed ".repeat(1000), ""];
  const latin = (buffer) => buffer.toString("latin1");
  const packings = {
    "deflate with zlib's header": ["deflate", (text) => latin(deflateSync(text))],
    "deflate without": ["deflate", (text) => latin(deflateRawSync(text))],
    "two members of gzip": ["gzip", (text) => latin(gzipSync(text.slice(0, 100))) + latin(gzipSync(text.slice(100)))],
    "gzip and padding": ["gzip", (text) => latin(gzipSync(text)) + "\0".repeat(1000) + latin(gzipSync("evil"))],
  };
  for (const [what, [coding, pack]] of Object.entries(packings))
    for (const cuts of [1, 4096])
      await t.test(`${what} is unpacked, ${cuts} bytes at a time`, async () => {
        for (const text of texts) {
          const bytes = pack(text);
          api.answer = async (call) => {
            call.answer(`HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ncontent-length: ${bytes.length}\r\n\r\n`);
            for (let at = 0; at < bytes.length; at += cuts) call.answer(bytes.slice(at, at + cuts));
          };
          const answer = only(await ask(t, nangod, "GET", "/x", { headers: ["decompress: true"] }));
          assert.equal(answer.body, text);
          assert.ok(answer.isWhole);
        }
      });

  await t.test("what cannot be unpacked ends in a broken answer, not in a whole one", async () => {
    api.answer = (call) => call.answer(ok(packed.slice(0, 30) + "#".repeat(100), "content-encoding: gzip"));
    const client = await ask(t, nangod, "GET", "/x", { headers: ["decompress: true"] });
    const all = client.bytes.length === 0 ? [] : replies(client.text);
    assert.ok(all.length === 0 || all[0].status >= 500 || !all[0].isWhole, client.text);
  });

  await t.test("100-continue is answered before the body comes, and the API's own interim answers are not", async () => {
    api.answer = async (call) => {
      call.socket.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>; rel=preload\r\n\r\n");
      await until(() => call.body === "hello");
      call.answer(ok("done"));
    };
    const client = new Client(t, nangod);
    client.write(head(nangod, "POST", "/x", { headers: ["expect: 100-continue", "content-length: 5"] }));
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.write("hello");
    await client.until(/\r\n\r\ndone$/);
    assert.equal(client.text.match(/HTTP\/1\.1 \d+/g).join(), "HTTP/1.1 100,HTTP/1.1 200");
    assert.equal(api.calls.at(-1).header("expect"), undefined);
  });

  await t.test("two requests in one packet are answered in order", async () => {
    api.answer = (call) => call.answer(ok(call.head.includes("/one") ? "one" : "two"));
    const client = new Client(t, nangod);
    client.write(head(nangod, "GET", "/one") + head(nangod, "GET", "/two", { headers: ["connection: close"] }));
    await client.closed;
    assert.deepEqual(replies(client.text).map((r) => r.body), ["one", "two"]);
  });

  await t.test("dots in the path are resolved here, on the API's host", async () => {
    api.answer = (call) => call.answer(ok("{}"));
    for (const [path, sent] of [["/../../etc/x", "/etc/x"], ["/a/../b", "/v1/b"], ["/./x", "/v1/x"], ["//other.example/x", /^\/v1\/+other\.example\/x$/]]) {
      const came = api.next();
      await ask(t, nangod, "GET", path, { headers: [`base-url-override: ${api.url}/v1`] });
      const target = (await came).head.split(" ")[1];
      assert.ok(sent instanceof RegExp ? sent.test(target) : sent === target, target);
    }
  });
});

test("ends", { timeout: 60_000 }, async (t) => {
  const api = await rawUpstream(t);
  const nangod = await proxied(t, api.url, { env: { NANGO_PROXY_TIMEOUT_MS: "700" } });

  await t.test("an app that goes ends the request, whether the API thinks or answers", async () => {
    for (const begin of [() => {}, (call) => call.answer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")]) {
      api.answer = begin;
      const came = api.next();
      const client = new Client(t, nangod);
      client.write(head(nangod, "GET", "/x"));
      const call = await came;
      if (begin.length > 0) await client.until(/half$/);
      client.socket.destroy();
      await call.closed;
    }
  });

  await t.test("an app that goes in the middle of its body ends the request", async () => {
    api.answer = () => {};
    const came = api.next();
    const client = new Client(t, nangod);
    client.write(head(nangod, "POST", "/x", { headers: ["content-length: 1000000"] }) + "x".repeat(200_000));
    const call = await came;
    client.socket.destroy();
    await call.closed;
  });

  await t.test("an API that says nothing: 504, and it sees the close", async () => {
    api.answer = () => {};
    const came = api.next();
    const begun = performance.now();
    const client = ask(t, nangod, "GET", "/x");
    const call = await came;
    const answer = only(await client);
    await call.closed;
    assert.equal(answer.status, 504);
    assert.equal(JSON.parse(answer.body).error.code, "gateway_timeout");
    assert.ok(performance.now() - begun >= 690, "not before the deadline");
  });

  await t.test("an API that is not there: 502, without the secret of its URL", async () => {
    const closed = net.createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address();
    closed.close();
    await once(closed, "close");
    const client = await ask(t, nangod, "GET", "/x?a=1", { provider: "queried", headers: [`base-url-override: http://127.0.0.1:${port}`] });
    assert.equal(only(client).status, 502);
    assert.equal(JSON.parse(only(client).body).error.code, "network_error");
    assert.ok(!client.text.includes("s3cret"));
  });

  await t.test("a POST that may have arrived is not sent again", async () => {
    api.answer = (call) => call.socket.destroy();
    const count = api.calls.length;
    const client = await ask(t, nangod, "POST", "/x", { headers: ["content-length: 2", "retries: 3"], body: "{}" });
    assert.equal(only(client).status, 502);
    assert.equal(api.calls.length - count, 1);
  });

  await t.test("a kept connection that the API has closed costs a GET nothing", async () => {
    for (let i = 0; i < 5; i++) {
      api.answer = (call) => {
        call.answer(ok("kept"));
        if (i % 2) setImmediate(() => call.socket.destroy());
      };
      assert.equal(only(await ask(t, nangod, "GET", "/x")).body, "kept");
    }
  });

  await t.test("a kept connection that ends as it is asked: a GET is sent anew, a POST is not", async () => {
    const ended = async (method, headers, body) => {
      api.answer = (call) => call.answer(ok("kept"));
      assert.equal(only(await ask(t, nangod, "GET", "/x")).body, "kept");
      const count = api.calls.length;
      api.answer = (call) => (api.calls.length - count === 1 ? call.socket.destroy() : call.answer(ok("anew")));
      const answer = only(await ask(t, nangod, method, "/x", { headers, body }));
      return [answer.status, api.calls.length - count];
    };
    assert.deepEqual(await ended("GET"), [200, 2]);
    assert.deepEqual(await ended("PUT", ["content-length: 2"], "{}"), [200, 2]);
    assert.deepEqual(await ended("POST", ["content-length: 2"], "{}"), [502, 1]);
  });

  const bad = {
    "two lengths": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nab",
    "two lengths in one": "HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nab",
    "a length and chunks": "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "a length below zero": "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nab",
    "a length with a sign": "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nab",
    "a huge length": "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nab",
    "an unknown coding": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, evil\r\n\r\nab",
    "a bare CR in a value": "HTTP/1.1 200 OK\r\nx-a: b\rset-cookie: evil=1\r\ncontent-length: 2\r\n\r\nab",
    "a NUL in a value": "HTTP/1.1 200 OK\r\nx-a: b\0evil\r\ncontent-length: 2\r\n\r\nab",
    "a space before the colon": "HTTP/1.1 200 OK\r\nevil : b\r\ncontent-length: 2\r\n\r\nab",
    "a folded line": "HTTP/1.1 200 OK\r\nx-a: b\r\n evil: c\r\ncontent-length: 2\r\n\r\nab",
    "no name": "HTTP/1.1 200 OK\r\n: evil\r\ncontent-length: 2\r\n\r\nab",
    "another protocol": "ICY 200 OK\r\nevil: 1\r\n\r\nab",
    "no status": "HTTP/1.1 evil OK\r\ncontent-length: 2\r\n\r\nab",
    "a status of four digits": "HTTP/1.1 2000 evil\r\ncontent-length: 2\r\n\r\nab",
    "a chunk of no size": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nevil\r\nab\r\n0\r\n\r\n",
    "a chunk longer than it says": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabevil\r\n0\r\n\r\n",
    "a chunk of a huge size": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nab",
    "a header without an end": `HTTP/1.1 200 OK\r\nx-evil: ${"a".repeat(1_000_000)}`,
    "less than its length": "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nab",
    "chunks without their end": "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
    "switched protocols": "HTTP/1.1 101 Switching Protocols\r\nupgrade: evil\r\n\r\nab",
    nothing: "",
  };
  for (const [what, bytes] of Object.entries(bad))
    await t.test(`a bad answer, ${what}: 502 or broken off`, async () => {
      api.answer = (call) => {
        call.answer(bytes);
        call.socket.end();
      };
      const client = await ask(t, nangod, "GET", "/x");
      const all = client.bytes.length === 0 ? [] : replies(client.text);
      assert.ok(all.length === 0 || all[0].status === 502 || !all[0].isWhole, client.text.slice(0, 500));
      assert.doesNotMatch(client.text, /evil/);
      assert.equal((await nangod.call("GET", "/health")).status, 200, "it lives on");
    });

  await t.test("bytes behind an answer are no answer to the next request", async () => {
    api.answer = (call) => call.answer(call.head.includes("/next") ? ok("next") : `${ok("first")}${ok("evil")}`);
    const client = new Client(t, nangod);
    client.write(head(nangod, "GET", "/x"));
    await client.until(/first$/);
    client.write(head(nangod, "GET", "/next", { headers: ["connection: close"] }));
    await client.closed;
    assert.deepEqual(replies(client.text).map((r) => r.body), ["first", "next"]);
  });
});

test("hosts that are nobody's API", { timeout: 60_000 }, async (t) => {
  const api = await rawUpstream(t, (call) => call.answer(ok("reached")));
  const nangod = await proxied(t, "https://api.example.com", { env: { NANGO_EGRESS_ALLOW: "" } });
  const places = [
    `http://127.0.0.1:${api.port}`, `http://localhost:${api.port}`, `http://[::1]:${api.port}`, `http://[::ffff:127.0.0.1]:${api.port}`,
    `http://2130706433:${api.port}`, `http://0x7f.1:${api.port}`, `http://127.1:${api.port}`, `http://0.0.0.0:${api.port}`,
    `http://localhost.:${api.port}`, "http://169.254.169.254/latest", "http://[fd00:ec2::254]/", "http://10.0.0.1", "http://192.168.1.1", "http://172.16.0.1",
    "http://metadata.google.internal",
  ];
  for (const place of places)
    await t.test(place.replace(String(api.port), "PORT"), async () => {
      const answer = only(await ask(t, nangod, "GET", "/x", { headers: [`base-url-override: ${place}`] }));
      assert.ok(answer.status >= 400, `${answer.status}`);
      if (/^http:\/\/(\d+\.\d+\.\d+\.\d+|\[)/.test(place)) assert.equal(JSON.parse(answer.body).error.code, "egress_refused");
      assert.equal(api.calls.length, 0);
    });
  for (const place of ["file:///etc/passwd", "ftp://example.com", "//example.com", "http://", "http://user:pass@example.com", "javascript:alert(1)"])
    await t.test(`not a place: ${place}`, async () => {
      assert.equal(only(await ask(t, nangod, "GET", "/x", { headers: [`base-url-override: ${place}`] })).status, 400);
    });
});

test("redirects", { timeout: 60_000 }, async (t) => {
  const other = await rawUpstream(t, (call) => call.answer(ok("other")));
  const api = await rawUpstream(t);
  const nangod = await proxied(t, api.url);
  const to = (location, status = 302) => (call) =>
    call.answer(call.head.includes("/there") ? ok("there") : `HTTP/1.1 ${status} Found\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);

  await t.test("on the same host is followed with the credentials", async () => {
    api.answer = to("/there?a=1");
    assert.equal(only(await ask(t, nangod, "GET", "/x", { provider: "keyed" })).body, "there");
    assert.equal(api.calls.at(-1).header("authorization"), `Bearer ${apiKey}`);
    assert.match(api.calls.at(-1).head, /^GET \/there\?a=1 /);
  });

  await t.test("to another host never takes credentials along, not the app's either", async () => {
    api.answer = to(`${other.url}/x`);
    for (const provider of ["keyed", "queried"]) {
      const headers = ["nango-proxy-authorization: Bearer of-the-app-s3cret", "nango-proxy-cookie: s3cret", "nango-proxy-x-api-key: s3cret"];
      const answer = only(await ask(t, nangod, "GET", "/x", { provider, headers }));
      assert.ok(answer.body === "other" || answer.status === 302);
      for (const call of other.calls) assert.doesNotMatch(call.head, /s3cret/);
    }
  });

  await t.test("back from another host does not bring them in again", async () => {
    api.answer = (call) =>
      call.answer(call.head.includes("/there") ? ok("there") : `HTTP/1.1 302 F\r\nlocation: ${other.url}/x\r\ncontent-length: 0\r\n\r\n`);
    const old = other.answer;
    other.answer = (call) => call.answer(`HTTP/1.1 302 F\r\nlocation: ${api.url}/there\r\ncontent-length: 0\r\n\r\n`);
    const count = api.calls.length;
    await ask(t, nangod, "GET", "/x", { provider: "keyed" });
    for (const call of api.calls.slice(count + 1)) assert.equal(call.header("authorization"), undefined);
    other.answer = old;
  });

  for (const place of ["http://169.254.169.254/latest/meta-data", "http://10.1.2.3/", "file:///etc/passwd", "gopher://x/"])
    await t.test(`to ${place} is not followed`, async () => {
      api.answer = to(place);
      const answer = only(await ask(t, nangod, "GET", "/x", { provider: "keyed" }));
      assert.ok(answer.status === 302 || answer.status >= 400, `${answer.status}`);
    });

  await t.test("a circle ends", async () => {
    api.answer = (call) => call.answer("HTTP/1.1 302 F\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n");
    const count = api.calls.length;
    assert.equal(only(await ask(t, nangod, "GET", "/x")).status, 302);
    assert.equal(api.calls.length - count, 6);
  });

  await t.test("307 repeats the body, 303 reads", async () => {
    for (const [status, line, body] of [[307, /^POST \/there /, "a=1"], [303, /^GET \/there /, ""]]) {
      api.answer = async (call) => {
        await until(() => call.header("content-length") === undefined || call.body.length >= Number(call.header("content-length")));
        to("/there", status)(call);
      };
      await ask(t, nangod, "POST", "/x", { headers: ["content-length: 3"], body: "a=1" });
      assert.match(api.calls.at(-1).head, line);
      assert.equal(api.calls.at(-1).body, body);
    }
  });
});
