// SPDX-License-Identifier: Apache-2.0
// The proxy that one writes in Node: express in front, axios behind, streams between, connections kept.
import { readFileSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { createRequire } from "node:module";
import { pipeline } from "node:stream";

const require = createRequire(new URL("../../e2e/package.json", import.meta.url));
const express = require("express");
const axios = require("axios");
const [plain, tls, ca, secret] = process.argv.slice(2);
const client = axios.create({
  httpAgent: new HttpAgent({ keepAlive: true }),
  httpsAgent: new HttpsAgent({ keepAlive: true, ca: readFileSync(ca) }),
  responseType: "stream",
  decompress: false,
  validateStatus: null,
});
const app = express();
const pass = (base) => async (req, res) => {
  const answer = await client.request({ method: req.method, url: base + req.url, headers: { authorization: `Bearer ${secret}` } });
  res.status(answer.status);
  for (const name of ["content-type", "content-length", "etag", "last-modified"]) if (answer.headers[name]) res.setHeader(name, answer.headers[name]);
  pipeline(answer.data, res, () => {});
};
app.use("/plain", pass(plain));
app.use("/tls", pass(tls));
const server = app.listen(0, "127.0.0.1", () => process.send({ url: `http://127.0.0.1:${server.address().port}` }));
process.on("disconnect", () => process.exit());
