// SPDX-License-Identifier: Apache-2.0
// A provider's API on loopback: says what it was asked, answers what the test told it to.
import { createServer } from "node:http";
import { SECRET } from "./nangod.mjs";

export async function provider(t) {
  const routes = new Map();
  const requests = [];
  const server = createServer((req, res) => {
    const url = new URL(req.url, "http://provider");
    let body = "";
    req.on("data", (data) => (body += data));
    req.on("end", async () => {
      const request = { method: req.method, path: url.pathname, query: url.searchParams, headers: req.headers, body };
      requests.push(request);
      const answer = routes.get(`${req.method} ${url.pathname}`);
      const { status = 200, headers = {}, json, text } =
        typeof answer === "function" ? await answer(request) : answer ?? { status: 404, json: { message: "Not Found" } };
      res.writeHead(status, { "content-type": "application/json", ...headers });
      res.end(text ?? JSON.stringify(json));
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
    const told = requests.find((r) => r.headers["webhook-id"] && r.body.includes(SECRET));
    if (told) throw new Error(`a secret is in a webhook: ${told.body}`);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    /** reply("GET /items", {json}) or reply("GET /items", (request) => ({status, headers, json})) */
    reply(route, answer) {
      routes.set(route, answer);
    },
  };
}
