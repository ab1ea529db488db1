// SPDX-License-Identifier: Apache-2.0
// The templates of MCP against a server that is not ours: the official SDK's, with its authorization server.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { begin, returned, session } from "./lib/auth.mjs";
import { internet } from "./lib/internet.mjs";
import { mcpServer } from "./lib/mcp-server.mjs";
import { buildPlugin, psql, scratch, start, top } from "./lib/nangod.mjs";

/** A plugin that calls the server's tool, and saves what it says. */
async function buildTool(t, provider, path) {
  const dir = scratch(t);
  const call = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "whoami", arguments: {} } });
  writeFileSync(join(dir, "plugin.yaml"), readFileSync(join(top, "tests/e2e/plugins/items/plugin.yaml"), "utf8").replace("provider: unauthenticated", `provider: ${provider}`).replace(/  misbehave:[^]*(?=models:)/, ""));
  writeFileSync(join(dir, "tool.c"), `#include <nango/plugin.h>
#include "models.h"

static void
sync_items(struct nango_run *run)
{
	struct nango_response response = nango_http(
	    run, NANGO_REQUEST(.method = "POST", .path = "${path}", .body = ${JSON.stringify(call)},
			       .headers = NANGO_PAIRS({"accept", "application/json, text/event-stream"})));
	struct item item = item_read(run, nango_get(response.body, "result.structuredContent"));

	item_save(run, &item);
	nango_commit(run, NULL);
}

NANGO_PLUGIN(.syncs = NANGO_SYNCS(NANGO_SYNC(.name = "items", .run = sync_items)));
`);
  return buildPlugin(t, dir, provider);
}

/** Signs in as a browser does: the server agrees at once, and sends it back. */
async function signIn(nangod, net, name, query = "") {
  const { token } = await session(nangod);
  const first = await begin(nangod, name, token, query);
  assert.equal(first.status, 302, first.text);
  const page = new URL(first.headers.get("location"));
  const agreed = await net.get(page.href);
  assert.equal(agreed.status, 302, agreed.text);
  const done = await returned(nangod, agreed.headers.location);
  assert.equal(done.status, 200, done.text);
  return page;
}

const servers = [
  { name: "mcp-generic", mode: "MCP_OAUTH2_GENERIC", host: "mcp.example.com", strict: true, query: `&params[mcp_server_url]=${encodeURIComponent("https://mcp.example.com/mcp")}`, path: "" },
  { name: "linear-mcp", mode: "MCP_OAUTH2", host: "mcp.linear.app", path: "/mcp" },
];

test("MCP servers of the official SDK", async (t) => {
  const net = await internet(t, servers.map(({ host }) => host));
  const nangod = await start(t, { env: net.env });
  for (const server of servers) await t.test(`${server.name}: found or known, registered with, signed in to, renewed, and its tool called`, () => works(t, nangod, net, server));
});

async function works(t, nangod, net, { name, mode, host, strict, query, path }) {
  const { listener, accounts } = mcpServer(host, { strict });
  net.site(host, listener);
  await nangod.ok("POST", "/integrations", { body: { provider: name, unique_key: name, credentials: { type: mode, scopes: "read,write" } } });
  const page = await signIn(nangod, net, name, query);
  const [client] = accounts.clients.values();
  assert.deepEqual([client.redirect_uris, client.token_endpoint_auth_method, client.client_secret], [[`${nangod.url}/oauth/callback`], "none", undefined]);
  assert.deepEqual([page.searchParams.get("client_id"), page.searchParams.get("resource")], [client.client_id, strict ? `https://${host}/mcp` : null]);

  const { connection_id: id } = (await nangod.ok("GET", "/connections")).connections.find((c) => c.provider_config_key === name);
  const show = () => nangod.ok("GET", `/connections/${id}?provider_config_key=${name}`);
  const { credentials } = await show();
  assert.ok(accounts.tokens.has(credentials.access_token));
  await psql(nangod, "UPDATE nango.clock SET offset_by = interval '58 minutes'");
  const fresh = (await show()).credentials;
  await psql(nangod, "UPDATE nango.clock SET offset_by = interval '0'");
  assert.notEqual(fresh.access_token, credentials.access_token);
  assert.deepEqual(accounts.grants, ["authorization_code", "refresh_token"]);
  accounts.tokens.delete(credentials.access_token);

  await nangod.deploy(await buildTool(t, name, path), name);
  const status = await nangod.settled(name, id, "items");
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  const { records } = await nangod.records(name, id, "Item");
  assert.deepEqual(records.map((r) => [r.id, r.title]), [[client.client_id, "read write"]]);
}
