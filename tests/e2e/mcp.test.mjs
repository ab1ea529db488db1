// SPDX-License-Identifier: Apache-2.0
// MCP servers: their authorization server is found from their address, and a client registers itself with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { back, begin, form, returned, session, stateOf, world } from "./lib/auth.mjs";
import { start } from "./lib/nangod.mjs";
import { oidcServer } from "./lib/oidc.mjs";

const generic = { display_name: "MCP server", docs: "https://example.com", auth_mode: "MCP_OAUTH2_GENERIC", connection_config: { mcp_server_url: { type: "string", title: "Address", description: "Address" } }, proxy: { base_url: "${connectionConfig.mcp_server_url}" } };
const server = "${connectionConfig.server}";
const fixed = { display_name: "Fixed", docs: "https://example.com", auth_mode: "MCP_OAUTH2", client_registration: "dynamic", registration_url: `${server}/reg`, authorization_url: `${server}/auth`, token_url: `${server}/token`, proxy: { base_url: server } };
const query = (values) => Object.entries(values).map(([k, v]) => `&params[${k}]=${encodeURIComponent(v)}`).join("");

test("any MCP server: found by its address, registered with, signed in to, and renewed", async (t) => {
  const w = await world(t, { more: { mcp: generic } });
  const oidc = await oidcServer(t, { redirectUri: `${w.nangod.url}/oauth/callback` });
  const mcp = `${w.provider.url}/servers/one`;
  w.provider.reply("GET /.well-known/oauth-protected-resource/servers/one", { json: { resource: mcp, authorization_servers: [oidc.url] } });
  await w.integrate("mcp", { type: "MCP_OAUTH2_GENERIC", scopes: "openid,offline_access" });
  const { token } = await session(w.nangod);
  const first = await begin(w.nangod, "mcp", token, `${query({ mcp_server_url: mcp })}&authorization_params[redirect_uri]=https://evil.example.com`);
  assert.equal(first.status, 302, first.text);
  const url = new URL(first.headers.get("location"));
  assert.deepEqual([url.origin, url.searchParams.get("resource"), url.searchParams.get("redirect_uri")], [oidc.url, mcp, `${w.nangod.url}/oauth/callback`]);
  assert.ok(url.searchParams.get("code_challenge"));
  const done = await returned(w.nangod, await oidc.signIn(url.href));
  assert.equal(done.status, 200, done.text);
  const [{ connection_id }] = (await w.nangod.ok("GET", "/connections")).connections;
  const show = (more = "") => w.nangod.ok("GET", `/connections/${connection_id}?provider_config_key=mcp${more}`);
  const made = await show();
  assert.equal(made.credentials.type, "MCP_OAUTH2_GENERIC");
  assert.equal(made.credentials.config_override.client_id, url.searchParams.get("client_id"));
  const fresh = await show("&force_refresh=true");
  assert.notEqual(fresh.credentials.access_token, made.credentials.access_token);
  assert.deepEqual(oidc.grants.filter((g) => g !== "authorization_code"), ["refresh_token"]);
});

test("endpoints of the template with a client that registers itself", async (t) => {
  const w = await world(t, { more: { fixed } });
  const oidc = await oidcServer(t, { redirectUri: `${w.nangod.url}/oauth/callback` });
  await w.integrate("fixed", { type: "MCP_OAUTH2", scopes: "openid,offline_access" });
  const { token } = await session(w.nangod);
  const first = await begin(w.nangod, "fixed", token, query({ server: oidc.url }));
  assert.equal(first.status, 302, first.text);
  assert.equal((await returned(w.nangod, await oidc.signIn(first.headers.get("location")))).status, 200);
});

test("what a stranger's documents say is not believed", async (t) => {
  const w = await world(t, { more: { mcp: generic } });
  await w.integrate("mcp");
  const { token } = await session(w.nangod);
  const metadata = { issuer: w.provider.url, authorization_endpoint: `${w.provider.url}/a`, token_endpoint: `${w.provider.url}/t`, registration_endpoint: `${w.provider.url}/r` };
  const attempt = () => begin(w.nangod, "mcp", token, query({ mcp_server_url: `${w.provider.url}/mcp` }));
  const says = async (json, pattern) => {
    w.provider.reply("GET /.well-known/oauth-authorization-server", { json });
    const answer = await attempt();
    assert.equal(answer.status, 400);
    assert.match(answer.text, pattern);
  };
  assert.match((await attempt()).text, /no metadata/);
  await says({ ...metadata, issuer: "https://other.example.com" }, /another issuer/);
  await says({ ...metadata, token_endpoint: undefined }, /no token_endpoint/);
  await says({ ...metadata, token_endpoint: "file:///etc/passwd" }, /no URL/);
  await says({ ...metadata, code_challenge_methods_supported: ["plain"] }, /PKCE/);
  await says({ ...metadata, code_challenge_methods_supported: [null, 5, {}] }, /PKCE/);
  await says({ ...metadata, token_endpoint: "http://id.example.com/token" }, /must be an https URL/);
  const server = "GET /.well-known/oauth-protected-resource/mcp";
  for (const authorization_servers of [[null], [5], [{}]]) {
    w.provider.reply(server, { json: { resource: `${w.provider.url}/mcp`, authorization_servers } });
    await says(metadata, /must be|no URL|no metadata/);
  }
  for (const resource of ["https://victim.example.com/mcp", `${w.provider.url}/other`, `${w.provider.url}/mc`, `${w.provider.url}/mcp/deeper`, "x"]) {
    w.provider.reply(server, { json: { resource, authorization_servers: [w.provider.url] } });
    await says(metadata, /about another resource/);
  }
  w.provider.reply(server, { json: { resource: w.provider.url } });
  await says({ ...metadata, registration_endpoint: undefined }, /no client register itself/);
  w.provider.reply("POST /r", { status: 400, json: { error: "invalid_redirect_uri" } });
  await says(metadata, /could not be registered.*invalid_redirect_uri/);
});

test("without an opened private network: https and names only", async (t) => {
  const w = await world(t, { more: { mcp: generic }, env: { NANGO_EGRESS_ALLOW: "" } });
  await w.integrate("mcp");
  const { token } = await session(w.nangod);
  for (const url of ["http://mcp.example.com/x", "https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x", "https://2130706433/"]) {
    const answer = await begin(w.nangod, "mcp", token, query({ mcp_server_url: url }));
    assert.equal(answer.status, 400);
    assert.match(answer.text, /must be an https URL with a host name/, url);
  }
});

test("a server that knows clients by the URL of their document", async (t) => {
  const w = await world(t, { more: { mcp: generic }, env: { NANGO_SERVER_URL: "https://nango.example.com" } });
  await w.integrate("mcp");
  w.provider.reply("GET /.well-known/oauth-authorization-server", { json: { issuer: w.provider.url, authorization_endpoint: `${w.provider.url}/a`, token_endpoint: `${w.provider.url}/token`, client_id_metadata_document_supported: true } });
  const { token } = await session(w.nangod);
  const first = await begin(w.nangod, "mcp", token, query({ mcp_server_url: `${w.provider.url}/mcp` }));
  assert.equal(first.status, 302, first.text);
  const id = new URL(first.headers.get("location")).searchParams.get("client_id");
  assert.match(id, /^https:\/\/nango\.example\.com\/oauth\/client-metadata\/[0-9a-f-]{36}\/mcp$/);
  const document = await w.nangod.call("GET", new URL(id).pathname, { key: null });
  assert.deepEqual([document.status, document.body.client_id, document.body.redirect_uris, document.body.token_endpoint_auth_method], [200, id, ["https://nango.example.com/oauth/callback"], "none"]);
  assert.match(document.headers.get("cache-control"), /max-age=300/);
  w.provider.reply("POST /token", { json: { access_token: "at" } });
  assert.equal((await back(w.nangod, { state: stateOf(first), code: "c" })).status, 200);
  assert.deepEqual([form(w.tokens()[0]).client_id, form(w.tokens()[0]).client_secret], [id, undefined]);
  const plain = await start(t);
  assert.equal((await plain.call("GET", new URL(id).pathname, { key: null })).status, 404);
});
