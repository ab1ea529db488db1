// SPDX-License-Identifier: Apache-2.0
// Runs the benchmarks that are named, or all, and prints one table. Figures never fail it.
import { machine, reserveHugePages, table, within } from "./lib/measure.mjs";
import { memory } from "./memory.mjs";
import { proxy } from "./proxy.mjs";
import { records } from "./records.mjs";
import { queue } from "./queue.mjs";
import { runs } from "./runs.mjs";
import { schedules } from "./schedules.mjs";
import { start } from "./start.mjs";
import { read, sync } from "./sync.mjs";
import { tiny } from "./tiny.mjs";

const all = { start, memory, runs, schedules, queue, sync, records, read, proxy, tiny };
const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(all, name));
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(", ")}; there are ${Object.keys(all).join(", ")}`);
  process.exit(2);
}
const times = Math.max(5, Number(process.env.BENCH_RUNS ?? 7));
await within(async (t) => {
  const memory = reserveHugePages(t, 5 * 1024);
  const rows = [];
  for (const name of names.length > 0 ? names : Object.keys(all)) {
    console.error(`bench: ${name} …`);
    rows.push(...(await all[name](times)));
  }
  console.log(`${await machine()}; ${memory}\n\n${table(rows)}`);
});
