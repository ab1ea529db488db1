// SPDX-License-Identifier: Apache-2.0
// What is missing of the sandbox is said at the start and in /health; without seccomp nothing runs.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { program, scratch, start } from "./lib/nangod.mjs";

// The runner's third argument is the mask of layers to leave out (runtime/run/host.h).
function maskedRunner(t, mask) {
  const file = join(scratch(t), "nango-runner");
  writeFileSync(file, `#!/bin/sh\nexec '${program("nango-runner")}' "$1" "$2" $(($3 | ${mask}))\n`, { mode: 0o755 });
  return file;
}

const layers = { landlock: 2, limits: 4, undumpable: 8, parent_death: 16, ...(process.getuid() === 0 ? { own_user: 32 } : {}) };

for (const [layer, mask] of Object.entries(layers))
  test(`without ${layer} the start and /health name it`, async (t) => {
    const nangod = await start(t, { env: { NANGO_RUNNER: maskedRunner(t, mask) } });
    const { sandbox } = await nangod.ok("GET", "/health");
    assert.deepEqual(sandbox.missing, [layer]);
    assert.match(nangod.log(), new RegExp(`plugins run without these layers: \\["${layer}"\\]`));
  });

test("with every layer nothing is missing", async (t) => {
  const nangod = await start(t);
  assert.deepEqual((await nangod.ok("GET", "/health")).sandbox.missing, []);
  assert.doesNotMatch(nangod.log(), /without these layers/);
});

test("without seccomp the server refuses to start", async (t) => {
  await assert.rejects(start(t, { env: { NANGO_RUNNER: maskedRunner(t, 1) } }), /seccomp/);
});
