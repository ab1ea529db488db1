// SPDX-License-Identifier: Apache-2.0
// Pages that are asked for in the body, and what the SDK tells of a page, in the real sandbox.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { program, run, scratch, top } from "./lib/nangod.mjs";

const tool = (args) => run(program("nango-plugin"), args);
const asked = (paging) => ({ data: { q: 1.5, paging } });
const answer = (results, paging, etag) => ({ response: { results, paging }, headers: { ETag: etag } });

/** Requests, and the page records that come of them. */
const recordings = {
	search: {
		nango: {
			batchSave: {
				Page: [
					{ id: "1", next: "c\"1", status: 200, total: 5, etag: "a", items: 2 },
					{ id: "2", next: "7", status: 200, total: 5, etag: "b", items: 2 },
					{ id: "3", status: 200, total: 5, etag: "c", items: 1 },
				],
			},
		},
		api: {
			post: {
				"/search": [
					{ request: asked({ limit: 2 }), ...answer([1, 2], { total: 5, next: "c\"1", done: false }, "a") },
					{ request: asked({ limit: 2, after: "c\"1" }), ...answer([3, 4], { total: 5, next: 7, done: false }, "b") },
					{ request: asked({ limit: 2, after: 7 }), ...answer([5], { total: 5, next: "end", done: true }, "c") },
				],
			},
		},
	},
	query: {
		nango: { batchSave: { Page: [{ id: "1", next: "2", status: 200, items: 2 }, { id: "2", status: 200, items: 0 }] } },
		api: {
			post: {
				"/query": [
					{ request: { params: { "page.start": "0" }, data: "q=1" }, response: [1, 2] },
					{ request: { params: { "page.start": "2" }, data: "q=1" }, response: [] },
				],
			},
		},
	},
};

async function built(t, change = (recorded) => recorded) {
	const dir = join(scratch(t), "pages");
	cpSync(join(top, "tests/e2e/plugins/pages"), dir, { recursive: true });
	mkdirSync(join(dir, "tests"), { recursive: true });
	for (const [name, recorded] of Object.entries(recordings))
		writeFileSync(join(dir, `tests/${name}.test.json`), JSON.stringify(change(structuredClone(recorded))));
	const { code, stderr } = await tool(["build", dir]);
	assert.equal(code, 0, stderr);
	return dir;
}

test("cursor and limit go into the body, a number as a number, until the body says it is done", async (t) => {
	const { code, stdout } = await tool(["test", await built(t)]);
	assert.equal(stdout, "ok 1 - query\nok 2 - search\n1..2\n");
	assert.equal(code, 0);
});

test("a cursor of another type is another request", async (t) => {
	const dir = await built(t, (recorded) => {
		const pages = recorded.api.post["/search"];
		if (pages) pages[2].request.data.paging.after = "7";
		return recorded;
	});
	const { code, stdout } = await tool(["test", dir]);
	assert.equal(code, 1);
	assert.match(stdout, /not ok 2 - search\n# .*POST \/search.* was not recorded/);
});
