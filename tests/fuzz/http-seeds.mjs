// SPDX-License-Identifier: Apache-2.0
// Writes the requests of the smuggling table as seeds: node http-seeds.mjs DIRECTORY
// The first byte tells the fuzz target how to cut the rest.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const directory = process.argv[2];
const rows = JSON.parse(readFileSync(new URL("../e2e/data/http-requests.json", import.meta.url), "utf8"));

mkdirSync(directory, { recursive: true });
rows.forEach((row, i) => writeFileSync(join(directory, String(i)), Buffer.from(`\x03${row.raw}`, "latin1")));
