// SPDX-License-Identifier: Apache-2.0
// What the tests of the HTTP server share: the echo program, raw sockets, and a reader of replies.
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { program } from "./lib/nangod.mjs";

/** Starts tests/http-echo; the settings are its ECHO_ variables. */
export async function startEcho(settings = {}) {
	const child = spawn(program("tests/http-echo"), [], {
		env: { ...process.env, ...settings },
		stdio: ["pipe", "pipe", "inherit"],
	});
	const ended = once(child, "exit");
	const [line] = await once(createInterface({ input: child.stdout }), "line");
	const { port } = JSON.parse(line);
	const stop = async () => {
		child.stdin.end();
		const [code, signal] = await ended;
		if (code !== 0) throw new Error(`http-echo ended with ${code ?? signal}`); // a sanitizer's report too
	};
	return { port, pid: child.pid, url: `http://127.0.0.1:${port}`, stop };
}

/** Sends bytes, says that there will be no more, and gives back all that came until the close. */
export async function exchange(port, raw, { end = true } = {}) {
	const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
	const pieces = [];
	socket.on("data", (piece) => pieces.push(piece));
	socket.on("error", () => {}); // a reset is an end like another; what came before counts
	socket.on("end", () => socket.end());
	if (end) socket.end(raw);
	else socket.write(raw);
	await once(socket, "close");
	return Buffer.concat(pieces).toString("latin1");
}

function unchunk(text) {
	let body = "";
	for (;;) {
		const line = text.indexOf("\r\n");
		const size = parseInt(text.slice(0, line), 16);
		if (line < 0 || Number.isNaN(size)) return { body, rest: "", isWhole: false };
		if (size === 0) return { body, rest: text.slice(line + 4), isWhole: true };
		body += text.slice(line + 2, line + 2 + size);
		text = text.slice(line + 4 + size);
	}
}

/** The replies in a connection's bytes. */
export function replies(text) {
	const found = [];
	while (text.length > 0) {
		const end = text.indexOf("\r\n\r\n");
		if (end < 0) throw new Error(`not a reply: ${JSON.stringify(text.slice(0, 200))}`);
		const [first, ...lines] = text.slice(0, end).split("\r\n");
		const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
		const headers = Object.fromEntries(
			lines.map((l) => [l.slice(0, l.indexOf(":")).toLowerCase(), l.slice(l.indexOf(":") + 1).trim()]),
		);
		text = text.slice(end + 4);
		if (status === 100) continue;
		let reply = { status, headers, isWhole: true };
		if (headers["transfer-encoding"] === "chunked") {
			const { body, rest, isWhole } = unchunk(text);
			reply = { ...reply, body, isWhole };
			text = rest;
		} else {
			const length = headers["content-length"] === undefined ? text.length : Number(headers["content-length"]);
			reply.body = text.slice(0, length);
			reply.isWhole = reply.body.length === length;
			text = text.slice(length);
		}
		found.push(reply);
	}
	return found;
}
