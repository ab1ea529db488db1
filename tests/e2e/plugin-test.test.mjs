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

test("a record that does not fit its model is a failure, with member and reason", async (t) => {
	const dir = await made(t);
	const file = join(dir, "tests/items.test.json");
	writeFileSync(file, readFileSync(file, "utf8").replace('"state": "closed", "updated_at": "2026-01-02T10:00:00Z"}\n        ]', '"state": "ajar"}\n        ]').replace('"oak", "state": "closed"', '"oak", "state": "ajar"'));
	const { code, stdout } = await tool(["test", dir]);
	assert.equal(code, 1);
	assert.match(stdout, /state: is none of open, closed/);
});

/** sdk/examples/deletes, built. */
async function deletes(t) {
	const dir = join(scratch(t), "deletes");
	cpSync(join(top, "sdk/examples/deletes"), dir, { recursive: true, filter: (path) => !path.endsWith("/build") });
	const { code, stderr } = await tool(["build", dir]);
	assert.equal(code, 0, stderr);
	return dir;
}

const order = { id: "7", total: "1", state: "open" };
const events = {
	nango: {
		getCheckpoint: { since: "2026-01-01" },
		batchSave: { Order: [order] },
		batchUpdate: { Order: [{ id: "7", note: "changed by an event" }, { id: "9", note: "changed by an event" }] },
		batchDelete: { Order: [{ id: "8" }] },
	},
	api: {
		get: {
			"/events": {
				request: { params: { since: "2026-01-01" } },
				response: [
					{ kind: "created", at: "2026-01-02", order_id: "7", order },
					{ kind: "changed", at: "2026-01-03", order_id: "9" },
					{ kind: "deleted", at: "2026-01-04", order_id: "8" },
					{ kind: "changed", at: "2026-01-05", order_id: "7" },
				],
			},
		},
	},
};
// Updates in the order of the events: of 9 first.
events.nango.batchUpdate.Order.reverse();

test("updates and deletions are compared with what was recorded", async (t) => {
	const dir = await deletes(t);
	assert.equal((await tool(["test", dir])).stdout, "ok 1 - contacts\nok 2 - orders\n1..2\n");
	const file = join(dir, "tests/orders.test.json");
	writeFileSync(file, JSON.stringify(events));
	assert.match((await tool(["test", dir])).stdout, /^ok 2 - orders$/m);
	writeFileSync(file, JSON.stringify(events).replace('[{"id":"8"}]', '[{"id":"88"}]'));
	assert.match((await tool(["test", dir])).stdout, /^not ok 2 - orders\n# Order, record 1\n# recorded .*"88".*\n# deleted {2}.*"8"/m);
	writeFileSync(file, JSON.stringify(events).replace('[{"id":"8"}]', "[]"));
	assert.match((await tool(["test", dir])).stdout, /# Order: 0 records were recorded, one more came:\n# deleted .*"8"/);
});

test("a sync that says track_deletes must go over everything", async (t) => {
	const dir = await deletes(t);
	const source = join(dir, "deletes.c");
	const left = readFileSync(source, "utf8").replace("while (nango_next_page(pages, &page)) {", "while (false) {");
	writeFileSync(source, left);
	assert.equal((await tool(["build", dir])).code, 0);
	assert.match((await tool(["test", dir])).stdout, /^not ok 1 - contacts\n# plugin.yaml says track_deletes, but/m);
	writeFileSync(source, left.replace("while (false) {", "nango_walk_complete(run);\n\twhile (false) {"));
	assert.equal((await tool(["build", dir])).code, 0);
	assert.match((await tool(["test", dir])).stdout, /^not ok 1 - contacts\n# Contact: 2 records were recorded, 0 came/m);
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
