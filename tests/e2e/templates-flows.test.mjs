// SPDX-License-Identifier: Apache-2.0
// Every one of our own templates, unmodified, in a fake world: its flow to a connection that works, as its
// vendor's documentation has it.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkCall, flows, oauth2Flow } from "./lib/flows.mjs";
import { appFlow, apps, customFlow, customs, oauth1, oauth1Flow, pluginFlow, plugins } from "./lib/flows-apps.mjs";
import { formFlow } from "./lib/flows-form.mjs";
import { top } from "./lib/nangod.mjs";
import { keys, open, passwords } from "./lib/vendors-keys.mjs";
import { logins, machines, signed, signers } from "./lib/vendors-tokens.mjs";
import { oauth2 } from "./lib/vendors-oauth2.mjs";

const tables = [
  [oauth2, oauth2Flow],
  [oauth1, oauth1Flow],
  [apps, appFlow],
  [customs, customFlow],
  [plugins, pluginFlow],
  [{ ...keys, ...passwords, ...open, ...machines, ...logins, ...signers, ...signed }, formFlow],
];
const rows = Object.assign({}, ...tables.map(([table]) => table));

test("every template has a row, and every row a template", () => {
  const ours = readdirSync(join(top, "templates")).filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -".yaml".length));
  assert.deepEqual([...new Set(Object.entries(rows).map(([name, { template = name }]) => template))].sort(), ours.sort());
});

test("each template", async (t) => {
  const w = await flows(t, rows);
  const made = new Map();
  for (const [table, flow] of tables)
    for (const [name, row] of Object.entries(table))
      await t.test(name, async () => {
        try {
          made.set(name, await flow(w, name, row));
        } finally {
          w.asked();
        }
      });
  await t.test("calls", { concurrency: 4 }, (t) => Promise.all([...made].map(([name, connection], number) => t.test(`${name}: a call`, () => checkCall(w, name, rows[name], connection, number)))));
});
