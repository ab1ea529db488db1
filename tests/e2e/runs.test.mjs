// SPDX-License-Identifier: Apache-2.0
// Runs as a resource, over REST and by nango-plugin runs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deployItems, item, key } from "./lib/items.mjs";
import { addVariants, children, program, psql, run, serve, until, zygotes } from "./lib/nangod.mjs";

const refused = async (nangod, method, path, status, code) => {
  const answer = await nangod.call(method, path);
  assert.deepEqual([answer.status, answer.body.error.code], [status, code], `${method} ${path}: ${answer.text}`);
};

/** nango-plugin runs ...; json when it was asked for. */
async function runsTool(nangod, ...args) {
  const done = await run(program("nango-plugin"), ["runs", ...args], { env: { NANGO_HOSTPORT: nangod.url, NANGO_SECRET_KEY_DEV: nangod.key } });
  return { ...done, json: args.includes("--json") ? JSON.parse(done.stdout) : undefined };
}

test("runs: list, filters, pages, show, costs", async (t) => {
  const { nangod, connect, trigger } = await deployItems(t, { pages: [[item(1), item(2)], [item(3)]] });
  for (const id of ["acme", "other"]) await connect({ id, metadata: { how: "fail" } });
  for (const id of ["acme", "other"]) await nangod.settled(key, id, "items");
  await trigger();
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.run")) === "3");
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["misbehave"], provider_config_key: key, connection_id: "acme" } });
  await nangod.settled(key, "acme", "misbehave");
  const list = async (query = "") => (await nangod.ok("GET", `/runs${query}`)).runs;
  const all = await list();
  assert.deepEqual(all.map((r) => [r.sync, r.connection_id, r.state]), [["misbehave", "acme", "failed"], ["items", "acme", "success"], ["items", "other", "success"], ["items", "acme", "success"]]);

  const first = all[3];
  assert.deepEqual([first.kind, first.integration, first.variant, first.attempts, first.pages, first.added, first.updated, first.requests], ["sync", key, "base", 1, 3, 3, 0, 3]);
  assert.deepEqual(first.result, { Item: { added: 3, updated: 0, deleted: 0 } });
  assert.equal(first.request_bytes, 0);
  assert.equal(first.response_bytes, JSON.stringify([item(1), item(2)]).length + JSON.stringify([item(3)]).length + 2);
  assert.ok(first.cpu_us > 0 && first.max_rss_kb > 0 && first.cause === "" && first.force_deletes === false);
  assert.ok(Date.parse(first.created_at) <= Date.parse(first.started_at) && Date.parse(first.started_at) <= Date.parse(first.finished_at) && first.due_at === null);
  assert.deepEqual([all[0].cause, all[0].code], ["failed", "no_way"]);
  assert.deepEqual(await nangod.ok("GET", `/runs/${first.id}`), first);

  const ids = async (query) => (await list(query)).map((r) => r.id);
  const [bad, again, other, one] = all.map((r) => r.id);
  assert.deepEqual(await ids("?state=failed"), [bad]);
  assert.deepEqual(await ids("?connection=other"), [other]);
  assert.deepEqual(await ids("?sync=items&connection=acme"), [again, one]);
  assert.deepEqual(await ids("?sync=items::blue"), []);
  assert.deepEqual(await ids("?kind=action"), []);
  assert.deepEqual(await ids("?kind=sync&integration=nope"), []);
  assert.deepEqual(await ids(`?since=${all[1].created_at}`), [bad, again]);
  const page = await nangod.ok("GET", "/runs?limit=3");
  assert.deepEqual([page.runs.map((r) => r.id), page.next_cursor], [[bad, again, other], String(other)]);
  assert.deepEqual(await nangod.ok("GET", `/runs?limit=3&cursor=${page.next_cursor}`), { runs: [first], next_cursor: null });

  const { connections } = await nangod.ok("GET", `/runs/costs?integration=${key}`);
  const cancelled = await nangod.ok("GET", `/runs/costs?integration=${key}&state=cancelled`);
  assert.deepEqual(cancelled.connections, [], "none was cancelled");
  const acme = connections.find((c) => c.connection_id === "acme");
  assert.deepEqual([acme.runs, acme.failed, acme.added, acme.requests], [3, 1, 3, 6]);
  assert.equal(acme.cpu_us, all[0].cpu_us + all[1].cpu_us + first.cpu_us);
  assert.equal(acme.response_bytes, 2 * first.response_bytes);
  assert.equal(connections.length, 2);
  const dearest = await nangod.ok("GET", "/runs/costs?limit=1");
  assert.deepEqual(dearest.connections, connections.slice(0, 1));
  assert.deepEqual(await nangod.ok("GET", `/runs/costs?limit=1&cursor=${dearest.next_cursor}`), { connections: connections.slice(1), next_cursor: null });
  for (const cursor of ["x", "1", "1-0", "-1-1", "1-1x", "99999999999999999-1"]) await refused(nangod, "GET", `/runs/costs?cursor=${cursor}`, 400, "invalid_cursor");
  await refused(nangod, "GET", "/runs/costs?state=queued", 400, "invalid_query_params");
  assert.match((await runsTool(nangod, "costs", "--limit", "1")).stdout, new RegExp(`there are more: --cursor ${dearest.next_cursor}`));

  await refused(nangod, "GET", "/runs?state=gone", 400, "invalid_query_params");
  await refused(nangod, "GET", "/runs?kind=x", 400, "invalid_query_params");
  await refused(nangod, "GET", "/runs?since=yesterday", 400, "invalid_query_params");
  await refused(nangod, "GET", "/runs?cursor=x", 400, "invalid_cursor");
  await refused(nangod, "GET", "/runs?limit=1001", 400, "invalid_query_params");
  await refused(nangod, "GET", "/runs?colour=red", 400, "invalid_query_params");
  await refused(nangod, "GET", "/runs/x", 400, "invalid_uri_params");
  await refused(nangod, "GET", "/runs/999999", 404, "not_found");
  const prod = await nangod.ok("GET", "/runs", { key: nangod.environments.prod.secret_key });
  assert.deepEqual(prod.runs, [], "another environment's");
  assert.equal((await nangod.call("GET", `/runs/${first.id}`, { key: nangod.environments.prod.secret_key })).status, 404);
});

test("cancel and retry, and the tool", async (t) => {
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_LEASE_MS: "600000" } });
  const gate = Promise.withResolvers();
  provider.reply("GET /items", () => gate.promise.then(() => ({ json: [] })));
  await connect();
  await until(() => provider.requests.length === 1);
  const tool = (...args) => runsTool(nangod, ...args);
  const { runs } = (await tool("list", "--state", "running", "--json")).json;
  assert.equal(runs.length, 1);
  const id = String(runs[0].id);
  assert.match((await tool("list")).stdout, new RegExp(`^${id} +sync +running +items +acme`, "m"));
  await refused(nangod, "POST", `/runs/${id}/retry`, 409, "conflict");

  const cancelled = await tool("cancel", id, "--json");
  assert.deepEqual([cancelled.code, cancelled.json.state, cancelled.json.cause], [0, "cancelled", "cancelled"]);
  await until(() => zygotes(nangod).every((zygote) => children(zygote).length === 0), "its process lives on", 5);
  gate.resolve();
  const stopped = await nangod.status(key, "acme", "items");
  assert.deepEqual([stopped.status, stopped.latestExecutionStatus], ["ERROR", "STOPPED"]);
  assert.equal((await nangod.ok("POST", `/runs/${id}/cancel`)).state, "cancelled", "once more changes nothing");
  const shown = await tool("show", id);
  assert.match(shown.stdout, /^cause +cancelled$/m);
  assert.match(shown.stdout, /^message +somebody asked for it$/m);

  const retried = (await tool("retry", id, "--json")).json;
  assert.ok(retried.id > Number(id));
  await nangod.settled(key, "acme", "items");
  assert.equal((await tool("show", String(retried.id), "--json")).json.state, "success");
  await refused(nangod, "POST", `/runs/${retried.id}/cancel`, 409, "conflict");
  assert.match((await tool("costs")).stdout, /acme +2 +0/);
  assert.equal((await tool("show", "424242")).code, 4);
  assert.equal((await tool("show")).code, 2);
  assert.equal((await tool("list", "--state", "gone")).code, 11);
});

/** Page 1 is answered, page 2 when a gate opens; asked counts both. */
function gated(provider) {
  const gates = [];
  provider.reply("GET /items", ({ query }) => (query.get("page") === "1" ? { json: [item(1), item(2)] } : new Promise((done) => gates.push(() => done({ json: [] })))));
  return gates;
}

test("a running run shows the pages it has committed; cancelled, it keeps them and what it used", async (t) => {
  const { nangod, provider, connect } = await deployItems(t);
  const gates = gated(provider);
  await connect();
  await until(() => gates.length === 1);
  const one = async () => (await nangod.ok("GET", "/runs")).runs[0];
  const running = await until(async () => (await one()).pages === 1 && one());
  assert.deepEqual([running.state, running.pages, running.added], ["running", 1, 2]);
  assert.deepEqual((await nangod.ok("GET", `/runs/${running.id}`)).result, { Item: { added: 2, updated: 0, deleted: 0 } });
  const shown = (await runsTool(nangod, "show", String(running.id))).stdout;
  for (const line of [/^state +running$/m, /^pages +1$/m, /^added +2$/m]) assert.match(shown, line);
  assert.equal((await nangod.ok("POST", `/runs/${running.id}/cancel`)).state, "cancelled");
  const cancelled = await until(async () => (await one()).requests > 0 && one(), "what it used is not there");
  assert.deepEqual([cancelled.state, cancelled.pages, cancelled.added, cancelled.message], ["cancelled", 1, 2, "somebody asked for it"]);
  assert.ok(cancelled.requests === 2 && cancelled.cpu_us > 0 && cancelled.max_rss_kb > 0 && cancelled.response_bytes > 0, JSON.stringify(cancelled));
  const [cost] = (await nangod.ok("GET", "/runs/costs")).connections;
  assert.deepEqual([cost.requests, cost.pages, cost.cpu_us], [2, 1, cancelled.cpu_us]);
  for (const open of gates) open();
});

test("what an attempt used that lost its process is summed", async (t) => {
  const { nangod, provider, connect } = await deployItems(t);
  const gates = gated(provider);
  await connect();
  await until(() => gates.length === 1);
  process.kill(children(nangod.pid).at(-1), "SIGKILL"); // the zygote: its runs come back
  await until(() => gates.length === 2, () => nangod.log());
  assert.equal(await psql(nangod, "SELECT requests FROM nango.queue"), "2", "the first attempt's");
  gates[1]();
  await nangod.settled(key, "acme", "items");
  const [run] = (await nangod.ok("GET", "/runs")).runs;
  assert.deepEqual([run.state, run.attempts, run.requests, run.pages], ["success", 2, 3, 2], JSON.stringify(run));
});

test("a run that had ended is not cancelled: 409 with its true state", async (t) => {
  const { nangod, connect } = await deployItems(t);
  await connect();
  await nangod.settled(key, "acme", "items");
  // As a node leaves it that closed the fence and has not written the row yet.
  const id = await psql(nangod, `WITH q AS (INSERT INTO nango.queue (account_id, environment_id, integration_id, connection_id, sync_id, kind, due_at, started_at, is_claimed, token, attempts)
      SELECT account_id, environment_id, integration_id, connection_id, id, 1, nango.clock_now() + interval '1 hour', nango.clock_now(), true, 5, 1 FROM nango.sync WHERE name = 'items' RETURNING run_id, connection_id)
    INSERT INTO nango_data.fence (connection_id, run_id, token, state, pages, result, outcome)
      SELECT connection_id, run_id, 5, 'failed', 2, '{"Item":{"added":7,"updated":1,"deleted":0}}', '{"cause":"failed","code":"no_way","requests":4}' FROM q RETURNING run_id`);
  const answer = await nangod.call("POST", `/runs/${id}/cancel`);
  assert.deepEqual([answer.status, answer.body.error.code], [409, "conflict"]);
  assert.match(answer.body.error.message, /had ended before: failed/);
  const run = await nangod.ok("GET", `/runs/${id}`);
  assert.deepEqual([run.state, run.cause, run.code, run.pages, run.added, run.updated, run.requests], ["failed", "failed", "no_way", 2, 7, 1, 4]);
});

test("old runs are forgotten, the newest of a sync that is there still is not", async (t) => {
  const { nangod, connect, trigger } = await deployItems(t);
  await connect();
  await nangod.settled(key, "acme", "items");
  const old = (first, last, sync) => psql(nangod, `INSERT INTO nango.run (id, account_id, environment_id, integration_id, connection_id, sync_id, kind, state, created_at, finished_at) OVERRIDING SYSTEM VALUE
    SELECT n, account_id, environment_id, integration_id, connection_id, ${sync}, 1, 'success', nango.clock_now() - interval '32 days', nango.clock_now() - interval '31 days' FROM nango.sync s, generate_series(${first}, ${last}) n WHERE s.name = 'misbehave' AND s.variant = 'base'`);
  await old(1000, 3499, "(SELECT id FROM nango.sync WHERE name = 'items')");
  await old(3500, 5999, "NULL");
  await old(6000, 6000, "s.id");
  await addVariants(nangod, 1, "s.name = 'misbehave'");
  await old(6001, 6001, "(SELECT id FROM nango.sync WHERE name = 'misbehave' AND variant = 'v1')");
  await nangod.ok("DELETE", "/sync/misbehave/variant/v1", { body: { provider_config_key: key, connection_id: "acme" } });
  await psql(nangod, "SELECT setval('nango.run_id_seq', 10000)");
  await trigger();
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.run WHERE id = 10001")) === "1");
  await psql(nangod, "UPDATE nango.run SET finished_at = finished_at - interval '29 days' WHERE id < 1000"); // not old enough
  await serve(t, nangod); // a node looks soon after its start, then every minute
  const left = () => psql(nangod, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM nango.run WHERE id >= 1000");
  await until(async () => (await left()) === "6000 10001", left);
  assert.equal(await psql(nangod, "SELECT count(*) FROM nango.run WHERE id < 1000"), "1");
});
