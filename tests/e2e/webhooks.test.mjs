// SPDX-License-Identifier: Apache-2.0
// Webhooks to the app: what they say, how they are signed, retried, replayed, kept apart.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildPlugin, program, psql, run, scratch, serve, socketDir, start, until } from "./lib/nangod.mjs";
import { provider as httpServer } from "./lib/provider.mjs";

const { Nango } = createRequire(import.meta.url)("@nangohq/node");
const { Webhook } = createRequire(import.meta.url)("standardwebhooks");
const source = fileURLToPath(new URL("plugins/items", import.meta.url));
const key = "unauthenticated";
const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const none = { credentials: { type: "NONE" } };

/** An app that is told: hooks are its bodies, in the order of their coming. */
async function receiver(t, answer = { json: {} }) {
  const app = await httpServer(t);
  app.answer = answer;
  app.reply("POST /hook", (request) => (typeof app.answer === "function" ? app.answer(request) : app.answer));
  app.hook = `${app.url}/hook`;
  Object.defineProperty(app, "hooks", { get: () => app.requests.map((r) => JSON.parse(r.body)) });
  app.told = (n, what = `${n} webhooks`) => until(() => app.requests.length >= n && app.hooks, () => `${what} did not come: ${JSON.stringify(app.hooks)}`);
  return app;
}

const settings = (nangod, body, options) => nangod.ok("PATCH", "/environment/webhooks", { body, ...options });

async function world(t, { env, dataDir, answer } = {}) {
  const nangod = await start(t, { env, dataDir });
  const app = await receiver(t, answer);
  await settings(nangod, { primary_url: app.hook });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  return { nangod, app };
}

/** world, with a provider of items and the plugin that syncs them. */
async function deployed(t, pages) {
  const { nangod, app } = await world(t);
  const api = await httpServer(t);
  api.pages = pages;
  api.reply("GET /items", ({ query }) => api.answer?.(query) ?? { json: api.pages[Number(query.get("page")) - 1] ?? [] });
  await settings(nangod, { on_auth_creation: false });
  await nangod.deploy(await buildPlugin(t, source, "unauthenticated"), key);
  const connect = (more) => nangod.connect(key, { baseUrl: api.url, ...none, ...more });
  const trigger = (sync = "items") =>
    nangod.ok("POST", "/sync/trigger", { body: { syncs: [sync], provider_config_key: key, connection_id: "acme" } });
  return { nangod, app, api, connect, trigger };
}

const connect = (nangod, id, more = {}) => nangod.ok("POST", "/connections", { body: { provider_config_key: key, connection_id: id, ...none, ...more } });
const deliveries = async (nangod, query = "") => (await nangod.ok("GET", `/webhooks/deliveries${query}`)).deliveries;
const allSettled = (nangod, n) =>
  until(async () => {
    const all = await deliveries(nangod, "?limit=1000");
    return all.length === n && all.every((d) => ["delivered", "dead"].includes(d.state)) && all;
  }, async () => `deliveries: ${JSON.stringify(await deliveries(nangod))}\n${nangod.log()}`);
const advance = async (nangod, interval) => {
  await psql(nangod, `UPDATE nango.clock SET offset_by = offset_by + '${interval}'`);
  await psql(nangod, `UPDATE nango_data.clock SET offset_by = offset_by + '${interval}'`);
};
const item = (n, more) => ({ id: String(n), title: `Item ${n}`, ...more });

test("settings: defaults, changes, refusals, the key and its rotation", async (t) => {
  const nangod = await start(t);
  const { data } = await nangod.ok("GET", "/environment/webhooks");
  const { webhook_signing_key: first, ...rest } = data;
  assert.deepEqual(rest, {
    primary_url: null, secondary_url: null, on_auth_creation: true, on_auth_refresh_error: true,
    on_sync_completion_always: false, on_sync_error: true, on_async_action_completion: true,
  });
  assert.match(first, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(Buffer.from(first.slice(6), "base64").length, 32);
  const changed = await settings(nangod, { primary_url: "https://app.example/hook?a=1", on_sync_error: false });
  assert.equal(changed.data.primary_url, "https://app.example/hook?a=1");
  assert.equal(changed.data.on_sync_error, false);
  assert.equal((await nangod.ok("GET", "/environment/webhooks")).data.on_sync_error, false);
  assert.equal((await settings(nangod, { primary_url: null })).data.primary_url, null);
  assert.equal((await settings(nangod, { secondary_url: "" })).data.secondary_url, null);
  for (const primary_url of ["app.example", "ftp://app.example/", "https://user@app.example/", "/hook", "http://"]) {
    const refused = await nangod.call("PATCH", "/environment/webhooks", { body: { primary_url } });
    assert.equal(refused.status, 400, primary_url);
    assert.deepEqual(refused.body.error.errors[0].path, ["primary_url"]);
  }
  assert.equal((await nangod.call("PATCH", "/environment/webhooks", { body: { on_sync_error: 1 } })).status, 400);
  const rotated = await nangod.ok("POST", "/environment/webhook-signing-key/rotate");
  assert.notEqual(rotated.data.webhook_signing_key, first);
  assert.equal((await nangod.ok("GET", "/environment/webhooks")).data.webhook_signing_key, rotated.data.webhook_signing_key);
  const prod = await nangod.ok("GET", "/environment/webhooks", { key: nangod.environments.prod.secret_key });
  assert.notEqual(prod.data.webhook_signing_key, rotated.data.webhook_signing_key, "each environment has its own");
  assert.equal(await psql(nangod, "SELECT count(*) FROM nango.webhook_settings WHERE position('whsec' in encode(signing_key, 'escape')) > 0"), "0", "sealed");
});

test("a sync's changes: every field, compact and sorted, signed three ways", async (t) => {
  const { nangod, app, api, connect, trigger } = await deployed(t, [[item(1, { title: "Käse \"1/2\"\n" }), item(2)], [item(3)]]);
  const began = Date.now();
  await connect();
  const [first] = await app.told(1);
  const { modifiedAfter, queryTimeStamp, ...rest } = first;
  assert.deepEqual(rest, {
    from: "nango", type: "sync", connectionId: "acme", providerConfigKey: key, syncName: "items", syncVariant: "base",
    model: "Item", syncType: "INITIAL", success: true, checkpoints: { from: null, to: {} },
    responseResults: { added: 3, updated: 0, deleted: 0 },
  });
  assert.match(modifiedAfter, iso);
  assert.equal(queryTimeStamp, modifiedAfter);
  const all = await nangod.records(key, "acme", "Item");
  assert.ok(all.records.every((r) => Date.parse(r._nango_metadata.last_modified_at) >= Date.parse(modifiedAfter)), "modifiedAfter comes before all of them");
  assert.ok(Date.parse(modifiedAfter) >= began - 1000);

  const { body, headers } = app.requests[0];
  const sort = (value) => (value && typeof value === "object" ? Object.fromEntries(Object.entries(value).sort().map(([k, v]) => [k, sort(v)])) : value);
  assert.equal(body, JSON.stringify(sort(JSON.parse(body))), "compact, keys sorted");
  assert.equal(headers["content-type"], "application/json");
  assert.match(headers["user-agent"], /^nangod\//);
  const { webhook_signing_key } = (await nangod.ok("GET", "/environment/webhooks")).data;
  const nango = new Nango({ host: nangod.url, secretKey: nangod.key, webhookSigningKey: webhook_signing_key });
  assert.equal(nango.verifyIncomingWebhookRequest(body, headers), true);
  assert.equal(nango.verifyIncomingWebhookRequest(`${body} `, headers), false);
  assert.equal(nango.verifyWebhookSignature(headers["x-nango-signature"], JSON.parse(body)), true);
  assert.deepEqual(new Webhook(webhook_signing_key).verify(body, headers), first);
  assert.throws(() => new Webhook(webhook_signing_key).verify(body, { ...headers, "webhook-id": "other" }));
  assert.match(headers["webhook-id"], /^[0-9a-f-]{36}$/);

  // A run that changes nothing is silent, one that changes something is told of with its counts.
  await trigger();
  await nangod.settled(key, "acme", "items");
  api.pages = [[item(1, { title: "new" }), item(2)], [item(3), item(4)]];
  await trigger();
  const [, second] = await app.told(2);
  assert.deepEqual(second.responseResults, { added: 1, updated: 1, deleted: 0 });
  assert.equal(second.syncType, "INCREMENTAL");
  await allSettled(nangod, 2);
  assert.equal(await psql(nangod, "SELECT count(*) FROM nango_data.outbox"), "2", "what nobody wants is not kept");

  // With the switch on, a run without changes is told of as well.
  await settings(nangod, { on_sync_completion_always: true });
  await trigger();
  const [, , third] = await app.told(3);
  assert.deepEqual(third.responseResults, { added: 0, updated: 0, deleted: 0 });
  assert.equal(app.hooks.length, 3);
});

test("a run that fails before it is prepared is told of like any other", async (t) => {
  const { nangod, app, connect, trigger } = await deployed(t, [[item(1)]]);
  await connect();
  await app.told(1);
  await nangod.settled(key, "acme", "items");
  const fails = async (n, change, back) => {
    await psql(nangod, change);
    await trigger();
    const { startedAt, failedAt, error, checkpoints, ...rest } = (await app.told(n))[n - 1];
    assert.match(startedAt, iso);
    assert.match(failedAt, iso);
    assert.deepEqual(checkpoints, { from: {}, to: {} }, "it did not move");
    await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.queue")) === "0", "the run does not leave the queue");
    await psql(nangod, back);
    return { ...rest, error: error.type, description: error.description };
  };
  const same = { from: "nango", type: "sync", connectionId: "acme", providerConfigKey: key, syncName: "items", syncVariant: "base", syncType: "INCREMENTAL", success: false };

  // The build is read, and the environment's key is not.
  const sealed = await fails(2, "UPDATE nango.environment SET record_key = set_byte(record_key, 40, get_byte(record_key, 40) # 1)", "UPDATE nango.environment SET record_key = set_byte(record_key, 40, get_byte(record_key, 40) # 1)");
  assert.deepEqual({ ...sealed, error: 0, description: 0 }, { ...same, model: "Item", error: 0, description: 0 });
  assert.match(sealed.description, /decrypt|seal/i);

  // No build: nobody knows its models.
  const missing = await fails(3, "UPDATE nango.deployment SET is_active = false", "UPDATE nango.deployment SET is_active = true");
  assert.deepEqual({ ...missing, error: 0, description: 0 }, { ...same, error: 0, description: 0 });
  assert.match(missing.description, /no plugin deployed/);
});

test("a failed sync: what was committed, and the failure", async (t) => {
  const { nangod, app, api, connect } = await deployed(t, [[item(1)]]);
  await connect({ metadata: { how: "fail" } });
  await app.told(1);
  const trigger = (sync) => nangod.ok("POST", "/sync/trigger", { body: { syncs: [sync], provider_config_key: key, connection_id: "acme" } });
  await trigger("misbehave");
  const [, failed] = await app.told(2);
  const { startedAt, failedAt, ...rest } = failed;
  assert.deepEqual(rest, {
    from: "nango", type: "sync", connectionId: "acme", providerConfigKey: key, syncName: "misbehave", syncVariant: "base",
    model: "Item", syncType: "INITIAL", success: false, error: { type: "no_way", description: "the test wanted it: 42" },
  });
  assert.match(startedAt, iso);
  assert.match(failedAt, iso);
  assert.ok(Date.parse(failedAt) >= Date.parse(startedAt));

  // A page was committed before the failure: its changes are not kept from the app.
  await nangod.settled(key, "acme", "misbehave");
  api.pages = [[item(1), item(2)]];
  api.answer = (query) => (query.get("page") === "2" ? { status: 418, json: {} } : undefined);
  await trigger("items");
  await app.told(4);
  const last = app.hooks.slice(2).sort((a, b) => Number(b.success) - Number(a.success));
  assert.deepEqual([last[0].success, last[0].responseResults, last[1].success], [true, { added: 1, updated: 0, deleted: 0 }, false]);

  await settings(nangod, { on_sync_error: false });
  await trigger("misbehave");
  await nangod.settled(key, "acme", "misbehave");
  await connect({ metadata: { how: "fail" } }); // an override has no switch: it comes after what is silent
  const hooks = await app.told(5);
  assert.equal(hooks[4].operation, "override");
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango_data.outbox WHERE state NOT IN ('delivered')")) === "0");
  assert.equal(app.hooks.length, 5);
});

test("a paused run's committed pages are told of", async (t) => {
  const { nangod, app, api, connect } = await deployed(t, [[item(1), item(2)]]);
  const asked = Promise.withResolvers();
  const gate = Promise.withResolvers();
  api.reply("GET /items", async ({ query }) => {
    if (query.get("page") === "1") return { json: api.pages[0] };
    asked.resolve();
    await gate.promise;
    return { json: [] };
  });
  await connect();
  await asked.promise; // page 1 is committed
  assert.equal(await psql(nangod, "SELECT state FROM nango_data.outbox"), "held");
  assert.equal(app.requests.length, 0);
  await nangod.ok("POST", "/sync/pause", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme" } });
  const [hook] = await app.told(1);
  gate.resolve();
  assert.deepEqual([hook.success, hook.responseResults], [true, { added: 2, updated: 0, deleted: 0 }]);
});

test("what a walk deletes is told of", async (t) => {
  const { nangod, app } = await world(t);
  const api = await httpServer(t);
  await settings(nangod, { on_auth_creation: false });
  await nangod.deploy(await buildPlugin(t, fileURLToPath(new URL("plugins/ledger", import.meta.url)), "unauthenticated"), key);
  await nangod.connect(key, { baseUrl: api.url, ...none });
  for (const [n, ids] of [["1", "2", "3"], ["1", "3"]].entries()) {
    api.reply("GET /ledger", { json: { ops: ids.map((id) => ({ save: { id } })), is_last: true } });
    await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["ledger"], provider_config_key: key, connection_id: "acme" } });
    await app.told(n + 1);
    await nangod.settled(key, "acme", "ledger");
  }
  assert.deepEqual(app.hooks.map((hook) => [hook.model, hook.responseResults]), [
    ["Entry", { added: 3, updated: 0, deleted: 0 }],
    ["Entry", { added: 0, updated: 0, deleted: 1 }],
  ]);
});

test("connections: creation and override, with end user and tags", async (t) => {
  const { nangod, app } = await world(t);
  const end_user = { id: "u1", email: "a@b.c", organization: { id: "o1" } };
  await connect(nangod, "acme", { end_user, tags: { plan: "pro" } });
  const [created] = await app.told(1);
  const tags = { plan: "pro", end_user_id: "u1", end_user_email: "a@b.c", organization_id: "o1" };
  assert.deepEqual(created, {
    from: "nango", type: "auth", operation: "creation", connectionId: "acme", providerConfigKey: key, provider: "unauthenticated",
    authMode: "NONE", environment: "dev", success: true, tags,
    endUser: { endUserId: "u1", endUserEmail: "a@b.c", organizationId: "o1", tags },
  });
  await settings(nangod, { on_auth_creation: false });
  await connect(nangod, "silent");
  await connect(nangod, "acme");
  const [, override] = await app.told(2);
  assert.deepEqual([override.operation, override.connectionId], ["override", "acme"]);
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.outbox")) === "2", "the unwanted event stays");
  assert.equal((await nangod.call("POST", "/connections", { body: { provider_config_key: key, connection_id: "bad", credentials: { type: "BASIC" } } })).status, 400);
  assert.equal(await psql(nangod, "SELECT count(*) FROM nango.outbox"), "2", "what failed announces nothing");
});

test("two destinations have attempts of their own; a connection's URL replaces both", async (t) => {
  const { nangod, app } = await world(t, { answer: { status: 500, json: {} } });
  const second = await receiver(t);
  const own = await receiver(t);
  await settings(nangod, { secondary_url: second.hook });
  await connect(nangod, "acme");
  await Promise.all([app.told(1), second.told(1)]);
  assert.equal(app.requests[0].headers["webhook-id"], second.requests[0].headers["webhook-id"]);
  await until(async () => (await deliveries(nangod, "?state=due")).length === 1);
  app.answer = { json: {} };
  await advance(nangod, "1 minute");
  await app.told(2);
  const all = await allSettled(nangod, 2);
  assert.deepEqual(all.map((d) => [d.destination, d.state, d.attempts]).sort(), [["first", "delivered", 2], ["second", "delivered", 1]]);
  assert.equal(second.requests.length, 1, "the second one was not told again");
  assert.equal(app.requests[0].headers["webhook-id"], app.requests[1].headers["webhook-id"]);
  assert.equal(app.requests[0].body, app.requests[1].body, "a repeat says the same");

  await connect(nangod, "special", { webhook_url_override: own.hook });
  await own.told(1);
  await allSettled(nangod, 3);
  assert.deepEqual([app.requests.length, second.requests.length, own.requests.length], [2, 1, 1]);
});

test("what is retried and what is given up; dead ones are listed and replayed", async (t) => {
  const { nangod, app } = await world(t, { env: { NANGO_EGRESS_ALLOW: "127.0.0.1/32" } });
  const other = await httpServer(t);
  const to = async (id, path, webhook_url_override = `${other.url}${path}`) => connect(nangod, id, { webhook_url_override });
  for (const status of [200, 204, 301, 400, 404, 408, 410, 429, 500, 503])
    other.reply(`POST /${status}`, { status, headers: { location: app.hook, ...(status === 429 ? { "retry-after": "7200" } : {}) }, json: {} });
  for (const status of [200, 204, 301, 400, 404, 408, 410, 429, 500, 503]) await to(`s${status}`, `/${status}`);
  await to("closed", "", "http://127.0.0.1:1/hook");
  await to("private", "", "http://127.0.0.2:9/hook");
  const find = (all, id) => all.find((d) => d.connection_id === id);
  const all = await until(async () => {
    const list = await deliveries(nangod);
    return list.length === 12 && list.every((d) => d.state !== "sending" && (d.state !== "due" || d.error)) && list;
  }, async () => JSON.stringify(await deliveries(nangod)));
  const states = Object.fromEntries(all.map((d) => [d.connection_id, d.state]));
  assert.deepEqual(states, {
    s200: "delivered", s204: "delivered", s301: "dead", s400: "dead", s404: "dead", s408: "due", s410: "dead", s429: "due",
    s500: "due", s503: "due", closed: "due", private: "dead",
  });
  assert.equal(app.requests.length, 0, "redirects are not followed");
  assert.match(find(all, "private").error, /127\.0\.0\.2 is loopback/);
  assert.equal(find(all, "s404").http_status, 404);
  assert.ok(Date.parse(find(all, "s429").next_attempt_at) - Date.now() > 7_100_000, "Retry-After is heeded");
  const soon = Date.parse(find(all, "s500").next_attempt_at) - Date.parse(find(all, "s500").created_at);
  assert.ok(soon > 3500 && soon < 20_000, `5 s and jitter, not ${soon} ms`);

  // In the list: pages with a cursor lose and repeat nothing, states filter.
  const ids = [];
  for (let cursor = ""; cursor !== null; ) {
    const page = await nangod.ok("GET", `/webhooks/deliveries?limit=5${cursor && `&cursor=${cursor}`}`);
    ids.push(...page.deliveries.map((d) => d.id));
    cursor = page.next_cursor;
  }
  assert.deepEqual([ids.length, new Set(ids).size], [12, 12]);
  assert.equal((await deliveries(nangod, "?state=dead")).length, 5);
  assert.equal((await nangod.call("GET", "/webhooks/deliveries?state=lost")).status, 400);
  assert.equal((await nangod.call("GET", "/webhooks/deliveries?cursor=x")).status, 400);

  // One is replayed under its id, and only by its own environment.
  other.reply("POST /404", { json: {} });
  const dead = find(all, "s404");
  const prod = { key: nangod.environments.prod.secret_key };
  assert.equal((await nangod.call("POST", `/webhooks/deliveries/${dead.id}/retry`, prod)).status, 404);
  assert.equal((await nangod.call("POST", "/webhooks/deliveries/sync-1-1/retry")).status, 404);
  assert.equal((await nangod.call("POST", "/webhooks/deliveries/nonsense/retry")).status, 404);
  await nangod.ok("POST", `/webhooks/deliveries/${dead.id}/retry`);
  await until(async () => find(await deliveries(nangod), "s404").state === "delivered");
  const told = other.requests.filter((r) => r.path === "/404");
  assert.equal(told.length, 2);
  assert.equal(told[0].headers["webhook-id"], told[1].headers["webhook-id"]);
  assert.equal(told[1].headers["webhook-id"], dead.webhook_id);

  // Days later the others are given up, and all dead ones are replayed at once.
  await advance(nangod, "71 hours");
  const tried = async () => (await deliveries(nangod, "?state=due")).filter((d) => d.attempts >= 2); // and none is being sent
  await until(async () => (await tried()).length === 4, async () => JSON.stringify(await deliveries(nangod)));
  await advance(nangod, "2 days");
  await until(async () => (await deliveries(nangod, "?state=dead")).length === 9, async () => JSON.stringify(await deliveries(nangod)));
  for (const status of [301, 400, 408, 410, 429, 500, 503]) other.reply(`POST /${status}`, { json: {} });
  assert.deepEqual(await nangod.ok("POST", "/webhooks/deliveries/retry"), { retried: 9 });
  await until(async () => (await deliveries(nangod, "?state=delivered")).length === 10);

  // The tool does both.
  const tool = (...args) =>
    run(program("nango-plugin"), ["webhooks", ...args], { env: { NANGO_HOSTPORT: nangod.url, NANGO_SECRET_KEY_DEV: nangod.key } });
  await until(async () => (await deliveries(nangod, "?state=dead")).length === 1); // the private address again
  const shown = await tool("list", "--state", "dead");
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^id +state .*\nauth-\d+-\d+ +dead +1 +auth_creation .* private .*is loopback/);
  const [{ id }] = JSON.parse((await tool("list", "--state", "dead", "--json")).stdout).deliveries;
  assert.match((await tool("retry", id)).stdout, /^1 due again\n$/);
  await until(async () => (await deliveries(nangod, "?state=dead")).length === 1);
  assert.match((await tool("retry", "--dead")).stdout, /^1 due again\n$/);
  assert.equal((await tool("retry", "auth-9999-9999")).code, 4);
  assert.equal((await tool("retry")).code, 2);
  assert.equal((await tool("forget")).code, 2);
});

test("a receiver that never answers is given its time, and another try", async (t) => {
  const { nangod, app } = await world(t, { env: { NANGO_WEBHOOK_TIMEOUT_MS: "300" }, answer: () => new Promise(() => {}) });
  await connect(nangod, "acme");
  const waiting = await until(async () => (await deliveries(nangod)).find((d) => d.error));
  assert.deepEqual([waiting.state, waiting.attempts], ["due", 1]);
  assert.match(waiting.error, /did not answer in time/);
  app.answer = { json: {} };
  await advance(nangod, "1 minute");
  await allSettled(nangod, 1);
});

test("a slow receiver delays no other environment, and not for long its own others", async (t) => {
  const { nangod, app } = await world(t, { env: { NANGO_WEBHOOKS_MAX: "8" }, answer: () => new Promise(() => {}) });
  const prod = { key: nangod.environments.prod.secret_key };
  const other = await receiver(t);
  const own = await receiver(t);
  await settings(nangod, { primary_url: other.hook }, prod);
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key }, ...prod });
  for (let i = 0; i < 30; i++) await connect(nangod, `slow-${i}`);
  await app.told(1);
  await nangod.ok("POST", "/connections", { body: { provider_config_key: key, connection_id: "quick", ...none }, ...prod });
  await other.told(1);
  await connect(nangod, "special", { webhook_url_override: own.hook });
  await own.told(1);
  assert.equal(app.requests.length, 1, "one in flight to a destination, of eight places");
});

test("delivered events are removed after their days, dead ones later", async (t) => {
  const dataDir = scratch(t);
  const { nangod, app } = await world(t, { dataDir });
  await connect(nangod, "good");
  await app.told(1);
  app.answer = { status: 404, json: {} };
  await connect(nangod, "bad");
  await allSettled(nangod, 2);
  await advance(nangod, "8 days");
  await nangod.stop();
  const again = await start(t, { dataDir });
  await until(async () => (await deliveries(again)).length === 1, async () => JSON.stringify(await deliveries(again)) + again.log());
  assert.equal((await deliveries(again))[0].connection_id, "bad");
  await advance(again, "23 days");
  await again.stop();
  const last = await start(t, { dataDir });
  await until(async () => (await deliveries(last)).length === 0);
});

test("a clean stop waits for what is in flight, and gives nothing up", async (t) => {
  const dataDir = scratch(t);
  const asked = Promise.withResolvers();
  const gate = Promise.withResolvers();
  const { nangod, app } = await world(t, {
    dataDir,
    answer: async () => {
      asked.resolve();
      await gate.promise;
      return { json: {} };
    },
  });
  await connect(nangod, "acme");
  await asked.promise;
  const stopped = nangod.stop();
  await until(() => nangod.log().includes("stopping"));
  gate.resolve();
  assert.equal(await stopped, 0);
  const again = await start(t, { dataDir });
  assert.deepEqual((await deliveries(again)).map((d) => [d.state, d.attempts]), [["delivered", 1]]);
  assert.equal(app.requests.length, 1);
});

test("a backlog that nobody wants is gone in no time", async (t) => {
  const nangod = await start(t);
  await psql(nangod, `INSERT INTO nango.outbox (connection_id, environment_id, kind, facts)
    SELECT 0, id, 'auth_creation', '{}' FROM nango.environment, generate_series(1, 1500) WHERE name = 'dev'`);
  const left = () => psql(nangod, "SELECT count(*) FROM nango.outbox");
  await until(async () => (await left()) === "0", async () => `${await left()} are left`);
});

test("a stop does not wait for ever: what is in flight goes back, or is left to its lease", async (t) => {
  const dataDir = scratch(t);
  const { nangod, app } = await world(t, { dataDir, answer: () => new Promise(() => {}) });
  await connect(nangod, "acme");
  await app.told(1);
  assert.equal(await nangod.stop(), 0);
  const again = await start(t, { dataDir });
  await app.told(2);
  assert.equal(app.requests[0].headers["webhook-id"], app.requests[1].headers["webhook-id"]);
  assert.deepEqual((await deliveries(again)).map((d) => [d.state, d.attempts]), [["sending", 2]]);
  const closed = again.kill("SIGTERM");
  await until(() => again.log().includes("stopping"));
  again.child.kill("SIGTERM"); // whoever asks twice is in a hurry
  await closed;
  assert.equal(again.child.exitCode, 0, again.log());

  app.answer = { json: {} };
  const last = await start(t, { dataDir });
  await advance(last, "2 minutes");
  assert.deepEqual((await allSettled(last, 1)).map((d) => [d.state, d.attempts]), [["delivered", 3]]);
  assert.equal(new Set(app.requests.map((r) => r.headers["webhook-id"])).size, 1);
});

test("with the data family in a database of its own, both outboxes are delivered, listed and replayed", async (t) => {
  const postgres = await start(t, { dataDir: scratch(t) });
  const url = (name) => `host=${socketDir(postgres)} user=nango dbname=${name}`;
  for (const name of ["control", "records"]) await psql(postgres, `CREATE DATABASE ${name}`);
  const env = { NANGO_DATABASE_URL: url("control"), NANGO_RECORDS_DATABASE_URL: url("records") };
  const nangod = await serve(t, postgres, env);
  const keys = await run(program("nangod"), ["keys"], { env: { ...env, NANGO_ENCRYPTION_KEY: nangod.encryption_key } });
  nangod.key = /^dev (\S+)$/m.exec(keys.stdout)[1];
  const app = await receiver(t);
  const api = await httpServer(t);
  api.reply("GET /items", ({ query }) => ({ json: query.get("page") === "1" ? [item(1)] : [] }));
  await settings(nangod, { primary_url: app.hook });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildPlugin(t, source, "unauthenticated"), key);
  await nangod.connect(key, { baseUrl: api.url, ...none });
  assert.deepEqual((await app.told(2)).map((hook) => hook.type).sort(), ["auth", "sync"]);
  const all = await allSettled(nangod, 2);
  assert.deepEqual(all.map((d) => d.type).sort(), ["auth", "sync"]);
  for (const { id } of all) await nangod.ok("POST", `/webhooks/deliveries/${id}/retry`);
  await app.told(4);
  await allSettled(nangod, 2);
});
