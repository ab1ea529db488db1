// SPDX-License-Identifier: Apache-2.0
// What looks through every test's logs, refusals and webhooks for secrets: that it finds them.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SECRET, scratch, start } from "./lib/nangod.mjs";
import { provider as fakeProvider } from "./lib/provider.mjs";

/** A test within this one: end() is what its end would do. */
const inner = () => {
  const ends = [];
  return { after: (fn) => ends.push(fn), end: async () => { for (const fn of ends) await fn(); } };
};

test("a log that holds a secret fails its test", async (t) => {
  const one = inner();
  const file = join(scratch(t), `${SECRET}.yaml`);
  writeFileSync(file, "odd: {auth_mode: MAGIC}\n"); // a warning names the file
  await start(one, { env: { NANGO_PROVIDERS: file } });
  await assert.rejects(one.end(), /a secret is in the log/);
});

test("a refusal that holds a secret fails its test, and an answer to who may see it does not", async () => {
  const one = inner();
  const nangod = await start(one);
  await nangod.ok("POST", "/integrations", { body: { provider: "unauthenticated", unique_key: `${SECRET}-key` } });
  assert.equal((await nangod.call("GET", `/integrations/${SECRET}-key`)).status, 200);
  assert.deepEqual(nangod.leaks, []);
  const unknown = await nangod.call("POST", "/integrations", { body: { provider: `${SECRET}-none`, unique_key: "a" } });
  assert.deepEqual([unknown.status >= 400, nangod.leaks.length], [true, 1], unknown.text);
  await assert.rejects(one.end(), /a secret is in (a refusal|the log)/);
});

test("a webhook that holds a secret fails its test, and a request for a token does not", async () => {
  for (const [headers, message] of [[{}, null], [{ "webhook-id": "msg_1" }, /a secret is in a webhook/]]) {
    const one = inner();
    const { url } = await fakeProvider(one);
    await fetch(url, { method: "POST", headers, body: `x=${SECRET}` });
    if (message) await assert.rejects(one.end(), message);
    else await one.end();
  }
});
