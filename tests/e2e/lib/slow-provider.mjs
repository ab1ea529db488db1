// SPDX-License-Identifier: Apache-2.0
// A slow API in a process of its own: every page takes `delay` ms and is never the last, until the
// parent says "finish"; then all are answered at once and empty. Counts go back every 100 ms.
import { createServer } from "node:http";

const delay = Number(process.argv[2] ?? 2000);
let finishing = false;
let asked = 0;
let pending = new Set();
const answer = (res, last) => {
  const body = last ? "[]" : '[{"id":"1","title":"slow"}]';
  res.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  res.end(body);
};
const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
  req.resume();
  asked++;
  if (finishing) return answer(res, true);
  const entry = { res };
  pending.add(entry);
  entry.timer = setTimeout(() => {
    pending.delete(entry);
    answer(res, finishing);
  }, delay);
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => process.send({ url: `http://127.0.0.1:${server.address().port}` }));
process.on("message", (message) => {
  if (message !== "finish") return process.send({ asked, pending: pending.size });
  finishing = true;
  for (const { res, timer } of pending) {
    clearTimeout(timer);
    answer(res, true);
  }
  pending = new Set();
  process.send({ asked, pending: 0 });
});
process.on("disconnect", () => process.exit(0));
