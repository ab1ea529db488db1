// SPDX-License-Identifier: Apache-2.0
// /proxy over HTTP/2 with many requests that share connections, and a server and apps that do anything at any time: no
// answer is another's, none hangs, nothing is left behind.
import assert from "node:assert/strict";
import { constants } from "node:http2";
import test from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { replies } from "./http-helper.mjs";
import { h2Server } from "./lib/h2.mjs";
import { Client, ask, head, proxied } from "./lib/proxy.mjs";

const REQUESTS = 2000;
const AT_ONCE = 50;

let seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const below = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % 65_521 % n;
const pick = (list) => list[below(list.length)];

/** What a server may do in place of an answer; the rest of the numbers answer. */
const faults = [
  ({ stream }) => stream.close(constants.NGHTTP2_REFUSED_STREAM),
  ({ stream }) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
  ({ session }) => session.close(),
  ({ session }) => session.goaway(constants.NGHTTP2_NO_ERROR),
  ({ session }) => session.destroy(),
  ({ res }) => (res.write("half|"), setImmediate(() => res.stream.close(constants.NGHTTP2_CANCEL))),
  ({ session }) => session.settings({ maxConcurrentStreams: 1 + below(100) }),
  ({ stream }) => stream.additionalHeaders({ ":status": 103, link: "<x>" }),
];

async function answer(req, res) {
  const id = req.headers["x-id"];
  const { stream } = res;
  req.on("error", () => {});
  res.on("error", () => {});
  await pause(1); // Node itself fails where a stream ends within its own callback
  if (stream.destroyed) return;
  faults[below(40)]?.({ res, stream, session: stream.session });
  if (below(3)) for await (const piece of req) if (below(9) === 0) await pause(piece.length % 5);
  await pause(below(20));
  if (stream.destroyed || res.headersSent) return;
  const body = `${id}|`.repeat(below(4) ? below(200) : 60_000);
  if (below(2)) res.setHeader("content-length", body.length);
  res.end(body);
}

/** One request of an app that may be slow, or go; what it was answered, or undefined. */
async function request(t, nangod, id) {
  const client = new Client(t, nangod);
  const method = pick(["GET", "POST", "PUT", "HEAD"]);
  const length = /P/.test(method) ? pick([0, 10, 1000, 70_000, 400_000]) : 0;
  const headers = ["connection: close", `nango-proxy-x-id: ${id}`, ...(length ? [`content-length: ${length}`] : []), ...(below(3) ? [] : ["retries: 2"])];
  client.write(head(nangod, method, "/x", { headers }));
  for (let left = length; left > 0 && !client.socket.destroyed; left -= 50_000) client.write("z".repeat(Math.min(left, 50_000)));
  if (below(8) === 0) client.socket.pause();
  await pause(below(40));
  if (below(6) === 0) client.socket.destroy();
  client.socket.resume();
  await client.closed;
  return method === "HEAD" || client.bytes.length === 0 || !client.text.includes("\r\n\r\n") ? undefined : replies(client.text)[0];
}

test("2,000 requests over HTTP/2 to a server that does anything", { timeout: 240_000 }, async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const api = await h2Server(t, (req, res) => void answer(req, res).catch(() => {}));
  api.server.on("sessionError", () => {});
  const nangod = await proxied(t, api.url, { env: { NANGO_CA_FILE: api.ca, NANGO_PROXY_TIMEOUT_MS: "3000" } });
  const counts = {};
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < REQUESTS) {
        const id = `i${next++}`;
        const found = await request(t, nangod, id);
        const what = found === undefined ? "nothing" : `${found.status}${found.isWhole ? "" : " broken off"}`;
        counts[what] = (counts[what] ?? 0) + 1;
        if (found?.status === 200) for (const part of found.body.split("|").slice(0, -1)) assert.ok(part === id || part === "half", `${id} was answered ${part}`);
      }
    }),
  );
  t.diagnostic(`${JSON.stringify(counts)}, ${api.sessions.length} connections`);
  assert.ok(counts[200] > REQUESTS / 3, JSON.stringify(counts));
  await ask(t, nangod, "GET", "/x", { headers: ["nango-proxy-x-id: last", "retries: 5"] });
  assert.equal((await nangod.call("GET", "/health")).status, 200);
  nangod.child.kill("SIGTERM");
  await nangod.closed;
  assert.equal(nangod.child.exitCode, 0, nangod.log().slice(-3000)); // the sanitized build looks for leaks
});
