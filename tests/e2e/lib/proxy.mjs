// SPDX-License-Identifier: Apache-2.0
// What the tests of /proxy share: nangod with providers of their own, and upstreams, as an HTTP server
// that shows what it was asked, and as a socket that answers any bytes.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import net from "node:net";
import { join } from "node:path";
import { scratch, start } from "./nangod.mjs";

export const apiKey = "s3cret-key";

/** Providers whose requests carry the key: in a header, in the query, nowhere. */
const catalogue = `
keyed:
    display_name: Keyed
    auth_mode: API_KEY
    proxy:
        base_url: \${connectionConfig.base}
        headers:
            authorization: Bearer \${apiKey}
            x-fixed: of the template
        retry:
            after: retry-after
queried:
    display_name: Queried
    auth_mode: API_KEY
    proxy:
        base_url: \${connectionConfig.base}
        query:
            api_key: \${apiKey}
open:
    display_name: Open
    auth_mode: NONE
    proxy:
        base_url: \${connectionConfig.base}
unpacked:
    display_name: Unpacked
    auth_mode: NONE
    proxy:
        base_url: \${connectionConfig.base}
        decompress: true
`;

/** nangod, whose providers' connections "acme" all lead to `base`. */
export async function proxied(t, base, { env } = {}) {
  const file = join(scratch(t), "providers.yaml");
  writeFileSync(file, catalogue);
  const nangod = await start(t, { env: { NANGO_PROVIDERS: file, ...env } });
  for (const provider of ["keyed", "queried", "open", "unpacked"])
    await nangod.connect(provider, {
      connection_config: { base },
      credentials: /keyed|queried/.test(provider) ? { type: "API_KEY", apiKey } : { type: "NONE" },
    });
  return nangod;
}

export const SECRET = "s3cret-of-the-connection";
const FIELD = { type: "string", title: "Key", description: "A key", secret: true };

/** nangod with templates of the test's own: by name, what stands under proxy and beside it. */
export async function withTemplates(t, templates, env = {}, connection_config = undefined) {
  const file = join(scratch(t), "providers.yaml");
  const all = Object.fromEntries(
    Object.entries(templates).map(([name, { proxy, ...more }]) => [
      name,
      { display_name: name, docs: "https://example.com", auth_mode: "API_KEY", credentials: { apiKey: FIELD }, proxy, ...more },
    ]),
  );
  writeFileSync(file, JSON.stringify(all, null, 1));
  const nangod = await start(t, { env: { NANGO_PROVIDERS: file, ...env } });
  for (const name of Object.keys(templates)) await nangod.connect(name, { credentials: { type: "API_KEY", apiKey: SECRET }, ...(connection_config ? { connection_config } : {}) });
  const ask = (method, path, { provider = Object.keys(templates)[0], headers = {}, id = "acme", ...more } = {}) =>
    nangod.call(method, `/proxy${path}`, { headers: { "provider-config-key": provider, "connection-id": id, ...headers }, raw: true, ...more });
  return { nangod, ask };
}

export const bearer = { authorization: "Bearer ${apiKey}" };

const listening = async (t, server, close) => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(close);
  return server.address().port;
};

/** An API: routes by path, each (req, res, body); every other path shows the request as JSON. */
export async function upstream(t, routes = {}) {
  const requests = [];
  const server = createServer({ requireHostHeader: false }, async (req, res) => {
    const pieces = [];
    for await (const piece of req) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const { pathname } = new URL(req.url, "http://upstream");
    requests.push({ method: req.method, url: req.url, headers: req.headers, raw: req.rawHeaders, body });
    if (routes[pathname]) return routes[pathname](req, res, body);
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body: body.toString("base64") }));
  });
  const port = await listening(t, server, () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}`, port, requests, routes };
}

/** A request's head and what came of its body, on a socket that the test writes the answer to. */
export class Call {
  constructor(socket) {
    Object.assign(this, { socket, bytes: Buffer.alloc(0), closed: once(socket, "close") });
    this.closed.catch(() => {});
  }

  get end() {
    return this.bytes.indexOf("\r\n\r\n");
  }

  get head() {
    return this.bytes.subarray(0, this.end).toString("latin1");
  }

  get body() {
    return this.bytes.subarray(this.end + 4).toString("latin1");
  }

  header(name) {
    return new RegExp(`^${name}: *(.*)$`, "im").exec(this.head)?.[1];
  }
}

/** A socket upstream: answer(call) is called when the head of a request is there. */
export async function rawUpstream(t, answer = () => {}) {
  const calls = [];
  const sockets = new Set();
  const waiting = [];
  const server = net.createServer((socket) => {
    let call = new Call(socket);
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data) => {
      if (call.isAnswered) call = new Call(socket); // another request on a kept connection
      call.bytes = Buffer.concat([call.bytes, data]);
      if (call.end < 0 || call.isKnown) return;
      call.isKnown = true;
      calls.push(call);
      call.answer = (text) => {
        call.isAnswered = true;
        return socket.write(text, "latin1");
      };
      waiting.shift()?.(call);
      (upstream.answer ?? answer)(call);
    });
  });
  const port = await listening(t, server, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const upstream = {
    url: `http://127.0.0.1:${port}`,
    port,
    calls,
    /** The next request to come. */
    next: () => new Promise((done) => waiting.push(done)),
  };
  return upstream;
}

/** The head of a request to nangod's proxy. */
export const head = (nangod, method, path, { provider = "open", headers = [], key = nangod.key } = {}) =>
  [
    `${method} /proxy${path} HTTP/1.1`,
    `host: ${new URL(nangod.url).host}`,
    `authorization: Bearer ${key}`,
    `provider-config-key: ${provider}`,
    "connection-id: acme",
    ...headers,
    "",
    "",
  ].join("\r\n");

/** A client's socket, and all that came on it. */
export class Client {
  constructor(t, nangod, options = {}) {
    const { port } = new URL(nangod.url);
    this.bytes = Buffer.alloc(0);
    this.socket = net.connect({ port, host: "127.0.0.1", ...options });
    this.wasReset = false;
    this.closed = new Promise((done) => this.socket.once("close", done));
    this.socket.on("error", () => (this.wasReset = true));
    this.socket.on("data", (data) => {
      this.bytes = Buffer.concat([this.bytes, data]);
      this.onData?.();
    });
    t.after(() => this.socket.destroy());
  }

  write(text) {
    this.socket.write(text, "latin1");
    return this;
  }

  get text() {
    return this.bytes.toString("latin1");
  }

  /** Waits until the bytes so far match, or the connection is over. */
  async until(pattern) {
    while (!pattern.test(this.text)) {
      if (this.socket.destroyed) throw new Error(`the connection ended with ${JSON.stringify(this.text)}`);
      await Promise.race([new Promise((done) => (this.onData = done)), this.closed]);
    }
    return this.text;
  }
}

/** One request on a connection of its own that is closed after its answer: all that came. */
export async function ask(t, nangod, method, path, { body = "", headers = [], ...options } = {}) {
  const client = new Client(t, nangod);
  client.write(head(nangod, method, path, { headers: ["connection: close", ...headers], ...options }) + body);
  await client.closed;
  return client;
}
