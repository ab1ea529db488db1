// SPDX-License-Identifier: Apache-2.0
// /proxy: what it holds in memory of bodies and answers.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import test from "node:test";
import { until } from "./lib/nangod.mjs";
import { Client, ask, head, proxied, rawUpstream } from "./lib/proxy.mjs";

/** The largest resident set since the last call with reset, in bytes. */
const peak = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
const size = 10 * 1024 * 1024;
const places = { NANGO_UPSTREAM_HOST_MAX: "96" }; // one connection takes three quarters
const reset = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, "5");

test("64 answers of 10 MB to readers that pause cost no memory, and arrive", { timeout: 240_000 }, async (t) => {
  const piece = Buffer.alloc(64 * 1024, "x");
  const stuck = new Set();
  let sentWhole = 0; // the sockets' own buffers may take an answer in, too
  const api = await rawUpstream(t, async (call) => {
    call.answer(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    for (let sent = 0; sent < size; sent += piece.length)
      if (!call.socket.write(piece)) {
        stuck.add(call);
        await Promise.race([once(call.socket, "drain"), call.closed]);
        stuck.delete(call);
      }
    sentWhole++;
  });
  const nangod = await proxied(t, api.url, { env: places });
  await ask(t, nangod, "GET", "/warm", { headers: ["connection: close"] });
  const before = peak(nangod.pid);
  reset(nangod.pid);
  const clients = Array.from({ length: 64 }, () => {
    const socket = net.connect({ port: new URL(nangod.url).port, host: "127.0.0.1" });
    let bytes = 0;
    socket.pause();
    socket.on("data", (data) => (bytes += data.length));
    socket.on("error", () => {});
    socket.write(head(nangod, "GET", "/large", { headers: ["connection: close"] }));
    t.after(() => socket.destroy());
    return { socket, count: () => bytes };
  });
  await until(() => stuck.size + sentWhole === 65, () => `${stuck.size} answers wait, ${sentWhole} were sent`, 60);
  const paused = peak(nangod.pid);
  for (const { socket } of clients) socket.resume();
  await Promise.all(clients.map(({ socket }) => once(socket, "close")));
  for (const { count } of clients) assert.ok(count() > size && count() < size + 2000, `${count()} bytes`);
  const grown = Math.max(peak(nangod.pid), paused) - before;
  t.diagnostic(`peak grew by ${(grown / 1024 / 1024).toFixed(1)} MiB`);
  assert.ok(grown < 128 * 1024 * 1024, `${grown} bytes more`);
});

/** Bytes by which nangod's peak grows while so many bodies of 10 MB wait for an API that does not read. */
async function bodies(t, count, headers = []) {
  const sockets = [];
  const server = net.createServer((socket) => {
    let bytes = 0;
    let length = Infinity;
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", (data) => {
      length = data.indexOf("\r\n\r\n") + 4 + size;
      bytes = data.length;
      socket.pause();
      socket.on("data", (more) => {
        bytes += more.length;
        if (bytes === length) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const nangod = await proxied(t, `http://127.0.0.1:${server.address().port}`, { env: places });
  const before = peak(nangod.pid);
  reset(nangod.pid);
  const clients = Array.from({ length: count }, () => new Client(t, nangod));
  for (const client of clients) {
    client.write(head(nangod, "PUT", "/large", { headers: [`content-length: ${size}`, ...headers] }));
    client.socket.write(Buffer.alloc(size, "y"));
  }
  await until(() => sockets.length === count && sockets.every((s) => s.isPaused()), () => `${sockets.length} arrived`, 60);
  const paused = peak(nangod.pid);
  for (const socket of sockets) socket.resume();
  await Promise.all(clients.map((client) => client.until(/\r\n\r\nok$/)));
  const grown = Math.max(peak(nangod.pid), paused) - before;
  t.diagnostic(`peak grew by ${(grown / 1024 / 1024).toFixed(1)} MiB`);
  return grown;
}

test("64 bodies of 10 MB to an API that does not read cost no memory, and arrive", { timeout: 240_000 }, async (t) => {
  const grown = await bodies(t, 64);
  assert.ok(grown < 128 * 1024 * 1024, `${grown} bytes more`);
});

test("a body that is held for another try is in memory once", { timeout: 240_000 }, async (t) => {
  const grown = await bodies(t, 16, ["retries: 1"]);
  assert.ok(grown >= 16 * size && grown < 16 * size * 1.3, `${grown} bytes more`);
});

test("bodies that are held share the node's memory for bodies: 503 behind it, until they have been sent", { timeout: 120_000 }, async (t) => {
  const whole = []; // sockets that brought a whole body
  const server = net.createServer((socket) => {
    let bytes = 0;
    socket.on("error", () => {});
    socket.on("data", (data) => {
      bytes += data.length;
      if (bytes > size && bytes - data.length <= size) whole.push(socket); // with its head
    });
    t.after(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const nangod = await proxied(t, `http://127.0.0.1:${server.address().port}`, { env: places });
  const put = () => {
    const client = new Client(t, nangod);
    client.write(head(nangod, "PUT", "/x", { headers: [`content-length: ${size}`, "retries: 1"] }));
    client.socket.write(Buffer.alloc(size, "y"));
    return client;
  };
  // 25 of them are in memory: none is answered before its end.
  const clients = Array.from({ length: 25 }, put);
  await until(() => whole.length === 25, () => `${whole.length} came`, 60);
  const refused = put();
  await refused.until(/}$/);
  assert.match(refused.text, /^HTTP\/1\.1 503 /);
  assert.match(refused.text, /memory for request bodies/);
  for (const socket of whole) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun");
  await Promise.all(clients.map((client) => client.until(/begun$/)));
  put();
  await until(() => whole.length === 26, "the 26th did not arrive", 30);
});
