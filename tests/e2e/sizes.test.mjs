// SPDX-License-Identifier: Apache-2.0
// The largest record and the largest page go the whole way: plugin, runner, nangod, Postgres, GET /records, and back
// to a plugin that reads them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deployed, key } from "./lib/ledger.mjs";
import { psql } from "./lib/nangod.mjs";

const RECORD_MAX = 10 * 1024 * 1024; // NANGO_RECORD_BYTES_MAX
const PAGE_MAX = 100 * 1024 * 1024; // NANGO_PAGE_BYTES_MAX
const RECORD_COSTS = 8; // two lengths of each record count for the page

/** What the plugin makes. */
function block(n, tag, bytes) {
  const head = `{"id":"${n}","tag":"${tag}","fill":"`;
  const text = Buffer.alloc(bytes, 0);
  text.write(head);
  for (let i = head.length; i < bytes - 2; i++) text[i] = 97 + ((i * 7 + n) % 26);
  text.write('"}', bytes - 2);
  return text;
}

async function world(t) {
  const { nangod, trigger, row, headers } = await deployed(t, "heavy");
  const run = async (metadata) => {
    await nangod.ok("POST", "/connections/metadata", { body: { connection_id: "acme", provider_config_key: key, metadata: { count: 0, bytes: 0, last: 0, tag: "x", ...metadata } } });
    await trigger("heavy");
    return nangod.settled(key, "acme", "heavy", 120);
  };
  /** The whole feed, as bytes. */
  const feed = async () => {
    const answer = await fetch(`${nangod.url}/records?model=Block&limit=100`, { headers: { ...headers, authorization: `Bearer ${nangod.key}` } });
    assert.equal(answer.status, 200);
    return Buffer.from(await answer.arrayBuffer());
  };
  const stored = () => psql(nangod, `SELECT coalesce(string_agg(external_id || ':' || length(payload), ' ' ORDER BY seq), '') FROM nango_data.record WHERE connection_id = ${row}`);
  return { nangod, run, feed, stored, row };
}

/** Each of these stands in the feed as the plugin wrote it, but for the metadata before its last brace. */
function assertHolds(feed, blocks) {
  let at = 0;
  for (const bytes of blocks) {
    const whole = bytes.subarray(0, bytes.length - 1);
    at = feed.indexOf(whole.subarray(0, 64), at);
    assert.ok(at >= 0 && feed.compare(whole, 0, whole.length, at, at + whole.length) === 0, bytes.subarray(0, 40).toString());
    at += whole.length;
  }
  assert.equal(JSON.parse(feed).records.length, blocks.length);
}

test("a record of 10 MiB is stored whole, and one of a byte more ends the run with its name", async (t) => {
  const { run, feed, stored } = await world(t);
  const saved = await run({ count: 1, bytes: RECORD_MAX });
  assert.equal(saved.latestExecutionStatus, "SUCCESS", JSON.stringify(saved));
  assertHolds(await feed(), [block(1, "x", RECORD_MAX)]);
  const refused = await run({ count: 1, bytes: 1000, last: RECORD_MAX + 1 });
  assert.equal(refused.latestError?.cause, "invalid record", JSON.stringify(refused));
  assert.match(refused.latestError.message, /a record of Block is larger than 10485760 bytes/);
  assert.equal(await stored(), `1:${RECORD_MAX}`, "nothing of its page is in");
});

test("a page of 100 MiB is stored whole, changed whole, and one of a byte more ends the run", { timeout: 400_000 }, async (t) => {
  const { nangod, run, feed, stored } = await world(t);
  const last = PAGE_MAX - 9 * (RECORD_MAX + RECORD_COSTS) - RECORD_COSTS;
  const full = { count: 9, bytes: RECORD_MAX, last };
  const refused = await run({ ...full, last: last + 1 });
  assert.equal(refused.latestError?.cause, "protocol violation", JSON.stringify(refused));
  assert.match(refused.latestError.message, /more than 100 MB or 1000000 records were saved without a commit/);
  assert.equal(await stored(), "", "nothing of it is in");
  for (const tag of ["first", "second"]) {
    const { latestExecutionStatus, latestResult, latestError } = await run({ ...full, tag });
    assert.equal(latestExecutionStatus, "SUCCESS", JSON.stringify(latestError));
    assert.deepEqual(latestResult, { Block: { added: tag === "first" ? 10 : 0, updated: tag === "first" ? 0 : 10, deleted: 0 } });
    assertHolds(await feed(), Array.from({ length: 10 }, (_, i) => block(i + 1, tag, i < 9 ? RECORD_MAX : last)));
  }
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${nangod.pid}/status`, "utf8"))[1]);
  t.diagnostic(`nangod: at most ${Math.round(peak / 1024)} MiB`);
  assert.ok(peak < 600 * 1024, `${peak} kB: a page is held a few times over, not more`);
});

test("stored records of 10 MiB are listed page by page; looked up by ids, more than an answer holds ends the run", { timeout: 100_000 }, async (t) => {
  const { nangod, run, row } = await world(t);
  assert.equal((await run({ count: 14, bytes: 1000 })).latestExecutionStatus, "SUCCESS");
  await psql(nangod, `UPDATE nango_data.record SET payload = convert_to('{"id":"' || external_id || '","tag":"x","fill":"' || repeat('x', ${RECORD_MAX} - 64) || '"}', 'UTF8') WHERE connection_id = ${row}`);
  for (const metadata of [{ count: 14, reads: "list" }, { count: 9, reads: "ids" }]) {
    const { latestExecutionStatus, latestError } = await run(metadata);
    assert.equal(latestExecutionStatus, "SUCCESS", JSON.stringify(latestError));
  }
  const refused = await run({ count: 14, reads: "ids" });
  assert.equal(refused.latestError?.code, "response_too_large", JSON.stringify(refused));
  assert.match(refused.latestError.message, /records of Block could not be read: .*ask for fewer at once/);
});
