// SPDX-License-Identifier: Apache-2.0
// nangod dev and serve as an operator meets them: start, stop, crash, refusals.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { children, isAlive, program, run, scratch, socketDir, start, until } from "./lib/nangod.mjs";

/** Whether somebody listens there. */
const answers = (port) =>
  new Promise((done) => {
    const socket = connect(port, "127.0.0.1", () => (socket.destroy(), done(true)));
    socket.on("error", () => done(false));
  });

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
};

const postgresOf = (nangod) => children(nangod.pid)[0];

test("dev --json prints one line with URLs and keys, and SIGTERM ends it with its Postgres", async (t) => {
  const nangod = await start(t, { dataDir: scratch(t) });
  assert.match(nangod.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.match(nangod.environments.dev.secret_key, /^[0-9a-f-]{36}$/);
  assert.match(nangod.environments.prod.secret_key, /^[0-9a-f-]{36}$/);
  assert.equal((await fetch(nangod.console_url)).status, 200);
  const health = (await nangod.call("GET", "/health")).body;
  assert.equal(health.result, "ok");
  for (const loop of ["loop_wait_us", "front_wait_us"]) assert.ok(health[loop] > 0, "its timers and answers have waited at least a microsecond");
  const postgres = postgresOf(nangod);
  assert.ok(isAlive(postgres));
  assert.equal(await nangod.stop(), 0);
  assert.equal(nangod.stdout.length, 1, "exactly one line");
  assert.ok(!isAlive(postgres));
});

test("SIGTERM before anybody has read that it is ready is a clean stop too", async (t) => {
  // Its standard output is a full pipe: it stands at the line that says so until we read.
  const fifo = join(scratch(t), "stdout");
  assert.equal((await run("mkfifo", [fifo])).code, 0);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(fifo, constants.O_WRONLY);
  const filler = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  t.after(() => [reader, filler].forEach((fd) => closeSync(fd)));
  assert.throws(() => { for (;;) writeSync(filler, "\n".repeat(4096)); }, { code: "EAGAIN" });

  const port = await freePort();
  const child = spawn(program("nangod"), ["dev", "--json", "--listen", `127.0.0.1:${port}`, "--data-dir", scratch(t)], {
    stdio: ["ignore", writer, "pipe"],
  });
  closeSync(writer);
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  const closed = once(child, "close");
  await until(() => answers(port), () => log);
  child.kill("SIGTERM");
  assert.ok(readSync(reader, Buffer.alloc(1 << 20)) >= 65536);
  assert.deepEqual(await closed, [0, null], log);
  assert.match(log, /Terminated: stopping/);
});

test("it may open as many files as the system lets it, and says when that is not enough", async (t) => {
  for (const [limit, warns] of [["-S -n 300", /./], ["-n 700", /at most 700 files and sockets may be open, and with these settings \d+ may be needed/]]) {
    const child = spawn("sh", ["-c", `ulimit ${limit}; exec "$0" "$@"`, program("nangod"), "dev", "--json", "--listen", "127.0.0.1:0", "--data-dir", scratch(t)], { stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    child.stderr.on("data", (data) => (log += data));
    await once(child.stdout, "data");
    const [, soft, hard] = /Max open files\s+(\d+)\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/limits`, "utf8"));
    child.kill("SIGTERM");
    await once(child, "close");
    assert.equal(soft, hard);
    assert.match(`${log}.`, warns);
  }
});

test("a second start on the same data keeps keys and connections", async (t) => {
  const dataDir = scratch(t);
  const first = await start(t, { dataDir });
  await first.connect("unauthenticated", { credentials: { type: "NONE" } });
  await first.stop();
  const second = await start(t, { dataDir });
  assert.equal(second.key, first.key);
  assert.equal((await second.call("GET", "/connections")).body.connections.length, 1);
});

test("a kill -9 of nangod ends its Postgres, and the next start goes on", async (t) => {
  const dataDir = scratch(t);
  const first = await start(t, { dataDir });
  const postgres = postgresOf(first);
  await first.connect("unauthenticated", { credentials: { type: "NONE" } });
  await first.kill("SIGKILL");
  await until(() => !isAlive(postgres), "Postgres outlived its parent");
  const second = await start(t, { dataDir });
  assert.equal((await second.call("GET", "/connections")).body.connections.length, 1);
});

test("a killed Postgres is started again, and requests work again", async (t) => {
  const nangod = await start(t);
  const postgres = postgresOf(nangod);
  process.kill(postgres, "SIGKILL");
  await until(async () => {
    const now = postgresOf(nangod);
    return now && now !== postgres && (await nangod.call("GET", "/health")).status === 200;
  }, () => `it did not come back\n${nangod.log()}`);
  assert.equal((await nangod.call("GET", "/integrations")).status, 200);
});

test("a second nangod on the same data is refused", async (t) => {
  const dataDir = scratch(t);
  await start(t, { dataDir });
  const second = await run(program("nangod"), ["dev", "--json", "--listen", "127.0.0.1:0", "--data-dir", dataDir]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another nangod uses/);
});

/** A raw request, because fetch sets Host and Origin itself. */
const raw = (nangod, headers, path = "/") =>
  new Promise((done, fail) => {
    const { port } = new URL(nangod.url);
    const req = request({ host: "127.0.0.1", port, path, headers, setHost: false }, (res) => {
      let text = "";
      res.on("data", (data) => (text += data));
      res.on("end", () => done({ status: res.statusCode, text }));
    });
    req.on("error", fail);
    req.end();
  });

test("dev refuses foreign Host and Origin headers (DNS rebinding)", async (t) => {
  const nangod = await start(t);
  const host = new URL(nangod.url).host;
  assert.equal((await raw(nangod, { Host: host })).status, 200);
  assert.equal((await raw(nangod, { Host: "localhost:1234" })).status, 200);
  for (const foreign of ["evil.example", "evil.example:3003", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.2:3003"]) {
    const answer = await raw(nangod, { Host: foreign });
    assert.equal(answer.status, 403, foreign);
    assert.equal(JSON.parse(answer.text).error.code, "forbidden");
  }
  for (const origin of ["http://evil.example", "https://localhost.evil.example", "null", "http://127.0.0.1.evil.example"])
    assert.equal((await raw(nangod, { Host: host, Origin: origin })).status, 403, origin);
  assert.equal((await raw(nangod, { Host: host, Origin: "http://localhost:5173" })).status, 200);
});

test("dev listens on loopback only", async (t) => {
  const result = await run(program("nangod"), ["dev", "--listen", "0.0.0.0:0", "--data-dir", scratch(t)]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /loopback only/);
});

test("a missing initdb names the apt command", async (t) => {
  const empty = scratch(t);
  const result = await run(program("nangod"), ["dev", "--data-dir", scratch(t)], { env: { NANGO_PG_BINDIR: empty } });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /NANGO_PG_BINDIR is ".*", where there is no initdb/);
  assert.match(result.stderr, /apt-get install postgresql-15/);
});

test("serve says what it lacks and how to make it", async (t) => {
  const clean = { NANGO_DATABASE_URL: "", NANGO_ENCRYPTION_KEY: "" };
  const none = await run(program("nangod"), ["serve"], { env: clean });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /NANGO_DATABASE_URL is not set: .*postgres:\/\//);
  const noKey = await run(program("nangod"), ["serve"], { env: { ...clean, NANGO_DATABASE_URL: "postgres://x" } });
  assert.match(noKey.stderr, /NANGO_ENCRYPTION_KEY is not set: make one with `head -c 32 \/dev\/urandom \| base64`/);
  const shortKey = await run(program("nangod"), ["serve"], {
    env: { NANGO_DATABASE_URL: "postgres://x", NANGO_ENCRYPTION_KEY: "c2hvcnQ=" },
  });
  assert.equal(shortKey.code, 1);
  assert.match(shortKey.stderr, /not base64 of 32 bytes/);
});

test("bad settings and options stop the start with their name and the fix", async (t) => {
  const rows = [
    [["serve"], { NANGO_LOG: "loud" }, /NANGO_LOG is "loud": give one of debug\|info\|warn\|error/],
    [["serve"], { NANGO_RUNS_MAX: "0" }, /NANGO_RUNS_MAX is "0": give a whole number from 1/],
    [["serve", "--nope"], {}, /there is no option "--nope"/],
    [["dev", "--listen"], {}, /--listen needs a value/],
    [["fly"], {}, /there is no command "fly"/],
  ];
  for (const [args, env, message] of rows) {
    const result = await run(program("nangod"), args, { env });
    assert.notEqual(result.code, 0, args.join(" "));
    assert.match(result.stderr, message);
  }
});

test("the log is JSON lines when it is asked to be", async (t) => {
  const nangod = await start(t, { dataDir: scratch(t), env: { NANGO_LOG_FORMAT: "json", NANGO_LOG: "info" } });
  await nangod.stop();
  const lines = nangod.log().trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(lines.length >= 2);
  for (const line of lines) assert.deepEqual(Object.keys(line), ["time", "level", "module", "message"]);
  assert.ok(lines.some((line) => /stopping/.test(line.message)));
});

test("migrate and a settings file: the file's line is named, the environment wins", async (t) => {
  const nangod = await start(t);
  const file = `${scratch(t)}/nangod.yaml`;
  const url = `host=${socketDir(nangod)} user=nango dbname=postgres`;
  writeFileSync(file, `database_url: "${url}"\nruns_max: 0\n`);
  const bad = await run(program("nangod"), ["migrate", "--config", file]);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /nangod\.yaml:2: runs_max is "0": give a whole number/);
  writeFileSync(file, `database_url: host=/nowhere\n`);
  const good = await run(program("nangod"), ["migrate", "--config", file], { env: { NANGO_DATABASE_URL: url } });
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /control: 0 migrations applied\ndata: 0 migrations applied/);
  writeFileSync(file, `colour: red\n`);
  assert.match((await run(program("nangod"), ["serve", "--config", file])).stderr, /nangod\.yaml:1:1: there is no setting "colour"/);
});

test("serve works on the Postgres of another nangod's data, with the right key only", async (t) => {
  const nangod = await start(t);
  const env = {
    NANGO_DATABASE_URL: `host=${socketDir(nangod)} user=nango dbname=postgres`,
    NANGO_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
  };
  const wrong = await run(program("nangod"), ["keys"], { env });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /NANGO_ENCRYPTION_KEY is not the key of this database/);
  env.NANGO_ENCRYPTION_KEY = readFileSync(`${nangod.data_dir}/encryption.key`, "utf8");
  const right = await run(program("nangod"), ["keys"], { env });
  assert.equal(right.code, 0, right.stderr);
  assert.match(right.stdout, new RegExp(`^dev ${nangod.key}$`, "m"));
  assert.ok(isAlive(nangod.pid));
});
