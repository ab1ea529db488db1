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

/** The same plugin under models that differ in what v may be. */
const strict = (text) => text.replace(/ {4}\$extra: keep\n/, '    v: "integer?"\n');
const loose = (text) => text.replace(/ {4}\$extra: keep\n/, '    v: "json?"\n');
const good = ["1", "2", "3"].map((id) => save(id, { v: 1 }));
const bad = save("x", { v: "text" });

async function inQuarantine({ nangod, headers }) {
  const { records } = await nangod.ok("GET", "/records/quarantine?model=Entry", { headers });
  return records.map(({ id, path }) => [id, path]);
}

/** A provider whose page 1 is there and whose page 2 fails: a run over it leaves its window open. */
async function leftOpen({ nangod, provider, trigger }, ops) {
  provider.reply("GET /ledger", ({ query }) => (query.get("page") === "1" ? { json: { ops, is_last: false } } : { status: 400, json: {} }));
  await trigger("ledger");
  assert.equal((await nangod.settled(key, "acme", "ledger")).latestExecutionStatus, "ERROR");
}

test("a reset forgets what an open delete window had seen", async (t) => {
  const world = await deployed(t, "ledger");
  const { nangod, ledger, row } = world;
  await ledger([["1", "2", "3"].map((id) => save(id, { v: 1 }))]);
  await leftOpen(world, ["1", "2"].map((id) => save(id, { v: 1 })));
  assert.equal(await psql(nangod, `SELECT window_id <> 0 FROM nango_data.dataset WHERE connection_id = ${row}`), "t");
  const { latestResult } = await ledger([[save("3", { v: 1 })]], { reset: true });
  assert.deepEqual(latestResult, { Entry: { added: 0, updated: 0, deleted: 2 } });
  assert.equal(await psql(nangod, `SELECT count(*) FROM nango_data.seen WHERE connection_id = ${row}`), "0");
});

test("a walk that finds only new ids deletes nothing on its own word", async (t) => {
  const { ledger } = await deployed(t, "ledger");
  const walk = (from) => [Array.from({ length: 20 }, (_, i) => save(String(from + i), { v: 1 }))];
  await ledger(walk(0));
  const { latestExecutionStatus, latestError } = await ledger(walk(1000));
  assert.equal(latestExecutionStatus, "ERROR");
  assert.equal(latestError.cause, "delete guard");
  assert.match(latestError.message, /did not see 20 of the 20 records of Entry that were live when its window was opened/);
  assert.deepEqual((await ledger(walk(1000), { force_deletes: true })).latestResult, { Entry: { added: 20, updated: 0, deleted: 20 } });
});

test("back from a looser model, what only that one allowed is checked", async (t) => {
  const world = await deployed(t, "ledger", { edit: strict });
  await world.ledger([good]);
  await world.deploy(loose);
  await leftOpen(world, [...good, bad]);
  await world.deploy(strict);
  await world.ledger([[...good, bad]], { reset: true });
  assert.deepEqual(await inQuarantine(world), [["x", "v"]]);
});

test("back from a looser model that let a record out of the quarantine, it is checked", async (t) => {
  const world = await deployed(t, "ledger", { edit: loose });
  await world.ledger([[...good, bad]]);
  await world.deploy(strict);
  await world.ledger([[...good, bad], []]);
  assert.deepEqual(await inQuarantine(world), [["x", "v"]]);
  await world.deploy(loose);
  await leftOpen(world, [...good, bad]);
  assert.deepEqual(await inQuarantine(world), []);
  await world.deploy(strict);
  await world.ledger([[...good, bad]], { reset: true });
  assert.deepEqual(await inQuarantine(world), [["x", "v"]]);
});

test("a walk that began under a looser model says nothing of what the stricter one has not seen", async (t) => {
  const world = await deployed(t, "ledger", { edit: loose });
  const pages = [[...good, bad], [save("4", { v: 1 })]];
  await world.ledger(pages);
  await leftOpen(world, pages[0]);
  await world.deploy(strict);
  await world.ledger(pages); // page 2 alone: the checkpoint says so
  assert.deepEqual(await inQuarantine(world), []);
  await world.ledger(pages);
  assert.deepEqual(await inQuarantine(world), [["x", "v"]]);
});
