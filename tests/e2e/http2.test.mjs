// SPDX-License-Identifier: Apache-2.0
// Providers that speak HTTP/2: plugins' requests go over it, on one connection that is kept from run to run, and the
// proxy's; unless the operator does not want it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { h2Server } from "./lib/h2.mjs";
import { buildItems, item, key } from "./lib/items.mjs";
import { start } from "./lib/nangod.mjs";

const PAGES = 5;
const who = { headers: { "provider-config-key": key, "connection-id": "acme" } };

/** A run, another one from the beginning, and a request of the proxy: what the provider saw. */
async function used(t, env) {
  const seen = [];
  const server = await h2Server(t, (req, res) => {
    const page = Number(new URL(req.url, "https://x").searchParams.get("page"));
    seen.push({ version: req.httpVersion, page });
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(page > PAGES ? [] : [item(page)]));
  });
  const nangod = await start(t, { env: { NANGO_CA_FILE: server.ca, ...env } });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildItems(t), key);
  await nangod.connect(key, { baseUrl: server.url, credentials: { type: "NONE" } });
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
  assert.deepEqual(seen.map((s) => s.page), [1, 2, 3, 4, 5, 6]);
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme", opts: { reset: true } } });
  await nangod.settled(key, "acme", "items");
  assert.equal((await nangod.records(key, "acme", "Item")).records.length, PAGES);
  const sessions = server.sessions.length;
  assert.deepEqual(await nangod.ok("GET", "/proxy/items?page=1", who), [item(1)]);
  return { versions: [...new Set(seen.map((s) => s.version))], sessions: [sessions, server.sessions.length] };
}

test("requests go over HTTP/2: those of two runs over one connection, those of the proxy over another", async (t) => {
  assert.deepEqual(await used(t, {}), { versions: ["2.0"], sessions: [1, 2] });
});

test("NANGO_UPSTREAM_HTTP2=off: over HTTP/1.1", async (t) => {
  assert.deepEqual(await used(t, { NANGO_UPSTREAM_HTTP2: "off" }), { versions: ["1.1"], sessions: [0, 0] });
});
