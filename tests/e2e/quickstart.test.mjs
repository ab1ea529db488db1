// SPDX-License-Identifier: Apache-2.0
// sh tools/quickstart, as the README tells a newcomer; its output is what the README shows.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isAlive, psql, run, scratch, top, until } from "./lib/nangod.mjs";

const script = join(top, "tools/quickstart");

/** The environment of a quickstart whose state is the test's own; stopped before that is removed. */
function place(t) {
  const env = {};
  t.after(() => run("sh", [script, "--stop"], { env }));
  env.NANGO_QUICKSTART_DIR = join(scratch(t), "state");
  return env;
}

test("the quickstart ends with records, URLs that answer, and three commands", { timeout: 120_000 }, async (t) => {
  const env = place(t);
  const { code, stdout, stderr } = await run("sh", [script], { env, timeout: 110_000 });
  assert.equal(code, 0, stdout + stderr);

  const table = stdout.split("\n").filter((line) => /^88\d{4} /.test(line));
  assert.equal(table.length, 10);
  const readme = readFileSync(join(top, "README.md"), "utf8");
  for (const line of table) assert.ok(readme.includes(line), `the README shows: ${line}`);

  const urls = stdout.match(/http:\/\/127\.0\.0\.1:\d+\/\S*/g).map((url) => url.replace(/"$/, ""));
  const key = stdout.match(/NANGO_SECRET_KEY_DEV=(\S+)/)[1];
  const headers = { authorization: `Bearer ${key}`, "provider-config-key": "github", "connection-id": "acme" };
  assert.ok(urls.length >= 3);
  for (const url of urls) assert.equal((await fetch(url, { headers })).status, 200, url);
  const page = await (await fetch(new URL("/", urls[0]))).text();
  assert.match(page, /acme/);

  const stopped = await run("sh", [script, "--stop"], { env });
  assert.equal(stopped.code, 0);
  await assert.rejects(fetch(urls[0]), "nothing listens any more");
});

test("a quickstart the day after does not wait for the run that lost its provider", { timeout: 120_000 }, async (t) => {
  const env = place(t);
  const state = env.NANGO_QUICKSTART_DIR;
  const first = await run("sh", [script], { env, timeout: 60_000 });
  assert.equal(first.code, 0, first.stdout + first.stderr);

  const replay = Number(readFileSync(join(state, "replay.pid"), "utf8"));
  process.kill(replay);
  await until(() => !isAlive(replay), "the replay did not end");
  const nangod = { data_dir: join(state, "data") };
  await psql(nangod, "UPDATE nango.clock SET offset_by = '1 day'");
  await until(async () => (await psql(nangod, "SELECT count(*) FROM nango.any_run WHERE state = 'running'")) === "1", "no run began");

  const second = await run("sh", [script], { env, timeout: 60_000 });
  assert.equal(second.code, 0, second.stdout + second.stderr);
  assert.equal(second.stdout.split("\n").filter((line) => /^88\d{4} /.test(line)).length, 10);
});
