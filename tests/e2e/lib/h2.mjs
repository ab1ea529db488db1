// SPDX-License-Identifier: Apache-2.0
// Providers that speak HTTP/2 on loopback: Node's server, and one whose frames the test writes.
import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { join } from "node:path";
import { createServer } from "node:tls";
import { certificate } from "./certificate.mjs";
import { scratch } from "./nangod.mjs";

async function listen(t, server) {
  const open = new Set();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  t.after(() => {
    cut();
    server.close();
  });
  return { url: `https://127.0.0.1:${server.address().port}`, cut };
}

/** Node's HTTP/2 (and 1.1) server, with a certificate that nangod is to trust as NANGO_CA_FILE. */
export async function h2Server(t, answer, options = {}) {
  const dir = scratch(t);
  const pair = await certificate(dir, "api");
  const server = createSecureServer({ ...pair, allowHTTP1: true, ...options }, answer);
  const sessions = [];
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream) => stream.on("error", () => {}));
  return { ...(await listen(t, server)), ca: join(dir, "api.crt"), sessions, server };
}

export const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PUSH_PROMISE = 5, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8, CONTINUATION = 9;
export const END_STREAM = 1, END_HEADERS = 4;

export function frame(type, flags, id, payload = "") {
  const bytes = Buffer.from(payload, "latin1");
  const all = Buffer.alloc(9 + bytes.length);
  all.writeUIntBE(bytes.length, 0, 3);
  all[3] = type;
  all[4] = flags;
  all.writeUInt32BE(id, 5);
  bytes.copy(all, 9);
  return all;
}

/** An integer with a prefix of 7 bits (RFC 7541, 5.1), and a field without a table. */
const integer = (n) => {
  if (n < 127) return String.fromCharCode(n);
  let text = "\x7f";
  for (n -= 127; n >= 128; n = Math.floor(n / 128)) text += String.fromCharCode((n % 128) | 128);
  return text + String.fromCharCode(n);
};
export const field = (name, value) => `\0${integer(name.length)}${name}${integer(value.length)}${value}`;
export const fields = (all) => all.map(([name, value]) => field(name, value)).join("");

/** show({ type, flags, id, length }) for each frame that a client sends. */
export function frames(socket, show) {
  let bytes = Buffer.alloc(0);
  let skip = 24; // the client's preface
  socket.on("data", (data) => {
    bytes = Buffer.concat([bytes, data]);
    while (bytes.length >= skip + 9) {
      const length = bytes.readUIntBE(skip, 3);
      if (bytes.length < skip + 9 + length) return;
      const [type, flags, id] = [bytes[skip + 3], bytes[skip + 4], bytes.readUInt32BE(skip + 5)];
      bytes = bytes.subarray(skip + 9 + length);
      skip = 0;
      show({ type, flags, id, length });
    }
  });
}

/** answer(socket, id) is called for each request; it writes frames. */
export async function rawH2(t, answer) {
  const dir = scratch(t);
  const server = createServer({ ...(await certificate(dir, "api")), ALPNProtocols: ["h2"] }, (socket) => {
    socket.on("error", () => {});
    socket.write(frame(SETTINGS, 0, 0));
    frames(socket, ({ type, flags, id }) => {
      if (type === SETTINGS && (flags & 1) === 0) socket.write(frame(SETTINGS, 1, 0));
      if (type === HEADERS) api.answer(socket, id);
    });
  });
  const api = { answer, ...(await listen(t, server)), ca: join(dir, "api.crt") };
  return api;
}
