// SPDX-License-Identifier: Apache-2.0
// An API behind nginx, behind express with axios, and behind nangod, which authenticates the caller, looks the
// connection up and puts its key in; in turn, so that each ratio is of neighbours.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../e2e/lib/nangod.mjs";
import { row, startNangod, within } from "./lib/measure.mjs";
import { pathOf, secret, sizes, startApi, startExpress, startNginx, wrk } from "./lib/proxies.mjs";

const connections = [1, 16, 64, 256];
const schemes = { plain: "plain", tls: "TLS", h2: "HTTP/2" };

/** Those whose text matches BENCH_PROXY, a regular expression. */
const cells = () => {
  const wanted = new RegExp(process.env.BENCH_PROXY ?? "");
  const all = [];
  for (const scheme of Object.keys(schemes))
    for (const size of Object.keys(sizes))
      for (const count of connections) all.push({ scheme, size, count, text: `${schemes[scheme]}, ${size}, ${count}` });
  return all.filter(({ text }) => wanted.test(text));
};

const goals = (cell) => {
  if (cell.size === "10 MB" || cell.scheme !== "plain") return { ratio: "≥ 0.9" };
  return cell.count === 64 ? { ratio: "≥ 0.7", rate: "≥ 11,130 (30 x the reference's)" } : {};
};

async function proxiedBy(t, api) {
  const file = join(api.dir, "providers.yaml");
  writeFileSync(
    file,
    ["bench:", "    display_name: Bench", "    auth_mode: API_KEY", "    proxy:", "        base_url: ${connectionConfig.base}", "        headers:", "            authorization: Bearer ${apiKey}", ""].join("\n"),
  );
  const nangod = await startNangod(t, { env: { NANGO_PROVIDERS: file, NANGO_CA_FILE: api.ca } });
  for (const id of Object.keys(schemes))
    await nangod.connect("bench", { id, connection_config: { base: api[id] }, credentials: { type: "API_KEY", apiKey: secret } });
  return nangod;
}

const peak = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
const resetPeak = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, "5");

async function measure(cell, times, { nangod, nginx, express }) {
  const headers = [`Authorization: Bearer ${nangod.key}`, "Provider-Config-Key: bench", `Connection-Id: ${cell.scheme}`];
  const ways = {
    nginx: () => wrk(nginx[cell.scheme] + pathOf(cell.size), cell.count),
    nangod: () => wrk(`${nangod.url}/proxy${pathOf(cell.size)}`, cell.count, headers),
    express: () => wrk(express[cell.scheme] + pathOf(cell.size), cell.count),
  };
  const rounds = [];
  const used = [];
  await ways.nangod(); // connections and caches are made
  await ways.nginx();
  for (let i = 0; i < times; i++) {
    const round = {};
    for (const [name, once] of Object.entries(ways)) {
      if (name === "nangod") resetPeak(nangod.pid);
      round[name] = await once();
      if (name === "nangod") used.push(peak(nangod.pid) / 2 ** 20);
    }
    rounds.push(round);
  }
  return rowsOf(cell, rounds, used);
}

function rowsOf(cell, rounds, used) {
  const isLarge = cell.size === "10 MB";
  const unit = isLarge ? "MB/s" : "requests/s";
  const speed = ({ rate, bytes }) => (isLarge ? bytes / 1e6 : rate);
  const goal = goals(cell);
  const rows = [
    row(`${cell.text}: nginx`, unit, rounds.map((r) => speed(r.nginx))),
    row("  nangod", unit, rounds.map((r) => speed(r.nangod)), goal.rate),
    row("  nangod against nginx", "x", rounds.map((r) => speed(r.nangod) / speed(r.nginx)), goal.ratio),
    row("  express with axios", unit, rounds.map((r) => speed(r.express))),
    row("  nangod against express", "x", rounds.map((r) => speed(r.nangod) / speed(r.express))),
  ];
  if (!isLarge) // of the few large answers of a run the slowest hundredth says nothing
    rows.push(
      row("  99 % within, nangod", "ms", rounds.map((r) => r.nangod.p99)),
      row("  99 % within, against nginx", "x", rounds.map((r) => r.nangod.p99 / r.nginx.p99), "≤ 2"),
    );
  if (isLarge && cell.count === 64) rows.push(row("  largest memory (RSS) of nangod meanwhile", "MiB", used, "the same"));
  return rows;
}

const missing = async () => {
  const all = [];
  for (const [name, option] of [["nginx", "-v"], ["wrk", "--version"]])
    if (!(await run(name, [option]).catch(() => null))) all.push(name);
  return all;
};

export async function proxy(times) {
  const absent = await missing();
  if (absent.length > 0) return [row(`proxy: skipped, ${absent.join(" and ")} not installed (sh tools/dev/setup bench)`, "", [])];
  return within(async (t) => {
    const api = await startApi(t);
    const world = { nginx: await startNginx(t, api), express: await startExpress(t, api), nangod: await proxiedBy(t, api) };
    const rows = [row("nangod's largest memory (RSS) before", "MiB", [peak(world.nangod.pid) / 2 ** 20])];
    for (const cell of cells()) rows.push(...(await measure(cell, times, world)));
    return rows;
  });
}
