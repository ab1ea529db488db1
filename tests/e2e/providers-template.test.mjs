// SPDX-License-Identifier: Apache-2.0
// nango-plugin template: check and new, as an author of templates meets them.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { program, run, scratch, start, top } from "./lib/nangod.mjs";

const tool = (args, options) => run(program("nango-plugin"), ["template", ...args], options);
const own = "display_name: Shop\ndocs: https://d\nauth_mode: NONE\nproxy:\n    base_url: https://a\nx: {source: https://d}\n";

/** A folder with these files. */
function folder(t, files) {
  const dir = scratch(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

test("what ours are made of, and what is wrong, with place, line and help", async (t) => {
  const dir = folder(t, { "shop.yaml": own + "disable_pkc: true\nbody_format: jsn\n" });
  const done = await tool(["check", join(dir, "shop.yaml")]);
  assert.equal(done.code, 1);
  assert.equal(
    done.stderr,
    `error[E0702]: a template has no key "disable_pkc": what is ours stands under x\n--> ${dir}/shop.yaml:7:1\n  |\n7 | disable_pkc: true\n  | ^^^^^^^^^^^\nhelp: did you mean "disable_pkce"?\n` +
      `error[E0705]: there is no body_format "jsn"\n--> ${dir}/shop.yaml:8:14\n  |\n8 | body_format: jsn\n  |              ^^^\nhelp: did you mean "json"?\n`,
  );
  assert.equal(done.stdout, `${dir}/shop.yaml: 0 templates, 2 errors, 0 warnings\n`);
});

test("--json: one line, with the first error and all findings", async (t) => {
  const dir = folder(t, { "shop.yaml": own + "disable_pkc: true\n", "other.yaml": own + "colour: red\n", "good.yaml": own });
  const one = await tool(["check", join(dir, "shop.yaml"), "--json"]);
  const { load_ms, ...answer } = JSON.parse(one.stdout);
  const finding = {
    severity: "error", template: "shop", code: "E0702", message: 'a template has no key "disable_pkc": what is ours stands under x', file: `${dir}/shop.yaml`, line: 7, column: 1,
    help: 'did you mean "disable_pkce"?',
  };
  assert.deepEqual(answer, { ok: false, templates: 0, errors: 1, warnings: 0, error: finding, findings: [finding] });
  assert.equal(typeof load_ms, "number");
  assert.deepEqual([one.code, one.stderr, one.stdout.split("\n").length], [1, "", 2]);
  const all = JSON.parse((await tool(["check", dir, "--json"])).stdout);
  assert.deepEqual({ templates: all.templates, errors: all.errors }, { templates: 1, errors: 2 });
  const good = await tool(["check", join(dir, "good.yaml"), "--json", "--resolved"]);
  assert.deepEqual([good.code, Object.keys(JSON.parse(good.stdout).resolved)], [0, ["good"]]);
});

test("alias and extends name the neighbours; a file of many may name ours", async (t) => {
  const dir = folder(t, {
    "shop.yaml": own, "sub.yaml": "extends: shop\ndocs: https://s\nproxy: {retry: {after: a}}\n", "lost.yaml": "alias: nobody\n", "self.yaml": "extends: self\n",
    many: "a: {alias: shop}\nb: {alias: a, docs: https://b}\n",
  });
  const sub = await tool(["check", join(dir, "sub.yaml"), "--resolved"]);
  assert.deepEqual(JSON.parse(sub.stdout), {
    sub: { display_name: "Shop", docs: "https://s", auth_mode: "NONE", proxy: { base_url: "https://a", retry: { after: "a" } }, x: { source: "https://d" } },
  });
  assert.match((await tool(["check", join(dir, "lost.yaml")])).stderr, /error\[E0707\]: there is no template "nobody"\n--> .*lost\.yaml:1:8/);
  assert.match((await tool(["check", join(dir, "self.yaml")])).stderr, /error\[E0707\]: self is made of self.*a circle/);
  assert.match((await tool(["check", join(dir, "many")])).stderr, /there is no template "shop"/);
  const beside = await tool(["check", join(dir, "many"), "--templates", dir, "--json"]);
  assert.equal(JSON.parse(beside.stdout).resolved, undefined);
  const named = await tool(["check", join(dir, "many"), "--resolved", "--json"], { env: { NANGO_TEMPLATES: join(top, "templates") } });
  assert.equal(named.code, 1); // shop is none of those
  assert.match((await tool(["check", join(dir, "many"), "-t", dir])).stderr, /lost\.yaml/);
});

test("exit codes: nothing there, no template, wrong words", async (t) => {
  const dir = folder(t, { "notes.txt": own, "open.yaml": "a: [\n", "list.yaml": "- a\n" });
  for (const [args, code, message] of [
    [["check", join(dir, "none.yaml")], 4, /cannot read .*none\.yaml/],
    [["check", join(dir, "notes.txt")], 2, /E0710.*its file is NAME\.yaml/],
    [["check", join(dir, "open.yaml")], 1, /error\[E0701\]: did not find expected.*\n--> .*open\.yaml:2:1/],
    [["check", join(dir, "list.yaml")], 1, /error\[E0701\]: a template is a mapping of keys/],
    [["check"], 2, /E0003/],
    [["czech", "a"], 2, /E0003/],
    [["new", "My_CRM"], 2, /E0710/],
    [["new", "crm", "--mode", "MAGIC"], 2, /E0003.*no first template for the mode MAGIC/],
    [["new", "crm", "-o", join(dir, "none")], 1, /E0011/],
  ]) {
    const done = await tool(args);
    assert.equal(done.code, code, `${args}: ${done.stderr}`);
    assert.match(done.stderr, message);
    const json = await tool([...args, "--json"]);
    assert.equal(JSON.parse(json.stdout).ok, false, args.join(" "));
  }
});

test("new: passes its check at once in each mode, and never overwrites", async (t) => {
  const dir = scratch(t);
  for (const mode of ["API_KEY", "BASIC", "NONE", "OAUTH2", "OAUTH2_CC"]) {
    const name = mode.toLowerCase().replaceAll("_", "-");
    const made = await tool(["new", name, "--mode", mode, "--output", dir]);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, new RegExp(`^${dir}/${name}.yaml\n\nNext:\n  nango-plugin template check `));
    const check = await tool(["check", join(dir, `${name}.yaml`)]);
    assert.deepEqual([check.code, check.stderr], [0, ""], mode);
    assert.match(readFileSync(join(dir, `${name}.yaml`), "utf8"), new RegExp(`auth_mode: ${mode}\n`));
  }
  assert.deepEqual(JSON.parse((await tool(["new", "crm", "-o", dir, "--json"])).stdout), { ok: true, file: `${dir}/crm.yaml` });
  const again = await tool(["new", "crm", "-o", dir]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /E0013/);

  // A server takes them as they are, and one can be connected to.
  const nangod = await start(t, { env: { NANGO_TEMPLATES: dir } });
  await nangod.connect("basic", { credentials: { type: "BASIC", username: "u", password: "p" } });
  assert.equal((await nangod.ok("GET", "/providers")).data.length, 6);
});

test("the handbook's example passes its check", async (t) => {
  const [, example] = /```yaml\n([^]*?)```/.exec(readFileSync(join(top, "templates/README.md"), "utf8"));
  const done = await tool(["check", join(folder(t, { "desk.yaml": example }), "desk.yaml")]);
  assert.deepEqual([done.code, done.stderr], [0, ""]);
});

const ours = join(top, "templates");
const names = readdirSync(ours).filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -5)).sort();
const modes = () => readFileSync(join(top, "runtime/provider/schema_table.c"), "utf8").match(/schema_modes\[\] = \{([^}]*)\}/)[1].match(/\w+(?=")/g);

test("ours: no finding, every auth mode, a name and a source for each", async () => {
  const done = await tool(["check", ours, "--resolved", "--json"]);
  const { findings, resolved } = JSON.parse(done.stdout);
  assert.deepEqual([done.code, done.stderr, findings], [0, "", []]);
  assert.deepEqual(Object.keys(resolved).sort(), names);
  assert.ok(names.length >= 60, String(names.length));
  const all = Object.values(resolved);
  assert.deepEqual([...new Set(all.map(({ auth_mode }) => auth_mode))].sort(), modes().sort());
  assert.equal(new Set(all.map(({ display_name }) => display_name)).size, names.length);
  for (const [name, { docs, proxy, x }] of Object.entries(resolved)) {
    for (const link of [docs, x.source]) assert.match(link, /^https:\/\/(?![^/]*nango)/, name);
    assert.match(proxy.base_url, /^(https:\/\/|\$\{)/, name);
  }
});

test("ours: all of them are installed, and the handbook lists each under its mode", async () => {
  const listed = [...readFileSync(join(ours, "include.am"), "utf8").matchAll(/%D%\/(.+)\.yaml/g)].map(([, name]) => name);
  assert.deepEqual(listed, names);
  const { resolved } = JSON.parse((await tool(["check", ours, "--resolved", "--json"])).stdout);
  const rows = readFileSync(join(ours, "README.md"), "utf8").split("## Ours\n")[1].matchAll(/^\| `(\w+)` \| (.+) \|$/gm);
  const table = Object.fromEntries([...rows].map(([, mode, list]) => [mode, list.split(", ")]));
  for (const mode of modes()) assert.deepEqual(table[mode], names.filter((name) => resolved[name].auth_mode === mode), mode);
});

// There is one test more where the recordings of real accounts are kept beside the repository.
const recordings = join(top, "../shared/recordings");
if (existsSync(recordings))
  test("ours: a template for each provider that was recorded", () => {
    for (const provider of readdirSync(recordings)) assert.ok(names.includes(provider), provider);
  });

test("the handbook has every key, function and word of the tables", () => {
  const handbook = readFileSync(join(top, "templates/README.md"), "utf8");
  const source = (name) => readFileSync(join(top, "runtime/provider", name), "utf8");
  const keys = [...source("schema_table.c").matchAll(/\{"(\w+)",\s+SCHEMA_\w+/g)].map(([, key]) => key);
  const functions = [...source("expand_function.c").matchAll(/\{"(\w+)", \d/g)].map(([, name]) => name);
  assert.ok(keys.length > 100 && functions.length === 7 && modes().length === 17, `${keys.length} ${functions.length} ${modes().length}`);
  for (const word of [...keys, ...modes()]) assert.match(handbook, new RegExp("`" + word + "\\b"), word);
  for (const name of functions) assert.ok(handbook.includes(`\${${name}(`), name);
});
