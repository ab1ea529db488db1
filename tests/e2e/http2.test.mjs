// SPDX-License-Identifier: Apache-2.0
// Providers that speak HTTP/2: plugins' requests go over it, on one connection that is kept from run to run.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import { join } from "node:path";
import { test } from "node:test";
import { buildItems, item, key } from "./lib/items.mjs";
import { run, scratch, start } from "./lib/nangod.mjs";

const PAGES = 5;

/** A server on loopback with a certificate for its address, which the node is told to trust. */
async function secureServer(t, answer) {
  const dir = scratch(t);
  const made = await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"], { cwd: dir });
  assert.equal(made.code, 0, made.stderr);
  const cert = join(dir, "cert.pem");
  const server = createSecureServer({ cert: readFileSync(cert), key: readFileSync(join(dir, "key.pem")), allowHTTP1: true }, answer);
  let sessions = 0;
  const open = new Set();
  server.on("session", () => sessions++);
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { url: `https://127.0.0.1:${server.address().port}`, cert, sessions: () => sessions };
}

test("plugins' requests go over HTTP/2, two runs over one connection; the proxy asks for HTTP/1.1", async (t) => {
  const seen = [];
  const server = await secureServer(t, (req, res) => {
    const page = Number(new URL(req.url, "https://x").searchParams.get("page"));
    seen.push({ version: req.httpVersion, page });
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(page > PAGES ? [] : [item(page)]));
  });
  const nangod = await start(t, { env: { NANGO_CA_FILE: server.cert } });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildItems(t), key);
  await nangod.connect(key, { baseUrl: server.url, credentials: { type: "NONE" } });
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
  assert.deepEqual(seen.map((s) => s.page), [1, 2, 3, 4, 5, 6]);
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme", opts: { reset: true } } });
  await nangod.settled(key, "acme", "items");
  assert.ok(seen.every((s) => s.version === "2.0"), JSON.stringify(seen));
  assert.equal(server.sessions(), 1, "one connection");
  const { records } = await nangod.records(key, "acme", "Item");
  assert.equal(records.length, PAGES);

  const answer = await nangod.ok("GET", "/proxy/items?page=1", { headers: { "provider-config-key": key, "connection-id": "acme" } });
  assert.deepEqual(answer, [item(1)]);
  assert.equal(seen.at(-1).version, "1.1");
});
