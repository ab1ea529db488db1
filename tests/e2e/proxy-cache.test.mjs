// SPDX-License-Identifier: Apache-2.0
// What a node keeps in memory for the proxy: another node's changes are obeyed at once, or within the
// ceiling when nobody tells of them; and no request writes to the database.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { children, psql, scratch, serve, start, until } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";

const KEEP_MS = 5000; // CACHE_KEEP_MS of runtime/engine/cache.h
const ROUNDS = 5;

/** Two nodes, and connections c0, c1, … of a provider that issues tokens. */
async function twoNodes(t, env = {}) {
  const provider = await fakeProvider(t);
  let issued = 0;
  provider.reply("POST /token", () => ({ json: { access_token: `token-${++issued}`, expires_in: 86400 } }));
  provider.reply("GET /who", (request) => ({ json: { authorization: request.headers.authorization } }));
  const file = join(scratch(t), "providers.yaml");
  const cc = { display_name: "cc", docs: "https://example.com", auth_mode: "OAUTH2_CC", token_url: `${provider.url}/token`, proxy: { base_url: provider.url } };
  writeFileSync(file, JSON.stringify({ cc: { ...cc, token_params: { grant_type: "client_credentials" } } }));
  const a = await start(t, { env: { NANGO_PROVIDERS: file } });
  for (let i = 0; i < ROUNDS; i++) await a.connect("cc", { id: `c${i}`, credentials: { type: "OAUTH2_CC", client_id: "id", client_secret: "s" } });
  const b = await serve(t, a, { NANGO_PROVIDERS: file, NANGO_ROLES: "api", ...env });
  const headers = (id) => ({ "provider-config-key": "cc", "connection-id": id });
  const ask = (id = "c0", key) => b.call("GET", "/proxy/who", { headers: headers(id), ...(key ? { key } : {}) });
  return { a, b, ask };
}

/** Milliseconds until check() of an answer holds. */
async function obeyed(ask, check) {
  const begin = performance.now();
  await until(async () => check(await ask()));
  return performance.now() - begin;
}

const median = (values) => [...values].sort((x, y) => x - y)[Math.floor(values.length / 2)];

test("a change on one node is obeyed by the other within 100 ms", async (t) => {
  const { a, ask } = await twoNodes(t);
  const refreshed = [];
  const deleted = [];
  for (let i = 0; i < ROUNDS; i++) {
    const id = `c${i}`;
    const before = (await ask(id)).body.authorization;
    await a.ok("GET", `/connections/${id}?provider_config_key=cc&force_refresh=true`);
    refreshed.push(await obeyed(() => ask(id), (answer) => answer.status === 200 && answer.body.authorization !== before));
    await a.ok("DELETE", `/connections/${id}?provider_config_key=cc`);
    deleted.push(await obeyed(() => ask(id), (answer) => answer.status === 400));
  }
  assert.equal((await ask("c0")).body.error.code, "unknown_connection");
  await a.connect("cc", { id: "c9", credentials: { type: "OAUTH2_CC", client_id: "id", client_secret: "s" } });
  const revoked = [];
  for (let i = 0; i < ROUNDS; i++) {
    assert.equal((await ask("c9")).status, 200);
    await psql(a, "UPDATE nango.api_key SET deleted_at = now()");
    revoked.push(await obeyed(() => ask("c9"), (answer) => answer.status === 401));
    await psql(a, "UPDATE nango.api_key SET deleted_at = NULL");
    await until(async () => (await ask("c9")).status === 200);
  }
  for (const [what, times] of Object.entries({ refreshed, deleted, revoked }))
    assert.ok(median(times) <= 100, `${what}: ${times.map(Math.round)} ms`);
});

test("when no notice comes it is obeyed within the ceiling", async (t) => {
  // Nobody listens there: the other node hears nothing.
  const { a, b, ask } = await twoNodes(t, { NANGO_DATABASE_DIRECT_URL: "host=127.0.0.1 port=1 user=nobody dbname=none" });
  await until(() => b.log().includes("changes are noticed after 5 s only"));
  assert.equal((await ask("c0")).status, 200);
  await a.ok("DELETE", "/connections/c0?provider_config_key=cc");
  const times = [await obeyed(() => ask("c0"), (answer) => answer.status === 400)];
  assert.equal((await ask("c1")).status, 200);
  await psql(a, "UPDATE nango.api_key SET deleted_at = now()");
  times.push(await obeyed(() => ask("c1"), (answer) => answer.status === 401));
  for (const ms of times) assert.ok(ms < KEEP_MS + 1000, `${ms} ms`);
});

test("requests ask the database nothing; when connections and keys were used is written for many", async (t) => {
  const { a, ask } = await twoNodes(t);
  const [postmaster] = children(a.pid).filter((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("postgres"));
  const all = [postmaster, ...children(postmaster)];
  // Both are loaded anew, seen by what is answered, and so kept for the whole ceiling from here on.
  await psql(a, "BEGIN; UPDATE nango.api_key SET scopes = scopes; UPDATE nango.connection SET connection_id = 'away' WHERE connection_id = 'c1'; COMMIT");
  await until(async () => (await ask("c1")).status === 400, "the connection is still there");
  await psql(a, "UPDATE nango.connection SET connection_id = 'c1' WHERE connection_id = 'away'");
  await until(async () => (await ask("c1")).status === 200, "the connection stays away");
  for (const pid of all) process.kill(pid, "SIGSTOP");
  try {
    // Well within the ceiling, however slow the machine is.
    let count = 0;
    for (const end = performance.now() + KEEP_MS / 3; count < 100 && performance.now() < end; count++)
      assert.equal((await ask("c1")).status, 200, "while Postgres stands still");
    assert.ok(count >= 5, `${count} requests`);
  } finally {
    for (const pid of all) process.kill(pid, "SIGCONT");
  }
  await until(async () => (await psql(a, "SELECT last_fetched_at IS NOT NULL FROM nango.connection WHERE connection_id = 'c1'")) === "t", "last_fetched_at was not written");
  assert.equal(await psql(a, "SELECT bool_or(last_used_at IS NOT NULL) FROM nango.api_key"), "t");
});
