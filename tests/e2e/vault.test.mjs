// SPDX-License-Identifier: Apache-2.0
// The master key is changed while nodes work; secrets that one key sealed are opened by no other.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { session, begin, back, stateOf, world } from "./lib/auth.mjs";
import { psql, program, run, serve, socketDir } from "./lib/nangod.mjs";

const tables = ["connection", "integration", "auth_flow"].map((t) => [t, t === "auth_flow" ? "sealed" : "credentials"])
  .concat([["api_key", "sealed"], ["environment", "record_key"], ["webhook_settings", "signing_key"]]);

test("keys rotate: all secrets are sealed with the new key while nodes go on, and the old one opens nothing", async (t) => {
  const { nangod, provider, integrate, connect, env } = await world(t);
  await integrate("code", { type: "OAUTH2", client_id: "id", client_secret: "app-s3cret" });
  for (let n = 0; n < 250; n++)
    await connect("code", { type: "OAUTH2", access_token: `at-${n}` }, { connection_id: `c${n}` });
  await nangod.ok("POST", "/environment/webhook-signing-key/rotate");
  const { token } = await session(nangod);
  const state = stateOf(await begin(nangod, "code", token, `&params[server]=${encodeURIComponent(provider.url)}`));
  provider.reply("POST /token", { json: { access_token: "late" } });

  const database = { NANGO_DATABASE_URL: `host=${socketDir(nangod)} user=nango dbname=postgres` };
  const first = await serve(t, nangod); // tells us the old key
  const [old, fresh] = [first.encryption_key.trim(), randomBytes(32).toString("base64")];
  const both = { NANGO_ENCRYPTION_KEY: `${fresh},${old}` };
  const node = await serve(t, nangod, { ...env, ...both });
  const sealed = () => Promise.all(tables.map(([table, column]) => psql(nangod, `SELECT count(DISTINCT substr(${column}, 2, 4)) || ' ' || coalesce(min(encode(substr(${column}, 2, 4), 'hex')), '') FROM nango.${table} WHERE ${column} IS NOT NULL`)));
  const before = await sealed();
  assert.equal(new Set(before).size, 1, before.join());

  const reading = (async () => {
    for (let n = 0; n < 250; n++) assert.equal((await nodeShow(node, nangod.key, n)).body.credentials.access_token, `at-${n}`);
  })();
  const done = await run(program("nangod"), ["keys", "rotate"], { env: { ...database, ...both } });
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /^25\d secrets were sealed anew/);
  await reading;
  const after = await sealed();
  assert.equal(new Set(after).size, 1, after.join());
  assert.notEqual(after[0], before[0]);

  assert.equal((await back(node, { state, code: "c" })).status, 200, "a sign-in that had begun before");

  const only = await run(program("nangod"), ["keys"], { env: { ...database, NANGO_ENCRYPTION_KEY: fresh } });
  assert.equal(only.code, 0, only.stderr);
  assert.match(only.stdout, new RegExp(nangod.key));
  const stale = await run(program("nangod"), ["keys"], { env: { ...database, NANGO_ENCRYPTION_KEY: old } });
  assert.equal(stale.code, 1);
  assert.match(stale.stderr, /is not the key of this database/);
  const again = await run(program("nangod"), ["keys", "rotate"], { env: { ...database, NANGO_ENCRYPTION_KEY: fresh } });
  assert.match(again.stdout, /^0 secrets/);
});

test("what is deleted keeps no secrets", async (t) => {
  const { nangod, integrate, connect } = await world(t);
  await integrate("code", { type: "OAUTH2", client_id: "id", client_secret: "app-s3cret" });
  for (const id of ["one", "two"]) await connect("code", { type: "OAUTH2", access_token: "at" }, { connection_id: id });
  const kept = () => psql(nangod, "SELECT (SELECT count(*) FROM nango.connection WHERE length(credentials) > 0) || ' ' || (SELECT count(*) FROM nango.integration WHERE credentials IS NOT NULL)");
  await nangod.ok("DELETE", "/connections/one?provider_config_key=code");
  assert.equal(await kept(), "1 1");
  await nangod.ok("DELETE", "/integrations/code");
  assert.equal(await kept(), "0 0");
  assert.equal((await connect("code", { type: "OAUTH2", access_token: "at" })).status, 404);
});

const nodeShow = (node, key, n) => node.call("GET", `/connections/c${n}?provider_config_key=code`, { key });
