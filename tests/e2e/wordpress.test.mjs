// SPDX-License-Identifier: Apache-2.0
// Real input: posts and users of a real WordPress, three times: all, then only what
// changed, then what was deleted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { program, start } from "./lib/nangod.mjs";
import { startWordPress } from "./lib/wordpress.mjs";

/** Everything after a cursor, page by page, as a consumer reads it. */
async function readAll(nangod, model, cursor, limit = 100) {
  const all = [];
  for (;;) {
    const query = `&limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
    const page = await nangod.records("wordpress", "blog", model, query);
    all.push(...page.records);
    if (page.records.length > 0) cursor = page.records.at(-1)._nango_metadata.cursor;
    if (page.next_cursor === null) return { all, cursor };
    assert.equal(page.next_cursor, cursor);
  }
}

test("250 posts sync, then exactly 3 edits and 2 additions, then 2 deletions are read by cursor", { timeout: 240_000 }, async (t) => {
  const wordpress = await startWordPress(t, 250);
  const nangod = await start(t);
  await nangod.ok("POST", "/integrations", { body: { provider: "wordpress", unique_key: "wordpress" } });
  await nangod.deploy(program("plugins/wordpress/build/wordpress.so"), "wordpress");
  await nangod.connect("wordpress", { id: "blog", baseUrl: wordpress.url, credentials: wordpress.credentials });

  const first = await nangod.settled("wordpress", "blog", "posts", 60);
  assert.equal(first.status, "SUCCESS", JSON.stringify(first));
  assert.deepEqual(first.latestResult, { Post: { added: 250, updated: 0, deleted: 0 } });
  assert.deepEqual(first.recordCount, { Post: 250 });
  const before = await readAll(nangod, "Post");
  assert.equal(new Set(before.all.map((r) => r.id)).size, 250);
  assert.ok(before.all.every((r) => r._nango_metadata.last_action === "ADDED"));
  const one = before.all.find((r) => r.title === "Post 7");
  assert.match(one.content, /Text of post 7, with/);
  assert.equal(before.all.filter((r) => r.status === "draft").length, 25);

  const users = await nangod.settled("wordpress", "blog", "users", 60);
  assert.deepEqual(users.latestResult, { User: { added: 4, updated: 0, deleted: 0 } });
  const { all: people } = await readAll(nangod, "User");
  assert.deepEqual(people.map((u) => u.email).sort(), [
    "author1@example.org", "author2@example.org", "author3@example.org", "editor@example.org",
  ]);

  const edited = before.all.filter((r) => ["Post 3", "Post 130", "Post 250"].includes(r.title)).map((r) => r.id);
  assert.equal(edited.length, 3);
  for (const id of edited) await wordpress.request("POST", `/posts/${id}`, { title: `Edited ${id}` });
  const added = [];
  for (const title of ["New one", "New two"])
    added.push(String((await wordpress.request("POST", "/posts", { title, content: "x", status: "publish" })).id));

  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["posts"], provider_config_key: "wordpress", connection_id: "blog" } });
  const second = await nangod.settled("wordpress", "blog", "posts", 60);
  assert.deepEqual(second.latestResult, { Post: { added: 2, updated: 3, deleted: 0 } });
  const changes = await readAll(nangod, "Post", before.cursor);
  assert.deepEqual(
    changes.all.map((r) => `${r._nango_metadata.last_action} ${r.id}`).sort(),
    [...edited.map((id) => `UPDATED ${id}`), ...added.map((id) => `ADDED ${id}`)].sort(),
  );
  assert.ok(changes.all.filter((r) => edited.includes(r.id)).every((r) => r.title === `Edited ${r.id}`));

  // One is deleted for good, one goes to the trash: neither is in the list any more.
  const gone = ["Post 20", "Post 200"].map((title) => before.all.find((r) => r.title === title).id);
  await wordpress.request("DELETE", `/posts/${gone[0]}?force=true`);
  await wordpress.request("DELETE", `/posts/${gone[1]}`);
  await nangod.ok("POST", "/sync/trigger", { body: { syncs: ["posts"], provider_config_key: "wordpress", connection_id: "blog" } });
  const third = await nangod.settled("wordpress", "blog", "posts", 60);
  assert.deepEqual(third.latestResult, { Post: { added: 0, updated: 0, deleted: 2 } });
  assert.deepEqual(third.recordCount, { Post: 250 });
  const deletions = await readAll(nangod, "Post", changes.cursor);
  assert.deepEqual(
    deletions.all.map((r) => `${r._nango_metadata.last_action} ${r.id}`).sort(),
    gone.map((id) => `DELETED ${id}`).sort(),
  );
});
