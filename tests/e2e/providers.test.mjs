// SPDX-License-Identifier: Apache-2.0
// The reference's own file of providers, from npm, which only this test reads: all of it is loaded,
// comes to what js-yaml makes of it, and can be connected to. Then sets that are replaced while in use.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, test } from "node:test";
import { program, run, scratch, start, top, until } from "./lib/nangod.mjs";

const require = createRequire(import.meta.url);
const yaml = require("js-yaml");
const file = join(top, "tests/e2e/node_modules/@nangohq/providers/providers.yaml");

const tool = (args) => run(program("nango-plugin"), ["template", "check", ...args, "--json"]);
let entries;
let answer;
before(async () => {
  entries = yaml.load(readFileSync(file, "utf8"));
  const done = await tool([file, "--resolved"]);
  assert.equal(done.code, 0, done.stdout.slice(0, 2000) + done.stderr);
  answer = JSON.parse(done.stdout);
});

/** The reference's rule: the target's keys with the alias's own in their places, whole. */
function resolve(name) {
  const { alias, ...own } = entries[name];
  return alias === undefined ? own : { ...resolve(alias), ...own };
}

function patterns(value, found = []) {
  if (value === null || typeof value !== "object") return found;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "pattern" && typeof inner === "string") found.push(inner);
    else patterns(inner, found);
  }
  return found;
}

test("every entry is loaded without an error", (t) => {
  const count = Object.keys(entries).length;
  assert.ok(count > 900, String(count));
  assert.deepEqual({ templates: answer.templates, errors: answer.errors }, { templates: count, errors: 0 });
  t.diagnostic(`${count} providers loaded and checked in ${answer.load_ms.toFixed(1)} ms, ${answer.warnings} warnings`);
});

test("each comes to what js-yaml makes of it, keys in their order", () => {
  assert.deepEqual(Object.keys(answer.resolved).sort(), Object.keys(entries).sort());
  for (const name of Object.keys(entries)) assert.equal(JSON.stringify(answer.resolved[name]), JSON.stringify(resolve(name)), name);
});

test("patterns compile where JavaScript's do, and one does not", () => {
  const all = new Set(patterns(entries));
  const broken = [...all].filter((pattern) => {
    try {
      return !new RegExp(pattern);
    } catch {
      return true;
    }
  });
  const refused = answer.findings.filter(({ code }) => code === "E0708");
  assert.ok(all.size > 200, String(all.size));
  assert.equal(broken.length, 1);
  assert.deepEqual(refused.map(({ template }) => template), ["freshteam"]);
});

test("a warning for each oddity that is known, and none for what is right", () => {
  const seen = {};
  for (const { severity, code } of answer.findings) {
    assert.equal(severity, "warning");
    seen[code] = (seen[code] ?? 0) + 1;
  }
  // Dead keys; a pattern; pagination and modes that lack a key; four kinds of hooks.
  assert.deepEqual(Object.keys(seen).sort(), ["E0702", "E0708", "E0709", "E0711"]);
  assert.equal(seen.E0711, 4);
  assert.ok(answer.warnings <= 20, JSON.stringify(answer.findings));
});

test("a server lists them beside ours, and warns in its log", async (t) => {
  const nangod = await start(t, { env: { NANGO_PROVIDERS: file, NANGO_LOG: "info" } });
  const { data } = await nangod.ok("GET", "/providers");
  const own = readdirSync(join(top, "templates")).filter((name) => name.endsWith(".yaml")).map((name) => name.slice(0, -5)).sort();
  assert.deepEqual(data.map(({ name }) => name), [...new Set([...own, ...Object.keys(entries)])].sort());
  assert.deepEqual(data.map(({ name }) => name).filter((name) => !(name in entries)), own.filter((name) => !(name in entries)));
  // Theirs takes the place of ours.
  const { name, logo_url, ...body } = (await nangod.ok("GET", "/providers/github")).data;
  assert.equal(JSON.stringify(body), JSON.stringify(resolve("github")));
  assert.match(nangod.log(), /providers\.yaml:\d+:\d+: credentials\.apiKey\.pattern does not compile/);
  assert.match(nangod.log(), /webhook_routing_script is not carried out \(\d+ providers name one\)/);
  // One whose header and host are made of what the connection says.
  const key = Object.keys(entries).find((one) => resolve(one).auth_mode === "API_KEY" && !resolve(one).credentials?.apiKey?.pattern && /^https:\/\/\$\{connectionConfig/.test(resolve(one).proxy?.base_url));
  await nangod.ok("POST", "/integrations", { body: { provider: key, unique_key: key } });
  const refused = await nangod.call("POST", "/connections", { body: { provider_config_key: key, connection_id: "a", credentials: { type: "API_KEY", apiKey: "k-s3cret" } } });
  assert.equal(refused.status, 400, refused.text);
  assert.match(refused.text, /"path":\["connection_config",/);
});

const one = (docs) => `display_name: Shop\ndocs: ${docs}\nauth_mode: NONE\nproxy: {base_url: https://a}\nx: {source: https://d}\n`;

test("SIGHUP reads the templates anew, and no request sees it", async (t) => {
  const dir = join(scratch(t), "templates");
  const extra = join(dir, "../many");
  mkdirSync(dir);
  writeFileSync(join(dir, "shop.yaml"), one("https://old"));
  writeFileSync(extra, "more: {alias: shop, docs: https://more}\n");
  const nangod = await start(t, { env: { NANGO_TEMPLATES: dir, NANGO_PROVIDERS: extra, NANGO_LOG: "info" } });
  const docs = async (name) => (await nangod.call("GET", `/providers/${name}`)).body?.data?.docs;
  const hangup = async (log) => {
    const before = nangod.log().length;
    process.kill(nangod.pid, "SIGHUP");
    await until(() => log.test(nangod.log().slice(before)), () => nangod.log());
  };
  assert.deepEqual([await docs("shop"), await docs("more")], ["https://old", "https://more"]);

  // Readers all along: each answer is one of the two sets, whole.
  let isOver = false;
  const seen = new Set();
  const reader = async () => {
    while (!isOver) {
      const { data } = await nangod.ok("GET", "/providers");
      seen.add(data.map((row) => row.docs).join(" "));
    }
  };
  const readers = Promise.all([reader(), reader(), reader(), reader()]);
  await until(() => seen.size === 1);
  writeFileSync(join(dir, "shop.yaml"), one("https://new"));
  writeFileSync(extra, "more: {alias: shop, docs: https://more}\nodd: {alias: shop, colour: red}\nlost: {alias: nobody}\n");
  await hangup(/3 templates are in force/);
  await until(() => seen.size === 2);
  isOver = true;
  await readers;
  assert.deepEqual([...seen].sort(), ["https://more https://new https://new", "https://more https://old"]);
  assert.match(nangod.log(), /many:2:20: a template has no key "colour" \[E0702\]/);
  assert.match(nangod.log(), /many:3:15: there is no template "nobody" \[E0707\]; lost is left out/);

  // What cannot be read leaves everything as it is, and says why.
  writeFileSync(join(dir, "shop.yaml"), one("https://newest").replace("NONE", "MAGIC"));
  await hangup(/the templates stay as they were: .*shop\.yaml:3:12: there is no auth_mode "MAGIC"/);
  assert.equal(await docs("shop"), "https://new");
  writeFileSync(join(dir, "shop.yaml"), one("https://newest"));
  rmSync(extra);
  await hangup(/stay as they were: cannot read .*many/);
  assert.equal(await docs("odd"), "https://new");
  writeFileSync(extra, "more: {alias: shop}\n");
  await hangup(/2 templates are in force/);
  assert.deepEqual([await docs("shop"), await docs("more"), await docs("odd")], ["https://newest", "https://newest", undefined]);
  assert.ok(existsSync(`/proc/${nangod.pid}`));
});

test("a start with a wrong template of ours is refused, with its place", async (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, "shop.yaml"), one("https://d") + "colour: red\nshape: round\n");
  const done = await run(program("nangod"), ["dev", "--data-dir", join(dir, "data"), "--listen", "127.0.0.1:0"], { env: { NANGO_TEMPLATES: dir } });
  assert.equal(done.code, 1);
  assert.match(done.stderr, /2 faults in templates, the first: .*shop\.yaml:6:1: a template has no key "colour"/);
});
