// SPDX-License-Identifier: Apache-2.0
// Providers that speak HTTP/2: plugins' requests go over it, on one connection that is kept from run to run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { h2Server } from "./lib/h2.mjs";
import { buildItems, item, key } from "./lib/items.mjs";
import { start } from "./lib/nangod.mjs";

const PAGES = 5;

test("plugins' requests go over HTTP/2, two runs over one connection; and the proxy's do", async (t) => {
  const seen = [];
  const server = await h2Server(t, (req, res) => {
    const page = Number(new URL(req.url, "https://x").searchParams.get("page"));
    seen.push({ version: req.httpVersion, page });
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(page > PAGES ? [] : [item(page)]));
  });
  const nangod = await start(t, { env: { NANGO_CA_FILE: server.ca } });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildItems(t), key);
  await nangod.connect(key, { baseUrl: server.url, credentials: { type: "NONE" } });
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
  assert.deepEqual(seen.map((s) => s.page), [1, 2, 3, 4, 5, 6]);
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme", opts: { reset: true } } });
  await nangod.settled(key, "acme", "items");
  assert.ok(seen.every((s) => s.version === "2.0"), JSON.stringify(seen));
  assert.equal(server.sessions.length, 1, "one connection");
  const { records } = await nangod.records(key, "acme", "Item");
  assert.equal(records.length, PAGES);

  const answer = await nangod.ok("GET", "/proxy/items?page=1", { headers: { "provider-config-key": key, "connection-id": "acme" } });
  assert.deepEqual(answer, [item(1)]);
  assert.equal(seen.at(-1).version, "2.0");
  assert.equal(server.sessions.length, 2, "the proxy has a connection of its own");
});
