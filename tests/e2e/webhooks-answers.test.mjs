// SPDX-License-Identifier: Apache-2.0
// What a receiver of webhooks may answer: its status is what counts, whatever comes behind it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { start, until } from "./lib/nangod.mjs";

const key = "unauthenticated";

/** A delivery of one webhook to a receiver that answers so, once it is settled or was tried. */
async function delivery(t, answer) {
  const nangod = await start(t, { env: { NANGO_WEBHOOK_TIMEOUT_MS: "1000" } });
  const server = createServer((req, res) => req.resume().on("end", () => answer(res)));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await nangod.ok("PATCH", "/environment/webhooks", { body: { primary_url: `http://127.0.0.1:${server.address().port}/hook` } });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.ok("POST", "/connections", { body: { provider_config_key: key, connection_id: "acme", credentials: { type: "NONE" } } });
  return until(async () => {
    const [one] = (await nangod.ok("GET", "/webhooks/deliveries")).deliveries;
    return (one?.state === "delivered" || one?.error) && one;
  }, () => nangod.log());
}

for (const [what, answer] of [
  ["a page of over a megabyte", (res) => res.end("x".repeat(1_200_000))],
  ["a body that never ends", (res) => res.write("x")],
  ["a body that breaks off", (res) => { res.writeHead(200, { "content-length": "100" }); res.write("x", () => res.destroy()); }],
])
  test(`200 with ${what} is delivered`, async (t) => {
    const one = await delivery(t, answer);
    assert.deepEqual([one.state, one.attempts], ["delivered", 1], JSON.stringify(one));
  });

test("500 with a long page is not", async (t) => {
  const one = await delivery(t, (res) => { res.statusCode = 500; res.end("x".repeat(1_200_000)); });
  assert.deepEqual([one.state, one.attempts], ["due", 1]);
  assert.match(one.error, /status 500/);
});
