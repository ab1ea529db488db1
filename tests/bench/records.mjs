// SPDX-License-Identifier: Apache-2.0
// Saving at 100,000 and 1,000,000 records of about 1 KB, pages of 1,000, end to end: a plugin
// makes them from typed structs, nangod stores them. Beside it, in the same run, on the same Postgres,
// COPY of the same rows in transactions of the same size into an equally indexed table. That Postgres
// has memory and WAL as a server's would, and writes through (fsync); both sides have it alike. COPY is
// measured again beside each first load, and what is compared is always a pair. No checkpoint comes in
// the middle: the images of whole pages that follow one are Postgres' own work, and the same for all.
import { fileURLToPath } from "node:url";
import { buildPlugin, program, run, socketDir } from "../e2e/lib/nangod.mjs";
import { Cluster, serveOn } from "../e2e/lib/postgres.mjs";
import { Contacts } from "./lib/contacts.mjs";
import { median, query, row, within } from "./lib/measure.mjs";

const key = "unauthenticated";
const PAGE = 1000;
const server = { fsync: "on", shared_buffers: "4GB", max_wal_size: "16GB", checkpoint_timeout: "30min", jit: "off" };
const source = fileURLToPath(new URL("plugins/made", import.meta.url));

class Made {
  #connections = 0;
  #revision = 0;

  static async start(t) {
    const made = new Made();
    made.cluster = await Cluster.start(t, server);
    // A backend that maps the shared buffers for the first time takes a fault for each page of them, which
    // is not the work that is measured: four soon have them all, as one has for COPY.
    made.nangod = await serveOn(t, made.cluster, { NANGO_LOG: "info", NANGO_DB_CONNECTIONS: "4" });
    await made.nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
    await made.nangod.deploy(await buildPlugin(t, source, key), key);
    return made;
  }

  async connect(count) {
    this.id = `c${++this.#connections}`;
    this.count = count;
    await this.nangod.connect(key, { id: this.id, baseUrl: "http://127.0.0.1:9", credentials: { type: "NONE" }, metadata: this.#metadata(0) });
    [[this.row]] = await this.query(`SELECT id FROM nango.connection WHERE connection_id = '${this.id}'`);
  }

  #metadata = (step) => ({ count: this.count, page: PAGE, revision: ++this.#revision, step });

  /** One run; milliseconds from its start to its end, by its own row. */
  async run(sync, step, expected) {
    const of = { provider_config_key: key, connection_id: this.id };
    await this.nangod.ok("POST", "/connections/metadata", { body: { ...of, metadata: this.#metadata(step) } });
    await this.nangod.ok("POST", "/sync/trigger", { body: { ...of, syncs: [sync] } });
    for (;;) {
      await new Promise((done) => setTimeout(done, 50));
      const [last] = await this.query(`SELECT state, cause, message, extract(epoch FROM finished_at - started_at) * 1000, added, updated, deleted FROM nango.any_run WHERE connection_id = ${this.row} ORDER BY id DESC LIMIT 1`);
      if (!last || ["queued", "running"].includes(last[0])) continue;
      const counts = last.slice(4).map(Number);
      if (last[0] !== "success" || String(counts) !== String(expected)) throw new Error(`${last.join(" ")}, expected ${expected}`);
      return Number(last[3]);
    }
  }

  async query(text) {
    return (await this.cluster.sql(text)).split("\n").map((line) => line.split("|"));
  }

  async copy(times) {
    const made = await run(program("bench-copy"), [this.cluster.url, this.row, String(times), String(PAGE)], { timeout: 600_000 });
    if (made.code !== 0) throw new Error(`bench-copy: ${made.stderr}`);
    return JSON.parse(made.stdout).write;
  }

  vacuum() {
    return this.query("VACUUM ANALYZE nango_data.record");
  }

  /** An empty table: what a DELETE leaves would slow the next load. */
  async forget() {
    await this.query("TRUNCATE nango_data.record, nango_data.dataset, nango_data.seen");
    await this.query("CHECKPOINT");
  }
}

const rate = (count, times) => times.map((ms) => count / (ms / 1000));

const against = (list, copy) => list.map((ms, i) => copy[i] / ms);

async function measure(made, count, times) {
  const first = [], same = [], tenth = [], gone = [], copy = [];
  for (let i = count >= 1_000_000 ? -1 : -3; i < times; i++) {
    // Both sides write once, empty their table, and write again: memory that was given back to a
    // hypervisor meanwhile costs more than the work, and would be counted on one side only.
    await made.connect(count);
    await made.run("made", 0, [count, 0, 0]);
    await made.forget();
    await made.connect(count);
    const load = await made.run("made", 0, [count, 0, 0]);
    await made.vacuum();
    const limit = median(await made.copy(count >= 1_000_000 ? 1 : 3));
    const again = await made.run("made", 0, [0, 0, 0]);
    const changed = await made.run("made", 10, [0, count / 10, 0]);
    if (i >= 0) first.push(load), copy.push(limit), same.push(again), tenth.push(changed);
    await made.vacuum();
    if (count >= 1_000_000 && i >= 0) {
      await made.run("walk", 0, [0, count / 10, 0]); // all as they were, with its marks
      await made.vacuum();
      gone.push(await made.run("walk", 100, [0, 0, count / 100]) - (await made.run("walk", 100, [0, 0, 0])));
    }
    await made.forget();
  }
  const name = count.toLocaleString("en-US");
  return {
    same,
    rows: [
      row(`COPY of ${name} records, 1,000 a transaction`, "records/s", rate(count, copy), "the limit"),
      row("  first load", "records/s", rate(count, first)),
      row("  against COPY", "x", against(first, copy), "≥ 0.7"),
      row("  unchanged", "records/s", rate(count, same)),
      row("  against COPY", "x", against(same, copy), "≥ 4"),
      row("  a tenth changed", "records/s", rate(count, tenth)),
      row("  against COPY", "x", against(tenth, copy), "≥ 1.5"),
      ...(gone.length ? [row(`  deletion of ${(count / 100).toLocaleString("en-US")} at the end of a walk`, "ms", gone, "≤ 1,500")] : []),
    ],
  };
}

/** The same with pages of 1,000 fetched from a server on this machine, and read into structs. */
async function fetched(count, times) {
  return within(async (t) => {
    const contacts = await Contacts.start(t, count / PAGE);
    await contacts.connect();
    await contacts.run(); // the zygote, the pools' connections
    const first = [], same = [], tenth = [], copy = [];
    for (let i = 0; i < times; i++) {
      await contacts.provider.change(1);
      await contacts.connect();
      first.push((await contacts.run()).wall);
      await query(contacts.nangod, "VACUUM ANALYZE nango_data.record");
      const made = await run(program("bench-copy"), [`host=${socketDir(contacts.nangod)} user=nango dbname=postgres`, await contacts.connectionRow(), "3", String(PAGE)], { timeout: 600_000 });
      if (made.code !== 0) throw new Error(`bench-copy: ${made.stderr}`);
      copy.push(median(JSON.parse(made.stdout).write));
      same.push((await contacts.run()).wall);
      await contacts.provider.change(10);
      await contacts.run(); // back from "all differ" to "a tenth differs"
      await contacts.provider.change(10);
      tenth.push((await contacts.run()).wall);
    }
    const name = count.toLocaleString("en-US");
    return [
      row(`${name} fetched and parsed: first load`, "records/s", rate(count, first)),
      row("  against COPY", "x", against(first, copy), "≥ 0.4"),
      row("  unchanged", "records/s", rate(count, same)),
      row("  against COPY", "x", against(same, copy), "≥ 0.8"),
      row("  a tenth changed", "records/s", rate(count, tenth)),
      row("  against COPY", "x", against(tenth, copy), "≥ 0.6"),
    ];
  });
}

export async function records(times) {
  const few = Math.max(3, Math.round(times / 2));
  const isLarge = process.env.BENCH_LARGE !== "0";
  const made = await within(async (t) => {
    const made = await Made.start(t);
    await made.connect(10_000);
    await made.run("made", 0, [10_000, 0, 0]); // the zygote, the pools' connections
    const small = [];
    for (let i = 0; i < times; i++) small.push(await made.run("made", 0, [0, 0, 0]));
    const middle = await measure(made, 100_000, few);
    const large = isLarge ? await measure(made, 1_000_000, 3) : { rows: [], same: [] };
    const each = (count, list) => list.map((ms) => (ms * 1000) / count);
    return [
      ...middle.rows,
      ...large.rows,
      row("an unchanged record among 10,000", "µs", each(10_000, small)),
      ...(isLarge ? [row("an unchanged record among 1,000,000", "µs", each(1_000_000, large.same), "≤ 1.2 of that")] : []),
    ];
  });
  return [...made, ...(await fetched(100_000, few)), ...(isLarge ? await fetched(1_000_000, 3) : [])];
}
