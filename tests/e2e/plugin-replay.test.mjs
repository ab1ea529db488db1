// SPDX-License-Identifier: Apache-2.0
// nango-plugin replay: the recorded exchange for a request that matches, 404 with a hint otherwise.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { program, run, scratch, top } from "./lib/nangod.mjs";

const tool = (args, options) => run(program("nango-plugin"), args, options);

async function replay(t, path) {
	const child = spawn(program("nango-plugin"), ["replay", path], { stdio: ["pipe", "pipe", "inherit"] });
	const ended = once(child, "exit");
	t.after(async () => {
		child.stdin.end();
		await ended;
	});
	const [line] = await once(createInterface({ input: child.stdout }), "line");
	return { child, ended, ...JSON.parse(line) };
}

function write(t, recording) {
	const file = join(scratch(t), "own.test.json");
	writeFileSync(file, typeof recording === "string" ? recording : JSON.stringify(recording));
	return file;
}

const own = {
	api: {
		get: {
			"/items": [
				{
					request: { params: { page: "1" } },
					status: 200,
					headers: { Link: '<https://api.example.com/items?page=2>; rel="next"', "X-Kind": "a" },
					response: [{ id: 1 }],
				},
				{ request: { params: { page: "2", tag: "a b&c" } }, response: [] },
				{ request: { params: { since: "*" } }, response: ["since"] },
			],
			"plain/with space": { response: { n: "plain" } },
			"/only": { request: { headers: { "X-Tenant": "t1", "User-Agent": "other" } }, response: 1 },
		},
		post: {
			"/items": { request: { data: { b: 1, a: [true] } }, status: 201, response: { id: 9 } },
			"/gone": { status: 204, response: "" },
		},
	},
};

test("requests match by structure", async (t) => {
	const { url } = await replay(t, write(t, own));
	const get = async (path, init) => {
		const answer = await fetch(url + path, init);
		const text = await answer.text();
		return { status: answer.status, headers: answer.headers, body: text === "" ? null : JSON.parse(text) };
	};
	const first = await get("/items?page=1");
	assert.deepEqual(first.body, [{ id: 1 }]);
	assert.equal(first.headers.get("link"), `<${url}/items?page=2>; rel="next"`, "links point back here");
	assert.equal(first.headers.get("x-kind"), "a");
	assert.deepEqual((await get("/items?tag=a%20b%26c&page=2")).body, [], "in any order");
	assert.deepEqual((await get("/items?since=2026-11-23T00:00:00Z")).body, ["since"], "* is any value");
	assert.deepEqual((await get("/plain/with%20space")).body, { n: "plain" });
	assert.equal((await get("/plain/with%20space?x=1")).status, 404, "no parameters were recorded");
	assert.equal((await get("/only")).status, 404, "a recorded header must be there");
	assert.equal((await get("/only", { headers: { "x-tenant": "t1" } })).body, 1, "the agent does not count");
	const post = (path, body) => get(path, { method: "POST", body, headers: { "content-type": "application/json" } });
	assert.equal((await post("/items", '{"a": [true], "b": 1}')).status, 201, "bodies are equal as JSON");
	assert.equal((await post("/items", '{"a": [false], "b": 1}')).status, 404);
	assert.equal((await post("/gone", "{}")).status, 204);
	const unknown = await get("/itms?page=1");
	assert.equal(unknown.status, 404);
	assert.deepEqual(unknown.body.error, {
		code: "not_recorded",
		message: "GET /itms?page=1 was not recorded",
	});
	assert.equal(unknown.body.nearest, "GET /items?page=1");
});

test("numbers are answered as they were recorded", async (t) => {
	const { url } = await replay(t, write(t, '{"api":{"get":{"/n":{"response":[9007199254740993,1.10,1e400]}}}}'));
	assert.equal(await (await fetch(`${url}/n`)).text(), "[9007199254740993,1.10,1e400]");
});

test("it ends on SIGTERM, and when the pipe on its standard input is closed", async (t) => {
	const file = write(t, own);
	const one = await replay(t, file);
	one.child.kill("SIGTERM");
	assert.deepEqual(await one.ended, [0, null]);
	const two = await replay(t, file);
	two.child.stdin.end();
	assert.deepEqual(await two.ended, [0, null]);
});

test("files that are no recordings are named", async (t) => {
	for (const [content, code, status] of [
		["{", "E0502", 1],
		['{"nango":{}}', "E0501", 1],
		['{"api":{}}', "E0501", 4],
	]) {
		const answer = await tool(["replay", write(t, content), "--json"]);
		assert.equal(answer.code, status, content);
		assert.equal(JSON.parse(answer.stdout).error.code, code);
	}
	assert.equal((await tool(["replay", "/nowhere.json"])).code, 4);
	const busy = await tool(["replay", write(t, own), "--listen", "300.0.0.1:1"]);
	assert.equal(busy.code, 1);
	assert.match(busy.stderr, /E0503/);
});

/** Every exchange of a folder of recordings comes back as it was recorded. */
async function allComeBack(t, root) {
	let compared = 0;
	for (const dir of readdirSync(root)) {
		for (const name of readdirSync(join(root, dir))) {
			const { url, child, ended } = await replay(t, join(root, dir, name));
			const { api } = JSON.parse(readFileSync(join(root, dir, name)));
			for (const [method, paths] of Object.entries(api)) {
				for (const [path, entries] of Object.entries(paths)) {
					for (const { request = {}, response, status = 200 } of [entries].flat()) {
						const target = new URL(url + path);
						for (const [key, value] of Object.entries(request.params ?? {}))
							target.searchParams.append(key, value);
						const body = method === "get" ? undefined : JSON.stringify(request.data ?? {});
						const answer = await fetch(target, {
							method: method.toUpperCase(),
							headers: { ...request.headers, "content-type": "application/json" },
							body,
						});
						const text = await answer.text();
						assert.equal(answer.status, status, `${name} ${method} ${path}`);
						if (text !== "") assert.deepEqual(JSON.parse(text), response, `${name} ${path}`);
						compared++;
					}
				}
			}
			child.stdin.end();
			await ended;
		}
	}
	assert.ok(compared >= 100);
}

// There is one test more where the recordings of real accounts are kept beside the repository.
const shared = join(top, "../shared/recordings");
if (existsSync(shared)) test("all shared recordings", (t) => allComeBack(t, shared));
