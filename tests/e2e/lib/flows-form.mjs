// SPDX-License-Identifier: Apache-2.0
// The flows without a vendor's page: what was typed into a form, a token for it where there is one, and a
// try before it is kept.
import assert from "node:assert/strict";
import { answers, bodyOf, checkAsked, checkEnd, checkToken, integrate, line, none, params, shown } from "./flows.mjs";

const paths = {
  API_KEY: "/api-auth/api-key", BASIC: "/api-auth/basic", NONE: "/auth/unauthenticated", OAUTH2_CC: "/oauth2/auth", TWO_STEP: "/auth/two-step",
  JWT: "/auth/jwt", BILL: "/auth/bill", SIGNATURE: "/auth/signature", TBA: "/auth/tba", AWS_SIGV4: "/auth/aws-sigv4",
};

/** The requests for tokens and tries that a form led to, in their order. */
async function checkRequests(w, row, tries, asksToken = row.token) {
  const requests = w.asked();
  if (asksToken) {
    if (asksToken.check) await asksToken.check(requests.shift(), w);
    else checkToken(requests.shift(), asksToken, asksToken.params, row.given);
  }
  checkAsked(requests, tries);
  for (const [i, { json }] of tries.entries()) if (json) assert.deepEqual(bodyOf(requests[i], "json"), json);
}

async function refusals(w, row, post) {
  const tries = row.tries ?? [];
  if (row.token) {
    const refusal = row.refusal ?? { status: 401, json: { error: "invalid_client", error_description: "Client authentication failed" }, says: /invalid_client/ };
    w.net.reply(`POST ${row.token.url}`, refusal);
    const answer = await post();
    assert.deepEqual([answer.status, answer.body.error.code], [424, "provider_refused"], answer.text);
    assert.match(answer.body.error.message, refusal.says);
    await checkRequests(w, row, []);
    w.net.reply(`POST ${row.token.url}`, () => row.answer(1));
  }
  if (tries.length === 0) return;
  const refused = row.refused ?? { status: 401, json: { message: "unauthorized" } };
  answers(w.net, tries, refused);
  const answer = await post();
  assert.deepEqual([answer.status, answer.body.error.code], [400, "connection_test_failed"], answer.text);
  const [method, url] = tries.at(-1).request.split(" ");
  assert.ok(answer.body.error.message.includes(`answered ${refused.status} to ${method} ${url.slice(row.base.length)}`), answer.body.error.message);
  await checkRequests(w, row, tries);
}

/** Who may not see what is asked for first may see the last. */
async function lastResort(w, name, row, post) {
  const tries = row.tries ?? [];
  if (tries.length < 2) return;
  answers(w.net, tries, { status: 403, json: { message: "forbidden" } });
  answers(w.net, tries.slice(-1));
  const made = await post();
  assert.equal(made.status, 200, made.text);
  await checkRequests(w, row, tries);
  await w.nangod.ok("DELETE", `/connections/${made.body.connectionId}?provider_config_key=${name}`);
}

/** A token is asked for, or made, once more before its end. */
async function renewal(w, name, row, id) {
  if (row.token) w.net.reply(`POST ${row.refresh?.url ?? row.token.url}`, () => row.answer(2));
  await w.later(row.life - 20);
  const { credentials } = await w.nangod.ok("GET", `/connections/${id}?provider_config_key=${name}`);
  await w.later(0);
  await checkRequests(w, row, [], row.refresh ?? row.token);
  checkEnd(credentials, row.life, "renewed");
  row.shows(credentials, 2);
  await row.tokenCheck?.(credentials.token);
  return credentials;
}

export async function formFlow(w, name, row) {
  const token = await integrate(w, name, row, row.app);
  const kept = { ...row.given, ...row.hidden };
  const given = { ...row.given, ...(row.options && { assertionOption: row.options }) };
  const post = () => w.nangod.call("POST", `${paths[row.mode]}/${name}?connect_session_token=${token}${params(row.settings)}`, { key: null, body: given });
  await refusals(w, row, post);
  await none(w, name);
  await lastResort(w, name, row, post);

  answers(w.net, row.tries);
  const made = await post();
  assert.equal(made.status, 200, made.text);
  await checkRequests(w, row, (row.tries ?? []).slice(0, 1));
  const { id, credentials, connection_config } = await shown(w, name);
  assert.equal(id, made.body.connectionId);
  const { expires_at, raw, ...have } = credentials;
  assert.deepEqual(have, { type: row.mode, ...kept, ...row.shows?.(have, 1) });
  checkEnd(credentials, row.life, "made");
  assert.deepEqual(connection_config, { ...row.settings, ...row.config });
  await row.tokenCheck?.(credentials.token);
  const current = row.life ? await renewal(w, name, row, id) : credentials;
  assert.deepEqual(w.asked().map(line), []);
  w.net.forget();
  return { id, token: current.token ?? current.session_id };
}
