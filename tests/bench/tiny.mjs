// SPDX-License-Identifier: Apache-2.0
// A request that costs next to nothing, as fast as one nangod answers it.
import { run } from "../e2e/lib/nangod.mjs";
import { repeat, row, startNangod, within } from "./lib/measure.mjs";

export async function tiny(times) {
  const there = await run("wrk", ["--version"]).catch(() => null);
  if (!there) return [row("GET /ready: skipped, wrk is not installed (sh tools/dev/setup bench)", "", [])];
  return within(async (t) => {
    const nangod = await startNangod(t);
    const once = async () => {
      const made = await run("wrk", ["-t1", "-c64", "-d2s", "--latency", `${nangod.url}/ready`]);
      const rate = made.stdout.match(/Requests\/sec:\s+([\d.]+)/);
      const p99 = made.stdout.match(/99%\s+([\d.]+)(us|ms|s)/);
      if (made.code !== 0 || !rate || /Non-2xx|Socket errors/.test(made.stdout)) throw new Error(`wrk: ${made.stdout}${made.stderr}`);
      return { rate: Number(rate[1]), p99: Number(p99[1]) * { us: 0.001, ms: 1, s: 1000 }[p99[2]] };
    };
    const all = await repeat(times, once);
    return [
      row("GET /ready, 64 connections", "requests/s", all.map((x) => x.rate)),
      row("  99 % are answered within", "ms", all.map((x) => x.p99)),
    ];
  });
}
