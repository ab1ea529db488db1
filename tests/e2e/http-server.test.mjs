// SPDX-License-Identifier: Apache-2.0
// The HTTP server's promises beyond parsing: limits, time-outs, back-pressure, order, errors.
import assert from "node:assert/strict";
import net from "node:net";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { exchange, replies, startEcho } from "./http-helper.mjs";

const get = (path, fields = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

async function withEcho(t, settings = {}) {
	const echo = await startEcho(settings);
	t.after(() => echo.stop());
	return { ...echo, ask: async (raw, options) => replies(await exchange(echo.port, raw, options)) };
}

/** A raw connection whose bytes can be awaited. */
async function connect(port) {
	const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
	let text = "";
	socket.on("error", () => {});
	socket.on("data", (piece) => (text += piece.toString("latin1")));
	await once(socket, "connect");
	return {
		socket,
		text: () => text,
		async until(part) {
			while (!text.includes(part)) await once(socket, "data");
			return text;
		},
	};
}

const rssBytes = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;

test("errors are JSON of one shape, with the request id in the header", async (t) => {
	const { url } = await withEcho(t);
	const rows = [
		["an unknown path", "/nope", {}, 404, "not_found"],
		["a known path, another method", "/tiny", { method: "DELETE" }, 405, "method_not_allowed"],
		["a parameter that does not decode", "/echo/%ff", {}, 400, "invalid_uri_params"],
		["a query that does not decode", "/echo?x=%zz", {}, 400, "invalid_query_params"],
		["an encoded NUL in the query", "/echo?x=%00", {}, 400, "invalid_query_params"],
		["a body that is not JSON", "/json", { method: "POST", body: "{'a':1}", headers: { "content-type": "application/json" } }, 400, "invalid_json"],
		["a body that is a bare number", "/json", { method: "POST", body: "7", headers: { "content-type": "application/json" } }, 400, "invalid_json"],
		["a body of another type", "/json", { method: "POST", body: "{}", headers: { "content-type": "text/plain" } }, 415, "invalid_content_type"],
		["a type that only begins like JSON", "/json", { method: "POST", body: "{}", headers: { "content-type": "application/json5" } }, 415, "invalid_content_type"],
		["a request that admit refuses", "/tiny", { headers: { origin: "http://evil.example" } }, 403, "forbidden"],
		["a handler that does not answer", "/silent", {}, 500, "internal_server_error"],
	];
	for (const [why, path, options, status, code] of rows) {
		const answer = await fetch(url + path, options);
		const body = await answer.json();
		assert.equal(answer.status, status, why);
		assert.match(answer.headers.get("x-request-id"), /^[0-9a-f-]{36}$/, why);
		assert.equal(body.error.code, code, why);
		assert.equal(typeof body.error.message, "string", why);
	}
});

test("a validation error says where, in the clients' shape", async (t) => {
	const { url } = await withEcho(t);
	const answer = await fetch(`${url}/json`, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
	assert.deepEqual(await answer.json(), {
		error: {
			code: "invalid_body",
			message: "name is required",
			errors: [{ code: "custom", message: "name is required", path: ["credentials", "name"] }],
		},
	});
});

test("405 names what is allowed, HEAD included", async (t) => {
	const { url } = await withEcho(t);
	const answer = await fetch(`${url}/tiny`, { method: "PUT" });
	assert.equal(answer.headers.get("allow"), "GET, HEAD");
});

test("a quoted header that is not UTF-8 still gives JSON", async (t) => {
	const { ask } = await withEcho(t);
	const raw = "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: \xff\xfe\r\nContent-Length: 2\r\n\r\n{}";
	const [answer] = await ask(Buffer.from(raw, "latin1"));
	assert.equal(JSON.parse(answer.body).error.code, "invalid_content_type");
});

test("query keys repeat in order, and brackets may come raw or encoded", async (t) => {
	const { ask } = await withEcho(t);
	const [answer] = await ask(get("/echo?a=1&b=x+y&a=2&tags[k]=v&tags%5Bk%5D=w&flag&=empty"));
	assert.deepEqual(JSON.parse(answer.body).query, [
		["a", "1"], ["b", "x y"], ["a", "2"], ["tags[k]", "v"], ["tags[k]", "w"], ["flag", ""], ["", "empty"],
	]);
});

test("more than 256 query parameters are refused", async (t) => {
	const { ask } = await withEcho(t);
	const [answer] = await ask(get("/echo?" + "a&".repeat(257)));
	assert.equal(answer.status, 400);
	assert.equal((await ask(get("/echo?" + "a&".repeat(256))))[0].status, 200);
});

test("HEAD is GET without the body", async (t) => {
	const { port } = await withEcho(t);
	const text = await exchange(port, "HEAD /tiny HTTP/1.1\r\nHost: a\r\n\r\n");
	assert.match(text, /Content-Length: 11\r\n/);
	assert.ok(text.endsWith("\r\n\r\n"));
});

test("a value with line ends cannot add a header", async (t) => {
	const { ask } = await withEcho(t);
	const [answer] = await ask(get("/none"));
	assert.equal(answer.status, 204);
	assert.equal(answer.headers["x-injected"], undefined);
	assert.equal(answer.headers["content-length"], undefined);
});

test("100-continue comes before the body, and not when the body would be refused", async (t) => {
	const { port } = await withEcho(t);
	const good = await connect(port);
	good.socket.write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	await good.until("HTTP/1.1 100 Continue\r\n\r\n");
	good.socket.write("hi");
	assert.match(await good.until('"body":"hi"'), /200 OK/);
	good.socket.destroy();
	const text = await exchange(port, "POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\nExpect: 100-continue\r\n\r\n", { end: false });
	assert.doesNotMatch(text, /100 Continue/);
	assert.match(text, /^HTTP\/1.1 413 /);
});

test("a body over its route's limit is refused, announced or not", async (t) => {
	const { ask } = await withEcho(t);
	const fits = "x".repeat(4096);
	const post = (fields, body) => `POST /json HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
	assert.equal((await ask(post("Content-Length: 4096\r\n", fits)))[0].status, 400, "not JSON, but read");
	assert.equal((await ask(post("Content-Length: 4097\r\n", fits + "x")))[0].status, 413);
	assert.equal((await ask(post("Transfer-Encoding: chunked\r\n", `1001\r\n${fits}x\r\n0\r\n\r\n`)))[0].status, 413);
	const [refused] = await ask("GET /tiny HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
	assert.equal(refused.status, 413, "a route without a body refuses one");
	assert.equal(refused.headers.connection, "close");
});

test("bodies share one budget; an announced length does not hold it", async (t) => {
	const { port, ask } = await withEcho(t, { ECHO_BUDGET: "300000" });
	const head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
	const liars = await Promise.all([1, 2, 3, 4].map(() => connect(port)));
	for (const liar of liars) liar.socket.write(head);
	assert.equal((await ask(head + "x".repeat(200000)))[0].status, 200, "only arrived bytes count");
	const hold = async () => {
		const one = await connect(port);
		one.socket.write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 250000\r\nExpect: 100-continue\r\n\r\n");
		await one.until("100 Continue");
		one.socket.write("x".repeat(249999));
		return one;
	};
	let holder = await hold();
	let refused;
	for (;;) {
		[refused] = await ask(head + "x".repeat(200000)); // until the holder's bytes have arrived
		if (refused.status !== 200) break;
		if (holder.text().includes("HTTP/1.1 503")) holder = await hold(); // it was the one too many
	}
	assert.equal(refused.status, 503);
	assert.equal(refused.headers["retry-after"], "1");
	holder.socket.write("x");
	await holder.until("200 OK");
	assert.equal((await ask(head + "x".repeat(200000)))[0].status, 200, "given back");
	for (const { socket } of [...liars, holder]) socket.destroy();
});

test("slow clients are told and closed", async (t) => {
	const { port } = await withEcho(t, { ECHO_HEADER_MS: "200", ECHO_BODY_MS: "200", ECHO_IDLE_MS: "300" });
	const rows = [
		["a header that stops", "GET /tiny HTT", 408],
		["a body that stops", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx", 408],
		["a connection without a byte", "", undefined],
		["an idle one after a request", get("/tiny"), 200],
	];
	await Promise.all(rows.map(async ([why, raw, status]) => {
		const answers = replies(await exchange(port, raw, { end: false }));
		assert.equal(answers.at(-1)?.status, status, why);
	}));
});

test("a header that comes a byte at a time does not win time", async (t) => {
	const { port } = await withEcho(t, { ECHO_HEADER_MS: "300" });
	const { socket, until } = await connect(port);
	const drip = setInterval(() => socket.write("a"), 20);
	socket.write("GET /tiny HTTP/1.1\r\nX: ");
	assert.match(await until("request_timeout"), /^HTTP\/1.1 408 /);
	clearInterval(drip);
	socket.destroy();
});

test("a body that drips is cut off although it never pauses", async (t) => {
	const { port } = await withEcho(t, { ECHO_BODY_MS: "300" });
	const { socket, until } = await connect(port);
	const drip = setInterval(() => socket.write("a"), 20);
	socket.write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	assert.match(await until("request_timeout"), /^HTTP\/1.1 408 /);
	clearInterval(drip);
	socket.destroy();
});

test("a body that is passed on may not drip, either", async (t) => {
	const { port } = await withEcho(t, { ECHO_BODY_MS: "300" });
	const post = (length) => `POST /relay HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
	const send = async (piece, length) => {
		const { socket, text } = await connect(port);
		socket.write(post(length));
		for (let sent = 0; sent < length && !socket.closed; sent += piece) {
			socket.write("a".repeat(piece));
			await setTimeout(20);
		}
		socket.end();
		if (!socket.closed) await once(socket, "close");
		return text();
	};
	const [slow, fast] = await Promise.all([send(1, 100000), send(200, 10000)]);
	assert.equal(slow, "", "15 of 307 bytes in 300 ms");
	assert.match(fast, /{"length":10000}$/, "a second at 10,000 a second");
});

test("over the maximum of connections a client is told so", async (t) => {
	const { port } = await withEcho(t, { ECHO_CONNECTIONS: "3" });
	const held = [];
	for (let i = 0; i < 3; i++) {
		const one = await connect(port);
		one.socket.write(get("/tiny"));
		await one.until('{"ok":true}');
		held.push(one);
	}
	const [refused] = replies(await exchange(port, get("/tiny")));
	assert.equal(refused.status, 503);
	assert.equal(JSON.parse(refused.body).error.code, "busy");
	held[0].socket.destroy();
	let answer;
	do [answer] = replies(await exchange(port, get("/tiny"))); // until the close was seen
	while (answer.status === 503);
	assert.equal(answer.status, 200);
	for (const { socket } of held) socket.destroy();
});

test("pipelined requests are answered in order, a slow one first", async (t) => {
	const { ask } = await withEcho(t);
	const paths = ["/slow?ms=100", "/tiny", "/echo/2", "/nope", "/echo/4"];
	const answers = await ask(paths.map((p) => get(p)).join(""));
	assert.deepEqual(answers.map((a) => a.status), [200, 200, 200, 404, 200]);
	assert.equal(JSON.parse(answers[2].body).id, "2");
	assert.equal(JSON.parse(answers[4].body).id, "4");
});

test("a thousand pipelined requests in one piece", async (t) => {
	const { ask } = await withEcho(t);
	const answers = await ask(Array.from({ length: 1000 }, (_, i) => get(`/echo/${i}`)).join(""));
	assert.deepEqual(answers.map((a) => JSON.parse(a.body).id), Array.from({ length: 1000 }, (_, i) => String(i)));
});

test("who pipelines and does not read is not served without end", async (t) => {
	const { port, pid } = await withEcho(t);
	const socket = net.connect({ port, host: "127.0.0.1" });
	const before = rssBytes(pid);
	const one = get("/big/1000000");
	socket.pause();
	socket.write(one.repeat(300)); // 300 MB of replies
	for (let i = 0; i < 20; i++) await fetch(`http://127.0.0.1:${port}/slow?ms=20`);
	const grown = rssBytes(pid) - before;
	assert.ok(grown < 100e6, `grew by ${grown} bytes`);
	socket.on("error", () => {});
	socket.destroy();
});

test("a client that said it is done still gets its reply", async (t) => {
	const { ask } = await withEcho(t);
	assert.equal((await ask(get("/slow?ms=100")))[0].status, 200);
});

test("a streamed reply waits for a slow client and arrives whole", async (t) => {
	const { port, pid } = await withEcho(t);
	const before = rssBytes(pid);
	const socket = net.connect({ port, host: "127.0.0.1" });
	let bytes = 0, most = 0;
	socket.write(get("/stream?bytes=60000000&piece=5000", "Connection: close\r\n"));
	socket.pause();
	for (let i = 0; i < 10; i++) await fetch(`http://127.0.0.1:${port}/slow?ms=20`);
	most = rssBytes(pid) - before;
	socket.on("data", (piece) => (bytes += piece.length));
	socket.resume();
	await once(socket, "close");
	assert.ok(most < 30e6, `held ${most} bytes for a client that does not read`);
	assert.ok(bytes > 60000000, `${bytes} bytes came`);
});

test("streams are whole for HTTP/1.1 (chunks), HTTP/1.0 (close) and HEAD (nothing)", async (t) => {
	const { port } = await withEcho(t);
	const [chunked] = replies(await exchange(port, get("/stream?bytes=100000&piece=7")));
	assert.equal(chunked.body.length, 100000);
	assert.ok(chunked.isWhole);
	const [old] = replies(await exchange(port, "GET /stream?bytes=100000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
	assert.equal(old.body.length, 100000);
	assert.equal(old.headers["transfer-encoding"], undefined);
	const head = await exchange(port, "HEAD /stream?bytes=100000 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/tiny"));
	assert.match(head, /chunked\r\n\r\nHTTP\/1\.1 200 OK/, "the next reply follows the head at once");
});

test("a stream that fails cannot be taken for a whole one", async (t) => {
	const { url } = await withEcho(t);
	await assert.rejects(async () => (await fetch(`${url}/stream?bytes=100000&break=1`)).text());
});

test("a client that goes away frees its worker", async (t) => {
	const { port, url } = await withEcho(t, { ECHO_THREADS: "1" });
	const { socket, until } = await connect(port);
	socket.write(get("/stream?bytes=1000000000"));
	await until("200 OK");
	socket.destroy();
	assert.equal((await fetch(`${url}/tiny`)).status, 200, "the only worker is free again");
});

test("a client that stops reading is closed and frees its worker", async (t) => {
	const { port, url } = await withEcho(t, { ECHO_THREADS: "1", ECHO_WRITE_MS: "300" });
	const socket = net.connect({ port, host: "127.0.0.1" });
	socket.on("error", () => {});
	socket.write(get("/stream?bytes=1000000000"));
	socket.pause();
	assert.equal((await fetch(`${url}/tiny`)).status, 200);
	socket.destroy();
});

test("a full queue is 503 with Retry-After, and the connection lives on", async (t) => {
	const { port } = await withEcho(t, { ECHO_THREADS: "1", ECHO_QUEUE: "1" });
	const held = await Promise.all([1, 2, 3, 4].map(() => connect(port)));
	for (const { socket } of held) socket.write(get("/slow?ms=200"));
	const texts = await Promise.all(held.map((h) => h.until("HTTP/1.1")));
	const busy = texts.findIndex((text) => text.startsWith("HTTP/1.1 503"));
	assert.ok(busy >= 0);
	assert.match(texts[busy], /Retry-After: 1/);
	held[busy].socket.write(get("/nope"));
	await held[busy].until("404 Not Found");
	for (const { socket } of held) socket.destroy();
});

test("big replies arrive whole", async (t) => {
	const { url } = await withEcho(t);
	for (const length of [0, 1, 16384, 16385, 65536, 5000000]) {
		const text = await (await fetch(`${url}/big/${length}`)).text();
		assert.equal(text.length, length);
	}
});

test("a megabyte goes up and comes back, by length and by chunks", async (t) => {
	const { url } = await withEcho(t);
	const body = "z".repeat(1024 * 1024);
	const whole = await (await fetch(`${url}/echo`, { method: "POST", body })).json();
	assert.equal(whole.body.length, body.length);
	const stream = new ReadableStream({
		start(controller) {
			for (let i = 0; i < 16; i++) controller.enqueue(new TextEncoder().encode(body.slice(0, 65536)));
			controller.close();
		},
	});
	const pieces = await (await fetch(`${url}/echo`, { method: "POST", body: stream, duplex: "half" })).json();
	assert.equal(pieces.body, body);
});

test("five hundred clients at once", async (t) => {
	const { url } = await withEcho(t);
	const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => fetch(`${url}/echo/${i}`).then((a) => a.json())));
	assert.deepEqual(answers.map((a) => a.id), answers.map((_, i) => String(i)));
});

test("it listens on IPv6 too, and says who asked", async (t) => {
	const { port } = await withEcho(t, { ECHO_LISTEN: "[::1]:0" });
	const answer = await (await fetch(`http://[::1]:${port}/echo`)).json();
	assert.equal(answer.peer, "::1");
});

test("an end in the middle of everything leaks nothing", async (t) => {
	const echo = await startEcho({ ECHO_THREADS: "2" });
	const some = await Promise.all(Array.from({ length: 6 }, () => connect(echo.port)));
	some[0].socket.write(get("/stream?bytes=1000000000"));
	some[1].socket.write(get("/slow?ms=300"));
	some[2].socket.write(get("/slow?ms=300") + get("/tiny"));
	some[3].socket.write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
	some[4].socket.write("GET /ti");
	await some[0].until("200 OK");
	await echo.stop(); // the sanitizer's leak check decides its exit code
	for (const { socket } of some) socket.destroy();
	t.diagnostic("ended");
});
