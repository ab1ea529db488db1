// SPDX-License-Identifier: Apache-2.0
// Ten thousand runs in flight on one node, for the test and for the benchmark.
import { fork } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildItems, key } from "./items.mjs";
import { addVariants, children, psql, start, until } from "./nangod.mjs";

/** All processes below one, without asking each for its children. */
export function descendants(root) {
  const parents = new Map();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // it ended while we looked
    }
  }
  const isBelow = (pid) => {
    for (let at = pid; at > 1; at = parents.get(at)) if (at === root) return true;
    return false;
  };
  return [...parents.keys()].filter(isBelow);
}

/** Bytes of proportional memory of a node, its Postgres and its runs. */
export function pss(root) {
  let sum = 0;
  for (const pid of descendants(root)) {
    try {
      sum += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) * 1024;
    } catch {
      // it ended while we looked
    }
  }
  return sum;
}

export const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;

export async function slowProvider(t, delay) {
  const child = fork(fileURLToPath(new URL("slow-provider.mjs", import.meta.url)), [String(delay)]);
  t.after(() => child.disconnect());
  const heard = () => new Promise((done) => child.once("message", done));
  const { url } = await heard();
  const say = (message) => {
    child.send(message);
    return heard();
  };
  return { url, counts: () => say("counts"), finish: () => say("finish") };
}

/** Starts a node and a slow provider, and brings `count` runs in flight. */
export async function manyRuns(t, { count, delay = 2000, env = {} }) {
  const provider = await slowProvider(t, delay);
  const nangod = await start(t, {
    env: {
      NANGO_LOG: "info", NANGO_RUNS_MAX: String(count), NANGO_ENVIRONMENT_RUNS_MAX: "0", NANGO_CONNECTION_RUNS_MAX: "0",
      // Not leases are measured here, and other work on the same cores may starve a heartbeat.
      NANGO_UPSTREAM_HOST_MAX: "256", NANGO_LEASE_MS: "300000", ...env,
    },
  });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  for (let i = 0; i < 100; i++)
    await nangod.connect(key, { id: `c${i}`, baseUrl: provider.url, credentials: { type: "NONE" } });
  await nangod.deploy(await buildItems(t, (text) => text.replace(/(runs: every 1h\n {4}models: \[Item\]\n {4}checkpoint)/, "auto_start: false\n    $1")), key);
  // count / 100 variants of each connection's sync, and a run of each.
  await addVariants(nangod, Math.ceil(count / 100), "s.name = 'items'");
  const begin = performance.now();
  await psql(nangod, `INSERT INTO nango.queue (account_id, environment_id, integration_id, connection_id, sync_id, kind, due_at)
    SELECT account_id, environment_id, integration_id, connection_id, id, 1, nango.clock_now() FROM nango.sync WHERE variant <> 'base' LIMIT ${count}`);
  // All children but Postgres are zygotes.
  const isZygote = (pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "nango-runner";
  const byZygote = () => children(nangod.pid).filter(isZygote).map(children);
  const forked = () => byZygote().reduce((sum, runs) => sum + runs.length, 0);
  return { provider, nangod, begin, forked, byZygote };
}

/** Waits until `count` runs are claimed. One statement in the database looks four times a second: to
 * start a psql for each look would take a core from the node. */
export async function claimed(nangod, count, seconds = 600) {
  const wait = `DO $$ BEGIN FOR i IN 1..40 LOOP EXIT WHEN (SELECT count(*) >= ${count} FROM nango.queue WHERE is_claimed); COMMIT; PERFORM pg_sleep(0.25); END LOOP; END $$`;
  for (const end = Date.now() + seconds * 1000; ; ) {
    await psql(nangod, wait);
    const now = Number(await psql(nangod, "SELECT count(*) FROM nango.queue WHERE is_claimed"));
    if (now >= count) return;
    if (Date.now() > end) throw new Error(`${now} of ${count} were claimed\n${nangod.log().slice(-3000)}`);
  }
}

/** Milliseconds of requests, one after the other, sorted. */
export async function latencies(nangod, path, times) {
  const all = [];
  for (let i = 0; i < times; i++) {
    const begin = performance.now();
    await nangod.ok("GET", path);
    all.push(performance.now() - begin);
  }
  return all.sort((a, b) => a - b);
}
