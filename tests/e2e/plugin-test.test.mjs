// SPDX-License-Identifier: Apache-2.0
// nango-plugin test: plugins against recordings, in the real sandbox.
import assert from "node:assert/strict";
import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { program, run, scratch, top } from "./lib/nangod.mjs";

const tool = (args, options) => run(program("nango-plugin"), args, options);

async function made(t) {
	const dir = join(scratch(t), "demo");
	await tool(["init", dir]);
	const { code, stderr } = await tool(["build", dir]);
	assert.equal(code, 0, stderr);
	return dir;
}

/** A copy of one of the project's plugins, built. */
async function copied(t, name) {
	const dir = join(scratch(t), name);
	cpSync(join(top, "plugins", name), dir, { recursive: true, filter: (path) => !path.endsWith("/build") });
	const { code, stderr } = await tool(["build", dir]);
	assert.equal(code, 0, stderr);
	return dir;
}

test("what init made passes its own test", async (t) => {
	const { code, stdout } = await tool(["test", await made(t)]);
	assert.equal(stdout, "ok 1 - items\n1..1\n");
	assert.equal(code, 0);
});

test("a difference is shown, and the run fails", async (t) => {
	const dir = await made(t);
	const file = join(dir, "tests/items.test.json");
	writeFileSync(file, readFileSync(file, "utf8").replace('"id": "2", "name": "Chair"', '"id": "2", "name": "Stool"'));
	const { code, stdout, stderr } = await tool(["test", dir]);
	assert.equal(code, 1);
	assert.match(stdout, /^not ok 1 - items\n# Item, record 2\n# recorded .*Stool.*\n# saved {4}.*Chair/);
	assert.match(stderr, /E0602/);
});

test("a request that was not recorded is named", async (t) => {
	const dir = await made(t);
	const file = join(dir, "tests/items.test.json");
	writeFileSync(file, readFileSync(file, "utf8").replace('"per_page": "100"', '"per_page": "50"'));
	const { stdout } = await tool(["test", dir]);
	assert.match(stdout, /# GET \/items\?.*per_page=100.* was not recorded/);
});

test("a record that does not fit its model ends the run with member and reason", async (t) => {
	const dir = await made(t);
	const file = join(dir, "tests/items.test.json");
	writeFileSync(file, readFileSync(file, "utf8").replace('"state": "closed", "updated_at": "2026-01-02T10:00:00Z"}\n        ]', '"state": "ajar"}\n        ]').replace('"oak", "state": "closed"', '"oak", "state": "ajar"'));
	const { code, stdout } = await tool(["test", dir]);
	assert.equal(code, 1);
	assert.match(stdout, /state: is none of open, closed/);
});

test("a plugin that crashes ends by its named cause", async (t) => {
	const dir = await made(t);
	const source = join(dir, "demo.c");
	writeFileSync(source, readFileSync(source, "utf8").replace("item_save(run, &item);", "*(volatile int *)8 = 1;"));
	assert.equal((await tool(["build", dir])).code, 0);
	const { code, stdout } = await tool(["test", dir]);
	assert.equal(code, 1);
	assert.match(stdout, /the run ended: signal 11/);
});

test("no tests is a failure, not a success", async (t) => {
	const dir = await made(t);
	rmSync(join(dir, "tests"), { recursive: true });
	const { code, stderr } = await tool(["test", dir]);
	assert.equal(code, 4);
	assert.match(stderr, /E0601/);
});

for (const name of ["github", "wordpress"]) {
	test(`plugins/${name} reproduces its own recordings`, async (t) => {
		const { code, stdout } = await tool(["test", await copied(t, name)]);
		assert.equal(code, 0, stdout);
	});
}

// There is one test more where the recordings of a real account are kept beside the repository.
const shared = join(top, "../shared/recordings/github/issues.test.json");
if (existsSync(shared))
	test("plugins/github reproduces the shared recording, record for record", async (t) => {
		const dir = await copied(t, "github");
		copyFileSync(shared, join(dir, "tests/issues.test.json"));
		const { code, stdout } = await tool(["test", dir]);
		assert.equal(code, 0, stdout);
	});
