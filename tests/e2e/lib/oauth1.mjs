// SPDX-License-Identifier: Apache-2.0
// A provider of OAuth 1.0 that is not ours: python3-oauthlib, behind a few lines of http.server.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "./nangod.mjs";

// Debian's own Python, whatever else is first in PATH: python3-oauthlib belongs to it.
const script = fileURLToPath(new URL("oauth1_provider.py", import.meta.url));

/** {url, requests}: what it was asked, as it saw it. */
export async function oauth1Provider(t, settings) {
  const child = spawn("/usr/bin/python3", ["-B", script, JSON.stringify(settings)], { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  const lines = [];
  let log = "";
  child.stderr.on("data", (data) => (log += data));
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(JSON.parse(line)));
  const [{ port }] = await until(() => lines.length > 0 && lines, () => `the provider did not start: ${log}`);
  return {
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return lines.slice(1);
    },
    of: (path) => lines.slice(1).filter((line) => line.path.startsWith(path)),
  };
}

/** The parameters of an Authorization header of OAuth. */
export const parameters = (header) =>
  Object.fromEntries([...header.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name, decodeURIComponent(value)]));
