// SPDX-License-Identifier: Apache-2.0
// A provider in a process of its own, so that it never waits for the measuring one. Bodies are
// made before it listens: so many pages (an argument) of 1,000 contacts of about 1 KB. It ends with
// its parent.
import { createServer } from "node:http";

const PAGES = Number(process.argv[2] ?? 10);
const PAGE = 1000;
const words = "account renewal quarter pipeline called back wants offer meeting décor contract legal budget team north".split(" ");
const text = (seed, length) => {
  let out = "";
  for (let i = seed; out.length < length; i = (i * 31 + 7) % 65521) out += `${words[i % words.length]} `;
  return out.slice(0, length);
};
/** In a later revision one contact in `step` has another note. */
const contact = (n, revision, step) => ({
  id: String(100000 + n),
  email: `person.${n}@example-${n % 400}.com`,
  first_name: `First${n % 97}`,
  last_name: `Last${n % 1013}`,
  company: `Example ${n % 400} Ltd.`,
  phone: `+49 30 ${1000000 + n}`,
  owner_id: 7000 + (n % 25),
  score: (n % 1000) / 8,
  revenue: 1000.25 + n,
  is_active: n % 3 !== 0,
  stage: ["lead", "customer", "lost"][n % 3],
  closed_at: n % 3 === 2 ? "2026-03-01T10:00:00Z" : null,
  created_at: "2025-11-23T08:30:00Z",
  updated_at: `2026-01-${String(1 + (n % 28)).padStart(2, "0")}T12:00:00Z`,
  tags: [`tag-${n % 7}`, `region-${n % 11}`],
  notes: `"${text(n, 560)}"\n${text(n + (n % step === 0 ? revision : 0), 40)}`,
});

const makeBodies = ({ revision, step }) =>
  Array.from({ length: PAGES }, (_, page) =>
    Buffer.from(JSON.stringify(Array.from({ length: PAGE }, (_, i) => contact(page * PAGE + i, revision, step)))),
  );

function serve() {
  let bodies = makeBodies({ revision: 0, step: 1 });
  const server = createServer((req, res) => {
    const page = Number(new URL(req.url, "http://provider").searchParams.get("page") ?? 1);
    const next = `http://${req.headers.host}/contacts?page=${page + 1}`;
    res.writeHead(200, {
      "content-type": "application/json",
      "content-length": bodies[page - 1].length,
      ...(page < PAGES ? { link: `<${next}>; rel="next"` } : {}),
    });
    res.end(bodies[page - 1]);
  });
  process.on("message", (change) => {
    bodies = makeBodies(change);
    process.send({ revision: change.revision });
  });
  process.on("disconnect", () => process.exit());
  server.listen(0, "127.0.0.1", () =>
    process.send({ url: `http://127.0.0.1:${server.address().port}`, bytes: bodies.reduce((sum, body) => sum + body.length, 0) }),
  );
}

if (process.send) serve();
