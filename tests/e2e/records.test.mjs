// SPDX-License-Identifier: Apache-2.0
// Records: the feed under many writers, filters, pruning, quarantine, sealing, deletion.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deployed, ids, key, save } from "./lib/ledger.mjs";
import { program, psql, run, socketDir, until } from "./lib/nangod.mjs";

const RACE_SECONDS = 60;

test("eight writers and a polling reader: no change is lost", { timeout: (RACE_SECONDS + 120) * 1000 }, async (t) => {
  const { nangod, trigger, row, headers } = await deployed(t, "writers", {
    env: { NANGO_LOG: "warn", NANGO_TICK_MS: "20", NANGO_WORKER_THREADS: "8" },
    connection: { metadata: { rounds: 40 } },
  });
  const writers = ["first", "second", "third", "fourth", "fifth", "touch"];
  const end = Date.now() + RACE_SECONDS * 1000;
  const isOver = () => Date.now() > end;
  const seen = new Map(); // id → cursor of its newest version that the reader saw
  let cursor = "";
  let reads = 0;

  async function readOnce() {
    const answer = await nangod.records(key, "acme", "Row", `&limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    for (const { id, _nango_metadata: meta } of answer.records) {
      seen.set(id, meta.cursor);
      cursor = meta.cursor;
    }
    reads++;
    return answer.records.length;
  }
  async function read() {
    while (!isOver()) await readOnce();
  }
  async function keepRunning(sync) {
    while (!isOver()) {
      await trigger(sync);
      await until(async () => (await nangod.status(key, "acme", sync)).status !== "RUNNING", `${sync} does not end`, 60);
    }
    assert.equal((await nangod.settled(key, "acme", sync, 60)).latestExecutionStatus, "SUCCESS", sync);
  }
  async function prune() {
    let pruned = 0;
    while (!isOver()) {
      if (!cursor) await readOnce();
      else pruned += (await nangod.ok("PATCH", "/records/prune", { headers, body: { model: "Row", until_cursor: cursor, limit: 500 } })).count;
    }
    return pruned;
  }
  const [pruned] = await Promise.all([prune(), prune(), read(), ...writers.map(keepRunning)]);
  while ((await readOnce()) > 0);
  const stored = JSON.parse(await psql(nangod, `SELECT json_agg(json_build_array(external_id, d.id, d.epoch, r.seq)) FROM nango_data.record r
    JOIN nango_data.dataset d ON d.id = r.dataset_id WHERE r.connection_id = ${row}`));
  const lost = stored.filter(([id, dataset, epoch, seq]) => seen.get(id) !== Buffer.from(`1:${dataset}:${epoch}:${seq}`).toString("base64"));
  const head = Number(await psql(nangod, `SELECT seq FROM nango_data.dataset WHERE connection_id = ${row}`));
  t.diagnostic(`${head} changes to ${stored.length} records, ${reads} reads, ${pruned} pruned`);
  assert.deepEqual(lost, []);
  assert.ok(head > 5000 && reads > 100 && pruned > 0, "there was a race at all");
});

test("filters: every combination", async (t) => {
  const { nangod, ledger } = await deployed(t, "ledger");
  await ledger([["added", "updated", "deleted", "seen"].map((id) => save(id, { v: 1 }))]);
  await nangod.settled(key, "acme", "ledger");
  await ledger([[save("updated", { v: 2 }), save("added", { v: 1 }), save("seen", { v: 1 })]]);
  const all = { added: ["added", "seen"], updated: ["updated"], deleted: ["deleted"] };
  const words = Object.keys(all);
  for (let mask = 1; mask < 8; mask++) {
    const wanted = words.filter((_, bit) => mask & (1 << bit));
    for (const filter of [wanted.join(","), [...wanted].reverse().join(",").toUpperCase()]) {
      const answer = await nangod.records(key, "acme", "Entry", `&filter=${filter}`);
      assert.deepEqual(ids(answer).sort(), wanted.flatMap((word) => all[word]).sort(), filter);
    }
  }
  const gone = (await nangod.records(key, "acme", "Entry", "&filter=deleted")).records[0];
  assert.equal(gone.v, 1, "the last payload of a deleted record stays");
  assert.equal(gone._nango_metadata.last_action, "DELETED");
  assert.ok(gone._nango_metadata.deleted_at);
  assert.deepEqual(ids(await nangod.records(key, "acme", "Entry", "&ids=seen&ids=deleted&ids=nobody")).sort(), ["deleted", "seen"]);
});

test("pruning up to a cursor, with the official client, too", async (t) => {
  const { nangod, ledger, headers } = await deployed(t, "ledger");
  await ledger([["1", "2", "3", "4", "5"].map((id) => save(id, { v: id }))]);
  const { records } = await nangod.records(key, "acme", "Entry");
  const prune = (body) => nangod.call("PATCH", "/records/prune", { headers, body: { model: "Entry", ...body } });
  const until_cursor = records[3]._nango_metadata.cursor;
  assert.deepEqual((await prune({ until_cursor, limit: 3 })).body, { count: 3, has_more: true });
  const done = await nangod.client.pruneRecords({ providerConfigKey: key, connectionId: "acme", model: "Entry", untilCursor: until_cursor });
  assert.deepEqual(done, { count: 1, has_more: false });
  assert.deepEqual((await prune({ until_cursor })).body, { count: 0, has_more: false });
  const after = (await nangod.records(key, "acme", "Entry")).records;
  assert.deepEqual(after.map((record) => [record.id, record.v, record._nango_metadata.pruned_at !== null]), [["1", undefined, true], ["2", undefined, true], ["3", undefined, true], ["4", undefined, true], ["5", "5", false]]);
  assert.deepEqual(after.map((record) => record._nango_metadata.cursor), records.map((record) => record._nango_metadata.cursor), "cursors stay");

  await ledger([["1", "2", "3", "4"].map((id) => save(id, { v: id })).concat(save("5", { v: "new" }))]);
  const again = (await nangod.records(key, "acme", "Entry")).records;
  assert.equal(again.find((record) => record.id === "1").v, undefined, "unchanged: it stays empty");
  assert.equal(again.at(-1).v, "new");

  for (const [body, code] of [[{}, "invalid_body"], [{ until_cursor: "x" }, "invalid_cursor"], [{ until_cursor, limit: 0 }, "invalid_body"], [{ until_cursor, limit: 10001 }, "invalid_body"], [{ until_cursor, model: "Nothing" }, "invalid_cursor"]]) {
    const refused = await prune(body);
    assert.equal(refused.body.error?.code, code, JSON.stringify([body, refused.body]));
  }
});

test("a walk deletes what is gone, survives a failure in the middle, and stops at the guard", async (t) => {
  const { nangod, provider, ledger, trigger } = await deployed(t, "ledger");
  const many = Array.from({ length: 30 }, (_, i) => save(String(i), { v: 1 }));
  await ledger([many]);
  // The second page fails; the next run goes on behind the first, within the same window.
  provider.reply("GET /ledger", ({ query }) => (query.get("page") === "1" ? { json: { ops: many.slice(0, 20), is_last: false } } : { status: 400, json: {} }));
  await trigger("ledger");
  assert.equal((await nangod.settled(key, "acme", "ledger")).latestExecutionStatus, "ERROR");
  const second = await ledger([[], many.slice(20, 28)]);
  assert.deepEqual(second.latestResult, { Entry: { added: 0, updated: 0, deleted: 2 } });
  assert.deepEqual(ids(await nangod.records(key, "acme", "Entry", "&filter=deleted")), ["28", "29"]);

  const guarded = await ledger([[save("0", { v: 1 })]]);
  assert.equal(guarded.latestError?.cause, "delete guard", JSON.stringify(guarded));
  assert.equal(guarded.latestError.code, "delete_guard");
  assert.match(guarded.latestError.message, /27 of the 28 records of Entry that were live/);
  assert.deepEqual(guarded.recordCount, { Entry: 28 }, "nothing was deleted");
  const forced = await ledger([[save("0", { v: 1 })]], { force_deletes: true });
  assert.deepEqual(forced.latestResult, { Entry: { added: 0, updated: 0, deleted: 27 } });
});

test("what makes a change: not the order of members, not white space, not what is volatile", async (t) => {
  const { nangod, provider, trigger } = await deployed(t, "items");
  const page = (text) => provider.reply("GET /items", ({ query }) => ({ text: query.get("page") === "1" ? text : "[]" }));
  const after = async (text) => {
    page(text);
    await trigger("items", { reset: true });
    return (await nangod.settled(key, "acme", "items")).latestResult.Item;
  };
  await nangod.settled(key, "acme", "items");
  const same = { added: 0, updated: 0, deleted: 0 };
  const changed = { ...same, updated: 1 };
  assert.deepEqual(await after('[{"id":"1","title":"a","extra":{"x":1,"y":[{"p":1,"q":2}]},"meta":{"etag":"1","by":"me"},"seen_at":1}]'), { ...same, added: 1 });
  assert.deepEqual(await after('[ {"seen_at":2, "meta":{"by":"me", "etag":"2"}, "extra":{"y":[{"q":2,"p":1}],"x":1}, "title":"a","id":"1"} ]'), same);
  assert.deepEqual(await after('[{"id":"1","title":"a","extra":{"x":1,"y":[{"p":1,"q":2}]},"meta":{"etag":"1","by":"you"},"seen_at":1}]'), changed);
  assert.deepEqual(await after('[{"id":"1","title":"a","extra":{"x":1.0,"y":[{"p":1,"q":2}]},"meta":{"etag":"1","by":"you"},"seen_at":1}]'), changed, "1.0 is not 1");
});

test("a record that its model does not allow is in quarantine, and leaves when a good one comes", async (t) => {
  const { nangod, provider, trigger } = await deployed(t, "items");
  const items = [{ id: "1", title: "good" }, { id: "2", title: "bad", rank: "9223372036854775808" }, { id: "3" }];
  const page = (list) => provider.reply("GET /items", ({ query }) => ({ text: query.get("page") === "1" ? JSON.stringify(list).replace(/"(\d{19})"/, "$1") : "[]" }));
  page(items);
  await nangod.settled(key, "acme", "items");
  await trigger("items", { reset: true });
  const status = await nangod.settled(key, "acme", "items");
  assert.equal(status.latestExecutionStatus, "SUCCESS", JSON.stringify(status));
  const quarantine = () => nangod.ok("GET", "/records/quarantine?model=Item", { headers: { "provider-config-key": key, "connection-id": "acme" } });
  const { records } = await quarantine();
  assert.deepEqual(records.map(({ id, path }) => [id, path]), [["2", "rank"], ["3", "title"]], JSON.stringify(records));
  assert.ok(records[0].reason && records[0].times >= 1 && JSON.parse(records[0].record).id === "2");
  assert.deepEqual(ids(await nangod.records(key, "acme", "Item")), ["1"]);
  const listed = await run(program("nango-plugin"), ["list", "Item", "--quarantine", "--integration", key, "--connection", "acme"], { env: { NANGO_HOSTPORT: nangod.url, NANGO_SECRET_KEY_DEV: nangod.key } });
  assert.match(listed.stdout, /^id\s+path\s+reason\s+times\s+last_seen_at\n2\s+rank\s+.*\n3\s+title\s+.*\n\(2 records\)/, listed.stderr);
  page([{ id: "2", title: "mended" }, { id: "3" }]);
  await trigger("items", { reset: true });
  await nangod.settled(key, "acme", "items");
  assert.deepEqual((await quarantine()).records.map(({ id }) => id), ["3"]);
  assert.deepEqual(ids(await nangod.records(key, "acme", "Item")), ["1", "2"]);
});

/** What is stored of the ledger: the head, its records, the checkpoint, and what is in quarantine. */
const storedOf = async (nangod, row) =>
  JSON.parse(await psql(nangod, `SELECT json_build_object(
    'head', (SELECT json_agg(json_build_array(seq, live, window_id > 0, quarantined)) FROM nango_data.dataset WHERE connection_id = ${row}),
    'records', (SELECT json_agg(external_id ORDER BY seq) FROM nango_data.record WHERE connection_id = ${row}),
    'checkpoint', (SELECT json_agg(json_build_array(version, body::json)) FROM nango_data.checkpoint WHERE connection_id = ${row}),
    'quarantine', (SELECT count(*) FROM nango_data.quarantine WHERE connection_id = ${row}))`));

for (const [why, bad, path, reason] of [
  ["a member of another type", { id: "bad", v: "s3cret" }, "v", /is not an integer of 64 bits/],
  ["a member that the model does not name", { id: "bad", v: 1, other: "s3cret" }, "other", /is no member of the model/],
  ["no id", { v: 1 }, "id", /is absent/],
])
  test(`$invalid: fail: ${why} fails the run, and nothing of its page is stored`, async (t) => {
    const edit = (text) => text.replace(/ {4}\$extra: keep\n/, '    v: "integer?"\n    $invalid: fail\n');
    const { nangod, ledger, row, headers } = await deployed(t, "ledger", { edit });
    const failed = await ledger([[save("1", { v: 1 }), save("2", { v: 1 })], [save("3", { v: 1 }), { save: bad }, { delete: { id: "1" } }, save("4", { v: 1 })], []]);
    assert.equal(failed.latestExecutionStatus, "ERROR");
    assert.equal(failed.latestError?.cause, "invalid record", JSON.stringify(failed));
    assert.equal(failed.latestError.code, "invalid_record");
    assert.ok(failed.latestError.message.includes(`of Entry is not what its model says: ${path}: `), failed.latestError.message);
    assert.match(failed.latestError.message, reason);
    assert.deepEqual(await storedOf(nangod, row), { head: [[2, 2, true, 0]], records: ["1", "2"], checkpoint: [[1, { page: 1 }]], quarantine: 0 });
    assert.deepEqual((await nangod.ok("GET", "/records/quarantine?model=Entry", { headers })).records, []);

    const mended = await ledger([[], [save("3", { v: 1 })]]);
    assert.equal(mended.latestExecutionStatus, "SUCCESS", "the next run goes on behind the last good page");
    assert.deepEqual((await storedOf(nangod, row)).records, ["1", "2", "3"]);
  });

test("sealed records: nothing to read in the database, everything over the API; unsealed ones stay readable", async (t) => {
  const { nangod, ledger } = await deployed(t, "ledger", { env: { NANGO_RECORDS_ENCRYPTION: "on" } });
  await ledger([[save("1", { v: "plainly visible" }), save("2", { v: "plainly visible" })], [{ update: { id: "1", w: "plainly merged" } }]]);
  const rows = await psql(nangod, "SELECT codec, position('plainly'::bytea in payload), length(payload) > 40 FROM nango_data.record");
  assert.deepEqual([...new Set(rows.split("\n"))], ["3|0|t"]);
  const { records } = await nangod.records(key, "acme", "Entry");
  assert.deepEqual(records.map(({ id, v, w }) => [id, v, w]), [["2", "plainly visible", undefined], ["1", "plainly visible", "plainly merged"]]);
  // A payload that was moved to another row does not open there.
  await psql(nangod, "UPDATE nango_data.record SET payload = (SELECT payload FROM nango_data.record WHERE external_id = '1') WHERE external_id = '2'");
  const broken = await nangod.call("GET", "/records?model=Entry", { headers: { "provider-config-key": key, "connection-id": "acme" }, raw: true }).catch((err) => err);
  assert.ok(broken instanceof Error || broken.status === 500, `${broken.status} ${broken.text}`);
});

test("after a restore, new epochs refuse the cursors from before", async (t) => {
  const { nangod, ledger, headers } = await deployed(t, "ledger");
  await ledger([[save("1", { v: 1 }), save("2", { v: 1 })]]);
  const { cursor } = (await nangod.records(key, "acme", "Entry")).records[0]._nango_metadata;
  const read = (cursor) => nangod.call("GET", `/records?model=Entry&cursor=${encodeURIComponent(cursor)}`, { headers });
  assert.equal((await read(cursor)).status, 200);
  const bumped = await run(program("nangod"), ["db", "--bump-epochs"], { env: { NANGO_DATABASE_URL: `host=${socketDir(nangod)} user=nango dbname=postgres` } });
  assert.match(bumped.stdout, /^1 datasets are in a new epoch/, bumped.stderr);
  const refused = await read(cursor);
  assert.equal(refused.status, 409);
  assert.equal(refused.body.error.code, "stale_cursor");
  await ledger([[save("1", { v: 2 }), save("2", { v: 1 })]]); // a run goes on in the new epoch
  assert.deepEqual((await nangod.records(key, "acme", "Entry")).records.map(({ id, v }) => [id, v]), [["2", 1], ["1", 2]]);
  assert.equal((await run(program("nangod"), ["db"])).code, 2);
});

test("a bad record leaves the quarantine when its id is deleted, in a complete walk without it, or after 30 days", async (t) => {
  const edit = (text) => text.replace(/ {4}\$extra: keep\n/, '    v: "integer?"\n');
  const { nangod, provider, ledger, trigger, row, headers } = await deployed(t, "ledger", { edit, env: { NANGO_RETENTION_MS: "100" } });
  const quarantine = async () => [
    (await nangod.ok("GET", "/records/quarantine?model=Entry", { headers })).records.map((r) => String(r.id)).sort(),
    Number(await psql(nangod, `SELECT quarantined FROM nango_data.dataset WHERE connection_id = ${row}`)),
  ];
  const bad = (id) => save(id, { v: "x" });
  await ledger([[save("1", { v: 1 }), bad("2"), bad("3"), { save: { v: 3 } }], [save("1", { v: 1 })]]);
  assert.deepEqual(await quarantine(), [["2", "3", "null"], 3], "also those that the page came with that opened the window");

  const page = { ops: [save("1", { v: 1 }), { delete: { id: "2" } }], is_last: false };
  provider.reply("GET /ledger", ({ query }) => (query.get("page") === "1" ? { json: page } : { status: 400, json: {} }));
  await trigger("ledger");
  await nangod.settled(key, "acme", "ledger");
  assert.deepEqual(await quarantine(), [["3", "null"], 2], "deleted; the walk is not complete");

  await ledger([[], [save("1", { v: 1 }), bad("3")]]); // goes on behind its first page
  assert.deepEqual(await quarantine(), [["3"], 1], "what has no id was not seen any more");
  await ledger([[save("1", { v: 1 })], [bad("3")]]);
  assert.deepEqual(await quarantine(), [["3"], 1]);

  await psql(nangod, "UPDATE nango_data.clock SET offset_by = '31 days'");
  await until(async () => (await quarantine())[1] === 0, "what is past its time stays");
  assert.deepEqual(await quarantine(), [[], 0]);
});

test("the quarantine is listed in answers of bounded size", async (t) => {
  const edit = (text) => text.replace(/ {4}\$extra: keep\n/, '    v: "integer?"\n');
  const { nangod, ledger, headers } = await deployed(t, "ledger", { edit });
  await ledger(["a", "b", "c"].map((id) => [save(id, { v: "x".repeat(5_000_000) })]));
  const ids = async (limit) => {
    const answers = [];
    for (let after = 0; after !== null; ) {
      const { records, next_after } = await nangod.ok("GET", `/records/quarantine?model=Entry&after=${after}${limit}`, { headers });
      answers.push(records.map((r) => r.id).join(""));
      after = next_after;
    }
    return answers;
  };
  assert.deepEqual(await ids(""), ["ab", "c"], "another one only below 8 MB");
  assert.deepEqual(await ids("&limit=1"), ["a", "b", "c"]);
  assert.deepEqual(await ids("&limit=2"), ["ab", "c"]);
});

test("a removed dataset takes the checkpoints of syncs that do not run any more, and no other", async (t) => {
  const { nangod, provider, ledger, trigger, row } = await deployed(t, "ledger", { env: { NANGO_RETENTION_MS: "100" } });
  const checkpoints = () => psql(nangod, `SELECT key, body FROM nango_data.checkpoint WHERE connection_id = ${row} ORDER BY key`);
  await ledger([[save("1", { v: 1 })]]);
  provider.reply("GET /ledger", ({ query }) => (query.get("page") === "1" ? { json: { ops: [], is_last: false } } : { status: 400, json: {} }));
  await trigger("ledger");
  await nangod.settled(key, "acme", "ledger");
  await psql(nangod, `INSERT INTO nango_data.checkpoint (connection_id, key, body) VALUES (${row}, 'sync:gone', '{}');
    UPDATE nango_data.checkpoint SET updated_at = updated_at - interval '61 days', used_at = used_at - interval '61 days'`);
  await trigger("ledger"); // it goes on behind its first page, and commits nothing
  assert.equal((await nangod.settled(key, "acme", "ledger")).latestExecutionStatus, "ERROR");
  await psql(nangod, `INSERT INTO nango_data.dataset (connection_id, model, variant, used_at) VALUES (${row}, 'Other', 'base', nango_data.clock_now() - interval '61 days')`);
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango_data.dataset WHERE model = 'Other'")) === "0", "nobody looks");
  assert.equal(await checkpoints(), 'sync:gone|\nsync:ledger|{"page":1}');
});

test("what is past its time goes: payloads after 30 days, datasets without runs after 60, a deleted connection's data after one", async (t) => {
  const { nangod, ledger, row, headers } = await deployed(t, "ledger", { env: { NANGO_RETENTION_MS: "100" } });
  const days = (n) => psql(nangod, `UPDATE nango_data.clock SET offset_by = '${n} days'; UPDATE nango.clock SET offset_by = '${n} days'`);
  const count = (what, table, where = "true") => psql(nangod, `SELECT ${what} FROM nango_data.${table} WHERE connection_id = ${row} AND ${where}`).then(Number);
  await ledger([[save("1", { v: 1 }), save("2", { v: 1 })]]);
  await days(20);
  await ledger([[save("1", { v: 2 }), save("2", { v: 1 })]]);
  await days(31);
  await until(async () => (await count("count(*)", "record", "payload IS NULL")) === 1, "the old payload is not emptied");
  const { records } = await nangod.records(key, "acme", "Entry");
  assert.deepEqual(records.map(({ id, v }) => [id, v]), [["2", undefined], ["1", 2]], "only what did not change for 30 days");
  const { cursor } = records[1]._nango_metadata;

  // A run that finds nothing keeps what is there; one that is looked at beside it goes.
  await days(70);
  await ledger([[]]);
  await days(70 + 59);
  await psql(nangod, "INSERT INTO nango_data.dataset (connection_id, model, variant, used_at) VALUES (0, 'Old', 'base', nango_data.clock_now() - interval '61 days')");
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango_data.dataset WHERE connection_id = 0")) === "0", "nobody looks");
  assert.equal(await count("count(*)", "record"), 2, "a dataset with runs is kept");

  await days(70 + 61);
  await until(async () => (await count("count(*)", "dataset")) + (await count("count(*)", "record")) === 0, "the dataset without runs is not removed");
  const stale = await nangod.call("GET", `/records?model=Entry&cursor=${encodeURIComponent(cursor)}`, { headers });
  assert.equal(stale.body.error.code, "invalid_cursor");
  assert.match(JSON.stringify(stale.body), /nothing is saved for this model, or not any more/);
  const anew = await ledger([[save("1", { v: 2 }), save("2", { v: 1 })]]);
  assert.deepEqual(anew.latestResult, { Entry: { added: 2, updated: 0, deleted: 0 } }, "the next run begins anew");
  const removed = await nangod.call("GET", `/records?model=Entry&cursor=${encodeURIComponent(cursor)}`, { headers });
  assert.equal(removed.body.error.code, "invalid_cursor");
  assert.match(JSON.stringify(removed.body), /or its dataset was removed since: read it again without a cursor/);

  await nangod.ok("DELETE", "/connections/acme?provider_config_key=" + key);
  await days(70 + 61 + 2);
  await until(async () => (await count("count(*)", "record")) + (await count("count(*)", "dataset")) + (await count("count(*)", "checkpoint")) === 0, "the deleted connection's data is not purged");
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.connection WHERE data_purged_at IS NULL")) === "0", "the purge is not written down");
});
