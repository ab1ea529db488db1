// SPDX-License-Identifier: Apache-2.0
// A provider that asks for the client's certificate, at its token endpoint and at its API; both sides check.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { world } from "./lib/auth.mjs";
import { buildItems } from "./lib/items.mjs";
import { certificate } from "./lib/certificate.mjs";
import { scratch } from "./lib/nangod.mjs";

test("mutual TLS: the right certificate, none, and a server that we do not know", async (t) => {
  const dir = scratch(t);
  const [own, theirs, other] = [await certificate(dir, "server"), await certificate(dir, "client"), await certificate(dir, "other")];
  const seen = [];
  const server = createServer({ ...own, ca: theirs.cert, requestCert: true, rejectUnauthorized: true }, (req, res) => {
    seen.push(`${req.url.split("?")[0]} ${req.socket.getPeerCertificate().subject.CN} ${req.headers.authorization ?? ""}`);
    req.resume();
    res.setHeader("content-type", "application/json");
    res.end(req.url === "/token" ? '{"access_token":"at-1","expires_in":3600}' : "[]");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => (server.closeAllConnections(), server.close()));
  const url = `https://127.0.0.1:${server.address().port}`;
  const template = { display_name: "Mutual", docs: "https://example.com", auth_mode: "OAUTH2_CC", require_client_certificate: true, token_url: "${connectionConfig.server}/token", proxy: { base_url: "${connectionConfig.server}/api" } };
  const w = await world(t, { more: { mutual: template }, env: { NANGO_CA_FILE: join(dir, "server.crt") } });
  await w.integrate("mutual");
  const connect = (more) => w.connect("mutual", { type: "OAUTH2_CC", client_id: "i", client_secret: "s3cret", ...more }, { connection_config: { server: url } });
  const missing = await connect({});
  assert.deepEqual([missing.status, missing.body.error.errors[0].path], [400, ["credentials", "client_certificate"]]);
  const wrong = await connect({ client_certificate: other.cert, client_private_key: other.key });
  assert.ok([424, 502].includes(wrong.status), wrong.text);
  await w.nangod.deploy(await buildItems(t, (text) => text.replace("provider: unauthenticated", "provider: mutual"), "mutual"), "mutual");
  const made = await connect({ client_certificate: theirs.cert, client_private_key: theirs.key });
  assert.equal(made.status, 200, made.text);
  assert.equal((await w.nangod.settled("mutual", "acme", "items")).status, "SUCCESS");
  assert.deepEqual(seen, ["/token client ", "/api/items client Bearer at-1"]);

  const distrustful = await world(t, { more: { mutual: template } });
  await distrustful.integrate("mutual");
  const refused = await distrustful.connect("mutual", { type: "OAUTH2_CC", client_id: "i", client_secret: "s3cret", client_certificate: theirs.cert, client_private_key: theirs.key }, { connection_config: { server: url } });
  assert.equal(refused.status, 502, refused.text);
  assert.equal(seen.length, 2, "nothing was said to a server that nobody vouches for");
});
