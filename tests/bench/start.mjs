// SPDX-License-Identifier: Apache-2.0
// From spawn to the line that says ready: with initdb, and on a data dir that was used before.
import { scratch } from "../e2e/lib/nangod.mjs";
import { repeat, row, startNangod, within } from "./lib/measure.mjs";

async function timed(dataDir) {
  return within(async (t) => {
    const begin = performance.now();
    await startNangod(t, { dataDir });
    return performance.now() - begin;
  });
}

export async function start(times) {
  return within(async (t) => {
    const warmDir = scratch(t);
    const cold = await repeat(times, () => within(async (u) => timed(scratch(u))));
    await timed(warmDir);
    const warm = await repeat(times, () => timed(warmDir));
    return [
      row("nangod dev ready, cold (with initdb)", "ms", cold, "≤ 1,500"),
      row("nangod dev ready, warm", "ms", warm, "≤ 300"),
    ];
  });
}
