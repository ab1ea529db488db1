// SPDX-License-Identifier: Apache-2.0
// @nangohq/node from npm, unmodified, against nangod.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildPlugin, start } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";

const source = fileURLToPath(new URL("plugins/items", import.meta.url));

test("the official client: integrations, connections, syncs, records, metadata", async (t) => {
  const provider = await fakeProvider(t);
  const items = [1, 2, 3].map((n) => ({ id: n, title: `Item ${n}` }));
  provider.reply("GET /items", ({ query }) => ({ json: query.get("page") === "1" ? items : [] }));
  const nangod = await start(t);
  const nango = nangod.client;

  // Integrations
  const created = await nango.createIntegration({ provider: "unauthenticated", unique_key: "shop", display_name: "Shop" });
  assert.equal(created.data.unique_key, "shop");
  assert.deepEqual((await nango.listIntegrations()).configs.map((c) => [c.unique_key, c.provider]), [["shop", "unauthenticated"]]);
  const shown = await nango.getIntegration({ uniqueKey: "shop" }, { include: ["webhook"] });
  assert.equal(shown.data.display_name, "Shop");
  assert.equal(shown.data.webhook_url, null);
  assert.ok((await nango.listProviders({ search: "git" })).data.some((p) => p.name === "github"));
  assert.equal((await nango.getProvider({ provider: "github" })).data.auth_mode, "API_KEY");

  // Connections are made by plain POST /connections: the client has no method for it.
  await nangod.deploy(await buildPlugin(t, source, "unauthenticated"), "shop");
  await nangod.connect("unauthenticated", { key: "shop", id: "customer-1", baseUrl: provider.url, credentials: { type: "NONE" }, tags: { end_user_email: "a@b.c" } });
  const { connections } = await nango.listConnections({ connectionId: "customer-1" });
  assert.deepEqual(connections.map((c) => [c.connection_id, c.provider_config_key, c.provider]), [["customer-1", "shop", "unauthenticated"]]);
  assert.equal((await nango.listConnections({ tags: { email: "a@b.c" } })).connections.length, 1);
  assert.equal((await nango.listConnections({ integrationId: ["shop", "other"] })).connections.length, 1);
  const connection = await nango.getConnection("shop", "customer-1");
  assert.equal(connection.credentials.type, "NONE");
  assert.equal(connection.connection_config.baseUrl, provider.url);

  // Syncs
  await nangod.settled("shop", "customer-1", "items");
  const status = await nango.syncStatus("shop", ["items"], "customer-1");
  assert.equal(status.syncs[0].status, "SUCCESS");
  assert.deepEqual(status.syncs[0].recordCount, { Item: 3 });
  assert.equal((await nango.syncStatus("shop", "*", "customer-1")).syncs.length, 2);

  // Records, also with a cursor
  const page = await nango.listRecords({ providerConfigKey: "shop", connectionId: "customer-1", model: "Item", limit: 2 });
  assert.deepEqual(page.records.map((r) => r.id), ["1", "2"], "a number's text becomes the id");
  const rest = await nango.listRecords({ providerConfigKey: "shop", connectionId: "customer-1", model: "Item", cursor: page.next_cursor });
  assert.deepEqual([rest.records.map((r) => r.id), rest.next_cursor], [["3"], null]);
  const some = await nango.listRecords({ providerConfigKey: "shop", connectionId: "customer-1", model: "Item", ids: ["3", "1"] });
  assert.deepEqual(some.records.map((r) => r.id), ["1", "3"]);
  assert.equal((await nango.listRecords({ providerConfigKey: "shop", connectionId: "customer-1", model: "Item", filter: "deleted" })).records.length, 0);

  items[0].title = "changed";
  assert.deepEqual((await nango.triggerSync("shop", ["items"], "customer-1")).data, { success: true });
  await nangod.settled("shop", "customer-1", "items");
  const changed = await nango.listRecords({ providerConfigKey: "shop", connectionId: "customer-1", model: "Item", filter: "updated" });
  assert.deepEqual(changed.records.map((r) => r.title), ["changed"]);
  await nango.triggerSync("shop", [{ name: "items", variant: "base" }], "customer-1", { reset: true });
  await nangod.settled("shop", "customer-1", "items");

  await nango.pauseSync("shop", ["items"], "customer-1");
  assert.equal((await nango.syncStatus("shop", ["items"], "customer-1")).syncs[0].status, "PAUSED");
  await nango.startSync("shop", ["items"], "customer-1");
  assert.notEqual((await nango.syncStatus("shop", ["items"], "customer-1")).syncs[0].status, "PAUSED");

  // Metadata
  await nango.setMetadata("shop", "customer-1", { a: 1, b: { c: 2 } });
  await nango.updateMetadata("shop", ["customer-1"], { b: 3 });
  assert.deepEqual(await nango.getMetadata("shop", "customer-1"), { a: 1, b: 3 });

  // The client reads err.response.data.error
  await assert.rejects(nango.getConnection("shop", "nobody"), (error) => {
    assert.equal(error.response.status, 404);
    assert.equal(error.response.data.error.code, "not_found");
    return true;
  });
  await assert.rejects(nango.triggerSync("shop", ["nope"], "customer-1"), (error) => error.response.data.error.code === "no_syncs_found");

  const deleted = await nango.deleteConnection("shop", "customer-1");
  assert.deepEqual(deleted.data, { success: true });
  assert.equal((await nango.listConnections()).connections.length, 0);
});
