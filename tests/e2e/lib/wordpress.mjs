// SPDX-License-Identifier: Apache-2.0
// A real WordPress from Debian's packages, on a MariaDB and a PHP server of its own.
import { spawn } from "node:child_process";
import { cpSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, scratch, until } from "./nangod.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

export const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/**
 * A server that ends with the test, with its children: PHP's workers outlive their master. It is
 * over when its pipes are closed, that is when the last of them has gone.
 */
export function serve(t, file, args, options) {
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
  const closed = new Promise((done) => child.once("close", done));
  let log = "";
  child.stdout.on("data", (data) => (log += data));
  child.stderr.on("data", (data) => (log += data));
  const killGroup = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // the group is gone
    }
  };
  t.after(async () => {
    killGroup("SIGTERM");
    const kill = setTimeout(() => killGroup("SIGKILL"), 10_000);
    await closed;
    clearTimeout(kill);
  });
  return { child, log: () => log };
}

async function startDatabase(t, dir) {
  const data = join(dir, "mariadb");
  const socket = join(dir, "mariadb.sock");
  const user = process.getuid() === 0 ? ["--user=root"] : [];
  const made = await run("mariadb-install-db", [
    "--no-defaults", `--datadir=${data}`, "--auth-root-authentication-method=normal", "--skip-test-db", ...user,
  ]);
  if (made.code !== 0) throw new Error(`mariadb-install-db: ${made.stdout}${made.stderr}`);
  const server = serve(t, "mariadbd", [
    "--no-defaults", `--datadir=${data}`, `--socket=${socket}`, `--pid-file=${join(dir, "mariadb.pid")}`,
    "--skip-networking", "--innodb-flush-log-at-trx-commit=0", ...user,
  ]);
  const client = ["--no-defaults", `--socket=${socket}`, "-u", "root"];
  await until(
    async () => (await run("mariadb", [...client, "-e", "SELECT 1"])).code === 0,
    () => `MariaDB did not answer: ${server.log()}`,
    60,
  );
  await run("mariadb", [...client, "-e", "CREATE DATABASE wordpress"]);
  return socket;
}

const config = (socket) => `<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:${socket}'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('AUTH_KEY', 'a'); define('SECURE_AUTH_KEY', 'b'); define('LOGGED_IN_KEY', 'c'); define('NONCE_KEY', 'd');
define('AUTH_SALT', 'e'); define('SECURE_AUTH_SALT', 'f'); define('LOGGED_IN_SALT', 'g'); define('NONCE_SALT', 'h');
define('WP_ENVIRONMENT_TYPE', 'local'); define('WP_HTTP_BLOCK_EXTERNAL', true); define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
`;

/** { url, credentials, request(method, path, body) } with `posts` posts and 4 users. */
export async function startWordPress(t, posts) {
  const source = "/usr/share/wordpress";
  if (!existsSync(join(source, "wp-load.php")))
    throw new Error("WordPress is not installed: sh tools/dev/setup test");
  const dir = scratch(t);
  const root = join(dir, "wordpress");
  cpSync(source, root, { recursive: true, dereference: true, filter: (file) => !/wp-content\/languages/.test(file) });
  rmSync(join(root, "wp-config.php"));
  const socket = await startDatabase(t, dir);
  writeFileSync(join(root, "wp-config.php"), config(socket));
  const url = `http://127.0.0.1:${await freePort()}`;
  const installed = await run("php", ["-d", "display_errors=stderr", join(here, "wordpress.php"), url, String(posts)], {
    cwd: root,
    timeout: 120_000,
  });
  if (installed.code !== 0) throw new Error(`WordPress: ${installed.stdout}${installed.stderr}`);
  const login = JSON.parse(installed.stdout.trim().split("\n").at(-1));
  const server = serve(t, "php", ["-S", url.slice("http://".length), "-t", root, join(here, "wordpress-router.php")], {
    env: { ...process.env, PHP_CLI_SERVER_WORKERS: "4" },
  });
  const authorization = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
  const request = async (method, path, body) => {
    const response = await fetch(`${url}/wp-json/wp/v2${path}`, {
      method,
      headers: { authorization, "content-type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  await until(() => request("GET", "/users/me?context=edit").catch(() => null), () => `no answer: ${server.log()}`, 30);
  return { url, credentials: { type: "BASIC", ...login }, request };
}
