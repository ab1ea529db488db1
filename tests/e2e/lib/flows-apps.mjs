// SPDX-License-Identifier: Apache-2.0
// The ways to a vendor and back that are not OAuth 2.0's: OAuth 1.0, apps and plugins that are installed.
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { importSPKI, jwtVerify } from "jose";
import OAuth from "oauth-1.0a";
import { back, basic, begin, stateOf } from "./auth.mjs";
import { answers, bodyOf, checkAsked, checkEnd, checkToken, integrate, line, none, oauthApp, params, secret, shown, told } from "./flows.mjs";
import { parameters } from "./oauth1.mjs";

async function away(w, name, token, settings) {
  const first = await begin(w.nangod, name, token, params(settings));
  assert.equal(first.status, 302, first.text);
  return new URL(first.headers.get("location"));
}

// ---- OAuth 1.0a, each request held against npm's oauth-1.0a ----

function isSigned(request, { token, tokenSecret = "", ...also }) {
  const { oauth_signature, ...sent } = parameters(request.headers.authorization);
  assert.deepEqual({ key: sent.oauth_consumer_key, method: sent.oauth_signature_method, token: sent.oauth_token, ...also }, { key: "app-id", method: "HMAC-SHA1", token, ...Object.fromEntries(Object.keys(also).map((k) => [k, sent[k]])) });
  const oauth = new OAuth({ consumer: { key: "app-id", secret }, signature_method: "HMAC-SHA1", hash_function: (base, key) => createHmac("sha1", key).update(base).digest("base64") });
  assert.equal(oauth.getSignature({ method: request.method, url: line(request).slice(request.method.length + 1), data: {} }, tokenSecret, sent), oauth_signature);
}

export async function oauth1Flow(w, name, row) {
  const token = await integrate(w, name, row, { ...oauthApp, ...row.app });
  const there = async () => {
    w.net.reply(`POST ${row.request}`, { text: "oauth_token=req-1&oauth_token_secret=req-s3cret&oauth_callback_confirmed=true" });
    const page = await away(w, name, token);
    assert.deepEqual([page.origin + page.pathname, Object.fromEntries(page.searchParams)], [row.page, { oauth_token: "req-1", ...row.pageParams }]);
    const [asked, ...more] = w.asked();
    assert.deepEqual([line(asked), more], [`POST ${row.request}`, []]);
    const { oauth_callback } = parameters(asked.headers.authorization);
    isSigned(asked, { oauth_callback });
    assert.ok(oauth_callback.startsWith(`${w.nangod.url}/oauth/callback?state=`));
    return Object.fromEntries([...new URL(oauth_callback).searchParams, ["oauth_token", "req-1"], ["oauth_verifier", "v-1"]]);
  };
  w.net.reply(`POST ${row.access}`, { status: 401, text: "Invalid oauth_verifier" });
  const refused = await back(w.nangod, await there());
  assert.equal(refused.status, 400);
  assert.match(refused.text, /answered 401: Invalid oauth_verifier/);
  await none(w, name);
  w.asked();

  w.net.reply(`POST ${row.access}`, { text: "oauth_token=t-1&oauth_token_secret=t-s3cret&user_id=1" });
  const done = await back(w.nangod, await there());
  assert.equal(done.status, 200, done.text);
  const [asked, ...more] = w.asked();
  assert.deepEqual([line(asked), more], [`POST ${row.access}`, []]);
  isSigned(asked, { token: "req-1", tokenSecret: "req-s3cret", oauth_verifier: "v-1" });
  const { id, credentials } = await shown(w, name);
  assert.deepEqual(credentials, { type: "OAUTH1", oauth_token: "t-1", oauth_token_secret: "t-s3cret", raw: { oauth_token: "t-1", oauth_token_secret: "t-s3cret", user_id: "1" } });
  w.net.forget();
  return { id };
}
const signed = (request) => isSigned(request, { token: "t-1", tokenSecret: "t-s3cret" });

// ---- apps with a key of their own ----

const key = generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: { type: "pkcs1", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
const link = "https://github.com/apps/acme/installations/new";
const app = { app_id: "4711", app_link: link, private_key: Buffer.from(key.privateKey).toString("base64") };
const hour = 3600;

/** The app shows a JWT of ten minutes at most, and gets the token of an installation. */
async function checkInstallation(request, { installation }) {
  assert.equal(line(request), `POST ${installation}`);
  const { payload } = await jwtVerify(request.headers.authorization.replace(/^Bearer /, ""), await importSPKI(key.publicKey, "RS256"), { currentDate: new Date() });
  assert.equal(payload.iss, "4711");
  assert.ok(payload.exp - payload.iat <= 600);
}
const installed = (n) => ({ status: 201, json: { token: `ghs-s3cret-${n}`, expires_at: new Date(Date.now() + hour * 1000).toISOString(), permissions: { issues: "read" }, repository_selection: "all" } });

/** One who comes back from the vendor's page of installing. */
async function install(w, name, row, token, query) {
  const page = await away(w, name, token, row.settings);
  assert.deepEqual([page.origin + page.pathname, [...page.searchParams.keys()]], [link, ["state"]]);
  return back(w.nangod, { state: stateOf({ headers: new Map([["location", page.href]]) }), installation_id: "99", setup_action: "install", ...query }, row.back);
}

export async function appFlow(w, name, row) {
  const token = await integrate(w, name, row, app);
  w.net.reply(`POST ${row.installation}`, { status: 401, json: { message: "A JSON web token could not be decoded" } });
  const refused = await install(w, name, row, token);
  assert.equal(refused.status, 400);
  assert.match(refused.text, /could not be decoded/);
  await none(w, name);
  w.asked();
  w.net.reply(`POST ${row.installation}`, () => installed(1));
  const done = await install(w, name, row, token);
  assert.equal(done.status, 200, done.text);
  const [asked, ...more] = w.asked();
  await checkInstallation(asked, row);
  assert.deepEqual(more, []);
  const { id, credentials, connection_config } = await shown(w, name);
  assert.deepEqual([credentials.type, credentials.access_token, connection_config], ["APP", "ghs-s3cret-1", { ...row.settings, installation_id: "99" }]);
  checkEnd(credentials, hour, "made");
  w.net.reply(`POST ${row.installation}`, () => installed(2));
  await w.later(hour - 60);
  const fresh = await shown(w, name);
  await w.later(0);
  assert.equal(fresh.credentials.access_token, "ghs-s3cret-2");
  const again = w.asked();
  assert.equal(again.length, 1);
  await checkInstallation(again[0], row);
  w.net.forget();
  return { id, token: "ghs-s3cret-2" };
}

/** GitHub answers 200 to a bad code. */
export async function customFlow(w, name, row) {
  const client = { client_id: "app-id", client_secret: secret };
  const token = await integrate(w, name, row, { ...app, ...client });
  const user = { url: "https://github.com/login/oauth/access_token" };
  w.net.reply(`POST ${row.installation}`, () => installed(1));
  w.net.reply(`POST ${user.url}`, { json: { error: "bad_verification_code", error_description: "The code passed is incorrect or expired.", error_uri: "https://docs.github.com" } });
  const refused = await install(w, name, row, token, { code: "the-code" });
  assert.equal(refused.status, 400, refused.text);
  assert.match(refused.text, /bad_verification_code/);
  await none(w, name);
  w.asked();

  const given = (n) => ({ json: { access_token: `ghu-s3cret-${n}`, expires_in: 8 * hour, refresh_token: `ghr-s3cret-${n}`, refresh_token_expires_in: 15897600, scope: "", token_type: "bearer" } });
  const check = async (params) => {
    const requests = w.asked().filter((r) => !r.path.startsWith("/user/installations?"));
    const of = (url) => requests.splice(requests.findIndex((r) => line(r) === `POST ${url}`), 1)[0];
    checkToken(of(user.url), user, params, client);
    assert.equal(line(of(row.installation)), `POST ${row.installation}`);
    assert.deepEqual(requests, []);
  };
  w.net.reply(`POST ${user.url}`, given(1));
  // The installation has to be one of the user's: anybody can put another's id into the callback.
  const own = "https://api.github.com/user/installations";
  w.net.reply(`GET ${own}`, { json: { total_count: 1, installations: [{ id: 98, account: { login: "other" } }] } });
  const foreign = await install(w, name, row, token, { code: "the-code" });
  assert.equal(foreign.status, 400, foreign.text);
  assert.match(foreign.text, /lists nothing whose id/);
  const nobody = await install(w, name, row, token, {});
  assert.equal(nobody.status, 400, nobody.text);
  await none(w, name);
  w.asked();
  w.net.reply(`GET ${own}`, { json: { total_count: 2, installations: [{ id: 98, account: { login: "other" } }, { id: 99, account: { login: "acme" } }] } });
  const done = await install(w, name, row, token, { code: "the-code" });
  assert.equal(done.status, 200, done.text);
  assert.deepEqual(w.net.requests.filter((r) => r.path.startsWith("/user/installations?")).map((r) => r.headers.authorization), ["Bearer ghu-s3cret-1"]);
  await check({ grant_type: "authorization_code", code: "the-code", redirect_uri: `${w.nangod.url}/oauth/callback` });
  const { id, credentials, connection_config } = await shown(w, name);
  assert.deepEqual([credentials.type, credentials.app.access_token, credentials.user.access_token, connection_config], ["CUSTOM", "ghs-s3cret-1", "ghu-s3cret-1", { installation_id: "99", account: "acme" }]);
  checkEnd(credentials, hour, "the earlier end");
  w.net.reply(`POST ${row.installation}`, () => installed(2));
  w.net.reply(`POST ${user.url}`, given(2));
  await w.later(hour - 60);
  const fresh = await shown(w, name);
  await w.later(0);
  assert.deepEqual([fresh.credentials.app.access_token, fresh.credentials.user.access_token], ["ghs-s3cret-2", "ghu-s3cret-2"]);
  await check({ grant_type: "refresh_token", refresh_token: "ghr-s3cret-1" });
  w.net.forget();
  return { id, token: "ghs-s3cret-2" };
}

// ---- plugins that are installed, with one name and password for all ----

export async function pluginFlow(w, name, row) {
  const token = await integrate(w, name, row, { app_link: row.page, username: "plugin", password: secret });
  const go = async () => {
    const page = await away(w, name, token);
    assert.deepEqual([page.origin + page.pathname, [...page.searchParams.keys()]], [row.page, ["payload"]]);
    return back(w.nangod, { payload: page.searchParams.get("payload"), website_id: "8c842203-7ed8-4e29-a608-7cf78a7d2fcc" });
  };
  if (row.tries.length > 0) {
    answers(w.net, row.tries, { status: 401, json: { error: true, reason: "invalid_session" } });
    const refused = await go();
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.text, /answered 401/);
    checkAsked(w.asked(), row.tries);
    await none(w, name);
  }
  answers(w.net, row.tries, { json: { error: false } });
  const done = await go();
  assert.equal(done.status, 200, done.text);
  checkAsked(w.asked(), row.tries);
  const { id, credentials, connection_config } = await shown(w, name);
  assert.deepEqual([credentials, connection_config], [{ type: "INSTALL_PLUGIN", username: "plugin", password: secret }, { website_id: "8c842203-7ed8-4e29-a608-7cf78a7d2fcc" }]);
  w.net.forget();
  return { id };
}

const github = (token) => ({ authorization: `Bearer ${token}`, accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" });
const crisp = { authorization: basic("plugin", secret), "x-crisp-tier": "plugin" };
const installation = "https://api.github.com/app/installations/99/access_tokens";

export const oauth1 = {
  trello: {
    mode: "OAUTH1", request: "https://trello.com/1/OAuthGetRequestToken", page: "https://trello.com/1/OAuthAuthorizeToken", pageParams: { expiration: "never", scope: "one,two" },
    access: "https://trello.com/1/OAuthGetAccessToken", base: "https://api.trello.com", signed,
  },
  twitter: {
    mode: "OAUTH1", app: { scopes: "" }, request: "https://api.x.com/oauth/request_token", page: "https://api.x.com/oauth/authorize", access: "https://api.x.com/oauth/access_token", base: "https://api.x.com", signed,
  },
};
const githubApp = { mode: "APP", installation, back: "/app-auth/connect", base: "https://api.github.com", headers: github };
const enterprise = "https://github.example.com/api/v3";
export const apps = {
  "github-app": githubApp,
  "github-app-enterprise": { ...githubApp, template: "github-app", installation: `${enterprise}/app/installations/99/access_tokens`, base: enterprise, integration: { baseUrl: enterprise } },
};
export const customs = { "github-app-oauth": { mode: "CUSTOM", installation, base: "https://api.github.com", headers: github } };
export const plugins = {
  "crisp-plugin-install": {
    mode: "INSTALL_PLUGIN", page: "https://app.crisp.chat/initiate/plugin/urn:acme", tries: [{ request: "GET https://api.crisp.chat/v1/plugin/connect/account", headers: crisp }], base: "https://api.crisp.chat/v1", headers: () => crisp,
  },
};
