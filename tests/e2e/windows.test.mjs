// SPDX-License-Identifier: Apache-2.0
// What a run finds when it begins, and what it leaves: datasets in use, delete windows, quarantine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deployed, key, save } from "./lib/ledger.mjs";
import { psql } from "./lib/nangod.mjs";

test("a dataset is in use from a run's beginning, and with each of its pages", async (t) => {
  const { nangod, provider, ledger, trigger, row } = await deployed(t, "ledger");
  await ledger([[save("1", { v: 1 })]]);
  const neglect = () => psql(nangod, `UPDATE nango_data.dataset SET used_at = used_at - interval '61 days' WHERE connection_id = ${row}`);
  const isUsed = () => psql(nangod, `SELECT used_at > nango_data.clock_now() - interval '1 minute' FROM nango_data.dataset WHERE connection_id = ${row}`);
  const pages = [1, 2].map(() => ({ asked: Promise.withResolvers(), gate: Promise.withResolvers() }));
  provider.reply("GET /ledger", async ({ query }) => {
    const page = Number(query.get("page"));
    pages[page - 1].asked.resolve();
    await pages[page - 1].gate.promise;
    return { json: { ops: [save(String(page + 1), { v: 1 })], is_last: page === 2 } };
  });
  await neglect();
  await trigger("ledger");
  await pages[0].asked.promise;
  assert.equal(await isUsed(), "t", "before its first page");
  await neglect();
  pages[0].gate.resolve();
  await pages[1].asked.promise;
  assert.equal(await isUsed(), "t", "by a page");
  pages[1].gate.resolve();
  assert.equal((await nangod.settled(key, "acme", "ledger")).latestExecutionStatus, "SUCCESS");
});
