// SPDX-License-Identifier: Apache-2.0
// Starts the real nangod with a Postgres of its own, and stops it by its process id.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { sql } from "./sql.mjs";

const require = createRequire(import.meta.url);

export const top = fileURLToPath(new URL("../../..", import.meta.url));
export const build = process.env.NANGO_BUILD ?? join(top, "build");
export const program = (name) => join(build, name);

const endings = new WeakMap();

/** Secrets of tests hold this text: no log of any node of the whole suite may, no refusal of its API,
 * and no webhook to the app (provider.mjs looks at those). */
export const SECRET = "s3cret";

/** A node is stopped at the end of its test, and its log and refusals looked through. */
function endOf(t, nangod) {
  ending(t).stops.push(async () => {
    await nangod.kill("SIGTERM");
    const line = nangod.log().split("\n").find((l) => l.includes(SECRET));
    if (line) throw new Error(`a secret is in the log: ${line}`);
    if (nangod.leaks.length > 0) throw new Error(`a secret is in a refusal: ${nangod.leaks[0]}`);
  });
}

/** The end of a test: what it started is stopped, last first, and only then its folders go. */
function ending(t) {
  if (!endings.has(t)) {
    const made = { stops: [], dirs: [] };
    endings.set(t, made);
    t.after(async () => {
      for (const stop of made.stops.reverse()) await stop();
      for (const dir of made.dirs) rmSync(dir, { recursive: true, force: true });
    });
  }
  return endings.get(t);
}

/** A folder that the user of the private Postgres can reach; gone after the test. */
export function scratch(t, name = "nango-e2e-") {
  const dir = mkdtempSync(join(tmpdir(), name));
  chmodSync(dir, 0o755);
  ending(t).dirs.push(dir);
  return dir;
}

/** Waits until check() is truthy and gives that back; fails after `seconds` with what(). */
export async function until(check, what = () => "the condition never came", seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(typeof what === "function" ? await what() : what);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** Runs a program to its end. */
export function run(file, args, { env = {}, cwd, input, timeout = 60_000 } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(file, args, { env: { ...process.env, ...env }, cwd, timeout, killSignal: "SIGKILL" });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    child.on("error", fail);
    child.on("close", (code, signal) => done({ code, signal, stdout, stderr }));
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
  });
}

export function children(pid) {
  const all = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(fields[1]) === pid && fields[0] !== "Z") all.push(Number(entry));
    } catch {
      // it ended while we looked
    }
  }
  return all;
}

/** The processes that fork a node's runs. Its Postgres is a child, too, and no order says which: process ids wrap. */
export const zygotes = (nangod) => children(nangod.pid).filter((pid) => nameOf(pid) === "nango-runner");

function nameOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return ""; // it ended while we looked
  }
}

/** The folder of the private Postgres' socket (runtime/db/embedded_cluster.c). */
export const socketDir = (nangod) =>
  `/tmp/nango-${process.getuid()}-${createHash("sha256").update(nangod.data_dir).digest("hex").slice(0, 16)}`;

/** A statement on the private Postgres, for what only the clock or a crash would do. */
export const psql = (nangod, text) => sql(socketDir(nangod), text);

/** Variants v1, v2, ... of the base syncs that `where` names (s: sync, i: its integration): never due by themselves. */
export const addVariants = (nangod, count, where) =>
  psql(nangod, `WITH made AS (INSERT INTO nango.sync (account_id, environment_id, integration_id, connection_id, name, variant)
      SELECT s.account_id, s.environment_id, s.integration_id, s.connection_id, s.name, 'v' || n
      FROM nango.sync s JOIN nango.integration i ON i.id = s.integration_id, generate_series(1, ${count}) n
      WHERE s.variant = 'base' AND ${where} RETURNING id)
    INSERT INTO nango.schedule (sync_id, interval_ms) SELECT id, 86400000 FROM made`);

export const isAlive = (pid) => {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};

export class Nangod {
  constructor(child, ready, log) {
    Object.assign(this, { child, log, pid: child.pid, leaks: [] }, ready);
    this.closed = new Promise((done) => child.once("close", done));
    this.key = ready.environments.dev.secret_key;
  }

  /** One request with the environment's key. */
  async call(method, path, { body, headers = {}, key = this.key, raw = false } = {}) {
    const isBytes = body instanceof Uint8Array;
    const response = await fetch(this.url + path, {
      method,
      redirect: "manual",
      headers: {
        ...(key ? { authorization: `Bearer ${key}` } : {}),
        ...(body !== undefined ? { "content-type": isBytes ? "application/octet-stream" : "application/json" } : {}),
        ...headers,
      },
      body: body === undefined || isBytes || typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    if (response.status >= 400 && text.includes(SECRET)) this.leaks.push(`${method} ${path}: ${response.status} ${text}`);
    return { status: response.status, headers: response.headers, text, body: raw ? text : text ? JSON.parse(text) : null };
  }

  /** As call, and fails unless the status is 2xx. */
  async ok(method, path, options) {
    const answer = await this.call(method, path, options);
    if (answer.status < 200 || answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  /** The official client, unmodified. */
  get client() {
    const { Nango } = require("@nangohq/node");
    return new Nango({ host: this.url, secretKey: this.key });
  }

  /** An integration and a connection to a provider on loopback. */
  async connect(provider, { baseUrl, id = "acme", key = provider, credentials, ...more } = {}) {
    const known = await this.call("GET", `/integrations/${key}`);
    if (known.status === 404) await this.ok("POST", "/integrations", { body: { provider, unique_key: key } });
    const connection_config = baseUrl ? { baseUrl } : undefined;
    return this.ok("POST", "/connections", {
      body: { provider_config_key: key, connection_id: id, credentials, connection_config, ...more },
    });
  }

  async deploy(sharedObject, key) {
    return this.ok("POST", `/deployments?integration=${key}`, { body: readFileSync(sharedObject) });
  }

  async status(key, id, sync) {
    const { syncs } = await this.ok("GET", `/sync/status?syncs=${sync ?? "*"}&provider_config_key=${key}&connection_id=${id}`);
    return syncs[0];
  }

  /** Waits for the end of a sync's newest run, and gives its status back. */
  async settled(key, id, sync, seconds = 30) {
    let last;
    return until(
      async () => {
        last = await this.status(key, id, sync);
        return last && last.finishedAt && last.status !== "RUNNING" ? last : undefined;
      },
      () => `${sync} of ${id} did not end: ${JSON.stringify(last)}\n${this.log()}`,
      seconds,
    );
  }

  async records(key, id, model, query = "") {
    return this.ok("GET", `/records?model=${model}${query}`, {
      headers: { "provider-config-key": key, "connection-id": id },
    });
  }

  /** Resolves once it has ended and its last log line was read. */
  async kill(signal = "SIGKILL") {
    this.child.kill(signal);
    await this.closed;
  }

  async stop() {
    await this.kill("SIGTERM");
    return this.child.exitCode;
  }
}

/** A data folder as the first start leaves it: to make one is most of what a short test costs, so it is
 * made once for a build, and copied; without the databases that Postgres copies for new ones, which are half of its files. */
async function copyOfNew(t) {
  const { mtimeMs, size } = statSync(program("nangod"));
  const made = join(build, `tests/e2e-data-${Math.round(mtimeMs)}-${size}`);
  if (!existsSync(made)) {
    for (const old of readdirSync(join(build, "tests"))) if (/^e2e-data-\d+-\d+$/.test(old)) rmSync(join(build, "tests", old), { recursive: true, force: true });
    const own = `${made}.${process.pid}`;
    const first = await start(t, { dataDir: scratch(t) });
    await psql(first, "UPDATE pg_database SET datistemplate = false WHERE datistemplate");
    for (const name of ["template0", "template1"]) await psql(first, `DROP DATABASE ${name}`);
    await first.stop();
    await copy(first.data_dir, own);
    try {
      renameSync(own, made);
    } catch {
      rmSync(own, { recursive: true }); // another file of tests was faster
    }
  }
  const dataDir = scratch(t);
  await copy(made, dataDir);
  return dataDir;
}

async function copy(from, to) {
  const done = await run("cp", ["-aT", from, to]);
  if (done.code !== 0) throw new Error(done.stderr);
}

/** nangod dev --json on a free port; stopped after the test. A dataDir that is empty is a true first start. */
export async function start(t, { dataDir, env = {}, args = [] } = {}) {
  dataDir ??= await copyOfNew(t);
  const child = spawn(
    program("nangod"),
    ["dev", "--json", "--listen", "127.0.0.1:0", "--data-dir", dataDir, ...args],
    {
      env: { ...process.env, NANGO_EGRESS_ALLOW: "127.0.0.0/8", NANGO_LOG: "debug", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  const stdout = [];
  const ready = await new Promise((done, fail) => {
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      stdout.push(line);
      if (stdout.length === 1) done(JSON.parse(line));
    });
    child.on("error", fail);
    child.on("exit", (code, signal) => fail(new Error(`nangod ended with ${code ?? signal}\n${log}`)));
    t.signal?.addEventListener("abort", () => child.kill("SIGKILL"));
  });
  const nangod = new Nangod(child, ready, () => log);
  nangod.stdout = stdout;
  endOf(t, nangod);
  return nangod;
}

/** A second node, nangod serve, on the Postgres of one that was started with start(). */
export async function serve(t, first, env = {}) {
  const encryption_key = readFileSync(join(first.data_dir, "encryption.key"), "utf8");
  const child = spawn(program("nangod"), ["serve", "--listen", "127.0.0.1:0"], {
    env: {
      ...process.env,
      NANGO_DATABASE_URL: `host=${socketDir(first)} user=nango dbname=postgres`,
      NANGO_ENCRYPTION_KEY: encryption_key,
      NANGO_EGRESS_ALLOW: "127.0.0.0/8",
      NANGO_LOG: "debug",
      ...env,
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  const listening = Promise.withResolvers();
  child.stderr.on("data", (data) => {
    log += data;
    const found = /listening at (\S+)/.exec(log);
    if (found) listening.resolve(found[1]);
  });
  child.on("exit", (code, signal) => listening.reject(new Error(`nangod serve ended with ${code ?? signal}\n${log}`)));
  const url = await listening.promise;
  const nangod = new Nangod(child, { url, data_dir: first.data_dir, environments: first.environments, encryption_key }, () => log);
  endOf(t, nangod);
  return nangod;
}

const built = new Map();

/** Builds a plugin's folder (outside the source tree) and gives the path of its shared object. One of the
 * tree is built once for all tests of a file. */
export async function buildPlugin(t, source, name) {
  if (!source.startsWith(top)) return buildAnew(t, source, name);
  const file = join(scratch(t), `${name}.so`);
  if (!built.has(source)) built.set(source, buildAnew(t, source, name).then((made) => readFileSync(made)));
  writeFileSync(file, await built.get(source));
  return file;
}

async function buildAnew(t, source, name) {
  const out = join(scratch(t), "build");
  const made = await run(program("nango-plugin"), ["build", source, "-o", out]);
  if (made.code !== 0) throw new Error(`nango-plugin build: ${made.stdout}${made.stderr}`);
  const file = join(out, `${name}.so`);
  if (!existsSync(file)) throw new Error(`${file} was not made: ${made.stdout}`);
  return file;
}
