// SPDX-License-Identifier: Apache-2.0
// /proxy to providers that speak HTTP/2: many requests on one connection, and all that can become of it.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { constants } from "node:http2";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { replies } from "./http-helper.mjs";
import { CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PUSH_PROMISE, RST_STREAM, SETTINGS, fields, field, frame, h2Server, rawH2 } from "./lib/h2.mjs";
import { until } from "./lib/nangod.mjs";
import { Client, apiKey, ask, head, proxied } from "./lib/proxy.mjs";

const only = (client) => {
  const all = replies(client.text);
  assert.equal(all.length, 1, client.text.slice(0, 500));
  return all[0];
};
const bodyOf = async (stream) => {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
};
const latin = (buffer) => buffer.toString("latin1");

test("what passes", { timeout: 120_000 }, async (t) => {
  const seen = [];
  const routes = {
    "/echo": async (req, res) => {
      const body = await bodyOf(req);
      res.setHeader("content-type", "application/octet-stream");
      res.end(body);
    },
    "/204": (req, res) => res.writeHead(204).end(),
    "/304": (req, res) => res.writeHead(304, { etag: "x" }).end(),
    "/empty": (req, res) => res.end(),
    "/links": (req, res) => res.writeHead(200, { link: ["<a>; rel=next", "<b>; rel=last"], "x-one": "1" }).end("two"),
    "/trailers": (req, res) => {
      res.write("abc");
      res.addTrailers({ "x-sum": "s3cret" });
      res.end("de");
    },
    "/hints": (req, res) => {
      res.stream.additionalHeaders({ ":status": 103, link: "<a>; rel=preload" });
      res.end("hinted");
    },
    "/packed": (req, res) => {
      res.setHeader("content-encoding", "gzip");
      res.end(gzipSync("packed ".repeat(1000)));
    },
  };
  const api = await h2Server(t, (req, res) => {
    seen.push({ version: req.httpVersion, method: req.method, url: req.url, headers: req.headers });
    const route = routes[req.url.split("?")[0]];
    if (route) route(req, res);
    else res.end(JSON.stringify(req.headers));
  });
  const nangod = await proxied(t, api.url, { env: { NANGO_CA_FILE: api.ca } });

  await t.test("a request and its headers, as HTTP/2 has them", async () => {
    const answer = only(await ask(t, nangod, "GET", "/x?a=1&b=%20", { provider: "keyed", headers: ["nango-proxy-x-two: c", "cookie: mine", "nango-proxy-te: trailers"] }));
    assert.equal(answer.status, 200);
    const { version, method, url, headers } = seen.at(-1);
    assert.equal(version, "2.0");
    assert.equal(method, "GET");
    assert.equal(url, "/x?a=1&b=%20");
    assert.deepEqual(
      Object.fromEntries(Object.entries(headers)),
      {
        ":method": "GET", ":scheme": "https", ":authority": api.url.slice(8), ":path": "/x?a=1&b=%20",
        "x-two": "c", authorization: `Bearer ${apiKey}`, "x-fixed": "of the template", accept: "*/*", "user-agent": headers["user-agent"],
      },
    );
  });

  await t.test("the answer's headers", async () => {
    const client = await ask(t, nangod, "GET", "/links");
    assert.match(client.text, /^HTTP\/1\.1 200 /);
    assert.equal(client.text.match(/^link: .*$/gim)?.join(), "link: <a>; rel=next,link: <b>; rel=last");
    assert.equal(only(client).headers["x-one"], "1");
    assert.equal(only(client).body, "two");
  });

  for (const [path, status, body] of [["/204", 204, ""], ["/304", 304, ""], ["/empty", 200, ""], ["/trailers", 200, "abcde"], ["/hints", 200, "hinted"], ["/packed", 200, "packed ".repeat(1000)]])
    for (const method of ["GET", "HEAD"])
      await t.test(`${method} ${path}`, async () => {
        const client = new Client(t, nangod);
        client.write(head(nangod, method, path, { headers: ["decompress: true"] }));
        client.write(head(nangod, "GET", "/links", { headers: ["connection: close"] }));
        await client.closed;
        const all = client.text.split(/(?=HTTP\/1\.1 \d)/);
        assert.equal(all.length, 2, client.text);
        assert.match(all[0], new RegExp(`^HTTP/1\\.1 ${status} `));
        if (method === "HEAD") assert.match(all[0], /\r\n\r\n$/);
        else if (status === 200) assert.equal(replies(all[0])[0].body, body);
        assert.doesNotMatch(client.text, /x-sum|preload/);
      });

  for (const [what, length, isChunked] of [["a byte", 1], ["1 KB", 1000], ["100 KB", 100_000], ["100 KB in chunks", 100_000, true], ["5 MB", 5_000_000], ["5 MB in chunks", 5_000_000, true], ["nothing in chunks", 0, true]])
    await t.test(`a body of ${what} there and back`, async () => {
      const bytes = randomBytes(length);
      const headers = ["connection: close", "content-type: x/y", isChunked ? "transfer-encoding: chunked" : `content-length: ${length}`];
      const client = new Client(t, nangod);
      client.write(head(nangod, "POST", "/echo", { headers }));
      for (let at = 0; at < length; at += 50_000) {
        const piece = latin(bytes.subarray(at, at + 50_000));
        client.write(isChunked ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece);
      }
      if (isChunked) client.write("0\r\n\r\n");
      await client.closed;
      const answer = only(client);
      assert.equal(answer.status, 200);
      assert.ok(answer.body === latin(bytes), `${answer.body.length} bytes came back`);
      const { headers: arrived } = seen.at(-1);
      assert.equal(arrived["transfer-encoding"], undefined);
      if (!isChunked) assert.equal(arrived["content-length"], String(length));
    });

  await t.test("64 at once, and all the others, have one connection", async () => {
    const answers = await Promise.all(Array.from({ length: 64 }, (_, i) => ask(t, nangod, "POST", "/echo", { headers: ["content-length: 2"], body: String(i + 10) })));
    assert.deepEqual(answers.map((client) => only(client).body), Array.from({ length: 64 }, (_, i) => String(i + 10)));
    assert.equal(api.sessions.length, 1);
    assert.ok(seen.every((s) => s.version === "2.0"));
  });
});

test("who holds whom", { timeout: 120_000 }, async (t) => {
  const size = 20_000_000;
  let sent = 0;
  let resume;
  const api = await h2Server(t, async (req, res) => {
    if (req.url === "/large") {
      for (const piece = Buffer.alloc(50_000, "x"); sent < size && !res.stream.destroyed; sent += piece.length)
        if (!res.write(piece)) await Promise.race([once(res.stream, "drain"), once(res.stream, "close")]);
      return res.end();
    }
    if (req.url === "/later") {
      await new Promise((done) => (resume = done));
      return res.end(String((await bodyOf(req)).length));
    }
    return res.end("small");
  });
  const nangod = await proxied(t, api.url, { env: { NANGO_CA_FILE: api.ca } });

  await t.test("an app that does not read holds its own answer, and nobody else's", async () => {
    const slow = new Client(t, nangod);
    slow.socket.pause();
    slow.write(head(nangod, "GET", "/large", { headers: ["connection: close"] }));
    let last = -1;
    await until(() => sent > 0 && (sent === last || ((last = sent), false)), () => `${sent} bytes`); // it stands still
    for (let i = 0; i < 5; i++) assert.equal(only(await ask(t, nangod, "GET", "/small")).body, "small");
    assert.ok(sent < size / 2, `${sent} bytes had left`);
    slow.socket.resume();
    await slow.closed;
    assert.equal(replies(slow.text)[0].body.length, size);
    assert.equal(api.sessions.length, 1);
  });

  await t.test("an API that does not read holds its app, and nobody else", async () => {
    const client = new Client(t, nangod);
    const piece = Buffer.alloc(50_000, "y");
    let written = 0;
    client.write(head(nangod, "POST", "/later", { headers: ["connection: close", `content-length: ${size}`] }));
    const upload = (async () => {
      for (; written < size; written += piece.length) if (!client.socket.write(piece)) await once(client.socket, "drain");
    })();
    await until(() => resume, () => "it never came");
    let last = -1;
    await until(() => written > 0 && (written === last || ((last = written), false)), () => `${written} bytes`);
    assert.equal(only(await ask(t, nangod, "GET", "/small")).body, "small");
    assert.ok(written < size, "all of it was taken");
    resume();
    await upload;
    await client.closed;
    assert.equal(replies(client.text)[0].body, String(size));
  });

  await t.test("an app that goes resets its stream; the connection stays", async () => {
    let stream;
    const before = api.sessions.length;
    const thinking = await h2Count(api, (s) => (stream = s));
    const client = new Client(t, nangod);
    client.write(head(nangod, "POST", "/later", { headers: ["content-length: 1000000"] }) + "half");
    await until(() => stream, () => "it never came");
    const closed = once(stream, "close");
    client.socket.destroy();
    await closed;
    assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
    thinking();
    assert.equal(only(await ask(t, nangod, "GET", "/small")).body, "small");
    assert.equal(api.sessions.length, before);
  });
});

/** The next streams of a server are shown; returns what ends that. */
async function h2Count(api, show) {
  const listener = (stream) => show(stream);
  api.server.on("stream", listener);
  return () => api.server.off("stream", listener);
}

test("ends", { timeout: 120_000 }, async (t) => {
  let answer;
  const streams = [];
  const api = await h2Server(t, (req, res) => {
    streams.push(res.stream);
    answer(req, res);
  });
  const nangod = await proxied(t, api.url, { env: { NANGO_CA_FILE: api.ca, NANGO_PROXY_TIMEOUT_MS: "700" } });
  const ok = (req, res) => res.end("ok");
  const asked = async (method, { body = "", headers = [] } = {}) => {
    const count = streams.length;
    const client = await ask(t, nangod, method, "/x", { headers: body ? [`content-length: ${body.length}`, ...headers] : headers, body });
    return { status: only(client).status, text: client.text, tries: streams.length - count };
  };
  const isOne = (result, status, tries) => assert.deepEqual([result.status, result.tries], [status, tries], result.text);

  await t.test("refused before it was looked at: sent again, whatever it does", async () => {
    let count = 0;
    answer = (req, res) => (count++ === 0 ? res.stream.close(constants.NGHTTP2_REFUSED_STREAM) : res.end("ok"));
    isOne(await asked("POST", { body: "{}" }), 200, 2);
  });

  await t.test("broken off before it is answered: 502, once", async () => {
    answer = (req, res) => res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    const result = await asked("GET");
    isOne(result, 502, 1);
    assert.match(result.text, /INTERNAL_ERROR/);
  });

  await t.test("broken off within its answer: so it is for the app", async () => {
    answer = (req, res) => {
      res.write("half");
      res.stream.once("drain", () => {});
      setImmediate(() => res.stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    };
    const client = await ask(t, nangod, "GET", "/x");
    const all = client.bytes.length === 0 ? [] : replies(client.text);
    assert.ok(all.length === 0 || all[0].status === 502 || !all[0].isWhole, client.text);
  });

  await t.test("answered before the body is there: the answer counts, the rest is not sent", async () => {
    answer = (req, res) => res.writeHead(413).end("too much");
    const before = api.sessions.length;
    const client = new Client(t, nangod);
    client.write(head(nangod, "POST", "/x", { headers: ["connection: close", "content-length: 5000000"] }) + "x".repeat(300_000));
    await client.closed;
    assert.equal(only(client).status, 413);
    assert.equal(only(client).body, "too much");
    answer = ok;
    isOne(await asked("GET"), 200, 1);
    assert.equal(api.sessions.length, before, "the connection goes on");
  });

  await t.test("the connection says good-bye: what it has is answered, what is new goes to another", async () => {
    let release;
    answer = (req, res) => (release = () => res.end("late"));
    const running = ask(t, nangod, "GET", "/slow");
    await until(() => release, () => "it never came");
    const before = api.sessions.length;
    const session = api.sessions.at(-1);
    session.close(); // GOAWAY
    answer = ok;
    await until(async () => (isOne(await asked("GET"), 200, 1), api.sessions.length > before), () => "no other connection");
    const closed = once(session, "close");
    release();
    assert.equal(only(await running).body, "late");
    await closed;
  });

  await t.test("a kept connection that ends as it is asked: a GET is sent anew, a POST is not", async () => {
    for (const [method, body, status, tries] of [["GET", "", 200, 2], ["POST", "{}", 502, 1]]) {
      answer = ok;
      isOne(await asked("GET"), 200, 1);
      let count = 0;
      answer = (req, res) => (count++ === 0 ? api.cut() : res.end("ok"));
      isOne(await asked(method, { body }), status, tries);
    }
  });

  await t.test("all requests of a connection that ends begin anew", async () => {
    answer = ok;
    isOne(await asked("GET"), 200, 1);
    const before = streams.length;
    answer = (req, res) => {
      if (streams.length - before === 20) api.cut();
      else if (streams.length - before > 20) res.end("ok");
    };
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(t, nangod, "GET", "/x")));
    assert.deepEqual(answers.map((client) => only(client).status), Array(20).fill(200));
    assert.equal(streams.length - before, 40);
  });

  await t.test("a closed idle connection costs nothing", async () => {
    for (let i = 0; i < 5; i++) {
      answer = ok;
      isOne(await asked("POST", { body: "{}" }), 200, 1);
      const session = api.sessions.at(-1);
      const closed = once(session, "close");
      if (i % 2) session.close();
      else api.cut();
      await closed;
    }
  });

  await t.test("an API that says nothing: 504, and it is told; the connection goes on", async () => {
    answer = ok;
    isOne(await asked("GET"), 200, 1);
    const before = api.sessions.length;
    answer = () => {};
    isOne(await asked("GET"), 504, 1);
    await until(() => streams.at(-1).destroyed, () => "it is not told");
    answer = ok;
    isOne(await asked("GET"), 200, 1);
    assert.equal(api.sessions.length, before);
  });
});

test("a server that wants fewer at once gets more connections", { timeout: 60_000 }, async (t) => {
  let running = 0;
  const waiting = [];
  const most = new Map();
  const api = await h2Server(
    t,
    (req, res) => {
      const { session } = res.stream;
      session.running = (session.running ?? 0) + 1;
      most.set(session, Math.max(most.get(session) ?? 0, session.running));
      res.stream.on("close", () => session.running--);
      if (req.url === "/first") return res.end("ok");
      running++;
      waiting.push(() => res.end("ok"));
    },
    { settings: { maxConcurrentStreams: 2 } },
  );
  const nangod = await proxied(t, api.url, { env: { NANGO_CA_FILE: api.ca } });
  await ask(t, nangod, "GET", "/first");
  const asked = Array.from({ length: 9 }, () => ask(t, nangod, "GET", "/x"));
  await until(() => running === 9, () => `${running} run`);
  for (const end of waiting) end();
  assert.deepEqual((await Promise.all(asked)).map((client) => only(client).status), Array(9).fill(200));
  assert.ok(Math.max(...most.values()) <= 2, "more than it wants");
  assert.ok(api.sessions.length >= 5 && api.sessions.length <= 9, `${api.sessions.length} connections`);
});

test("a server that says it was HTTP/1.1 that it wanted", { timeout: 60_000 }, async (t) => {
  const versions = [];
  const api = await h2Server(t, (req, res) => {
    versions.push(req.httpVersion);
    if (req.httpVersion === "2.0") res.stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED);
    else res.end("old");
  });
  const nangod = await proxied(t, api.url, { env: { NANGO_CA_FILE: api.ca } });
  for (let i = 0; i < 3; i++) assert.equal(only(await ask(t, nangod, "POST", "/x", { headers: ["content-length: 2"], body: "{}" })).body, "old");
  assert.deepEqual(versions, ["2.0", "1.1", "1.1", "1.1"]);
});

test("good-bye to requests that it had not seen: they go to another connection", { timeout: 60_000 }, async (t) => {
  const okay = (id) => [frame(HEADERS, END_HEADERS, id, fields([[":status", "200"]])), frame(DATA, END_STREAM, id, "ok")];
  let isLeaving = false;
  let count = 0;
  const api = await rawH2(t, (socket, id) => {
    count++;
    if (!isLeaving) for (const bytes of okay(id)) socket.write(bytes);
    else if (id === 7) {
      isLeaving = false;
      socket.write(frame(GOAWAY, 0, 0, "\0\0\0\x03\0\0\0\0")); // the first of them alone was seen
      for (const bytes of okay(3)) socket.write(bytes);
    }
  });
  const nangod = await proxied(t, api.url, { env: { NANGO_CA_FILE: api.ca } });
  await ask(t, nangod, "GET", "/x");
  isLeaving = true;
  const answers = await Promise.all(Array.from({ length: 3 }, () => ask(t, nangod, "POST", "/x", { headers: ["content-length: 2"], body: "{}" })));
  for (const client of answers) assert.equal(only(client).body, "ok");
  assert.equal(count, 1 + 3 + 2);
});

test("bad answers: 502 or broken off", { timeout: 120_000 }, async (t) => {
  const api = await rawH2(t);
  const nangod = await proxied(t, api.url, { env: { NANGO_CA_FILE: api.ca, NANGO_PROXY_TIMEOUT_MS: "3000" } });
  const okay = (id, ...more) => frame(HEADERS, END_HEADERS, id, fields([[":status", "200"], ...more]));
  const data = (id, text, flags = END_STREAM) => frame(DATA, flags, id, text);
  const bad = {
    "an upper-case name": (id) => [okay(id, ["X-Evil", "1"]), data(id, "ab")],
    "a NUL in a value": (id) => [okay(id, ["x-a", "b\0evil"]), data(id, "ab")],
    "a line's end in a value": (id) => [okay(id, ["x-a", "b\r\nset-cookie: evil=1"]), data(id, "ab")],
    "a space in a name": (id) => [okay(id, ["evil ", "1"]), data(id, "ab")],
    "a header of the connection": (id) => [okay(id, ["connection", "evil"]), data(id, "ab")],
    "a transfer coding": (id) => [okay(id, ["transfer-encoding", "evil"]), data(id, "ab")],
    "two lengths": (id) => [okay(id, ["content-length", "2"], ["content-length", "3"], ["evil", "1"]), data(id, "ab")],
    "more than its length": (id) => [okay(id, ["content-length", "2"]), data(id, "abevil")],
    "less than its length": (id) => [okay(id, ["content-length", "20"]), data(id, "ab")],
    "no status": (id) => [frame(HEADERS, END_HEADERS, id, field("evil", "1")), data(id, "ab")],
    "a status of four digits": (id) => [frame(HEADERS, END_HEADERS, id, fields([[":status", "2000"], ["evil", "1"]])), data(id, "ab")],
    "a status below 100": (id) => [frame(HEADERS, END_HEADERS, id, fields([[":status", "000"], ["evil", "1"]])), data(id, "ab")],
    "two statuses": (id) => [frame(HEADERS, END_HEADERS, id, fields([[":status", "200"], [":status", "201"], ["evil", "1"]])), data(id, "ab")],
    "a status behind a field": (id) => [frame(HEADERS, END_HEADERS, id, fields([["evil", "1"], [":status", "200"]])), data(id, "ab")],
    "a request's field": (id) => [okay(id, [":path", "/evil"]), data(id, "ab")],
    "switched protocols": (id) => [frame(HEADERS, END_HEADERS, id, fields([[":status", "101"], ["evil", "1"]])), data(id, "ab")],
    "a body before the header": (id) => [data(id, "evil")],
    "interim answers without an end": (id) => Array(50).fill(frame(HEADERS, END_HEADERS, id, fields([[":status", "103"], ["evil", "1"]]))),
    "200 fields": (id) => [okay(id, ...Array.from({ length: 200 }, (_, i) => [`x-evil-${i}`, "1"])), data(id, "ab")],
    "a header of 100 KB": (id) => {
      const block = fields([[":status", "200"], ["x-evil", "a".repeat(100_000)]]);
      const cut = [...Array(Math.ceil(block.length / 16_000)).keys()].map((i) => block.slice(i * 16_000, (i + 1) * 16_000));
      return cut.map((part, i) => frame(i === 0 ? HEADERS : CONTINUATION, i === cut.length - 1 ? END_HEADERS : 0, id, part));
    },
    "a header without an end": (id) => [frame(HEADERS, 0, id, fields([[":status", "200"]])), ...Array(1000).fill(frame(CONTINUATION, 0, id, field("x-evil", "a".repeat(10_000))))],
    "a block that is none": (id) => [frame(HEADERS, END_HEADERS, id, "\xff\xff\xff\xff\xff\xff\xffevil"), data(id, "ab")],
    "a frame that is too long": () => [frame(DATA, 0, 1, "evil".repeat(10_000))],
    "a frame of nobody's stream": (id) => [frame(HEADERS, END_HEADERS, id + 100, fields([[":status", "200"], ["evil", "1"]]))],
    "a promise": (id) => [frame(PUSH_PROMISE, END_HEADERS, id, `\0\0\0\x02${fields([[":method", "GET"], [":scheme", "https"], [":authority", "evil"], [":path", "/evil"]])}`)],
    "settings that do not exist": () => [frame(SETTINGS, 0, 0, "evil")],
    "a window of more than there is": (id) => Array(3).fill(frame(8, 0, id, "\x7f\xff\xff\xff")),
    "a reset": (id) => [frame(RST_STREAM, 0, id, "\0\0\0\x02")],
    "a good-bye with an error": (id) => [frame(GOAWAY, 0, 0, `\0\0\0${String.fromCharCode(id)}\0\0\0\x02evil`), null],
    "pings without an end": () => [...Array(20_000).fill(frame(PING, 0, 0, "evilevil")), null],
    "HTTP/1.1": () => ["HTTP/1.1 200 OK\r\nevil: 1\r\n\r\nab"],
    "half a frame": (id) => [okay(id).subarray(0, 12), null],
    "a header and the end": (id) => [okay(id, ["content-length", "20"]), null],
    nothing: () => [null],
  };
  for (const [what, frames] of Object.entries(bad))
    await t.test(what, async () => {
      api.answer = (socket, id) => {
        for (const bytes of frames(id)) if (bytes === null) socket.end();
        else socket.write(bytes);
      };
      const client = await ask(t, nangod, "GET", "/x", { headers: ["retries: 0"] });
      const all = client.bytes.length === 0 ? [] : replies(client.text);
      assert.ok(all.length === 0 || all[0].status === 502 || !all[0].isWhole, client.text.slice(0, 500));
      assert.doesNotMatch(client.text, /evil/i);
      t.diagnostic(`${what}: ${/"message":"([^"]*)/.exec(client.text)?.[1] ?? "broken off"}`);
      api.answer = (socket, id) => {
        socket.write(okay(id, ["content-length", "2"]));
        socket.write(data(id, "ok"));
      };
      assert.equal(only(await ask(t, nangod, "GET", "/x")).body, "ok", "the next one is answered");
    });
});
