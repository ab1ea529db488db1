// SPDX-License-Identifier: Apache-2.0
// A fake of the world: a forward proxy on loopback that lets a node believe it talks to every host there
// is. https://any.host/ ends here, with a certificate of that name by a CA of this test.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { createServer as createSecureServer, request as secureRequest } from "node:https";
import { join } from "node:path";
import { connect, createSecureContext } from "node:tls";
import { run, scratch } from "./nangod.mjs";

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

async function openssl(dir, ...args) {
  const done = await run("openssl", args, { cwd: dir });
  assert.equal(done.code, 0, done.stderr);
}

/** {ca, context(host)}: known hosts share a certificate; another gets one when it is first asked for. */
async function authority(t, known) {
  const dir = scratch(t);
  await openssl(dir, "req", "-x509", ...curve, "-days", "2", "-subj", "/CN=The world", "-keyout", "ca.key", "-out", "ca.crt");
  await openssl(dir, "req", ...curve, "-subj", "/CN=A host", "-keyout", "host.key", "-out", "host.csr");
  const key = readFileSync(join(dir, "host.key"));
  const made = new Map();
  let serial = 0;
  const make = async (...hosts) => {
    serial++;
    writeFileSync(join(dir, `${serial}.ext`), `subjectAltName=${hosts.map((host) => `DNS:${host}`)}\n`);
    await openssl(dir, "x509", "-req", "-in", "host.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", `${serial}`, "-days", "2", "-extfile", `${serial}.ext`, "-out", `${serial}.crt`);
    return createSecureContext({ key, cert: readFileSync(join(dir, `${serial}.crt`)) });
  };
  if (known.length > 0) {
    const shared = make(...known);
    for (const host of known) made.set(host, shared);
    await shared;
  }
  return {
    ca: join(dir, "ca.crt"),
    context(host) {
      if (!made.has(host)) made.set(host, make(host));
      return made.get(host);
    },
  };
}

/** Reads a request, and answers it as routes say; what nobody told it about is 404. */
async function serve(routes, requests, waiting, req, res) {
  let body = "";
  for await (const data of req) body += data;
  const url = new URL(req.url, `https://${req.headers.host}`);
  const asked = { method: req.method, url: url.origin + url.pathname, query: Object.fromEntries(url.searchParams), headers: req.headers, path: req.url, body };
  requests.push(asked);
  waiting.get(asked.url)?.(asked);
  const answer = routes.get(`${req.method} ${asked.url}`);
  const { status = 200, headers = {}, json, text } = typeof answer === "function" ? await answer(asked) : answer ?? { status: 404, json: { message: "nobody told this fake" } };
  res.writeHead(status, { "content-type": text === undefined ? "application/json" : "text/plain", ...headers });
  res.end(text ?? JSON.stringify(json));
}

async function get(url, port, ca) {
  const { host, hostname } = new URL(url);
  const [, socket] = await once(request({ port, method: "CONNECT", path: `${hostname}:443` }).end(), "connect");
  const secure = connect({ socket, servername: hostname, ca });
  const [res] = await once(secureRequest(url, { headers: { host }, createConnection: () => secure }).end(), "response");
  let text = "";
  for await (const data of res) text += data;
  secure.destroy();
  return { status: res.statusCode, headers: res.headers, text };
}

/**
 * hosts: those that are sure to be asked for. {env, requests, reply, site, forget, get, next}: env for start(); reply("POST https://slack.com/api/x", {status, headers, json, text} or a
 * function of the request); site(host, listener) puts a server of its own at a host.
 */
export async function internet(t, hosts = []) {
  const { ca, context } = await authority(t, hosts);
  const routes = new Map();
  const sites = new Map();
  const requests = [];
  const waiting = new Map();
  const ends = createSecureServer({ SNICallback: (host, done) => context(host).then((made) => done(null, made), done) }, (req, res) => {
    const site = sites.get(req.headers.host);
    if (site) site(req, res);
    else serve(routes, requests, waiting, req, res).catch((error) => res.destroy(error));
  });
  const proxy = createServer((req, res) => res.writeHead(400).end("only CONNECT"));
  const open = new Set();
  proxy.on("connect", (req, socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    ends.emit("connection", socket);
  });
  ends.on("tlsClientError", () => {}); // the node is told, and says so
  await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
  t.after(() => {
    for (const socket of open) socket.destroy();
    proxy.close();
    ends.close();
  });
  return {
    env: { NANGO_HTTPS_PROXY: `http://127.0.0.1:${proxy.address().port}`, NANGO_CA_FILE: ca, NANGO_EGRESS_ALLOW: "" },
    requests,
    reply: (route, answer) => routes.set(route, answer),
    site: (host, listener) => sites.set(host, listener),
    forget: () => routes.clear(),
    /** As a browser on this machine, which goes no further by itself: {status, headers, text}. */
    get: (url) => get(url, proxy.address().port, readFileSync(ca)),
    /** The first request for a URL, as soon as it comes. */
    next: (url) => new Promise((done) => waiting.set(url, done)),
  };
}
