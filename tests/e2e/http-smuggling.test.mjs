// SPDX-License-Identifier: Apache-2.0
// Every row of data/http-requests.json over raw sockets, to our server and to Node's: what Node
// refuses we refuse; where both accept, both executed the same requests. A row where we are
// stricter (or the one where we do not look) says why. The same rows drive the parser's unit test.
import assert from "node:assert/strict";
import http from "node:http";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { startEcho, exchange, replies } from "./http-helper.mjs";

const rows = JSON.parse(readFileSync(new URL("data/http-requests.json", import.meta.url), "utf8"));
let echo, node, executed;

function startNode() {
	const server = http.createServer((req, res) => {
		const body = [];
		req.on("data", (piece) => body.push(piece));
		req.on("end", () => {
			executed.push({ method: req.method, target: req.url, body: Buffer.concat(body).toString("latin1") });
			res.end("ok");
		});
	});
	return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

async function askNode(raw) {
	executed = [];
	const answers = replies(await exchange(node.address().port, raw));
	return { requests: executed, isRefused: answers.some((a) => a.status >= 400) };
}

async function askOurs(raw) {
	const answers = replies(await exchange(echo.port, raw));
	const requests = answers
		.filter((a) => a.status === 200)
		.map((a) => JSON.parse(a.body))
		.map(({ method, target, body }) => ({ method, target, body }));
	return { requests, answers, refused: answers.find((a) => a.status >= 400) };
}

before(async () => {
	echo = await startEcho();
	node = await startNode();
});
after(async () => {
	await echo.stop();
	node.close();
});

for (const row of rows) {
	test(row.why, async () => {
		const raw = Buffer.from(row.raw, "latin1");
		const ours = await askOurs(raw);
		const theirs = await askNode(raw);

		assert.deepEqual(ours.requests, row.requests, "what we executed");
		assert.equal(ours.refused?.status, row.status, "how we refused");
		if (ours.refused) {
			const { error } = JSON.parse(ours.refused.body);
			assert.ok(error.code && error.message, "a refusal is JSON with code and message");
			assert.equal(ours.refused.headers.connection, "close");
			assert.match(ours.refused.headers["x-request-id"], /^[0-9a-f-]{36}$/);
		}
		if (theirs.isRefused && !row.looser)
			assert.ok(ours.refused, "what Node refuses is refused");
		else if (ours.refused)
			assert.ok(row.stricter, "being stricter than Node needs a reason");
		else
			assert.deepEqual(ours.requests, theirs.requests, "both saw the same requests");
		if (row.stricter) assert.ok(!theirs.isRefused, "the reason is out of date: Node refuses this too");
		assert.ok(ours.requests.length <= theirs.requests.length, "nothing more than Node executed");
	});
}

test("the table is as long as it is promised to be", () => assert.ok(rows.length >= 40));
