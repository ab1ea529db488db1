// SPDX-License-Identifier: Apache-2.0
// A provider with a token bucket of its own, a template that declares it, and a load from several nodes.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildItems, item, key } from "./items.mjs";
import { psql, scratch, serve, start, until } from "./nangod.mjs";
import { provider as fakeProvider } from "./provider.mjs";

/** Pages without end behind a bucket of `rate` a second and `burst`; `calls` are {at, who, status}. */
export async function limitedProvider(t, { rate = 10, burst = 10 } = {}) {
  const provider = await fakeProvider(t);
  const state = { tokens: burst, at: performance.now(), calls: [], next: null, ended: false };
  const admit = () => {
    const now = performance.now();
    state.tokens = Math.min(burst, state.tokens + ((now - state.at) / 1000) * rate);
    state.at = now;
    if (state.tokens < 1) return false;
    state.tokens -= 1;
    return true;
  };
  provider.serve = (who) =>
    provider.reply(`GET /${who}/items`, ({ query }) => {
      const answer = state.next ?? (admit() ? null : { status: 429, json: {} });
      state.next = null;
      state.calls.push({ at: performance.now(), who, status: answer?.status ?? 200 });
      return answer ?? { json: state.ended ? [] : [item(Number(query.get("page")))] };
    });
  return Object.assign(provider, {
    state,
    since: (from, to = Infinity) => state.calls.filter((c) => c.at >= from && c.at < to),
    /** The next call is answered so, whatever the bucket holds. */
    refuseNext: (headers) => (state.next = { status: 429, headers, json: {} }),
    /** No new pages: runs come to their end. */
    end: () => (state.ended = true),
  });
}

/** NANGO_PROVIDERS with limits of the tests' provider. */
export function declare(t, limits, retry = { after: "retry-after" }) {
  const file = join(scratch(t), "providers.yaml");
  const template = { display_name: key, docs: "https://example.com", auth_mode: "NONE", proxy: { base_url: "${connectionConfig.baseUrl}", retry } };
  writeFileSync(file, JSON.stringify({ [key]: { ...template, ...(limits ? { x: { limits } } : {}) } }));
  return file;
}

/** `nodes` nodes with the plugin, and `connections` connections whose runs ask for page after page. */
export async function load(t, provider, { nodes, connections, env }) {
  const first = await start(t, { env });
  const all = [first];
  while (all.length < nodes) all.push(await serve(t, first, env));
  await first.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  await first.deploy(await buildItems(t), key);
  for (let i = 1; i <= connections; i++) {
    provider.serve(`c${i}`);
    await first.connect(key, { id: `c${i}`, baseUrl: `${provider.url}/c${i}`, credentials: { type: "NONE" } });
  }
  const running = () => psql(first, "SELECT count(*) FROM nango.queue WHERE is_claimed").then(Number);
  await until(async () => (await running()) === connections, async () => `${await running()} runs\n${first.log()}`);
  return all;
}
