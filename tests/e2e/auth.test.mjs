// SPDX-License-Identifier: Apache-2.0
// Credentials that are obtained and renewed: what token endpoints are asked, what becomes of answers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { basic, form, providers, world } from "./lib/auth.mjs";
import { buildItems } from "./lib/items.mjs";
import { children, psql, scratch, serve, start, until } from "./lib/nangod.mjs";

const { cc } = providers;
const client = { type: "OAUTH2_CC", client_id: "the-client", client_secret: "s3cret/+&" };

test("client credentials: a token is fetched when the connection is made, and renewed before it expires", async (t) => {
  const { integrate, connect, show, pass, provider, tokens } = await world(t);
  let n = 0;
  provider.reply("POST /token", () => ({ json: { access_token: `token-${++n}`, token_type: "bearer", expires_in: 3600 } }));
  await integrate("cc");
  const made = await connect("cc", client);
  assert.equal(made.status, 200, made.text);
  assert.equal(made.body.credentials.token, "token-1");
  assert.deepEqual(form(tokens()[0]), { grant_type: "client_credentials", client_id: "the-client", client_secret: "s3cret/+&" });
  assert.equal(tokens()[0].headers["content-type"], "application/x-www-form-urlencoded");
  assert.equal((await show("cc")).body.credentials.token, "token-1");
  await pass("44 minutes");
  assert.equal((await show("cc")).body.credentials.token, "token-1");
  await pass("2 minutes");
  const renewed = await show("cc");
  assert.equal(renewed.body.credentials.token, "token-2", renewed.text);
  assert.equal((await show("cc", "&force_refresh=true")).body.credentials.token, "token-3");
  assert.equal(n, 3);

  // Imported with its end a token is kept until then; without, nobody could renew it in time.
  const own = { ...client, token: "own" };
  const kept = await connect("cc", { ...own, expires_at: new Date(Date.now() + 4 * 3_600_000).toISOString() });
  assert.deepEqual([kept.body.credentials.token, n], ["own", 3], kept.text);
  const asked = await connect("cc", own);
  assert.deepEqual([asked.body.credentials.token, n], ["token-4", 4]);
  const odd = await connect("cc", { ...own, expires_at: "soon" });
  assert.deepEqual([odd.status, odd.body.error.errors[0].path], [400, ["credentials", "expires_at"]]);
});

test("a provider that refuses to renew: the old token while it lasts, a pause, a count of days, an end, and force", async (t) => {
  const { nangod, integrate, connect, show, pass, provider, tokens } = await world(t);
  await integrate("code", { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" });
  provider.reply("POST /hook", { json: {} });
  await nangod.ok("PATCH", "/environment/webhooks", { body: { primary_url: `${provider.url}/hook` } });
  const made = await connect("code", { type: "OAUTH2", access_token: "at-0", refresh_token: "rt-s3cret-0", expires_at: new Date(Date.now() + 3_600_000).toISOString() });
  assert.equal(made.status, 200, made.text);
  provider.reply("POST /token", { status: 400, json: { error: "invalid_grant", error_description: "rt-s3cret-0 was revoked" } });

  await pass("50 minutes");
  const stale = await show("code");
  assert.deepEqual([stale.status, stale.body.credentials.access_token], [200, "at-0"], "it has not expired yet");
  assert.equal(tokens().length, 1);
  const listed = (await nangod.ok("GET", "/connections")).connections[0].errors;
  assert.deepEqual([listed.length, listed[0].type], [1, "auth"]);
  assert.match(listed[0].message, /invalid_grant/);
  await show("code");
  assert.equal(tokens().length, 1, "not again within half a minute");
  // By their ids: days that pass while one is being sent have it sent once more.
  const refusals = () => [...new Map(provider.requests.filter((r) => r.path === "/hook").map((r) => [r.headers["webhook-id"], JSON.parse(r.body)])).values()].filter((b) => b.operation === "refresh");
  await until(() => refusals().length === 1, "the app was not told");
  assert.deepEqual([refusals()[0].success, refusals()[0].connectionId], [false, "acme"]);
  assert.match(refusals()[0].error.description, /invalid_grant/);
  assert.ok(!refusals()[0].error.description.includes("rt-s3cret-0"), "no secret leaves");

  await pass("31 seconds");
  await show("code");
  assert.equal(tokens().length, 2);
  await pass("15 minutes");
  const over = await show("code");
  assert.deepEqual([over.status, over.body.error.code], [424, "refresh_token_external_error"]);
  const soon = await show("code");
  assert.deepEqual([soon.status, soon.body.error.code, tokens().length], [424, "connection_refresh_backoff", 3]);
  for (let day = 2; day <= 4; day++) {
    await pass("1 day");
    assert.equal((await show("code")).body.error.code, "refresh_token_external_error");
  }
  await until(() => refusals().length === 4, () => `told ${refusals().length} times, once a day`);
  await pass("1 day");
  const end = await show("code");
  assert.deepEqual([end.status, end.body.error.code, tokens().length], [424, "connection_refresh_exhausted", 6]);
  assert.match(end.body.error.message, /connect it anew/);

  provider.reply("POST /token", { json: { access_token: "at-1", expires_in: "3600" } });
  const forced = await show("code", "&force_refresh=true&refresh_token=true");
  assert.deepEqual([forced.status, forced.body.credentials.access_token, forced.body.credentials.refresh_token], [200, "at-1", "rt-s3cret-0"]);
  assert.equal((await show("code")).status, 200);
  assert.deepEqual((await nangod.ok("GET", "/connections")).connections[0].errors, []);
  assert.ok(!nangod.log().includes("s3cret"), "no secret in the log");
});

test("a grant that nobody uses is renewed once a day, and one that cannot be is left alone", async (t) => {
  const { integrate, connect, pass, provider, tokens, nangod } = await world(t, { env: { NANGO_REFRESH_SWEEP_MS: "100" } });
  await integrate("code", { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" });
  const expires_at = new Date(Date.now() + 60 * 86_400_000).toISOString();
  for (let n = 0; n < 3; n++) await connect("code", { type: "OAUTH2", access_token: "x", expires_at }, { connection_id: `bare-${n}` });
  await connect("code", { type: "OAUTH2", access_token: "at-0", refresh_token: "rt-0", expires_at });
  let n = 0;
  provider.reply("POST /token", () => ({ json: { access_token: `at-${++n}`, refresh_token: `rt-${n}`, expires_in: 60 * 86_400 } }));
  // Time that passes between an answer and its storing would not count.
  const stored = () => psql(nangod, "SELECT credentials_version FROM nango.connection WHERE connection_id = 'acme'");
  for (let day = 1; day <= 3; day++) {
    await pass("23 hours");
    assert.equal(n, day - 1, "not within a day");
    await pass("2 hours");
    await until(async () => (await stored()) === String(day), () => `${n} renewals on day ${day}\n${nangod.log()}`);
  }
  assert.deepEqual(tokens().map((r) => form(r).refresh_token), ["rt-0", "rt-1", "rt-2"]);
});

test("more idle grants than one batch holds are renewed in one go", async (t) => {
  const sweep_ms = 6000;
  const { integrate, connect, pass, provider, tokens, nangod } = await world(t, { env: { NANGO_REFRESH_SWEEP_MS: String(sweep_ms) } });
  await integrate("code", { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" });
  const expires_at = new Date(Date.now() + 60 * 86_400_000).toISOString();
  const times = [];
  provider.reply("POST /token", () => {
    times.push(Date.now());
    return { json: { access_token: "at-1", expires_in: 60 * 86_400 } };
  });
  for (let n = 0; n < 250; n++) await connect("code", { type: "OAUTH2", access_token: "at-0", refresh_token: `rt-${n}`, expires_at }, { connection_id: `one-${n}` });
  await pass("25 hours");
  await until(() => tokens().length === 250, () => `${tokens().length} renewals\n${nangod.log()}`, 60);
  const longest = Math.max(...times.slice(1).map((time, i) => time - times[i]));
  assert.ok(longest < sweep_ms / 2, `a pause of ${longest} ms between two renewals`);
});

test("a grant whose token never expires is renewed once a day, too, and keys that cannot be are opened once", async (t) => {
  const { integrate, connect, pass, tokens, provider, nangod } = await world(t, { env: { NANGO_REFRESH_SWEEP_MS: "100" } });
  await integrate("code", { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" });
  await connect("code", { type: "OAUTH2", access_token: "x" }, { connection_id: "bare" });
  await connect("code", { type: "OAUTH2", access_token: "at-0", refresh_token: "rt-0" });
  let n = 0;
  provider.reply("POST /token", () => ({ json: { access_token: `at-${++n}`, refresh_token: `rt-${n}` } }));
  const left = () => psql(nangod, "SELECT count(*) FROM nango.connection WHERE idle_version IS DISTINCT FROM credentials_version AND connection_id = 'bare'");
  const stored = () => psql(nangod, "SELECT credentials_version FROM nango.connection WHERE connection_id = 'acme'");
  for (let day = 1; day <= 2; day++) {
    await pass("25 hours");
    await until(async () => (await stored()) === String(day), () => `${n} renewals on day ${day}\n${nangod.log()}`);
  }
  assert.deepEqual(tokens().map((r) => form(r).refresh_token), ["rt-0", "rt-1"]);
  await until(async () => (await left()) === "0", "the bare token is opened again and again");
});

test("a renewal of several requests ends as one, while its lease lasts", async (t) => {
  const slow = { slow: { ...providers.code, display_name: "slow", x: { token_request: { then: [{ url: "${connectionConfig.server}/more" }] } } } };
  const { nangod, integrate, connect, show, provider, tokens, env } = await world(t, { more: slow, env: { NANGO_RENEWAL_MS: "1000" } });
  const other = await serve(t, nangod, env);
  await integrate("slow", { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" });
  await connect("slow", { type: "OAUTH2", access_token: "at-0", refresh_token: "rt-0", expires_at: new Date(Date.now() + 60_000).toISOString() });
  const asked = Promise.withResolvers();
  provider.reply("POST /token", { json: { access_token: "at-1", refresh_token: "rt-1", expires_in: 3600 } });
  for (const method of ["GET", "POST"]) provider.reply(`${method} /more`, () => {
    asked.resolve();
    return new Promise(() => {}); // never
  });
  const began = Date.now();
  const first = show("slow", "&force_refresh=true");
  await asked.promise;
  const lease = await psql(nangod, "SELECT refresh_lease_until - nango.clock_now() > interval '20 s' FROM nango.connection");
  assert.equal(lease, "t", "there is time left to store what came");
  const answers = await Promise.all([first, show("slow", "&force_refresh=true", other)]);
  assert.deepEqual(answers.map((a) => [a.status, a.body.error?.code]), [[424, "refresh_token_external_error"], [424, "refresh_token_external_error"]]);
  assert.ok(Date.now() - began < 15_000, `${Date.now() - began} ms: a request is given no more than is left`);
  assert.equal(tokens().length, 1, "the second node did not use the refresh token, too");
});

test("token_headers go with each request for a token, and what does not resolve is left out", async (t) => {
  const token_headers = { "x-tenant": "${connectionConfig.tenant}", "x-gone": "${connectionConfig.nope}", accept: "application/vnd.token+json" };
  const { integrate, connect, show, provider, tokens } = await world(t, { more: { cch: { ...providers.cc, token_headers }, codeh: { ...providers.code, token_headers } } });
  provider.reply("POST /token", { json: { access_token: "at-1", expires_in: 3600 } });
  await integrate("cch");
  await integrate("codeh", { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" });
  const settings = { connection_config: { server: provider.url, tenant: "acme" } };
  assert.equal((await connect("cch", client, settings)).status, 200);
  await connect("codeh", { type: "OAUTH2", access_token: "at-0", refresh_token: "rt-0" }, settings);
  assert.equal((await show("codeh", "&force_refresh=true")).status, 200);
  const sent = tokens().map(({ headers: h }) => [h["x-tenant"], h["x-gone"], h.accept, h["content-type"]]);
  assert.deepEqual(sent, Array(2).fill(["acme", undefined, "application/vnd.token+json", "application/x-www-form-urlencoded"]));
});

test("a token URL's settings are percent-encoded unless the template says otherwise", async (t) => {
  const at = (more) => ({ ...providers.cc, token_url: "${connectionConfig.server}/${connectionConfig.place}/token", ...more });
  const { integrate, connect, provider } = await world(t, { more: { coded: at(), plain: at({ token_url_skip_encode: ["base_url"] }) } });
  for (const [name, path] of [["coded", "/a%2Fb/token"], ["plain", "/a/b/token"]]) {
    provider.reply(`POST ${path}`, { json: { access_token: name } });
    await integrate(name);
    const made = await connect(name, client, { connection_config: { server: provider.url, place: "a/b" } });
    assert.equal(made.body.credentials?.token, name, made.text);
  }
});

test("a run begins with credentials that last, and renews them while it is under way", async (t) => {
  const { nangod, integrate, connect, provider, tokens } = await world(t);
  await integrate("cc");
  await nangod.deploy(await buildItems(t, (text) => text.replace("provider: unauthenticated", "provider: cc"), "cc"), "cc");
  let n = 0;
  // A life of two seconds: half of it is left when a token is renewed.
  provider.reply("POST /token", () => ({ json: { access_token: `token-${++n}`, expires_in: 2 } }));
  const seen = [];
  provider.reply("GET /api/items", async ({ query, headers }) => {
    const page = Number(query.get("page"));
    seen.push([page, headers.authorization]);
    if (page < 3) await new Promise((done) => setTimeout(done, 1200)); // a slow provider
    return { json: page < 4 ? [{ id: String(page), title: "x" }] : [] };
  });
  const made = await connect("cc", client);
  assert.equal(made.status, 200, made.text);
  const status = await nangod.settled("cc", "acme", "items");
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  assert.deepEqual(seen.map(([page]) => page), [1, 2, 3, 4]);
  const used = seen.map(([, header]) => Number(/Bearer token-(\d+)/.exec(header)[1]));
  assert.ok(used[1] > used[0] && used[2] > used[1], used.join());
  assert.equal(tokens().length, n);
});

test("a run that is cancelled while it waits for its credentials ends at once", async (t) => {
  const { nangod, integrate, connect, provider, pass, tokens } = await world(t);
  await integrate("cc");
  await nangod.deploy(await buildItems(t, (text) => text.replace("provider: unauthenticated", "provider: cc"), "cc"), "cc");
  provider.reply("POST /token", { json: { access_token: "token-1", expires_in: 3600 } });
  provider.reply("GET /api/items", { json: [] });
  assert.equal((await connect("cc", client)).status, 200);
  assert.equal((await nangod.settled("cc", "acme", "items")).status, "SUCCESS");
  const gate = Promise.withResolvers();
  provider.reply("POST /token", () => gate.promise);
  await nangod.ok("POST", "/sync/pause", { body: { syncs: ["items"], provider_config_key: "cc", connection_id: "acme" } });
  await pass("59 minutes");
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: "cc", connection_id: "acme" } });
  await until(() => tokens().length === 2, () => nangod.log());
  const id = await psql(nangod, "SELECT run_id FROM nango.queue");
  assert.equal((await nangod.ok("POST", `/runs/${id}/cancel`)).state, "cancelled");
  await until(() => nangod.log().includes("the lease is gone (cancelled)"), () => nangod.log(), 5);
  gate.resolve({ json: { access_token: "token-2", expires_in: 3600 } });
});

test("a run whose token is refused gets another, once for all its requests, and the refusal stays unseen", async (t) => {
  const { nangod, integrate, connect, provider, tokens, pass } = await world(t);
  await integrate("cc");
  await nangod.deploy(await buildItems(t, (text) => text.replace("provider: unauthenticated", "provider: cc"), "cc"), "cc");
  let valid;
  provider.reply("POST /token", () => ({ json: { access_token: (valid = `token-${tokens().length}`), expires_in: 86400 } }));
  const seen = [];
  provider.reply("GET /api/items", ({ query, headers }) => {
    const isKnown = headers.authorization === `Bearer ${valid}`;
    seen.push(isKnown);
    return isKnown ? { json: query.get("page") === "1" ? [{ id: "1", title: "x" }] : [] } : { status: 401, json: {} };
  });
  const made = await connect("cc", client);
  assert.equal(made.status, 200, made.text);
  assert.equal((await nangod.settled("cc", "acme", "items")).status, "SUCCESS");
  await pass("1 minute"); // those made within 30 s are not made anew
  valid = "revoked";
  seen.length = 0;
  const before = tokens().length;
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: "cc", connection_id: "acme" } });
  await until(() => seen.length > 2);
  assert.equal((await nangod.settled("cc", "acme", "items")).status, "SUCCESS");
  assert.deepEqual(seen.slice(0, 2), [false, true]);
  assert.ok(!seen.slice(1).includes(false));
  assert.equal(tokens().length, before + 1);
});

test("a stop waits for a renewal under way; whoever asks twice does not, and that is no failure", async (t) => {
  const dataDir = scratch(t);
  const w = await world(t, { dataDir });
  await w.integrate("code", { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" });
  await w.connect("code", { type: "OAUTH2", access_token: "at-0", refresh_token: "rt-0", expires_at: new Date(Date.now() + 3_600_000).toISOString() });
  await w.pass("50 minutes");
  let gate, asked;
  const hold = () => {
    gate = Promise.withResolvers();
    asked = Promise.withResolvers();
    w.provider.reply("POST /token", async () => {
      asked.resolve();
      return { json: await gate.promise };
    });
  };
  hold();
  const reading = w.show("code").catch((error) => error);
  await asked.promise;
  const stopped = w.nangod.stop();
  await until(() => w.nangod.log().includes("stopping"));
  gate.resolve({ access_token: "at-1", refresh_token: "rt-1", expires_in: 3600 });
  assert.equal(await stopped, 0);
  await reading;
  assert.match(w.nangod.log(), /renewed the credentials/);

  const second = await start(t, { dataDir, env: w.env });
  const kept = await w.show("code", "&refresh_token=true", second);
  assert.deepEqual([kept.body.credentials.access_token, kept.body.credentials.refresh_token, w.tokens().length], ["at-1", "rt-1", 1]);
  hold();
  const forced = w.show("code", "&force_refresh=true", second).catch((error) => error);
  await asked.promise;
  const closed = second.kill("SIGTERM");
  await until(() => second.log().includes("stopping"));
  second.child.kill("SIGTERM");
  await closed;
  await forced;
  assert.equal(second.child.exitCode, 0);

  const third = await start(t, { dataDir, env: w.env });
  w.provider.reply("POST /token", { json: { access_token: "at-2", expires_in: 3600 } });
  assert.equal(await psql(third, "SELECT count(*) FROM nango.connection WHERE refresh_failed_at IS NULL AND refresh_lease IS NULL"), "1");
  assert.equal((await w.show("code", "&force_refresh=true", third)).body.credentials.access_token, "at-2");
});

test("a database that dies while the provider answers does not cost the new token", async (t) => {
  const { nangod, integrate, connect, show, pass, provider, tokens } = await world(t);
  await integrate("code", { type: "OAUTH2", client_id: "app-id", client_secret: "app-s3cret" });
  await connect("code", { type: "OAUTH2", access_token: "at-0", refresh_token: "rt-0", expires_at: new Date(Date.now() + 3_600_000).toISOString() });
  await pass("50 minutes");
  const [asked, gate] = [Promise.withResolvers(), Promise.withResolvers()];
  provider.reply("POST /token", async () => {
    asked.resolve();
    await gate.promise;
    return { json: { access_token: "at-1", refresh_token: "rt-1", expires_in: 3600 } };
  });
  const reading = show("code");
  await asked.promise;
  const postgres = children(nangod.pid).find((pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "postgres");
  process.kill(postgres, "SIGSTOP"); // it accepts nobody, and is not started again yet
  for (const pid of children(postgres)) process.kill(pid, "SIGKILL");
  gate.resolve();
  await until(() => nangod.log().includes("cannot be stored yet"), () => nangod.log());
  process.kill(postgres, "SIGKILL");
  assert.equal((await reading).body.credentials.access_token, "at-1");
  const kept = await show("code", "&refresh_token=true");
  assert.deepEqual([kept.body.credentials.refresh_token, tokens().length], ["rt-1", 1]);
});

test("what bodies, formats and expiries a provider may want and give", async (t) => {
  const rows = {
    json: [{ body_format: "json" }, { json: { access_token: "a", expires_in: 60 } }, (r) => assert.deepEqual(JSON.parse(r.body), { grant_type: "client_credentials", client_id: "the-client", client_secret: "s3cret/+&" })],
    query: [{ body_format: "query" }, { json: { access_token: "a" } }, (r) => assert.deepEqual([r.body, r.query.get("client_secret")], ["", "s3cret/+&"])],
    basic: [{ token_request_auth_method: "basic" }, { json: { jwt: "a" } }, (r) => assert.deepEqual([r.headers.authorization, form(r)], [basic("the-client", "s3cret/+&"), { grant_type: "client_credentials" }])],
    login: [{ token_request_auth_method: "custom", token_params: { scope: "x", tenant: "${connectionConfig.tenant}" } }, { json: { data: { token: "a" } } },
      (r) => assert.deepEqual(form(r), { scope: "x", tenant: "T 1", username: "the-client", password: "s3cret/+&", grant_type: "client_credentials" })],
    units: [{ expires_in_unit: "milliseconds" }, { json: { access_token: "a", expires_in: 120_000 } }, null, 120_000],
    iso: [{}, { json: { access_token: "a", expires_at: new Date(Date.now() + 600_000).toISOString() } }, null, 600_000],
    seconds: [{}, { json: { access_token: "a", expires_at: Math.round(Date.now() / 1000) + 600 } }, null, 600_000],
    none: [{}, { json: { access_token: "a" } }, null, 55 * 60_000],
    form: [{}, { headers: { "content-type": "text/plain" }, text: "access_token=a&expires_in=90\r\n" }, null, 90_000],
  };
  const more = Object.fromEntries(Object.entries(rows).map(([name, [extra]]) => [name, { ...cc, display_name: name, ...extra }]));
  const { integrate, connect, provider, tokens } = await world(t, { more });
  for (const [name, [, answer, check, life]] of Object.entries(rows)) {
    provider.reply("POST /token", answer);
    await integrate(name);
    const made = await connect(name, client, { connection_id: name, connection_config: { server: provider.url, tenant: "T 1" } });
    assert.equal(made.status, 200, `${name}: ${made.text}`);
    assert.equal(made.body.credentials.token, "a", name);
    check?.(tokens().at(-1));
    if (life) assert.ok(Math.abs(Date.parse(made.body.credentials.expires_at) - Date.now() - life) < 30_000, `${name}: ${made.body.credentials.expires_at}`);
  }
});
