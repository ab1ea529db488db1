// SPDX-License-Identifier: Apache-2.0
// /proxy over HTTP/2 where ends and requests cross: what comes in the same moment, too late, or never.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import test from "node:test";
import { createServer } from "node:tls";
import { replies } from "./http-helper.mjs";
import { certificate } from "./lib/certificate.mjs";
import { DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, fields, frame, frames, h2Server, rawH2 } from "./lib/h2.mjs";
import { scratch, until } from "./lib/nangod.mjs";
import { Client, ask, head, proxied } from "./lib/proxy.mjs";

const okay = (id, ...more) => frame(HEADERS, END_HEADERS, id, fields([[":status", "200"], ...more]));
const data = (id, text, flags = END_STREAM) => frame(DATA, flags, id, text);
const answerOk = (socket, id) => socket.write(Buffer.concat([okay(id), data(id, "ok")]));
const u32 = (n) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes.toString("latin1");
};
const goaway = (last, code = 0) => frame(GOAWAY, 0, 0, u32(last) + u32(code));
const env = (api, more = {}) => ({ env: { NANGO_CA_FILE: api.ca, ...more } });
const sent = (socket, bytes) => new Promise((done) => socket.write(bytes, "latin1", done)); // the kernel has them
const post = (nangod) => `${head(nangod, "POST", "/x", { headers: ["connection: close", "content-length: 2"] })}{}`;

/** What work() brings about, nangod finds all at once. */
async function atOnce(nangod, work) {
  process.kill(nangod.pid, "SIGSTOP");
  await until(() => /^\d+ \([^)]*\) T/.test(readFileSync(`/proc/${nangod.pid}/stat`, "utf8")), "it does not stop");
  await work();
  process.kill(nangod.pid, "SIGCONT");
}

/** Clients that were answered once. */
async function connected(t, nangod, count) {
  const clients = Array.from({ length: count }, () => new Client(t, nangod));
  for (const client of clients) {
    client.write(head(nangod, "GET", "/x"));
    await client.until(/ok\r\n0\r\n\r\n$/);
    client.bytes = Buffer.alloc(0);
  }
  return clients;
}

for (const [what, isEnd, count] of [["a good-bye", false, 1], ["a good-bye and the end", true, 1], ["a good-bye", false, 40]])
  test(`${what} is there as ${count} requests leave: they go to another connection`, { timeout: 60_000 }, async (t) => {
    const sockets = new Set();
    let asked = 0;
    const api = await rawH2(t, (socket, id) => {
      sockets.add(socket);
      asked++;
      if (socket !== api.gone) answerOk(socket, id);
    });
    const nangod = await proxied(t, api.url, env(api, { NANGO_PROXY_TIMEOUT_MS: "10000" }));
    const clients = await connected(t, nangod, count);
    const before = asked;
    await atOnce(nangod, async () => {
      for (const client of clients) await sent(client.socket, post(nangod));
      [api.gone] = sockets;
      await sent(api.gone, goaway(2 * count - 1)); // all that it has answered
      if (isEnd) api.gone.end();
      if (isEnd) await once(api.gone, "finish");
    });
    await Promise.all(clients.map((client) => client.closed));
    for (const client of clients) assert.match(client.text, /^HTTP\/1\.1 200 [^]*ok\r\n0\r\n\r\n$/);
    assert.equal(sockets.size, 2);
    assert.ok(asked - before <= 2 * count, `${asked - before} requests`);
  });

test("fewer at once from now on, as a request leaves: it does not wait for the one under way", { timeout: 60_000 }, async (t) => {
  const sockets = new Set();
  let finish;
  let isSlow = false;
  const api = await rawH2(t, (socket, id) => {
    sockets.add(socket);
    if (!isSlow) return answerOk(socket, id);
    isSlow = false;
    finish = () => answerOk(socket, id);
  });
  const nangod = await proxied(t, api.url, env(api));
  const [slow, quick] = await connected(t, nangod, 2);
  isSlow = true;
  slow.write(post(nangod));
  await until(() => finish, "it never came");
  await atOnce(nangod, async () => {
    await sent(quick.socket, post(nangod));
    await sent([...sockets][0], frame(SETTINGS, 0, 0, "\0\x03\0\0\0\x01"));
  });
  await quick.closed;
  assert.match(quick.text, /^HTTP\/1\.1 200 /);
  assert.equal(slow.text, "");
  finish();
  await slow.closed;
  assert.match(slow.text, /^HTTP\/1\.1 200 /);
  assert.equal(sockets.size, 2);
});

for (const [what, end] of [["REFUSED_STREAM", (id) => frame(RST_STREAM, 0, id, u32(7))], ["HTTP_1_1_REQUIRED", (id) => frame(RST_STREAM, 0, id, u32(13))], ["a good-bye from before it", () => goaway(0)]])
  test(`${what} within an answer: it is broken off at once, and not asked for again`, { timeout: 30_000 }, async (t) => {
    let asked = 0;
    const api = await rawH2(t, (socket, id) => {
      asked++;
      socket.write(Buffer.concat([okay(id), data(id, "half", 0), end(id)]));
    });
    const nangod = await proxied(t, api.url, env(api));
    const client = await ask(t, nangod, "GET", "/x");
    const [answer] = client.bytes.length > 0 ? replies(client.text) : [];
    assert.ok(answer === undefined || answer.status === 502 || !answer.isWhole, client.text);
    assert.equal(asked, 1);
  });

test("refused each time: asked four times in all", { timeout: 30_000 }, async (t) => {
  let asked = 0;
  const api = await rawH2(t, (socket, id) => {
    asked++;
    socket.write(frame(RST_STREAM, 0, id, u32(7)));
  });
  const nangod = await proxied(t, api.url, env(api));
  assert.match((await ask(t, nangod, "POST", "/x", { headers: ["content-length: 2"], body: "{}" })).text, /^HTTP\/1\.1 502 /);
  assert.equal(asked, 4);
});

test("heads as over HTTP/1.1", { timeout: 60_000 }, async (t) => {
  let answer;
  const api = await rawH2(t, (socket, id) => answer(socket, id));
  const nangod = await proxied(t, api.url, env(api));
  const alone = (...all) => (socket, id) => socket.write(frame(HEADERS, END_HEADERS | END_STREAM, id, fields(all)));

  await t.test("the length of what HEAD does not bring", async () => {
    answer = alone([":status", "200"], ["content-length", "1234"]);
    assert.match((await ask(t, nangod, "HEAD", "/x")).text, /^HTTP\/1\.1 200 [^]*content-length: 1234\r\n/);
  });

  await t.test("an answer without a body", async () => {
    for (const more of [[], [["content-length", "0"]]]) {
      answer = alone([":status", "200"], ...more);
      assert.match((await ask(t, nangod, "GET", "/x")).text, /^HTTP\/1\.1 200 [^]*content-length: 0\r\n[^]*\r\n\r\n$/);
    }
  });

  await t.test("spaces around values", async () => {
    answer = (socket, id) => socket.write(Buffer.concat([okay(id, ["x-a", " b\t "], ["x-c", "  "]), data(id, "ok")]));
    const [{ headers }] = replies((await ask(t, nangod, "GET", "/x")).text);
    assert.equal(headers["x-a"], "b");
    assert.equal(headers["x-c"], "");
  });

  await t.test("the head before there is any body", async () => {
    let finish;
    answer = (socket, id) => {
      socket.write(okay(id));
      finish = () => socket.write(data(id, "later"));
    };
    const client = new Client(t, nangod);
    client.write(head(nangod, "GET", "/x", { headers: ["connection: close"] }));
    await client.until(/^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
    finish();
    await client.closed;
    assert.match(client.text, /later/);
  });
});

/** A network between nangod and a server: pass(near, far) connects the sockets of either side. Gives its URL. */
async function network(t, url, pass) {
  const open = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(new URL(url).port, "127.0.0.1");
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => (near.destroy(), far.destroy()));
    }
    pass(near, far);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return `https://127.0.0.1:${server.address().port}`;
}

test("settings that come together with the end of the handshake (TLS 1.2) are read", { timeout: 60_000 }, async (t) => {
  const dir = scratch(t);
  let got = 0;
  const server = createServer({ ...(await certificate(dir, "api")), ALPNProtocols: ["h2"], maxVersion: "TLSv1.2" }, (socket) => {
    socket.on("error", () => {});
    socket.write(Buffer.concat([frame(SETTINGS, 0, 0, "\0\x04\0\x10\0\0"), frame(WINDOW_UPDATE, 0, 0, "\0\x10\0\0")])); // windows of 1 MB
    frames(socket, ({ type, flags, id, length }) => {
      if (type !== DATA) return;
      got += length;
      if (flags & END_STREAM) socket.write(Buffer.concat([okay(id), data(id, String(got))]));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  // The server's last message of the handshake and its settings are 2 writes; they arrive in one piece.
  const url = await network(t, `https://127.0.0.1:${server.address().port}`, (near, far) => {
    let held = [];
    near.pipe(far);
    far.on("data", (bytes) => {
      held.push(bytes);
      if (held.length === 1) setTimeout(() => (near.write(Buffer.concat(held)), (held = [])), 50);
    });
  });
  const nangod = await proxied(t, url, { env: { NANGO_CA_FILE: join(dir, "api.crt"), NANGO_PROXY_TIMEOUT_MS: "5000" } });
  const client = await ask(t, nangod, "POST", "/x", { headers: ["content-length: 300000"], body: "x".repeat(300_000) });
  assert.match(client.text, /^HTTP\/1\.1 200 [^]*300000/);
});

test("a connection that swallows everything is given up, long before the time-out of what waits on it", { timeout: 60_000 }, async (t) => {
  const api = await h2Server(t, (req, res) => res.end("ok"));
  const ways = [];
  const url = await network(t, api.url, (near, far) => {
    const way = { isDead: false };
    ways.push(way);
    near.on("data", (bytes) => way.isDead || far.write(bytes));
    far.on("data", (bytes) => way.isDead || near.write(bytes));
  });
  const nangod = await proxied(t, url, env(api, { NANGO_PROXY_TIMEOUT_MS: "50000" }));
  await ask(t, nangod, "GET", "/x");
  for (const way of ways) way.isDead = true;
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask(t, nangod, "GET", "/x")));
  for (const client of answers) assert.match(client.text, /^HTTP\/1\.1 200 /);
  assert.equal(ways.length, 2);
});

test("a clean stop with connections idle and under way", { timeout: 60_000 }, async (t) => {
  const api = await h2Server(t, (req, res) => (req.url === "/slow" ? res.write("x") : res.end("ok")));
  const nangod = await proxied(t, api.url, env(api));
  await ask(t, nangod, "GET", "/x");
  const client = new Client(t, nangod);
  client.write(head(nangod, "GET", "/slow"));
  await client.until(/x\r\n$/);
  nangod.child.kill("SIGTERM");
  client.socket.destroy();
  await nangod.closed;
  assert.equal(nangod.child.exitCode, 0, nangod.log().slice(-3000)); // the sanitized build looks for leaks
});
