// SPDX-License-Identifier: Apache-2.0
// A sync of 10,000 records of about 1 KB in 10 pages, first load and unchanged, beside the COPY
// of the same rows into an equally indexed table; then the same rows read back.
import { Agent, get } from "node:http";
import { program, run, socketDir } from "../e2e/lib/nangod.mjs";
import { Contacts } from "./lib/contacts.mjs";
import { median, repeat, row, within } from "./lib/measure.mjs";

const RECORDS = 10_000;

async function expectSaved(sync, added, updated) {
  const figures = await sync;
  if (figures.added !== added || figures.updated !== updated)
    throw new Error(`${figures.added} records were added and ${figures.updated} updated, not ${added} and ${updated}`);
  return figures;
}

/** The same rows through COPY alone: {write, read_text, read_binary} in ms, a list each. */
async function limits(contacts, times) {
  const made = await run(program("bench-copy"), [
    `host=${socketDir(contacts.nangod)} user=nango dbname=postgres`,
    await contacts.connectionRow(),
    String(times),
  ]);
  if (made.code !== 0) throw new Error(`bench-copy: ${made.stderr}`);
  return JSON.parse(made.stdout);
}

/** Runs before each of which one contact in `step` changed. */
async function changing(contacts, times, step) {
  await contacts.provider.change(step); // the step before may have changed others, too
  await contacts.run();
  return repeat(times, async () => {
    await contacts.provider.change(step);
    return expectSaved(contacts.run(), 0, RECORDS / step);
  });
}

const ratio = (values, limit) => values.map((value) => value / median(limit));

export async function sync(times) {
  return within(async (t) => {
    const contacts = await Contacts.start(t);
    await contacts.connect();
    await contacts.run(); // starts the zygote and opens the pools' connections; not counted
    const first = await repeat(times, async () => {
      await contacts.connect();
      return expectSaved(contacts.run(), RECORDS, 0);
    });
    const same = await repeat(times, () => expectSaved(contacts.run(), 0, 0));
    const tenth = await changing(contacts, times, 10);
    const every = await changing(contacts, times, 1);
    const firstSeen = await repeat(times, async () => {
      await contacts.connect();
      return contacts.runSeen();
    });
    const sameSeen = await repeat(times, () => contacts.runSeen());
    const { write } = await limits(contacts, times);
    const wall = (runs) => runs.map((x) => x.wall);
    return [
      row("first load of 10,000 records: started to finished", "ms", wall(first), "≤ 400 (reference 2,800)"),
      row("  trigger to finished, as a client sees it", "ms", firstSeen),
      row("  processor time of the plugin's process", "ms", first.map((x) => x.cpu)),
      row("  COPY of the same rows, 10 transactions", "ms", write, "the limit"),
      row("  run against COPY", "x", ratio(wall(first), write)),
      row("unchanged 10,000 records: started to finished", "ms", wall(same), "≤ 200 (reference 1,200)"),
      row("  trigger to finished, as a client sees it", "ms", sameSeen),
      row("  processor time of the plugin's process", "ms", same.map((x) => x.cpu)),
      row("1,000 of 10,000 changed: started to finished", "ms", wall(tenth)),
      row("all of 10,000 changed: started to finished", "ms", wall(every)),
      row("queued to started", "ms", [...first, ...same].map((x) => x.queued)),
    ];
  });
}

/** One page's bytes, and its cursor from their end: parsing is the client's affair. */
function fetchPage(agent, contacts, cursor) {
  const path = `/records?model=Contact&limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
  return new Promise((done, fail) => {
    get(contacts.nangod.url + path, { agent, headers: contacts.headers }, (res) => {
      const chunks = [];
      res.on("data", (chunk) => chunks.push(chunk));
      res.on("error", fail);
      res.on("end", () => {
        const end = Buffer.concat(chunks.slice(-2)).subarray(-200).toString().match(/"next_cursor":(null|"([^"]+)")\}$/);
        if (res.statusCode !== 200 || !end) fail(new Error(`GET /records: ${res.statusCode}`));
        else done({ next: end[2], bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0) });
      });
    }).on("error", fail);
  });
}

async function readAll(agent, contacts) {
  const begin = performance.now();
  let cursor, pages = 0, bytes = 0;
  do {
    const page = await fetchPage(agent, contacts, cursor);
    cursor = page.next;
    bytes += page.bytes;
    pages++;
  } while (cursor);
  if (pages !== RECORDS / 1000 || bytes < RECORDS * 1000) throw new Error(`${pages} pages, ${bytes} bytes`);
  return performance.now() - begin;
}

export async function read(times) {
  return within(async (t) => {
    const contacts = await Contacts.start(t);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    await contacts.connect();
    await contacts.run();
    await readAll(agent, contacts);
    const ms = await repeat(times * 2, () => readAll(agent, contacts));
    const copy = await limits(contacts, times * 2);
    const rate = (all) => all.map((one) => RECORDS / (one / 1000));
    return [
      row("GET /records, limit 1000, all 10,000", "records/s", rate(ms)),
      row("  COPY TO STDOUT of the same rows, text", "records/s", rate(copy.read_text), "the limit"),
      row("  COPY TO STDOUT of the same rows, binary", "records/s", rate(copy.read_binary), "the limit"),
      row("  GET /records against COPY binary", "x", rate(ms).map((one) => one / median(rate(copy.read_binary)))),
    ];
  });
}
