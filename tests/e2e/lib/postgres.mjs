// SPDX-License-Identifier: Apache-2.0
// A Postgres of the test's own, which it may kill and start again, and nangod serve on it.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, chmodSync, mkdtempSync, rmSync, chownSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hangUp, sql } from "./sql.mjs";
import { Nangod, children, isAlive, program, run, until } from "./nangod.mjs";

/** Postgres does not run as root: root uses Debian's user. */
function unprivileged() {
  if (process.getuid() !== 0) return {};
  const entry = readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":")).find(([name]) => name === "postgres");
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

const bin = (name) => {
  const versions = readdirSync("/usr/lib/postgresql").sort((a, b) => Number(a) - Number(b));
  return join("/usr/lib/postgresql", versions.at(-1), "bin", name);
};

export class Cluster {
  /** `settings`: lines of postgresql.conf. */
  static async start(t, settings = {}) {
    const cluster = new Cluster();
    cluster.dir = mkdtempSync(join(tmpdir(), "nango-pg-"));
    cluster.user = unprivileged();
    cluster.settings = { fsync: "off", max_connections: "60", ...settings };
    chmodSync(cluster.dir, 0o755);
    if (cluster.user.uid !== undefined) chownSync(cluster.dir, cluster.user.uid, cluster.user.gid);
    t.after(async () => {
      await cluster.kill();
      rmSync(cluster.dir, { recursive: true, force: true });
    });
    await cluster.#tool("initdb", ["-D", cluster.#data, "-U", "nango", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]);
    await cluster.up();
    return cluster;
  }

  get #data() {
    return join(this.dir, "data");
  }

  get url() {
    return `host=${this.dir} user=nango dbname=postgres`;
  }

  #tool(name, args) {
    return new Promise((done, fail) => {
      const child = spawn(bin(name), args, { ...this.user, cwd: this.dir, stdio: ["ignore", "pipe", "pipe"] });
      let text = "";
      child.stdout.on("data", (data) => (text += data));
      child.stderr.on("data", (data) => (text += data));
      child.on("error", fail);
      child.on("close", (code) => (code === 0 ? done(text) : fail(new Error(`${name}: ${text}`))));
    });
  }

  async up() {
    const settings = Object.entries({ ...this.settings, listen_addresses: "", unix_socket_directories: this.dir }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    this.child = spawn(bin("postgres"), ["-D", this.#data, ...settings], { ...this.user, cwd: this.dir, stdio: ["ignore", "ignore", "pipe"] });
    this.closed = new Promise((done) => this.child.once("close", done));
    let log = "";
    await new Promise((done, fail) => {
      this.child.stderr.on("data", (data) => {
        log += data;
        if (log.includes("ready to accept connections")) done();
      });
      this.child.once("exit", () => fail(new Error(`postgres ended: ${log}`)));
    });
  }

  /** SIGKILL to all of it, as when its machine loses power. */
  async kill() {
    if (!this.child) return;
    await hangUp(this.dir);
    const all = [this.child.pid, ...children(this.child.pid)];
    for (const pid of all) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it ended by itself
      }
    }
    await this.closed;
    await until(() => all.every((pid) => !isAlive(pid)), "a Postgres process is left");
    this.child = undefined;
  }

  sql(text) {
    return sql(this.dir, text);
  }
}

const encryptionKey = Buffer.alloc(32, 7).toString("base64");

/** The environments' keys, which stay as they are while their cluster does. */
async function environmentsOf(env) {
  const keys = await run(program("nangod"), ["keys"], { env: { ...env, NANGO_FAULT: undefined } });
  if (keys.code !== 0) throw new Error(`nangod keys: ${keys.stderr}`);
  return Object.fromEntries(keys.stdout.trim().split("\n").map((line) => line.split(" ")).map(([name, secret_key]) => [name, { secret_key }]));
}

/** nangod serve on a cluster; stopped after the test unless it was killed. */
export async function serveOn(t, cluster, env = {}) {
  const all = {
    ...process.env,
    NANGO_DATABASE_URL: cluster.url,
    NANGO_ENCRYPTION_KEY: encryptionKey,
    NANGO_EGRESS_ALLOW: "127.0.0.0/8",
    NANGO_LOG: "debug",
    ...env,
  };
  cluster.environments ??= await environmentsOf(all);
  const child = spawn(program("nangod"), ["serve", "--listen", "127.0.0.1:0"], { env: all, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  const listening = Promise.withResolvers();
  child.stderr.on("data", (data) => {
    log += data;
    const found = /listening at (\S+)/.exec(log);
    if (found) listening.resolve(found[1]);
  });
  child.on("exit", (code, signal) => listening.reject(new Error(`nangod serve ended with ${code ?? signal}\n${log}`)));
  const nangod = new Nangod(child, { url: await listening.promise, environments: cluster.environments }, () => log);
  t.after(() => nangod.kill("SIGTERM"));
  return nangod;
}
