// SPDX-License-Identifier: Apache-2.0
// Memory when idle: before any plugin, and with the zygote that a run leaves behind.
import { setTimeout as idle } from "node:timers/promises";
import { scratch } from "../e2e/lib/nangod.mjs";
import { repeat, row, rss, startNangod, treePss, within } from "./lib/measure.mjs";
import { Contacts } from "./lib/contacts.mjs";

const IDLE_MS = 3000; // the only wait of the benchmarks: idle is a matter of time
const MIB = 2 ** 20;

async function settledSizes(pid) {
  await idle(IDLE_MS);
  return { rss: rss(pid) / MIB, pss: treePss(pid) / MIB };
}

export async function memory(times) {
  return within(async (t) => {
    const dataDir = scratch(t);
    const fresh = await repeat(times, () =>
      within(async (u) => settledSizes((await startNangod(u, { dataDir })).pid)),
    );
    const contacts = await Contacts.start(t);
    const used = await repeat(times, async () => {
      await contacts.connect();
      await contacts.run();
      return settledSizes(contacts.nangod.pid);
    });
    return [
      row("idle, RSS of nangod", "MiB", fresh.map((x) => x.rss), "≤ 20"),
      row("idle, PSS of nangod and its Postgres", "MiB", fresh.map((x) => x.pss)),
      row("idle after a sync, RSS of nangod", "MiB", used.map((x) => x.rss)),
      row("idle after a sync, PSS with Postgres and zygote", "MiB", used.map((x) => x.pss)),
    ];
  });
}
