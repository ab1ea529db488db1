// SPDX-License-Identifier: Apache-2.0
// Drives a template's flow as a user and a browser do, and holds what the vendor is asked against what a
// row of the tables (vendors-*.mjs) says that its documentation wants.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { back, basic, begin, session } from "./auth.mjs";
import { internet } from "./internet.mjs";
import { buildPlugin, psql, scratch, start, top } from "./nangod.mjs";

/** What is put over in the built plugin: the provider in its note, which is JSON, and the path it asks for. */
const ANY = "p".repeat(48);
const PATH = "/call-of-00000";

async function buildCaller(t) {
  const dir = scratch(t);
  const source = join(top, "tests/e2e/plugins/items");
  writeFileSync(join(dir, "items.c"), readFileSync(join(source, "items.c"), "utf8").replace('"/items"', `"${PATH}"`));
  writeFileSync(join(dir, "plugin.yaml"), readFileSync(join(source, "plugin.yaml"), "utf8").replace("provider: unauthenticated", `provider: ${ANY}`));
  return readFileSync(await buildPlugin(t, dir, ANY)).toString("latin1");
}

/** The hosts that a table names, in texts and in what its functions say. */
const hostsIn = (rows) => [...new Set(Object.values(rows).flatMap((row) => Object.values(row)).flatMap((value) => [...(typeof value === "function" ? `${value}` : `${JSON.stringify(value)}`).matchAll(/https:\/\/([a-z0-9.-]+)/g)].map(([, host]) => host)))];

/** A node in the fake world, with our own templates as they are. */
export async function flows(t, rows) {
  const net = await internet(t, hostsIn(rows));
  const nangod = await start(t, { env: net.env });
  const plugin = await buildCaller(t);
  const w = { t, net, nangod };
  /** Ends of tokens are told by the node's own clock, and compared with this one. */
  w.later = (seconds) => psql(nangod, `UPDATE nango.clock SET offset_by = interval '${seconds} seconds'`);
  w.pluginFor = (name, path) => Buffer.from(plugin.replaceAll(`"provider":"${ANY}"`, `"provider":"${name}"`.padEnd(ANY.length + 13)).replaceAll(PATH, path), "latin1");
  w.asked = () => net.requests.splice(0);
  return w;
}

export const secret = "s3cret+/=&";
export const oauthApp = { client_id: "app-id", client_secret: secret, scopes: "one,two" };
const formEncoded = (text) => encodeURIComponent(text);
export const line = (r) => `${r.method} ${new URL(r.url).origin}${r.path}`;
export const params = (settings = {}) => Object.entries(settings).map(([k, v]) => `&params[${k}]=${encodeURIComponent(v)}`).join("");

/** What a client of HTTP puts in by itself. */
const ordinary = ["host", "user-agent", "accept-encoding", "connection", "content-length", "content-type"];
export const told = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !ordinary.includes(name)));

async function within(promise, why) {
  let timer;
  const late = new Promise((_, fail) => (timer = setTimeout(async () => fail(new Error(await why())), 30_000)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const types = { form: "application/x-www-form-urlencoded", json: "application/json" };
export function bodyOf(request, kind) {
  assert.equal(request.headers["content-type"], types[kind]);
  return kind === "json" ? JSON.parse(request.body) : Object.fromEntries(new URLSearchParams(request.body));
}

/** A request for a token: where, who asks, with what. */
export function checkToken(request, { url, body = "form", client = "body", headers = {} }, wanted, { client_id: id, client_secret: key }) {
  assert.equal(line(request), `POST ${url}`);
  const who = { "secret-as-user": { authorization: basic(key, "") }, basic: { authorization: basic(formEncoded(id), formEncoded(key)) }, "basic-raw": { authorization: basic(id, key) } }[client];
  assert.deepEqual(told(request.headers), { accept: "application/json", ...who, ...headers });
  const also = client === "body" ? { client_id: id, client_secret: key } : client === "public" ? { client_id: id } : {};
  assert.deepEqual(bodyOf(request, body), { ...wanted, ...also });
}

/** Requests that have no body to look at: "GET https://…" and the headers that are told. */
export function checkAsked(requests, expected) {
  assert.deepEqual(requests.map((r) => [line(r), told(r.headers)]), expected.map(({ request, headers = {} }) => [request, { accept: "*/*", ...headers }]));
}

/** A step after the sign-in, or a try of the credentials: {request: "GET https://…", headers, answer}. */
export const answers = (net, steps = [], over) => {
  for (const { request, answer = {} } of steps) net.reply(request.split("?")[0], over ?? answer);
};

export async function shown(w, name, more = "") {
  const { connections } = await w.nangod.ok("GET", `/connections?integrationId=${name}`);
  const [{ connection_id: id }, ...others] = connections.filter((c) => c.provider_config_key === name);
  assert.deepEqual(others, []);
  return { ...(await w.nangod.ok("GET", `/connections/${id}?provider_config_key=${name}${more}`)), id };
}
export const none = async (w, name) => assert.deepEqual((await w.nangod.ok("GET", "/connections")).connections.filter((c) => c.provider_config_key === name), []);

export function checkEnd(credentials, life, why) {
  const ends = credentials.expires_at && (Date.parse(credentials.expires_at) - Date.now()) / 1000;
  if (life) assert.ok(Math.abs(ends - life) < 30, `${why}: it ends in ${ends} s, not ${life}`);
  else assert.equal(credentials.expires_at, undefined, why);
}

/** One request of a plugin: what the template puts into it. number: tells its path from those of others. */
export async function checkCall(w, name, row, { id, token }, number) {
  const path = `/call-of-${String(number).padStart(5, "0")}`;
  w.net.reply(`GET ${row.base}${path}`, { json: [] });
  const came = w.net.next(`${row.base}${path}`);
  await w.nangod.ok("POST", `/deployments?integration=${name}`, { body: w.pluginFor(row.template ?? name, path) });
  const request = await within(came, async () => `no request for ${row.base}${path}: ${JSON.stringify(await w.nangod.status(name, id, "items"))}`);
  const url = `GET ${row.base}${path}?page=1`;
  if (!row.signed) return checkAsked([request], [{ request: url, headers: row.headers ? row.headers(token) : { authorization: `Bearer ${token}` } }]);
  assert.equal(line(request), url);
  return row.signed(request, w);
}

export async function integrate(w, name, row, credentials) {
  const type = credentials && { credentials: { type: row.mode, ...credentials } };
  await w.nangod.ok("POST", "/integrations", { body: { provider: row.template ?? name, unique_key: name, ...type, ...(row.integration && { integration_config: row.integration }) } });
  return (await session(w.nangod)).token;
}

const rfcRefusal = { status: 400, json: { error: "invalid_grant", error_description: "The grant is not good" }, says: /invalid_grant/ };
/** As RFC 6749 5.1 has it. */
export const rfc = (n, expires_in, more) => ({ access_token: `at-s3cret-${n}`, token_type: "bearer", ...(expires_in && { expires_in }), refresh_token: `rt-s3cret-${n}`, ...more });

// ---- OAuth 2.0: to the vendor's page, back with a code, a token, another one before it ends ----

async function pageOf(w, name, row, token) {
  const first = await begin(w.nangod, name, token, params(row.settings));
  assert.equal(first.status, 302, first.text);
  return new URL(first.headers.get("location"));
}

async function toPage(w, name, row, token, app) {
  const url = await pageOf(w, name, row, token);
  assert.equal(url.origin + url.pathname, row.page);
  const { state, code_challenge, code_challenge_method, ...rest } = Object.fromEntries(url.searchParams);
  assert.match(state, /^[0-9a-f-]{36}$/);
  assert.equal(code_challenge_method, row.pkce === false ? undefined : "S256");
  const redirect_uri = `${w.nangod.url}/oauth/callback`;
  assert.deepEqual(rest, { response_type: "code", client_id: app.client_id, redirect_uri, ...(row.scope !== null && { scope: row.scope ?? "one two" }), ...row.pageParams });
  return { state, code_challenge, redirect_uri };
}

/** Expected of the request with the code, its verifier told apart from the rest. */
function checkCode(request, row, { code_challenge, redirect_uri }, app) {
  const body = bodyOf(request, row.token.body ?? "form");
  const verifier = row.pkce === false ? {} : { code_verifier: body.code_verifier };
  if (row.pkce !== false) assert.equal(createHash("sha256").update(body.code_verifier).digest("base64url"), code_challenge);
  const wanted = { grant_type: "authorization_code", code: "the-code", redirect_uri, ...verifier, ...row.token.params };
  for (const omitted of row.token.omits ?? []) delete wanted[omitted];
  checkToken(request, row.token, wanted, app);
}

async function comesBack(w, name, row, token, app, answer) {
  w.net.reply(`POST ${row.token.url}`, answer);
  answers(w.net, row.before);
  const page = await toPage(w, name, row, token, app);
  const before = w.asked();
  assert.deepEqual(before.map(line), (row.before ?? []).map(({ request }) => request));
  for (const [i, { json }] of (row.before ?? []).entries()) if (json) assert.deepEqual(bodyOf(before[i], "json"), json(page));
  const done = await back(w.nangod, { state: page.state, code: "the-code", ...row.callback });
  const [asked, ...after] = w.asked();
  checkCode(asked, row, page, app);
  return { done, after };
}

/** What is asked after each new token: {request, form(n), answer}. */
function checkEach(requests, row, n) {
  for (const { request, form } of row.each ?? []) {
    const asked = requests.shift();
    assert.deepEqual([line(asked), told(asked.headers), bodyOf(asked, "form")], [request, { accept: "application/json" }, form(n)]);
  }
}

async function checkRefresh(w, name, row, id, app) {
  const url = row.refresh?.url ?? row.token.url;
  w.net.reply(`POST ${url}`, { json: row.answer(2) });
  if (row.life) await w.later(row.life - 60);
  const { credentials } = await w.nangod.ok("GET", `/connections/${id}?provider_config_key=${name}&refresh_token=true${row.life ? "" : "&force_refresh=true"}`);
  await w.later(0);
  const [asked, ...more] = w.asked();
  checkEach(more, row, 2);
  assert.deepEqual(more, []);
  checkToken(asked, { ...row.token, url }, { grant_type: "refresh_token", refresh_token: "rt-s3cret-1", ...row.refresh?.params }, app);
  assert.equal(credentials.access_token, "at-s3cret-2");
  assert.equal(credentials.refresh_token, row.answer(2).refresh_token ?? "rt-s3cret-1");
  checkEnd(credentials, row.life, "renewed");
  return "at-s3cret-2";
}

/** An error that comes with 200 is one on the way to a new token, too. */
async function checkRefusedRefresh(w, name, row, id) {
  w.net.reply(`POST ${row.refresh?.url ?? row.token.url}`, row.refusal);
  const answer = await w.nangod.call("GET", `/connections/${id}?provider_config_key=${name}&force_refresh=true`);
  assert.deepEqual([answer.status, answer.body.error.code], [424, "refresh_token_external_error"], answer.text);
  assert.match(answer.body.error.message, row.refusal.says);
  assert.equal(w.asked().length, 1);
}

async function checkDefaultScope(w, name, row, token) {
  await w.nangod.ok("PATCH", `/integrations/${name}`, { body: { credentials: { scopes: null } } });
  assert.equal((await pageOf(w, name, row, token)).searchParams.get("scope"), row.defaultScope ?? null);
}

export async function oauth2Flow(w, name, row) {
  const app = { ...oauthApp, ...row.app };
  const token = await integrate(w, name, row, row.credentials ?? app);
  const refusal = row.refusal ?? rfcRefusal;
  const refused = await comesBack(w, name, row, token, app, refusal);
  assert.equal(refused.done.status, 400, refused.done.text);
  assert.match(refused.done.text, refusal.says);
  await none(w, name);

  answers(w.net, [...(row.each ?? []), ...(row.after ?? [])]);
  const { done, after } = await comesBack(w, name, row, token, app, { json: row.answer(1) });
  assert.equal(done.status, 200, done.text);
  checkEach(after, row, 1);
  checkAsked(after, (row.after ?? []).map((step) => ({ ...step, headers: { accept: "application/json", authorization: "Bearer at-s3cret-1", ...step.headers } })));
  const { id, credentials, connection_config } = await shown(w, name);
  assert.deepEqual([credentials.type, credentials.access_token, credentials.refresh_token], [row.mode, "at-s3cret-1", undefined]);
  checkEnd(credentials, row.life, "made");
  assert.deepEqual(connection_config, { ...row.settings, ...row.config });
  const current = row.refresh === false ? "at-s3cret-1" : await checkRefresh(w, name, row, id, app);
  if (row.refresh !== false && row.refusal && !row.refusal.status) await checkRefusedRefresh(w, name, row, id);
  if (!row.before) await checkDefaultScope(w, name, row, token);
  w.net.forget();
  return { id, token: current };
}
