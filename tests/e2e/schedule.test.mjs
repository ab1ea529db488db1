// SPDX-License-Identifier: Apache-2.0
// When syncs run: cron and zones, a connection's own frequency, variants, missed runs, failures.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildItems, deployItems, item, key } from "./lib/items.mjs";
import { addVariants, children, isAlive, psql, serve, until } from "./lib/nangod.mjs";

const HOUR = 3_600_000;
const runs = (nangod, id = "acme") =>
  psql(nangod, `SELECT count(*) FROM nango.run r JOIN nango.connection c ON c.id = r.connection_id WHERE c.connection_id = '${id}'`).then(Number);
const jump = (nangod, interval) => psql(nangod, `UPDATE nango.clock SET offset_by = '${interval}'`);
const refused = async (nangod, method, path, body, status, code) => {
  const answer = await nangod.call(method, path, { body });
  assert.deepEqual([answer.status, answer.body.error.code], [status, code], `${method} ${path} ${JSON.stringify(body)}: ${answer.text}`);
};

/** The next 06:00 of a weekday in Berlin, by the platform's own calendar. */
function nextBerlinMorning(from) {
  const face = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Berlin", weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  for (let at = Math.ceil(from / 60_000) * 60_000; ; at += 60_000) {
    const part = Object.fromEntries(face.formatToParts(at).map((p) => [p.type, p.value]));
    if (part.hour === "06" && part.minute === "00" && !["Sat", "Sun"].includes(part.weekday)) return at;
  }
}

test("cron with a time zone: the first run at once, the next at six on a weekday in Berlin", async (t) => {
  const { nangod, connect } = await deployItems(t, { edit: (text) => text.replace("runs: every 1h", 'runs: {cron: "0 6 * * 1-5", time_zone: Europe/Berlin}') });
  await connect();
  const first = await nangod.settled(key, "acme", "items");
  assert.equal(first.frequency, "0 6 * * 1-5 (Europe/Berlin)");
  const due = Date.parse(first.nextScheduledSyncAt);
  const wanted = nextBerlinMorning(Date.now());
  assert.ok(due >= wanted && due < wanted + 20_000, `${first.nextScheduledSyncAt} is not within 20 s of ${new Date(wanted).toISOString()}`);
  await jump(nangod, `${due - Date.now() + 1000} milliseconds`);
  await until(async () => (await runs(nangod)) === 2, "cron did not fire");
  const second = await nangod.settled(key, "acme", "items");
  assert.ok(Date.parse(second.nextScheduledSyncAt) - due >= 23 * HOUR);
});

test("a connection's own frequency, with the official client; null takes it back", async (t) => {
  const { nangod, connect } = await deployItems(t);
  await connect();
  await connect({ id: "other" });
  await nangod.settled(key, "acme", "items");
  const client = nangod.client;
  assert.deepEqual(await client.updateSyncConnectionFrequency(key, "items", "acme", "every 5 minutes"), { frequency: "every 5m" });
  const own = await nangod.status(key, "acme", "items");
  assert.equal(own.frequency, "every 5m");
  assert.ok(Date.parse(own.nextScheduledSyncAt) - Date.now() <= 300_000);
  assert.equal((await nangod.status(key, "other", "items")).frequency, "every 1h");

  // A deployment changes the others only.
  await nangod.deploy(await buildItems(t, (text) => text.replace("runs: every 1h", "runs: every half hour")), key);
  assert.equal((await nangod.status(key, "acme", "items")).frequency, "every 5m");
  const other = await nangod.status(key, "other", "items");
  assert.equal(other.frequency, "every 30m");
  assert.ok(Date.parse(other.nextScheduledSyncAt) - Date.now() <= HOUR / 2, "and the next slot is the new interval's");
  assert.deepEqual(await client.updateSyncConnectionFrequency(key, "items", "acme", null), { frequency: "every 30m" });
  assert.equal((await nangod.status(key, "acme", "items")).frequency, "every 30m");

  const path = "/sync/update-connection-frequency";
  const body = { sync_name: "items", provider_config_key: key, connection_id: "acme" };
  const cron = await nangod.ok("PUT", path, { body: { ...body, frequency: { cron: "@daily", time_zone: "Asia/Tokyo" } } });
  assert.deepEqual(cron, { frequency: "@daily (Asia/Tokyo)" });
  assert.match((await nangod.status(key, "acme", "items")).nextScheduledSyncAt, /T15:00:[01]\d\.\d+Z$/, "midnight in Tokyo");
  await refused(nangod, "PUT", path, { ...body, frequency: "every 10s" }, 400, "invalid_body");
  await refused(nangod, "PUT", path, { ...body, frequency: 5 }, 400, "invalid_body");
  await refused(nangod, "PUT", path, { ...body, frequency: { cron: "0 25 * * *" } }, 400, "invalid_body");
  await refused(nangod, "PUT", path, { ...body, frequency: { cron: "@daily", time_zone: "../x" } }, 400, "invalid_body");
  await refused(nangod, "PUT", path, { ...body, sync_name: "nope", frequency: null }, 400, "unknown_sync");
  await refused(nangod, "PUT", path, { ...body, connection_id: "nope", frequency: null }, 400, "unknown_connection");

  // Another timing is no reason to run, whatever came before.
  const made = await psql(nangod, "SELECT count(*) FROM nango.any_run");
  for (const failures of [0, 9]) {
    await psql(nangod, `UPDATE nango.schedule SET failures = ${failures}`);
    await nangod.deploy(await buildItems(t, (text) => text.replace("runs: every 1h", `runs: {cron: "${failures} 6 * * *"}`)), key);
    const ahead = Date.parse((await nangod.status(key, "other", "items")).nextScheduledSyncAt) - Date.now();
    assert.ok(ahead > 0 && ahead < 25 * HOUR, `${failures} failures: ${ahead / HOUR} h`);
    assert.equal(await psql(nangod, "SELECT count(*) FROM nango.any_run"), made);
  }
});

test("variants: a checkpoint and records of their own, at most 100, the base protected", async (t) => {
  const { nangod, provider, connect } = await deployItems(t);
  await connect();
  await nangod.settled(key, "acme", "items");
  const client = nangod.client;
  const made = await client.createSyncVariant({ provider_config_key: key, connection_id: "acme", name: "items", variant: "blue" });
  assert.deepEqual([made.name, made.variant], ["items", "blue"]);
  assert.match(made.id, /^[0-9a-f-]{36}$/);
  provider.pages = [[item(1), item(2)]];
  const blue = await nangod.settled(key, "acme", "items::blue");
  assert.deepEqual([blue.id, blue.variant, blue.frequency], [made.id, "blue", "every 1h"]);
  await client.triggerSync(key, [{ name: "items", variant: "blue" }], "acme");
  await nangod.settled(key, "acme", "items::blue");
  const ids = async (variant) => (await nangod.records(key, "acme", "Item", `&variant=${variant}`)).records.map((r) => r.id);
  assert.deepEqual([await ids("blue"), await ids("base")], [["1", "2"], ["1"]]);
  await client.updateSyncConnectionFrequency(key, { name: "items", variant: "blue" }, "acme", "every 2h");
  assert.equal((await nangod.status(key, "acme", "items::blue")).frequency, "every 2h");
  assert.equal((await nangod.status(key, "acme", "items")).frequency, "every 1h");

  const body = { provider_config_key: key, connection_id: "acme" };
  const path = "/sync/items/variant";
  await refused(nangod, "POST", `${path}/blue`, body, 400, "sync_variant_already_exists");
  await refused(nangod, "POST", `${path}/base`, body, 400, "invalid_variant");
  await refused(nangod, "DELETE", `${path}/BASE`, body, 400, "invalid_variant");
  await refused(nangod, "POST", `${path}/a.b`, body, 400, "invalid_variant");
  await refused(nangod, "DELETE", `${path}/red`, body, 404, "not_found");
  await refused(nangod, "POST", "/sync/nope/variant/red", body, 400, "unknown_sync");
  await refused(nangod, "POST", `${path}/red`, { ...body, connection_id: "nope" }, 400, "unknown_connection");
  await addVariants(nangod, 98, "s.name = 'items'");
  assert.equal((await nangod.ok("POST", `${path}/hundredth`, { body })).variant, "hundredth");
  await refused(nangod, "POST", `${path}/red`, body, 400, "resource_capped");

  await client.deleteSyncVariant({ provider_config_key: key, connection_id: "acme", name: "items", variant: "blue" });
  assert.deepEqual([await ids("blue"), await ids("base")], [[], ["1"]]);
  assert.equal(await nangod.status(key, "acme", "items::blue"), undefined);
  await nangod.ok("POST", `${path}/blue`, { body });
  assert.equal((await nangod.settled(key, "acme", "items::blue")).latestResult.Item.added, 2, "the name begins from nothing");
});

test("missed runs: one for all, none, or each", async (t) => {
  const edit = (text) =>
    text.replace(/ {2}misbehave:[^]*?(?=models:\n)/, "").replace(/metadata: \{size: "integer\?"\}/, '$&\n    missed: POLICY');
  for (const [policy, more] of [["one", 1], ["skip", 0], ["all", 6]]) {
    await t.test(policy, async (t) => {
      const { nangod, connect } = await deployItems(t, { edit: (text) => edit(text).replace("POLICY", policy).replace(/name = "misbehave"/, "") });
      await connect();
      const due = Date.parse((await nangod.settled(key, "acme", "items")).nextScheduledSyncAt);
      await jump(nangod, `${due - Date.now() + 5 * HOUR + 120_000} milliseconds`);
      const next = () => nangod.status(key, "acme", "items").then((s) => Date.parse(s.nextScheduledSyncAt));
      await until(async () => (await next()) > due + 5 * HOUR + 120_000 && (await runs(nangod)) === 1 + more, async () => `${await runs(nangod)} runs`);
      assert.equal(((await next()) - due) % HOUR, 0, "it keeps to its slots");
      const status = await nangod.settled(key, "acme", "items");
      assert.equal(status.status, "SUCCESS");
      assert.equal(await runs(nangod), 1 + more);
    });
  }
});

test("missed: all: what is owed follows a run that was cancelled, too", async (t) => {
  const { nangod, provider, connect, trigger } = await deployItems(t, { edit: (text) => text.replace(/metadata: \{size: "integer\?"\}/, "$&\n    missed: all") });
  await connect();
  await nangod.settled(key, "acme", "items");
  const gate = Promise.withResolvers();
  provider.reply("GET /items", () => gate.promise);
  await trigger();
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.queue WHERE is_claimed")) === "1");
  await psql(nangod, "UPDATE nango.clock SET offset_by = '150 minutes'; UPDATE nango.queue SET due_at = due_at + interval '150 minutes'");
  const owed = () => psql(nangod, "SELECT owed FROM nango.schedule t JOIN nango.sync s ON s.id = t.sync_id WHERE s.name = 'items'").then(Number);
  const missed = await until(owed, "nothing is owed");
  provider.reply("GET /items", { json: [] });
  await nangod.ok("POST", `/runs/${await psql(nangod, "SELECT run_id FROM nango.queue")}/cancel`);
  gate.resolve({ json: [] });
  await until(async () => (await runs(nangod)) === 2 + missed, async () => `${await runs(nangod)} runs`);
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
  assert.deepEqual([await owed(), await runs(nangod)], [0, 2 + missed]);
});

test("missed: skip: a new connection's first run is no slot that was missed", async (t) => {
  const { nangod, connect } = await deployItems(t, { env: { NANGO_ROLES: "api" }, edit: (text) => text.replace(/metadata: \{size: "integer\?"\}/, "$&\n    missed: skip") });
  await connect();
  await jump(nangod, "2 minutes"); // the scheduler was away
  await serve(t, nangod, { NANGO_ROLES: "scheduler,worker,api" });
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
});

test("missed is the plugin's, whatever frequency a connection has", async (t) => {
  const { nangod, connect } = await deployItems(t);
  const missed = () => psql(nangod, "SELECT missed FROM nango.schedule t JOIN nango.sync s ON s.id = t.sync_id WHERE s.name = 'items'");
  const edited = (policy) => buildItems(t, (text) => text.replace(/metadata: \{size: "integer\?"\}/, `$&\n    missed: ${policy}`));
  await connect();
  await nangod.settled(key, "acme", "items");
  await nangod.client.updateSyncConnectionFrequency(key, "items", "acme", "every 5m");
  await nangod.deploy(await edited("all"), key);
  assert.equal(await missed(), "2");
  assert.equal((await nangod.status(key, "acme", "items")).frequency, "every 5m");
  await psql(nangod, "UPDATE nango.schedule SET missed = 0"); // as an older version left it
  await nangod.client.updateSyncConnectionFrequency(key, "items", "acme", null);
  assert.equal(await missed(), "2");
});

test("a scheduler without a time zone leaves what is due in it to others, and says so", async (t) => {
  const { nangod, connect } = await deployItems(t, { env: { NANGO_ROLES: "api" }, edit: (text) => text.replace("runs: every 1h", 'runs: {cron: "0 6 * * *", time_zone: Europe/Berlin}\n    missed: skip') });
  await connect();
  const due = () => psql(nangod, "SELECT t.due_at FROM nango.schedule t JOIN nango.sync s ON s.id = t.sync_id WHERE s.name = 'items'");
  const before = await due();
  const without = await serve(t, nangod, { NANGO_ROLES: "api,scheduler", TZDIR: "/nowhere" });
  const told = () => without.log().match(/no zone "Europe\/Berlin": what is due in it is left to other nodes/g) ?? [];
  await until(() => told().length > 0, () => without.log());
  assert.equal(await due(), before);
  await serve(t, nangod, { NANGO_ROLES: "api,scheduler,worker" });
  assert.equal((await nangod.settled(key, "acme", "items")).status, "SUCCESS");
  assert.equal(told().length, 1, "once, not with each look");
});

test("a failing cron sync keeps to its cron", async (t) => {
  const hour = new Date(Date.now() + 5 * HOUR).getUTCHours();
  const { nangod, connect } = await deployItems(t, { edit: (text) => text.replace("auto_start: false", "auto_start: true").replace(/(misbehave:[^]*?)runs: every 1h/, `$1runs: {cron: "*/10 ${hour} * * *"}`) });
  await connect({ metadata: { how: "fail" } });
  for (const sync of ["items", "misbehave"]) await nangod.settled(key, "acme", sync);
  await psql(nangod, "UPDATE nango.schedule SET failures = 8 WHERE cron IS NOT NULL");
  const before = await runs(nangod);
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["misbehave"], provider_config_key: key, connection_id: "acme" } });
  await until(async () => (await runs(nangod)) === before + 1);
  const status = await nangod.settled(key, "acme", "misbehave");
  const next = Date.parse(status.nextScheduledSyncAt);
  assert.deepEqual([status.consecutiveFailures, new Date(next).getUTCHours()], [9, hour]);
  // When what it was put off to has come, it waits for that slot.
  const due = () => psql(nangod, "SELECT date_part('epoch', due_at) * 1000 FROM nango.schedule WHERE cron IS NOT NULL").then(Number);
  const putOff = await due();
  assert.ok(putOff < next);
  await psql(nangod, "UPDATE nango.schedule SET is_paused = true WHERE cron IS NULL");
  await jump(nangod, `${Math.ceil(putOff - Date.now()) + 1000} milliseconds`);
  await until(async () => (await due()) === next, due);
  assert.equal(await runs(nangod), before + 1);
  await jump(nangod, `${next - Date.now() + 1000} milliseconds`);
  await until(async () => (await runs(nangod)) === before + 2, "the slot did not come");
});

test("a failing sync slows down, new credentials wake it, success forgets", async (t) => {
  const { nangod, connect } = await deployItems(t, { edit: (text) => text.replace("auto_start: false", "auto_start: true") });
  await connect({ metadata: { how: "fail" } });
  const trigger = async () => {
    const before = await runs(nangod);
    await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["misbehave"], provider_config_key: key, connection_id: "acme" } });
    await until(async () => (await runs(nangod)) > before);
    return nangod.settled(key, "acme", "misbehave");
  };
  await nangod.settled(key, "acme", "items");
  let status = await nangod.settled(key, "acme", "misbehave");
  const wait = (s) => Date.parse(s.nextScheduledSyncAt) - Date.now();
  assert.deepEqual([status.status, status.consecutiveFailures], ["ERROR", 1]);
  assert.ok(wait(status) <= HOUR);
  status = await trigger();
  assert.ok(status.consecutiveFailures === 2 && wait(status) <= HOUR, "two failures change nothing");
  for (const [failures, hours] of [[3, 2], [4, 4], [5, 8]]) {
    status = await trigger();
    assert.equal(status.consecutiveFailures, failures);
    assert.ok(Math.abs(wait(status) - hours * HOUR) < 30_000, `${failures} failures: ${wait(status) / HOUR} h`);
  }
  const before = await runs(nangod);
  await connect({ metadata: { how: "fail" } });
  await until(async () => (await runs(nangod)) === before + 1, "new credentials did not wake it");
  status = await nangod.settled(key, "acme", "misbehave");
  assert.equal(status.consecutiveFailures, 1);
  for (let failures = 2; failures <= 3; failures++) status = await trigger();
  assert.ok(wait(status) > HOUR);
  await nangod.ok("PATCH", `/integrations/${key}`, { body: { display_name: "Acme" } });
  assert.equal((await nangod.status(key, "acme", "misbehave")).consecutiveFailures, 3, "a name is nothing that it could have failed for");
  await nangod.ok("PATCH", `/integrations/${key}`, { body: { custom: { host: "other" } } });
  await until(async () => (await runs(nangod)) === before + 4, "the app's new settings did not wake it");
  assert.equal((await nangod.settled(key, "acme", "misbehave")).consecutiveFailures, 1);
});

test("pause, start and the state of syncs", async (t) => {
  const { nangod, connect } = await deployItems(t);
  await connect();
  const client = nangod.client;
  const status = async (name) => (await client.syncStatus(key, [name], "acme")).syncs[0];
  await nangod.settled(key, "acme", "items");
  assert.equal((await status("misbehave")).status, "PAUSED", "auto_start: false");
  assert.equal((await status("misbehave")).nextScheduledSyncAt, null);
  await client.pauseSync(key, ["items"], "acme");
  assert.deepEqual([(await status("items")).status, (await status("items")).nextScheduledSyncAt], ["PAUSED", null]);
  await jump(nangod, "3 hours");
  const before = await runs(nangod);
  await client.updateSyncConnectionFrequency(key, "items", "acme", "every 2h");
  assert.equal((await status("items")).status, "PAUSED", "a new frequency does not start it");
  await client.startSync(key, ["items"], "acme");
  await until(async () => (await runs(nangod)) === before + 1);
  const started = await nangod.settled(key, "acme", "items");
  assert.equal(started.status, "SUCCESS");
  const ahead = Date.parse(started.nextScheduledSyncAt) - Date.now() - 3 * HOUR;
  assert.ok(ahead > 0 && ahead <= 2 * HOUR);
});

test("force_deletes travels with the run; a pause ends a run on another node at once", async (t) => {
  const env = { NANGO_LEASE_MS: "600000" };
  const { nangod, provider, connect, trigger } = await deployItems(t, { env: { ...env, NANGO_ROLES: "api,scheduler" } });
  const gate = Promise.withResolvers();
  provider.reply("GET /items", () => gate.promise.then(() => ({ json: [] })));
  await connect();
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.queue WHERE NOT is_claimed")) === "1");
  await nangod.ok("POST", "/sync/pause", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme" } });
  await trigger({ opts: { force_deletes: true } });
  assert.equal(await psql(nangod, "SELECT force_deletes FROM nango.queue"), "t");
  const second = await serve(t, nangod, { ...env, NANGO_ROLES: "api,worker" });
  await until(() => provider.requests.length === 1, () => second.log());
  const zygotes = children(second.pid).flatMap(children);
  assert.equal(zygotes.length, 1);
  await nangod.ok("POST", "/sync/pause", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme" } });
  await until(() => !isAlive(zygotes[0]), "the run's process lives on", 5);
  await until(() => /the lease is gone \(cancelled\), nothing more is written/.test(second.log()), () => second.log());
  gate.resolve();
});
