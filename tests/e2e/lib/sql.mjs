// SPDX-License-Identifier: Apache-2.0
// Statements on a test's Postgres by connections that stay: a psql for each (at Debian a Perl script that
// starts the real one) would be most of what a test that waits costs.
import pg from "pg";

const asText = { getTypeParser: () => (text) => text };
const pools = new Map();

function poolOf(dir) {
  let pool = pools.get(dir);
  if (!pool) {
    pool = new pg.Pool({ host: dir, user: "nango", database: "postgres", max: 40, types: asText, allowExitOnIdle: true });
    pool.on("error", () => {}); // its Postgres is gone, and the next statement says so
    pools.set(dir, pool);
  }
  return pool;
}

/** Rows as psql -At prints them; several statements are one transaction. `dir` is the socket's folder. */
export async function sql(dir, text) {
  const answer = await poolOf(dir).query({ text, rowMode: "array" });
  return [answer].flat().flatMap(({ rows }) => rows.map((row) => row.map((value) => value ?? "").join("|"))).join("\n").trim();
}

/** Closes what is open to a Postgres that is about to end. */
export async function hangUp(dir) {
  const pool = pools.get(dir);
  pools.delete(dir);
  await pool?.end();
}
