// SPDX-License-Identifier: Apache-2.0
// A node behind PgBouncer in transaction mode: statements of one session are answered by many.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildItems, item, key } from "./lib/items.mjs";
import { scratch, serve, socketDir, start, until } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";

/** PgBouncer before a node's Postgres, as the user that it runs as (root is refused): a connection string. */
async function bouncer(t, nangod) {
  const dir = scratch(t);
  const { uid, gid } = statSync(join(nangod.data_dir, "postgres"));
  const file = join(dir, "pgbouncer.ini");
  writeFileSync(
    file,
    `[databases]
* = host=${socketDir(nangod)} user=nango
[pgbouncer]
listen_addr =
unix_socket_dir = ${dir}
auth_type = any
pool_mode = transaction
default_pool_size = 3
`,
  );
  chownSync(dir, uid, gid);
  const child = spawn("/usr/sbin/pgbouncer", [file], { uid, gid, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  t.after(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await until(() => existsSync(join(dir, ".s.PGSQL.6432")), () => log);
  return { url: `host=${dir} port=6432 user=nango dbname=postgres`, log: () => log };
}

test("a node whose sessions share three of Postgres' in turn", { timeout: 120_000 }, async (t) => {
  const provider = await fakeProvider(t);
  provider.reply("GET /items", ({ query }) => ({ json: query.get("page") === "1" ? Array.from({ length: 50 }, (_, i) => item(i)) : [] }));
  const first = await start(t, { env: { NANGO_ROLES: "api" } });
  const pool = await bouncer(t, first);
  const direct = `host=${socketDir(first)} user=nango dbname=postgres`;
  const node = await serve(t, first, { NANGO_DATABASE_URL: pool.url, NANGO_DATABASE_DIRECT_URL: direct });
  await node.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await node.deploy(await buildItems(t), key);
  await node.connect(key, { id: "acme", baseUrl: provider.url, credentials: { type: "NONE" } });
  assert.equal((await node.settled(key, "acme", "items")).status, "SUCCESS");
  for (let i = 0; i < 20; i++) {
    const all = await Promise.all(Array.from({ length: 10 }, (_, k) => (k % 2 ? node.records(key, "acme", "Item") : node.ok("GET", "/connections?limit=5"))));
    assert.equal(all[1].records.length, 50);
    assert.equal(all[0].connections.length, 1);
  }
  assert.doesNotMatch(node.log(), /prepared statement/);
});
