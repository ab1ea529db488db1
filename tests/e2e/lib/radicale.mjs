// SPDX-License-Identifier: Apache-2.0
// A real calendar server (CalDAV) from Debian's radicale, with one user.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, scratch, until } from "./nangod.mjs";
import { freePort, serve } from "./wordpress.mjs";

/** { url, credentials }; its user is ann, whose collections are under /ann/. */
export async function startRadicale(t) {
  if ((await run("radicale", ["--version"]).catch(() => ({ code: 1 }))).code !== 0)
    throw new Error("radicale is not installed: sh tools/dev/setup test");
  const dir = scratch(t);
  const users = join(dir, "users");
  const credentials = { type: "BASIC", username: "ann", password: "s3cret:ä" };
  writeFileSync(users, `ann:${credentials.password}\n`);
  const address = `127.0.0.1:${await freePort()}`;
  const server = serve(t, "radicale", [
    "--config", "", `--server-hosts=${address}`, `--storage-filesystem-folder=${join(dir, "collections")}`,
    "--auth-type=htpasswd", `--auth-htpasswd-filename=${users}`, "--auth-htpasswd-encryption=plain",
  ]);
  const url = `http://${address}`;
  await until(() => fetch(url).then(() => true, () => false), () => `radicale did not answer: ${server.log()}`, 30);
  return { url, credentials };
}
