// SPDX-License-Identifier: Apache-2.0
// What all benchmarks share: a scope that cleans up, processes' figures, the machine, the table.
import { fork } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { children, run, socketDir, start } from "../../e2e/lib/nangod.mjs";

/** Runs work(t), then what t.after() was told, last first. */
export async function within(work) {
  const later = [];
  const t = { after: (step) => later.unshift(step) };
  try {
    return await work(t);
  } finally {
    for (const step of later) await step();
  }
}

/**
 * Huge pages for the shared memory of the Postgres servers that are started meanwhile, as a server in production has: a
 * backend that maps 4 KB pages for the first time pays more in faults than for the work. Only root can; says how many.
 */
export function reserveHugePages(t, megabytes) {
  const file = "/proc/sys/vm/nr_hugepages";
  const before = readFileSync(file, "utf8").trim();
  try {
    writeFileSync(file, String(Number(before) + megabytes / 2));
  } catch {
    return "no huge pages (only root can reserve them)";
  }
  t.after(() => writeFileSync(file, before));
  return `${readFileSync(file, "utf8").trim()} huge pages for Postgres`;
}

/** nangod as an operator starts it: the tests' debug log would be measured, too. */
export const startNangod = (t, options = {}) => start(t, { ...options, env: { NANGO_LOG: "info", ...options.env } });

/** { url, change(step) }: from then on one contact in `step` differs from what it was before. */
export async function startProvider(t, pages = 10) {
  const child = fork(fileURLToPath(new URL("provider.mjs", import.meta.url)), [String(pages)]);
  t.after(() => child.disconnect());
  const answer = () => new Promise((done) => child.once("message", done));
  child.once("error", (err) => {
    throw err;
  });
  const { url } = await answer();
  let revision = 0;
  const change = (step) => {
    child.send({ revision: ++revision, step });
    return answer();
  };
  return { url, change };
}

/** Rows of a query, through the private Postgres' socket. */
export async function query(nangod, sql) {
  const made = await run("psql", ["-X", "-q", "-A", "-t", "-F", "\t", "-h", socketDir(nangod), "-U", "nango", "-d", "postgres", "-c", sql]);
  if (made.code !== 0) throw new Error(`psql: ${made.stderr}`);
  return made.stdout.trim().split("\n").map((line) => line.split("\t"));
}

const field = (file, name) => Number(readFileSync(file, "utf8").match(new RegExp(`^${name}:\\s+(\\d+)`, "m"))[1]) * 1024;
export const rss = (pid) => field(`/proc/${pid}/status`, "VmRSS");
const tree = (pid) => [pid, ...children(pid).flatMap(tree)];
export const treePss = (pid) => tree(pid).reduce((sum, one) => sum + field(`/proc/${one}/smaps_rollup`, "Pss"), 0);

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export const repeat = async (times, work) => {
  const all = [];
  for (let i = 0; i < times; i++) all.push(await work(i));
  return all;
};

/** A row of the table. Values are numbers of one unit; goal is text. */
export const row = (what, unit, values, goal = "") => ({ what, unit, values, goal });

const digits = (value) => (value >= 100 ? Math.round(value).toLocaleString("en-US") : value >= 10 ? value.toFixed(1) : value.toFixed(2));

export function table(rows) {
  const lines = rows.map(({ what, unit, values, goal }) =>
    values.length === 0
      ? [what, "", "", "", goal]
      : [what, `${digits(median(values))} ${unit}`, `${digits(Math.min(...values))}–${digits(Math.max(...values))}`, String(values.length), goal],
  );
  const all = [["what", "median", "min–max", "runs", "goal"], ...lines];
  const width = all[0].map((_, column) => Math.max(...all.map((line) => line[column].length)));
  const text = (line) => `| ${line.map((cell, i) => (i === 0 || i === 4 ? cell.padEnd(width[i]) : cell.padStart(width[i]))).join(" | ")} |`;
  const rule = `|${width.map((n, i) => (i === 0 || i === 4 ? "-".repeat(n + 2) : `${"-".repeat(n + 1)}:`)).join("|")}|`;
  return [text(all[0]), rule, ...all.slice(1).map(text)].join("\n");
}

/** The load before anything was measured: over half a core of others' work disturbs the figures. */
const loadBefore = loadavg()[0];

export async function machine() {
  const first = async (file, ...args) => (await run(file, args).catch(() => ({ stdout: "?" }))).stdout.split("\n")[0];
  const postgres = (await first("sh", "-c", "$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)/postgres --version")).trim();
  return [
    `${new Date().toISOString().slice(0, 10)}: ${cpus()[0].model}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, load before ${loadBefore.toFixed(1)}`,
    `${postgres}; ${await first(process.env.CC ?? "cc", "--version")}, ${process.env.BENCH_CFLAGS ?? ""}; node ${process.version}`,
  ].join("\n");
}
