// SPDX-License-Identifier: Apache-2.0
// Ten thousand runs that wait on a slow API, in one node: no error, bounded memory and descriptors.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { claimed, descriptors, latencies, manyRuns, pss } from "./lib/many-runs.mjs";
import { psql, until } from "./lib/nangod.mjs";

const COUNT = Number(process.env.MANY_RUNS ?? 10_000);
const nice = (pid) => Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[16]);

test("ten thousand runs in flight", async (t) => {
  const { provider, nangod, forked, byZygote, begin } = await manyRuns(t, { count: COUNT });
  // Looking at ten thousand processes is dear: the database waits for their claims first.
  await claimed(nangod, COUNT);
  await until(() => forked() === COUNT, () => `${forked()} of ${COUNT} processes\n${nangod.log().slice(-3000)}`, 400);
  const started = performance.now() - begin;
  const memory = pss(nangod.pid) / 2 ** 30;
  const open = descriptors(nangod.pid);
  const scanned = async () => Number(await psql(nangod, "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'schedule'"));
  const before = await scanned();
  const get = await latencies(nangod, "/connections?limit=20", 200);
  assert.ok((await scanned()) - before < 10 * COUNT, "a list of connections looks at no schedule but failing ones");
  assert.equal(forked(), COUNT, "all are still there");
  assert.ok(byZygote().every((runs) => runs.length <= 256), "a fork is cheap among few siblings");
  assert.ok(byZygote().flat().every((pid) => nice(pid) === 10), "the server comes first");
  t.diagnostic(`${COUNT} started in ${(started / 1000).toFixed(1)} s, ${memory.toFixed(2)} GiB, ${open} descriptors, GET /connections p50 ${get[100].toFixed(1)} p99 ${get[198].toFixed(1)} ms`);
  assert.ok(memory <= 2, `${memory} GiB`);
  assert.ok(open <= COUNT + 1000, `${open} descriptors`);
  await provider.finish();
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.queue")) === "0", async () => psql(nangod, "SELECT count(*) FROM nango.queue"), 120);
  assert.equal(await psql(nangod, "SELECT state || ' ' || cause || ' ' || count(*) FROM nango.run GROUP BY state, cause"), `success  ${COUNT}`);
  assert.equal(await psql(nangod, "SELECT max(attempts) FROM nango.run"), "1", "none lost its lease");
});
