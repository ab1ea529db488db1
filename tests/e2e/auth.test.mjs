// SPDX-License-Identifier: Apache-2.0
// Credentials that are obtained and renewed: what token endpoints are asked, what becomes of answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { basic, form, world } from "./lib/auth.mjs";

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
});
