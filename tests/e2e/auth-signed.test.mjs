// SPDX-License-Identifier: Apache-2.0
// The auth modes whose requests are signed one by one, against verifiers that are not ours.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { back, basic, begin, session, world } from "./lib/auth.mjs";
import { awsProvider } from "./lib/aws.mjs";
import { buildItems, item } from "./lib/items.mjs";
import { psql, until } from "./lib/nangod.mjs";
import { oauth1Provider, parameters } from "./lib/oauth1.mjs";

const server = "${connectionConfig.server}";
const retry = { after: "retry-after" };
const entry = (auth_mode, more) => ({ display_name: auth_mode, docs: "https://example.com", auth_mode, proxy: { base_url: `${server}/api`, retry }, ...more });
const oauth1 = (more) =>
  entry("OAUTH1", { request_url: `${server}/request_token`, authorization_url: `${server}/authorize`, token_url: `${server}/access_token`, ...more });
const consumer = { key: "consumer-key", secret: "consumer s3cret&=" };
const app = { type: "OAUTH1", client_id: consumer.key, client_secret: consumer.secret, scopes: "read,write" };
const pages = [[item(1), item(2)], [item(3)]];
const param = (url) => `&params[server]=${encodeURIComponent(url)}`;

/** Runs the items plugin of a connection to its end. */
async function runItems(t, w, name, id = "acme") {
  await w.nangod.deploy(await buildItems(t, (text) => text.replace("provider: unauthenticated", `provider: ${name}`), name), name);
  return w.nangod.settled(name, id, "items");
}

/** A node, the integration, and a provider that checks each signature. */
async function signedWorld(t, name, template, settings, credentials = app) {
  const w = await world(t, { more: { [name]: template } });
  const provider = await oauth1Provider(t, { clients: { [consumer.key]: consumer.secret }, method: template.signature_method, pages, ...settings });
  await w.integrate(name, credentials);
  return { ...w, provider };
}

for (const method of ["HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT"])
  test(`OAUTH1 with ${method}: three legs, then a run whose requests are signed, each try anew`, async (t) => {
    const { nangod, provider, ...w } = await signedWorld(t, "signed", oauth1({ signature_method: method, request_params: { x_access: "write it" }, authorization_params: { expiration: "never" } }), { failures: 1 });
    const { token } = await session(nangod);
    const first = await begin(nangod, "signed", token, `${param(provider.url)}&authorization_params[oauth_token]=mine&authorization_params[lang]=de`);
    assert.equal(first.status, 302, first.text);
    const page = new URL(first.headers.get("location"));
    assert.equal(page.origin + page.pathname, `${provider.url}/authorize`);
    const { oauth_token, ...rest } = Object.fromEntries(page.searchParams);
    assert.deepEqual(rest, { expiration: "never", scope: "read write", lang: "de" });
    const [asked] = provider.of("/request_token");
    assert.deepEqual([asked.body, asked.method], ["x_access=write%20it", "POST"]);
    assert.match(parameters(asked.authorization).oauth_callback, new RegExp(`^${nangod.url}/oauth/callback\\?state=[0-9a-f-]{36}$`));

    const agreed = await fetch(page, { redirect: "manual" });
    const there = new URL(agreed.headers.get("location"));
    assert.equal(there.searchParams.get("oauth_token"), oauth_token);
    const done = await back(nangod, there.searchParams);
    assert.equal(done.status, 200, done.text);
    const [{ connection_id: id }] = (await nangod.ok("GET", "/connections")).connections;
    const { credentials } = await nangod.ok("GET", `/connections/${id}?provider_config_key=signed`);
    const given = Object.fromEntries(new URLSearchParams(provider.of("/access_token")[0].answer));
    assert.deepEqual(credentials, { type: "OAUTH1", oauth_token: given.oauth_token, oauth_token_secret: given.oauth_token_secret, raw: given });

    const status = await runItems(t, { nangod, ...w }, "signed", id);
    assert.equal(status.status, "SUCCESS", JSON.stringify(status));
    assert.equal((await nangod.records("signed", id, "Item")).records.length, 3);
    const calls = provider.of("/api/items");
    assert.deepEqual(calls.map((call) => call.status), [503, 200, 200, 200]);
    assert.equal(calls[0].path, calls[1].path);
    const nonces = new Set(provider.requests.filter((r) => r.authorization).map((r) => parameters(r.authorization).oauth_nonce));
    assert.equal(nonces.size, 6);
    assert.equal((await back(nangod, there.searchParams)).status, 400, "a state works once");
  });

test("OAUTH1: a token of another flow, none at all, a wrong verifier and a wrong consumer are refused", async (t) => {
  const { nangod, provider, integrate, ...w } = await signedWorld(t, "signed", oauth1({ signature_method: "HMAC-SHA1" }), {});
  const { token } = await session(nangod);
  const agree = async () => {
    const first = await begin(nangod, "signed", token, param(provider.url));
    return Object.fromEntries(new URL((await fetch(first.headers.get("location"), { redirect: "manual" })).headers.get("location")).searchParams);
  };
  const [mine, other] = [await agree(), await agree()];
  const swapped = await back(nangod, { ...other, state: mine.state });
  assert.equal(swapped.status, 400);
  assert.match(swapped.text, /without the oauth_token of this flow/);
  assert.equal(provider.of("/access_token").length, 0, "it was not even tried");
  const refusals = [[{ oauth_verifier: "guess" }, /access_token answered 401/], [{ oauth_verifier: "" }, /without/], [{ oauth_verifier: undefined, denied: "x", oauth_token: undefined }, /refused: denied/]];
  for (const [change, why] of refusals) {
    const query = Object.fromEntries(Object.entries({ ...(await agree()), ...change }).filter(([, value]) => value !== undefined));
    const done = await back(nangod, query);
    assert.equal(done.status, 400);
    assert.match(done.text, why);
  }
  await nangod.ok("PATCH", "/integrations/signed", { body: { credentials: { ...app, client_secret: "wr0ng-secret" } } });
  const wrong = await begin(nangod, "signed", token, param(provider.url));
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /request_token answered 401/);
  assert.ok(!wrong.text.includes("wr0ng-secret"));
  assert.deepEqual((await nangod.ok("GET", "/connections")).connections, []);
  const own = `&credentials[oauth_client_id_override]=${encodeURIComponent(consumer.key)}&credentials[oauth_client_secret_override]=${encodeURIComponent(consumer.secret)}`;
  assert.equal((await begin(nangod, "signed", token, param(provider.url) + own)).status, 302, "with the connection's own consumer");
});

test("OAUTH1: imported tokens sign; a wrong secret is the provider's to refuse", async (t) => {
  const { nangod, provider, connect, ...w } = await signedWorld(t, "signed", oauth1({ signature_method: "HMAC-SHA1" }), { tokens: { "tok/en": "t0ken secret" } });
  const more = { connection_config: { server: provider.url } };
  const made = await connect("signed", { type: "OAUTH1", oauth_token: "tok/en", oauth_token_secret: "t0ken secret" }, more);
  assert.equal(made.status, 200, made.text);
  assert.deepEqual(made.body.credentials, { type: "OAUTH1", oauth_token: "tok/en", oauth_token_secret: "t0ken secret", raw: {} });
  assert.equal((await runItems(t, { nangod }, "signed")).status, "SUCCESS");
  const wrong = await connect("signed", { type: "OAUTH1", oauth_token: "tok/en", oauth_token_secret: "another" }, { ...more, connection_id: "wrong" });
  assert.equal(wrong.status, 200, wrong.text);
  assert.equal((await nangod.settled("signed", "wrong", "items")).status, "ERROR");
  assert.equal(provider.requests.at(-1).status, 403);
  for (const credentials of [{ oauth_token: "x" }, { oauth_token_secret: "x" }, { oauth_token: "", oauth_token_secret: "x" }]) {
    const refused = await connect("signed", { type: "OAUTH1", ...credentials }, more);
    assert.deepEqual([refused.status, refused.body.error.code], [400, "invalid_body"], refused.text);
  }
});

// ---- TBA ----

const tba = entry("TBA");
const account = { clients: { [consumer.key]: consumer.secret }, tokens: { "t/id": "t0ken secret" }, realm: "123456_SB1_A" };
const typed = { token_id: "t/id", token_secret: "t0ken secret" };
const tbaWorld = async (t, settings, credentials = null) => signedWorld(t, "account", { ...tba, signature_method: "HMAC-SHA256" }, { ...account, ...settings }, credentials);

test("TBA: a form, and a run whose requests are signed for the account's realm", async (t) => {
  const { nangod, provider } = await tbaWorld(t, { failures: 1 });
  const { token } = await session(nangod);
  const post = (body, more = "&params[accountId]=123456-sb1-a") => nangod.call("POST", `/auth/tba/account?connect_session_token=${token}${param(provider.url)}${more}`, { key: null, body });
  const own = { oauth_client_id_override: consumer.key, oauth_client_secret_override: consumer.secret };
  const made = await post({ ...typed, ...own });
  assert.equal(made.status, 200, made.text);
  const id = made.body.connectionId;
  const { credentials, connection_config } = await nangod.ok("GET", `/connections/${id}?provider_config_key=account`);
  assert.deepEqual(credentials, { type: "TBA", ...typed, config_override: { client_id: consumer.key, client_secret: consumer.secret } });
  assert.equal(connection_config.accountId, "123456-sb1-a");
  const status = await runItems(t, { nangod }, "account", id);
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  const calls = provider.of("/api/items");
  assert.deepEqual(calls.map((call) => call.status), [503, 200, 200, 200]);
  const sent = calls.map((call) => parameters(call.authorization));
  assert.equal(new Set(sent.map(({ oauth_nonce }) => oauth_nonce)).size, 4);
  assert.deepEqual([sent[0].realm, sent[0].oauth_signature_method], ["123456_SB1_A", "HMAC-SHA256"]);

  for (const [body, more, at] of [[{ ...typed, ...own }, "", "connection_config.accountId"], [{ ...typed, oauth_client_id_override: "x" }, undefined, "credentials"], [{ token_id: "x", ...own }, undefined, "credentials.token_secret"]]) {
    const refused = await post(body, more);
    assert.deepEqual([refused.status, refused.body.error.code, refused.text.includes(at)], [400, "invalid_body", true], refused.text);
  }
  const nobody = await post(typed);
  assert.deepEqual([nobody.status, nobody.body.error.code], [400, "invalid_credentials"], nobody.text);
});

test("TBA: imported, with the integration's consumer; a wrong secret is the provider's to refuse", async (t) => {
  const { nangod, provider, connect, integrate } = await tbaWorld(t, {}, { type: "TBA", client_id: consumer.key, client_secret: consumer.secret });
  const more = { connection_config: { server: provider.url, accountId: "123456-SB1-a" } };
  const made = await connect("account", { type: "TBA", ...typed }, more);
  assert.equal(made.status, 200, made.text);
  assert.equal((await runItems(t, { nangod }, "account")).status, "SUCCESS");
  for (const [id, credentials] of [["secret", { ...typed, token_secret: "x" }], ["consumer", { ...typed, config_override: { client_id: consumer.key, client_secret: "x" } }]]) {
    const wrong = await connect("account", { type: "TBA", ...credentials }, { ...more, connection_id: id });
    assert.equal(wrong.status, 200, wrong.text);
    assert.equal((await nangod.settled("account", id, "items")).status, "ERROR", id);
    assert.equal(provider.requests.at(-1).status, 403);
  }
  await integrate("netsuite-tba", { type: "TBA", client_id: "key", client_secret: "secret" });
  const ours = await connect("netsuite-tba", { type: "TBA", ...typed }, { connection_config: { accountId: "123456-sb1" } });
  assert.equal(ours.status, 200, ours.text);
});

// ---- AWS_SIGV4 ----

const keys = { accessKeyId: "AKIAINTEGRATION", secretAccessKey: "integration/s3cret+key" };
const role_arn = "arn:aws:iam::123456789012:role/integration";
const place = { service: "sqs", region: "eu-central-1" };
const aws = entry("AWS_SIGV4", { token_url: `${server}/sts`, proxy: { base_url: `${server}/api/\${connectionConfig.service}/\${connectionConfig.region}`, retry } });

async function awsWorld(t, settings, { integration_config = { service: "sqs", defaultRegion: "us-east-1" }, credentials = { type: "AWS_SIGV4", access_key_id: keys.accessKeyId, secret_access_key: keys.secretAccessKey } } = {}) {
  const w = await world(t, { more: { aws } });
  const provider = await awsProvider(t, { keys, pages, ...place, ...settings });
  await w.nangod.ok("POST", "/integrations", { body: { provider: "aws", unique_key: "aws", integration_config, ...(credentials && { credentials }) } });
  const { token } = await session(w.nangod, { integrations_config_defaults: { aws: { connection_config: { server: provider.url, external_id: "ours-1" } } } });
  const post = (body, more = "") => w.nangod.call("POST", `/auth/aws-sigv4/aws?connect_session_token=${token}${more}`, { key: null, body });
  return { ...w, provider, post };
}

for (const isXml of [false, true])
  test(`AWS_SIGV4: a role is assumed (${isXml ? "XML" : "JSON"}), requests are signed with it, and it is assumed again before its end`, async (t) => {
    const { nangod, provider, post, pass } = await awsWorld(t, { isXml, externalId: "ours-1", failures: 1 });
    const made = await post({ role_arn, region: place.region }, "&params[external_id]=theirs&params[service]=iam&params[region]=us-west-2");
    assert.equal(made.status, 200, made.text);
    const id = made.body.connectionId;
    assert.deepEqual(provider.requests[0].form, { Action: "AssumeRole", Version: "2011-06-15", RoleArn: role_arn, RoleSessionName: "nangod", DurationSeconds: "3600", ExternalId: "ours-1" });
    const show = () => nangod.ok("GET", `/connections/${id}?provider_config_key=aws`);
    const { credentials, connection_config } = await show();
    const { expires_at, ...rest } = credentials;
    assert.deepEqual(rest, { type: "AWS_SIGV4", role_arn, ...place, access_key_id: "ASIA1", secret_access_key: "role/secret+1", session_token: "session/token+1==" });
    assert.ok(Math.abs(Date.parse(expires_at) - Date.now() - 3_600_000) < 60_000, expires_at);
    assert.deepEqual(connection_config, { ...place, external_id: "ours-1", server: provider.url });

    const status = await runItems(t, { nangod }, "aws", id);
    assert.equal(status.status, "SUCCESS", JSON.stringify(status));
    assert.equal((await nangod.records("aws", id, "Item")).records.length, 3);
    const calls = provider.of("/api/sqs/eu-central-1/items");
    assert.deepEqual(calls.map((call) => call.status), [503, 200, 200, 200]);
    assert.ok(calls[0].path === calls[1].path && calls[0].stamp < calls[1].stamp && calls[0].authorization !== calls[1].authorization);

    await pass("50 minutes");
    assert.equal((await show()).credentials.access_key_id, "ASIA2");
    await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: "aws", connection_id: id } });
    await until(() => provider.of("/api").length === 7, () => JSON.stringify(provider.requests));
    assert.equal(provider.requests.at(-1).status, 200);
    assert.equal(provider.of("/sts").length, 2);
  });

test("AWS_SIGV4: regions that are none, roles that are none, and keys that AWS refuses", async (t) => {
  const { nangod, provider, post, connect } = await awsWorld(t, { region: "us-east-1", externalId: "ours-1" });
  for (const body of [{ role_arn, region: "evil.example/" }, { role_arn, region: "EU-1" }, { role_arn, region: "a".repeat(65) }, { role_arn: "role/of-nobody-at-all" }, {}]) {
    const refused = await post(body);
    assert.deepEqual([refused.status, refused.body.error.code], [400, "invalid_body"], JSON.stringify(body));
  }
  for (const region of ["evil.example/", "a@b", ".."]) assert.equal((await post({ role_arn }, `&params[region]=${encodeURIComponent(region)}`)).status, 400, region);
  assert.equal(provider.requests.length, 0, "nothing was sent there");

  const made = await post({ role_arn });
  assert.equal(made.status, 200, made.text); // in the integration's region
  const imported = await connect("aws", { type: "AWS_SIGV4", role_arn }, { connection_config: { server: provider.url, external_id: "ours-1" } });
  assert.equal(imported.status, 200, imported.text);
  assert.deepEqual([imported.body.credentials.access_key_id, imported.body.credentials.region], ["ASIA2", "us-east-1"]);
  const wrong = await connect("aws", { type: "AWS_SIGV4", role_arn }, { connection_id: "wrong", connection_config: { server: provider.url, external_id: "other" } });
  assert.deepEqual([wrong.status, wrong.body.error.code], [424, "provider_refused"], wrong.text);
  assert.match(wrong.text, /403.*AccessDenied/);

  await nangod.ok("PATCH", "/integrations/aws", { body: { credentials: { type: "AWS_SIGV4", secret_access_key: "wr0ng-secret" } } });
  const refused = await post({ role_arn });
  assert.deepEqual([refused.status, refused.body.error.code], [424, "provider_refused"], refused.text);
  assert.match(refused.text, /SignatureDoesNotMatch/);
  assert.ok(!refused.text.includes("wr0ng-secret"));
  provider.roles.push({ accessKeyId: "ASIA2", secretAccessKey: "role/secret+2", sessionToken: "another session" });
  assert.equal((await runItems(t, { nangod }, "aws")).status, "ERROR", "the session's token is signed, too");
  assert.equal(provider.requests.at(-1).status, 403);
});

test("awsSigV4 in a template's headers signs each request, and the one that tries the credentials", async (t) => {
  const signature = "${awsSigV4(${credentials.username}, ${credentials.password}, ${connectionConfig.region}, sqs, ignored.example.com)}";
  const headers = { authorization: signature, "x-amz-date": "${now:YYYYMMDDTHHmmss[Z]}", "x-amz-target": "Service.${connectionConfig.region}", "content-type": "application/x-amz-json-1.0" };
  const w = await world(t, { more: { keys: entry("BASIC", { proxy: { base_url: `${server}/api`, headers, retry, verification: { method: "GET", endpoints: ["/me?b=2&a=1"] } } }) } });
  const provider = await awsProvider(t, { ...place, pages, failures: 0 });
  provider.roles.push(keys);
  await w.integrate("keys");
  const { token } = await session(w.nangod);
  const post = (password) => w.nangod.call("POST", `/api-auth/basic/keys?connect_session_token=${token}${param(provider.url)}&params[region]=${place.region}`, { key: null, body: { username: keys.accessKeyId, password } });
  const wrong = await post("wr0ng-secret");
  assert.deepEqual([wrong.status, provider.requests.at(-1).status], [400, 403], wrong.text);
  const made = await post(keys.secretAccessKey);
  assert.equal(made.status, 200, made.text);
  const status = await runItems(t, w, "keys", made.body.connectionId);
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  assert.equal((await w.nangod.records("keys", made.body.connectionId, "Item")).records.length, 3);
  assert.match(provider.of("/api/items")[0].authorization, /SignedHeaders=[a-z0-9;-]*content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target/);
});

test("headers that name the request sign it: method, host, path and parameters, of the query and of a form", async (t) => {
  const headers = {
    date: "${now:ddd, DD MMM YYYY HH:mm:ss ZZ}",
    authorization: "Basic ${base64(${username}:${hmacSha1Hex(${now:ddd, DD MMM YYYY HH:mm:ss ZZ}\n${method}\n${host}\n${path}\n${params}, ${password})})}",
    "x-parts": "${sha256Hex(${endpoint} ${contentType} ${urlCanonicalParams} ${bodyCanonicalParams})}",
    "x-plain": "plain",
  };
  const verification = { method: "POST", endpoints: ["/me?b=2&a=1%20x"] };
  const x = { verification: { form: { z: "*1", c: "${username}" } } };
  const w = await world(t, { more: { named: entry("BASIC", { proxy: { base_url: `${server}/api`, headers, verification, retry }, x }) } });
  const seen = [];
  const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const canonical = (pairs) => pairs.map(([k, v]) => `${encode(k)}=${encode(v)}`).sort().join("&");
  const answer = (json) => ({ method, path, query, headers: h, body }) => {
    const form = h["content-type"]?.startsWith("application/x-www-form-urlencoded") ? [...new URLSearchParams(body)] : [];
    const text = [h.date, method, h.host, path, canonical([...query, ...form])].join("\n");
    const mac = createHmac("sha1", "pass-s3cret").update(text).digest("hex");
    const wire = query.size ? `${path}?${path.endsWith("/me") ? "b=2&a=1%20x" : query}` : path;
    const parts = [wire, h["content-type"] ?? "", canonical([...query]), canonical(form)].join(" ");
    const ok = h.authorization === basic("someone", mac) && h["x-parts"] === createHash("sha256").update(parts).digest("hex");
    seen.push([method, path, ok, h["x-plain"]]);
    return ok ? { json: typeof json === "function" ? json(query) : json } : { status: 401, json: {} };
  };
  w.provider.reply("POST /api/me", answer({}));
  w.provider.reply("GET /api/items", answer((query) => pages[Number(query.get("page")) - 1] ?? []));
  await w.integrate("named");
  const made = await w.connect("named", { type: "BASIC", username: "someone", password: "pass-s3cret" });
  assert.equal(made.status, 200, made.text);
  const { token } = await session(w.nangod);
  const tried = await w.nangod.call("POST", `/api-auth/basic/named?connect_session_token=${token}${param(w.provider.url)}`, { key: null, body: { username: "someone", password: "pass-s3cret" } });
  assert.equal(tried.status, 200, tried.text);
  assert.equal((await runItems(t, w, "named")).status, "SUCCESS", JSON.stringify(seen));
  assert.ok(seen.length >= 4 && seen.every((s) => s[2] && s[3] === "plain"), JSON.stringify(seen));
});

test("AWS_SIGV4: an integration without keys, without a service, or with an STS of its own", async (t) => {
  const { nangod, post } = await awsWorld(t, {}, { credentials: null });
  const integrate = (body) => nangod.ok("PATCH", "/integrations/aws", { body });
  const refusal = async () => {
    const { status, body } = await post({ role_arn });
    return [status, body.error.code, body.error.message];
  };
  const [status, code, message] = await refusal();
  assert.deepEqual([status, code], [400, "invalid_credentials"]);
  assert.match(message, /access_key_id and secret_access_key/);
  await integrate({ integration_config: { defaultRegion: "us-east-1" } });
  assert.match((await refusal())[2], /integration_config.service/);
  await integrate({ integration_config: { service: "sqs", defaultRegion: "us-east-1", stsMode: "custom" } });
  assert.match((await refusal())[2], /integration_config.stsEndpointUrl is needed/);
  await integrate({ integration_config: { service: "sqs", defaultRegion: "us-east-1", stsMode: "odd" } });
  assert.match((await refusal())[2], /stsMode must be builtin or custom/);
  const half = await nangod.call("PATCH", "/integrations/aws", { body: { credentials: { access_key_id: "AKIA" } } });
  assert.deepEqual([half.status, half.body.error.code], [400, "invalid_body"], half.text);
});

test("AWS_SIGV4: a server of one's own in place of AWS STS, whose secrets are sealed", async (t) => {
  const secret = { type: "string", title: "t", description: "d", secret: true, optional: true };
  const own = { ...aws, display_name: "Own", integration_config: { stsApiKey: secret, stsAuthPassword: secret, awsSecretAccessKey: secret } };
  const w = await world(t, { more: { aws: own } });
  const integration_config = { service: "sqs", defaultRegion: "us-east-1", stsMode: "custom", stsEndpointUrl: `${w.provider.url}/keys` };
  await w.nangod.ok("POST", "/integrations", { body: { provider: "aws", unique_key: "aws", integration_config } });
  const set = (more) => w.nangod.ok("PATCH", "/integrations/aws", { body: { integration_config: { ...integration_config, ...more } } });
  const shapes = [
    [{}, { access_key_id: "A1", secret_access_key: "S1-s3cret", session_token: "T1", expires_at: Date.now() + 1_800_000 }, 1_800_000],
    [{ stsAuthType: "api_key", stsApiKey: "key-s3cret-1" }, { credentials: { accessKeyId: "A2", secretAccessKey: "S2-s3cret", sessionToken: "T2", expiration: new Date(Date.now() + 900_000).toISOString() } }, 900_000],
    [{ stsAuthType: "basic", stsAuthUsername: "us", stsAuthPassword: "pw-s3cret" }, { Credentials: { AccessKeyId: "A3", SecretAccessKey: "S3-s3cret", SessionToken: "T3" } }, 3_600_000],
  ];
  for (const [i, [more, answer, life]] of shapes.entries()) {
    await set(more);
    w.provider.reply("POST /keys", { json: answer });
    const made = await w.connect("aws", { type: "AWS_SIGV4", role_arn, region: "eu-west-1" }, { connection_config: { external_id: "ours-1" } });
    assert.equal(made.status, 200, made.text);
    const { access_key_id, session_token, expires_at } = made.body.credentials;
    assert.deepEqual([access_key_id, session_token], [`A${i + 1}`, `T${i + 1}`]);
    assert.ok(Math.abs(Date.parse(expires_at) - Date.now() - life) < 30_000, expires_at);
  }
  assert.deepEqual(JSON.parse(w.provider.requests[0].body), { role_arn, external_id: "ours-1", region: "eu-west-1", service: "sqs" });
  assert.deepEqual(w.provider.requests.map((r) => [r.headers["x-api-key"], r.headers.authorization]), [[undefined, undefined], ["key-s3cret-1", undefined], [undefined, `Basic ${Buffer.from("us:pw-s3cret").toString("base64")}`]]);
  const rows = await psql(w.nangod, "SELECT config::text, encode(credentials, 'escape') FROM nango.integration");
  assert.ok(!rows.includes("s3cret") && rows.includes("stsAuthUsername"), rows);
  assert.equal((await w.nangod.ok("GET", "/integrations/aws?include=credentials")).data.credentials, null);
  // Renamed, they are sealed to the new key; replaced without them, they are gone.
  await w.nangod.ok("DELETE", "/connections/acme?provider_config_key=aws");
  await w.nangod.ok("PATCH", "/integrations/aws", { body: { unique_key: "renamed" } });
  const again = await w.connect("renamed", { type: "AWS_SIGV4", role_arn });
  assert.equal(again.status, 200, again.text);
  await w.nangod.ok("PATCH", "/integrations/renamed", { body: { integration_config: { ...integration_config, stsAuthType: "basic", stsAuthUsername: "us" } } });
  assert.match((await w.connect("renamed", { type: "AWS_SIGV4", role_arn })).text, /stsAuthPassword is needed/);
  w.provider.reply("POST /keys", { json: { access_key_id: "A" } });
  await w.nangod.ok("PATCH", "/integrations/renamed", { body: { integration_config } });
  assert.match((await w.connect("renamed", { type: "AWS_SIGV4", role_arn })).text, /holds no access_key_id, secret_access_key and session_token/);
});
