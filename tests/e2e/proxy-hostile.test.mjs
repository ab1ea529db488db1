// SPDX-License-Identifier: Apache-2.0
// /proxy between APIs and callers that mean harm: nobody gets another's bytes, or a secret.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createServer as createSecureServer } from "node:tls";
import { apiKey, Client, head, proxied } from "./lib/proxy.mjs";
import { run, scratch, until } from "./lib/nangod.mjs";

/** A socket server: each(socket, text) at each piece of a connection, with all that came on it so far. */
async function sockets(t, each, create = net.createServer) {
  const seen = [];
  const open = new Set();
  const server = create((socket) => {
    const connection = { text: "", closed: false };
    seen.push(connection);
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => (connection.closed = open.delete(socket)));
    socket.on("data", (data) => {
      connection.text += data.toString("latin1");
      each(socket, connection);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: server.address().port, seen };
}

const ok = (body) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const call = (nangod, provider, method, path, more = {}) =>
  nangod.call(method, `/proxy${path}`, { headers: { "provider-config-key": provider, "connection-id": "acme", ...more.headers }, body: more.body, raw: true });

test("a redirect in the middle of a body: its rest never stands behind another request", async (t) => {
  const { port, seen } = await sockets(t, (socket, connection) => {
    if (connection.text.startsWith("POST") && !connection.answered) {
      connection.answered = true;
      socket.write("HTTP/1.1 303 See\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n");
    }
  });
  const nangod = await proxied(t, `http://127.0.0.1:${port}`);
  const client = new Client(t, nangod);
  client.write(head(nangod, "POST", "/x", { headers: ["content-length: 100035"] }) + "a".repeat(1000));
  await client.until(/^HTTP\/1.1 303 /);
  client.write("GET /SMUGGLED HTTP/1.1\r\nhost: x\r\n\r\n");
  await until(() => seen[0].closed, "the API's connection is not closed");
  assert.ok(seen.every((c) => !c.text.startsWith("GET")), "nothing was followed");
});

test("a redirect in the middle of a body that is kept: nothing of anybody's stands in its place", async (t) => {
  const lengths = [];
  const { port, seen } = await sockets(t, (socket, connection) => {
    if (seen.length > 1) return socket.write(ok("new"));
    if (lengths.push(connection.text.length) > 1) return;
    socket.write("HTTP/1.1 303 See Other\r\nlocation: /there\r\ncontent-length: 5\r\n\r\n");
    // Once nothing more comes the answer ends, so that its connection may be used again.
    let before;
    const timer = setInterval(() => {
      if (before === connection.text.length) socket.write("hello", () => clearInterval(timer));
      before = connection.text.length;
    }, 300);
    socket.on("close", () => clearInterval(timer));
  });
  const nangod = await proxied(t, `http://127.0.0.1:${port}`);
  const headers = { retries: "1", "content-type": "text/plain" };
  const first = await call(nangod, "open", "POST", "/x", { headers, body: "a".repeat(10 * 1024 * 1024 - 10) });
  assert.equal(first.text, "new");
  assert.equal((await call(nangod, "keyed", "GET", "/of-the-other")).text, "new");
  assert.doesNotMatch(seen[0].text, /GET /, "what follows has a connection of its own");
});

test("what templates put in does not come back, or go to another host", async (t) => {
  const other = await sockets(t, (socket) => socket.write(ok("other")));
  const { port, seen } = await sockets(t, (socket, connection) => {
    const target = [...connection.text.matchAll(/^GET (\S+) HTTP/gm)].at(-1)?.[1];
    if (!target || !connection.text.endsWith("\r\n\r\n")) return;
    if (target.startsWith("/round")) socket.write(`HTTP/1.1 302 Found\r\nlocation: ${target.replace("/round", "/round/")}\r\ncontent-length: 0\r\n\r\n`);
    else if (target.startsWith("/away")) socket.write(`HTTP/1.1 307 Away\r\nlocation: http://127.0.0.1:${other.port}/\r\ncontent-length: 0\r\n\r\n`);
    else socket.write(`HTTP/1.1 200 OK\r\nlink: <http://api${target}&page=2>; rel="next", <${target}>; rel=self\r\nx-echo: ${target}\r\ncontent-length: 2\r\n\r\nhi`);
  });
  const nangod = await proxied(t, `http://127.0.0.1:${port}`);
  const page = await call(nangod, "queried", "GET", "/items?a=1");
  assert.match(seen[0].text, new RegExp(`api_key=${apiKey}`));
  assert.equal(page.headers.get("link"), '<http://api/items?a=1&page=2>; rel="next", </items?a=1>; rel=self');
  assert.equal(page.headers.get("x-echo"), null, "a header with the value in it is left out");
  const round = await call(nangod, "queried", "GET", "/round?a=1");
  assert.equal(round.status, 302);
  assert.ok(!round.headers.get("location").includes(apiKey), round.headers.get("location"));
  assert.ok(seen.every((c) => !/ \/round\S* HTTP/.test(c.text) || c.text.includes("api_key")), "a redirect on the same host has the key");
});

for (const secure of [false, true])
  test(`bytes behind an answer are nobody's answer${secure ? ", over TLS" : ""}`, async (t) => {
    const dir = scratch(t);
    let options = {};
    if (secure) {
      const made = await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"], { cwd: dir });
      assert.equal(made.code, 0, made.stderr);
      options = { key: readFileSync(join(dir, "key.pem")), cert: readFileSync(join(dir, "cert.pem")) };
    }
    let late;
    const { port, seen } = await sockets(
      t,
      (socket, connection) => {
        const asked = connection.text.split("\r\n\r\n").length - 1;
        if (connection.answered === asked) return;
        connection.answered = asked;
        socket.write(ok("good"));
        if (connection.text.includes("/early")) socket.write(ok("evil")); // another record, or segment
        if (connection.text.includes("/late")) late = () => socket.write(ok("evil"));
      },
      secure ? (each) => createSecureServer(options, each) : undefined,
    );
    const nangod = await proxied(t, `${secure ? "https" : "http"}://127.0.0.1:${port}`, secure ? { env: { NANGO_CA_FILE: join(dir, "cert.pem") } } : {});
    for (let i = 0; i < 10; i++) {
      assert.equal((await call(nangod, "open", "GET", "/early")).text, "good");
      await until(() => seen.every((c) => c.closed || !c.text.includes("/early")), "a connection with more to say is kept");
      assert.equal((await call(nangod, "keyed", "GET", "/other")).text, "good");
    }
    await call(nangod, "open", "GET", "/late");
    late();
    await until(() => seen.every((c) => c.closed || !c.text.includes("/late")), "a connection that said more is kept");
    assert.equal((await call(nangod, "keyed", "GET", "/other")).text, "good");
  });

test("a reset ends no answer as a whole one; nor does it for an HTTP/1.0 client", async (t) => {
  const { port } = await sockets(t, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\nhalf of it");
    socket.once("drain", () => {});
    setImmediate(() => socket.resetAndDestroy());
  });
  const nangod = await proxied(t, `http://127.0.0.1:${port}`);
  await assert.rejects(call(nangod, "open", "POST", "/half", { body: {} }), "it was not whole");
});

test("a client that pipelines and leaves ends its request", async (t) => {
  const { port, seen } = await sockets(t, () => {});
  const nangod = await proxied(t, `http://127.0.0.1:${port}`);
  const client = new Client(t, nangod);
  client.write(head(nangod, "GET", "/slow") + "GET /next HTTP/1.1\r\n");
  await until(() => seen.length === 1 && seen[0].text.endsWith("\r\n\r\n"));
  client.socket.destroy();
  await until(() => seen[0].closed, "the API's connection is not closed");
});

test("downloads whose last bytes wait for the reader end well", async (t) => {
  const size = 5 * 1024 * 1024;
  const { port } = await sockets(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size, "x"));
  });
  const nangod = await proxied(t, `http://127.0.0.1:${port}`);
  const all = await Promise.all(Array.from({ length: 20 }, () => call(nangod, "open", "GET", "/large")));
  for (const { text } of all) assert.equal(text.length, size);
});
