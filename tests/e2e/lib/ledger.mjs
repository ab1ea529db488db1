// SPDX-License-Identifier: Apache-2.0
// The plugins ledger and writers of tests/e2e/plugins, deployed and connected.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPlugin, scratch, start } from "./nangod.mjs";
import { provider as fakeProvider } from "./provider.mjs";

export const key = "unauthenticated";
export const folder = (name) => fileURLToPath(new URL(`../plugins/${name}`, import.meta.url));

/** Builds it; edit(text) changes its plugin.yaml. */
function buildEdited(t, plugin, edit) {
  if (!edit) return buildPlugin(t, folder(plugin), key);
  const dir = scratch(t);
  cpSync(folder(plugin), dir, { recursive: true });
  writeFileSync(join(dir, "plugin.yaml"), edit(readFileSync(join(dir, "plugin.yaml"), "utf8")));
  return buildPlugin(t, dir, key);
}

export async function deployed(t, plugin, { env, edit, connection = {}, on = (t) => start(t, { env }) } = {}) {
  const provider = await fakeProvider(t);
  const nangod = await on(t);
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  const deploy = async (edit) => nangod.deploy(await buildEdited(t, plugin, edit), key);
  await deploy(edit);
  const { id } = await nangod.connect(key, { baseUrl: provider.url, credentials: { type: "NONE" }, ...connection });
  const trigger = (sync, opts) => nangod.ok("POST", "/sync/trigger", { body: { syncs: [sync], provider_config_key: key, connection_id: "acme", ...(opts ? { opts } : {}) } });
  /** Runs the ledger plugin over these pages of operations. */
  const ledger = async (pages, opts) => {
    provider.reply("GET /ledger", ({ query }) => {
      const page = Number(query.get("page"));
      return { json: { ops: pages[page - 1], is_last: page >= pages.length } };
    });
    await trigger("ledger", opts);
    return nangod.settled(key, "acme", "ledger");
  };
  const headers = { "provider-config-key": key, "connection-id": "acme" };
  return { nangod, provider, deploy, trigger, ledger, row: id, headers };
}

export const save = (id, more) => ({ save: { id, ...more } });
export const ids = (answer) => answer.records.map((record) => record.id);
