// SPDX-License-Identifier: Apache-2.0
// The official client, unmodified, where credentials are concerned.
import assert from "node:assert/strict";
import { test } from "node:test";
import { back, begin, stateOf, world } from "./lib/auth.mjs";

test("sessions, an integration's app, tokens, a forced refresh, and a refusal", async (t) => {
  const { nangod, provider } = await world(t);
  const nango = nangod.client;
  const { data: made } = await nango.createIntegration({ provider: "code", unique_key: "code", display_name: "Code", credentials: { type: "OAUTH2", client_id: "id", client_secret: "app-s3cret", scopes: "a,b" } });
  assert.equal(made.unique_key, "code");
  const { data: shown } = await nango.getIntegration({ uniqueKey: "code" }, { include: ["credentials"] });
  assert.deepEqual(shown.credentials, { type: "OAUTH2", client_id: "id", client_secret: "app-s3cret", scopes: "a,b" });
  await nango.updateIntegration({ uniqueKey: "code" }, { credentials: { type: "OAUTH2", client_id: "id-2", client_secret: "app-s3cret", scopes: "a" } });

  const { data: session } = await nango.createConnectSession({ end_user: { id: "u1", email: "u@example.com" }, organization: { id: "o1" }, allowed_integrations: ["code"], tags: { plan: "pro" } });
  assert.match(session.token, /^nango_connect_session_/);
  assert.ok(session.connect_link.includes(session.token));
  let n = 0;
  provider.reply("POST /token", () => ({ json: { access_token: `at-${++n}`, refresh_token: `rt-${n}`, expires_in: 3600 } }));
  const first = await begin(nangod, "code", session.token, `&params[server]=${encodeURIComponent(provider.url)}`);
  assert.equal(new URL(first.headers.get("location")).searchParams.get("client_id"), "id-2");
  assert.equal((await back(nangod, { state: stateOf(first), code: "c" })).status, 200);

  const { connections } = await nango.listConnections({ userId: "u1" });
  assert.equal(connections.length, 1);
  assert.deepEqual(connections[0].tags, { end_user_id: "u1", end_user_email: "u@example.com", organization_id: "o1", plan: "pro" });
  const id = connections[0].connection_id;
  const connection = await nango.getConnection("code", id);
  assert.deepEqual([connection.credentials.type, connection.credentials.access_token, connection.credentials.refresh_token], ["OAUTH2", "at-1", undefined]);
  assert.equal(await nango.getToken("code", id), "at-1");
  const forced = await nango.getConnection("code", id, true, true);
  assert.deepEqual([forced.credentials.access_token, forced.credentials.refresh_token], ["at-2", "rt-2"]);
  assert.equal((await nango.getRawTokenResponse("code", id)).access_token, "at-2");

  const again = await nango.createReconnectSession({ connection_id: id, integration_id: "code" });
  assert.match(again.data.token, /^nango_connect_session_/);
  provider.reply("POST /token", { status: 400, json: { error: "invalid_grant" } });
  await assert.rejects(nango.getConnection("code", id, true), (error) => error.response.status === 424 && error.response.data.error.code === "refresh_token_external_error");
});
