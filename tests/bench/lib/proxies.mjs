// SPDX-License-Identifier: Apache-2.0
// What the proxy is measured against: nginx as the API, plain, with TLS and with HTTP/2, and two other proxies
// before it, which ask with HTTP/1.1 only.
import { fork, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, scratch, until } from "../../e2e/lib/nangod.mjs";

export const secret = "0123456789abcdef";
export const sizes = { "2 KB": 2 * 1024, "10 MB": 10 * 1024 * 1024 };
export const pathOf = (size) => `/${sizes[size]}`;

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/** nginx in the foreground with one worker; `http` is what stands in its http block. */
async function nginx(t, dir, name, port, http) {
  const own = join(dir, name);
  mkdirSync(own);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${own}/${kind};`).join(" ");
  writeFileSync(
    join(own, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${own}/pid; error_log ${own}/error.log; worker_rlimit_nofile 4096;
${process.getuid() === 0 ? "user root;" : ""}
events { worker_connections 2048; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 300s; ${temporary} ${http} }\n`,
  );
  const child = spawn("nginx", ["-p", own, "-c", join(own, "nginx.conf"), "-e", join(own, "error.log")], { stdio: "ignore" });
  const closed = new Promise((done) => child.once("close", done));
  t.after(async () => {
    child.kill("SIGTERM");
    await closed;
  });
  await until(
    () => fetch(`http://127.0.0.1:${port}/2048`).then((r) => r.arrayBuffer(), () => null),
    () => `nginx ${name}: ${readFileSync(join(own, "error.log"), "utf8")}`,
  );
}

/** { plain, tls, h2, ca }: the API's URLs, and the file of who signed its certificate. */
export async function startApi(t) {
  const dir = scratch(t);
  const key = join(dir, "key.pem");
  const ca = join(dir, "certificate.pem");
  const made = await run("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", ca,
  ]);
  if (made.code !== 0) throw new Error(`openssl: ${made.stderr}`);
  const root = join(dir, "root");
  mkdirSync(root);
  for (const bytes of Object.values(sizes)) writeFileSync(join(root, String(bytes)), Buffer.alloc(bytes, "x"));
  const [plain, tls, h2] = [await freePort(), await freePort(), await freePort()];
  const location = `root ${root}; default_type application/json; if ($http_authorization != "Bearer ${secret}") { return 401; }`;
  const open = `root ${root}; default_type application/json;`;
  const secure = (port, more) =>
    `server { listen 127.0.0.1:${port} ssl ${more} backlog=1024; ssl_certificate ${ca}; ssl_certificate_key ${key}; ssl_session_cache shared:a:10m;
       location /v1/ { rewrite ^/v1(/.*) $1 break; ${location} } }`;
  await nginx(
    t, dir, "api", plain,
    `open_file_cache max=10;
     server { listen 127.0.0.1:${plain} backlog=1024; location = /2048 { ${open} } location / { ${location} } location /v1/ { rewrite ^/v1(/.*) $1 break; ${location} } }
     ${secure(tls, "")} ${secure(h2, "http2")}`,
  );
  const at = (scheme, port) => `${scheme}://127.0.0.1:${port}/v1`;
  return { plain: at("http", plain), tls: at("https", tls), h2: at("https", h2), ca, dir };
}

/** nginx in front of the API, with connections that it keeps: { plain, tls, h2 }. */
export async function startNginx(t, api) {
  const port = await freePort();
  const hostOf = (url) => new URL(url).host;
  const common = `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "Bearer ${secret}"; proxy_max_temp_file_size 0; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 256k;`;
  await nginx(
    t, api.dir, "proxy", port,
    `upstream plain { server ${hostOf(api.plain)}; keepalive 256; keepalive_requests 100000000; }
     upstream tls { server ${hostOf(api.tls)}; keepalive 256; keepalive_requests 100000000; }
     server { listen 127.0.0.1:${port} backlog=1024;
       location /plain/ { proxy_pass http://plain/v1/; ${common} }
       location /tls/ { proxy_pass https://tls/v1/; ${common} proxy_ssl_trusted_certificate ${api.ca}; proxy_ssl_verify on; proxy_ssl_name 127.0.0.1; }
       location = /2048 { return 200; } }`,
  );
  const at = (path) => `http://127.0.0.1:${port}/${path}`;
  return { plain: at("plain"), tls: at("tls"), h2: at("tls") };
}

/** Express and axios with kept connections, in one process: { plain, tls, h2 }. */
export async function startExpress(t, api) {
  const child = fork(fileURLToPath(new URL("express-proxy.mjs", import.meta.url)), [api.plain, api.tls, api.ca, secret]);
  t.after(() => child.disconnect());
  const { url } = await new Promise((done, fail) => {
    child.once("message", done);
    child.once("exit", (code) => fail(new Error(`the proxy of express ended with ${code}`)));
  });
  return { plain: `${url}/plain`, tls: `${url}/tls`, h2: `${url}/tls` };
}

/** One run of wrk: { rate, bytes (a second), p99 (ms) }. */
export async function wrk(url, connections, headers = []) {
  const made = await run("wrk", ["-t1", `-c${connections}`, "-d1s", "--timeout", "60s", "--latency", ...headers.flatMap((h) => ["-H", h]), url]);
  const found = /Requests\/sec:\s+([\d.]+)\s+Transfer\/sec:\s+([\d.]+)(\w+)/.exec(made.stdout);
  const p99 = /99%\s+([\d.]+)(us|ms|s|m)/.exec(made.stdout);
  if (made.code !== 0 || !found || /Non-2xx|Socket errors/.test(made.stdout)) throw new Error(`wrk ${url}: ${made.stdout}${made.stderr}`);
  return {
    rate: Number(found[1]),
    bytes: Number(found[2]) * { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }[found[3]],
    p99: Number(p99[1]) * { us: 0.001, ms: 1, s: 1000, m: 60_000 }[p99[2]],
  };
}
