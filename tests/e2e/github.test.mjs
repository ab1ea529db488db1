// SPDX-License-Identifier: Apache-2.0
// plugins/github against a recorded GitHub, replayed by nango-plugin: record for record.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { program, start, top } from "./lib/nangod.mjs";

async function replay(t, file) {
  const child = spawn(program("nango-plugin"), ["replay", file, "--listen", "127.0.0.1:0", "--json"], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGTERM"));
  const line = await new Promise((done, fail) => {
    createInterface({ input: child.stdout }).once("line", done);
    child.once("exit", (code) => fail(new Error(`replay ended with ${code}`)));
  });
  return JSON.parse(line).url;
}

/** Syncs the recording's issues and compares what came out with what it expects. */
async function reproduces(t, file) {
  const expected = JSON.parse(readFileSync(file, "utf8")).nango.batchSave.Issue;
  const nangod = await start(t);
  await nangod.ok("POST", "/integrations", { body: { provider: "github", unique_key: "github" } });
  await nangod.deploy(program("plugins/github/build/github.so"), "github");
  await nangod.connect("github", { baseUrl: await replay(t, file), credentials: { type: "API_KEY", apiKey: "x" } });
  const status = await nangod.settled("github", "acme", "issues");
  assert.equal(status.status, "SUCCESS", JSON.stringify(status));
  const { records } = await nangod.records("github", "acme", "Issue", "&limit=10000");
  const got = records.map(({ _nango_metadata, ...record }) => record);
  assert.deepEqual(got, expected);
  return got.length;
}

test("a recording that the project wrote itself", async (t) => {
  assert.ok((await reproduces(t, join(top, "plugins/github/tests/issues.test.json"))) > 0);
});

// Outside the tree, and therefore only where it is laid beside it.
const recorded = process.env.NANGO_RECORDINGS ?? join(top, "../shared/recordings");
const file = join(recorded, "github/issues.test.json");
if (existsSync(file))
  test("the recorded issues, record for record", async (t) => {
    assert.ok((await reproduces(t, file)) > 0);
  });
