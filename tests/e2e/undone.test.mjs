// SPDX-License-Identifier: Apache-2.0
// Pages that change nothing do not wait for the disk, so a crash of Postgres may undo the newest of them: then the run
// does them once more, and takes no record for gone that they had seen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deployed, key, save } from "./lib/ledger.mjs";
import { until } from "./lib/nangod.mjs";
import { Cluster, serveOn } from "./lib/postgres.mjs";

const pages = ["1", "2", "3", "4", "5"].map((id) => [save(id, { v: 1 })]);

test("Postgres crashes before quiet pages are on its disk", { timeout: 120_000 }, async (t) => {
  const cluster = await Cluster.start(t, { fsync: "on", wal_writer_delay: "10s" });
  const world = await deployed(t, "ledger", { on: (t) => serveOn(t, cluster) });
  const { nangod, provider, ledger, trigger } = world;
  assert.deepEqual((await ledger(pages)).latestResult, { Entry: { added: 5, updated: 0, deleted: 0 } });

  const asked = [];
  const gate = Promise.withResolvers();
  const last = Promise.withResolvers();
  provider.reply("GET /ledger", async ({ query }) => {
    const page = Number(query.get("page"));
    asked.push(page);
    if (page === pages.length && !last.isOver) {
      last.isOver = true;
      last.resolve();
      await gate.promise;
    }
    return { json: { ops: pages[page - 1], is_last: page === pages.length } };
  });
  await trigger("ledger");
  await last.promise;
  await cluster.kill();
  await cluster.up();
  const there = Number(await cluster.sql("SELECT pages FROM nango_data.fence WHERE state = 'open'"));
  assert.ok(there >= 1 && there < 4, `${there} pages are there`); // the first opens the window and is waited for
  gate.resolve();

  // What had connections to the old Postgres answers 503 first.
  const end = await until(
    () => nangod.settled(key, "acme", "ledger", 60).catch((e) => (/: 503 /.test(e.message) ? null : Promise.reject(e))),
    () => "it answers 503",
  );
  assert.equal(end.latestExecutionStatus, "SUCCESS");
  assert.deepEqual(end.latestResult, { Entry: { added: 0, updated: 0, deleted: 0 } });
  assert.deepEqual(asked.slice(0, 5), [1, 2, 3, 4, 5]);
  assert.deepEqual(asked.slice(5), [1, 2, 3, 4, 5].slice(there), "from the last page that was there on");
  const { records } = await nangod.records(key, "acme", "Entry");
  assert.deepEqual(records.map((r) => r.id).sort(), ["1", "2", "3", "4", "5"]);
});
