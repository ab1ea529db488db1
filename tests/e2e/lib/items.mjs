// SPDX-License-Identifier: Apache-2.0
// The items plugin of tests/e2e/plugins, deployed as it is or with an edited plugin.yaml.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPlugin, scratch, start } from "./nangod.mjs";
import { provider as fakeProvider } from "./provider.mjs";

const source = fileURLToPath(new URL("../plugins/items", import.meta.url));
export const key = "unauthenticated";
export const item = (n, more) => ({ id: String(n), title: `Item ${n}`, ...more });

/** Builds it; edit(text) changes its plugin.yaml, which may name another provider. */
export async function buildItems(t, edit, name = key) {
  if (!edit) return buildPlugin(t, source, key);
  const dir = scratch(t);
  cpSync(source, dir, { recursive: true });
  writeFileSync(join(dir, "plugin.yaml"), edit(readFileSync(join(source, "plugin.yaml"), "utf8")));
  return buildPlugin(t, dir, name);
}

/** A server with the plugin and a provider whose /items?page=N is provider.pages[N-1]. */
export async function deployItems(t, { pages = [[item(1)]], env, edit } = {}) {
  const provider = await fakeProvider(t);
  provider.pages = pages;
  provider.reply("GET /items", ({ query }) => ({ json: provider.pages[Number(query.get("page")) - 1] ?? [] }));
  const nangod = await start(t, { env });
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await nangod.deploy(await buildItems(t, edit), key);
  const connect = (more) => nangod.connect(key, { baseUrl: provider.url, credentials: { type: "NONE" }, ...more });
  const trigger = (more) =>
    nangod.ok("POST", "/sync/trigger", { body: { syncs: ["items"], provider_config_key: key, connection_id: "acme", ...more } });
  return { nangod, provider, connect, trigger };
}
