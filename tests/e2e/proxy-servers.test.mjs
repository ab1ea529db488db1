// SPDX-License-Identifier: Apache-2.0
// Real servers behind /proxy, called with the official client: WordPress, and radicale (CalDAV).
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { deflateSync } from "node:zlib";
import { scratch, start } from "./lib/nangod.mjs";
import { startRadicale } from "./lib/radicale.mjs";
import { startWordPress } from "./lib/wordpress.mjs";

const refusal = async (promise) => {
  const error = await promise.then(
    (answer) => assert.fail(`answered ${answer.status}`),
    (e) => e,
  );
  assert.ok(error.response, error.stack);
  return error.response;
};

/** A PNG of n x n grey points that do not repeat. */
function picture(n) {
  const crcs = Array.from({ length: 256 }, (_, i) => {
    for (let k = 0; k < 8; k++) i = i & 1 ? 0xedb88320 ^ (i >>> 1) : i >>> 1;
    return i >>> 0;
  });
  const crc = (data) => (data.reduce((sum, byte) => crcs[(sum ^ byte) & 255] ^ (sum >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;
  const part = (type, data) => {
    const whole = Buffer.alloc(12 + data.length);
    whole.writeUInt32BE(data.length, 0);
    whole.write(type, 4, "latin1");
    data.copy(whole, 8);
    whole.writeUInt32BE(crc(whole.subarray(4, 8 + data.length)), 8 + data.length);
    return whole;
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  header.writeUInt32BE(n, 0);
  header.writeUInt32BE(n, 4);
  const points = Buffer.alloc(n * (n + 1));
  for (let y = 0, seed = 1; y < n; y++)
    for (let x = 1; x <= n; x++) points[y * (n + 1) + x] = (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 16;
  return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), part("IHDR", header), part("IDAT", deflateSync(points)), part("IEND", Buffer.alloc(0))]);
}

test("WordPress", { timeout: 240_000 }, async (t) => {
  const wordpress = await startWordPress(t, 25);
  const nangod = await start(t);
  await nangod.connect("wordpress", { id: "blog", baseUrl: wordpress.url, credentials: wordpress.credentials });
  const { client } = nangod;
  const who = { providerConfigKey: "wordpress", connectionId: "blog" };
  const api = "/wp-json/wp/v2";

  await t.test("its list is read to the end along its links", async () => {
    const ids = new Set();
    let endpoint = `${api}/posts?per_page=7&status=any&_fields=id`;
    let pages = 0;
    while (endpoint) {
      const { data, headers } = await client.get({ ...who, endpoint });
      assert.equal(headers["x-wp-total"], "25");
      assert.match(headers["content-type"], /^application\/json/);
      for (const post of data) ids.add(post.id);
      endpoint = /<([^>]+)>; rel="next"/.exec(headers.link ?? "")?.[1]; // with the base URL, as it came
      pages++;
    }
    assert.equal(ids.size, 25);
    assert.equal(pages, 4);
  });

  await t.test("a post is made, changed, read and deleted", async () => {
    const made = await client.post({ ...who, endpoint: `${api}/posts`, data: { title: "Ünïcode “made”", status: "publish", content: "<p>x</p>" } });
    assert.equal(made.status, 201);
    assert.match(made.headers.location, new RegExp(`/posts/${made.data.id}$`));
    const endpoint = `${api}/posts/${made.data.id}`;
    assert.equal((await client.put({ ...who, endpoint, data: { title: "changed" } })).data.title.raw, "changed");
    assert.equal((await client.patch({ ...who, endpoint, data: { excerpt: "short" } })).data.excerpt.raw, "short");
    assert.equal((await client.get({ ...who, endpoint, params: { context: "edit" } })).data.title.raw, "changed");
    assert.equal((await client.delete({ ...who, endpoint, params: { force: "true" } })).data.deleted, true);
    const { status, data } = await refusal(client.get({ ...who, endpoint }));
    assert.equal(status, 404);
    assert.equal(data.code, "rest_post_invalid_id");
  });

  await t.test("a form makes one, too", async () => {
    const made = await client.post({ ...who, endpoint: `${api}/posts`, data: new URLSearchParams({ title: "of a form & more", status: "draft" }) });
    assert.equal(made.status, 201);
    assert.equal(made.data.title.raw, "of a form & more");
  });

  const image = picture(600);
  const digest = (data) => createHash("sha256").update(data).digest("hex");
  await t.test("a picture goes up as bytes and as a form, and comes down the same", async () => {
    const form = new FormData();
    form.set("file", new Blob([image], { type: "image/png" }), "form.png");
    form.set("title", "of a form");
    const uploads = [
      { data: image, headers: { "Content-Type": "image/png", "Content-Disposition": 'attachment; filename="bytes.png"' } },
      { data: form },
    ];
    for (const upload of uploads) {
      const made = await client.post({ ...who, endpoint: `${api}/media`, ...upload });
      assert.equal(made.status, 201);
      assert.equal(made.data.mime_type, "image/png");
      const endpoint = new URL(made.data.source_url).pathname;
      const down = await client.get({ ...who, endpoint, responseType: "arraybuffer" });
      assert.equal(down.headers["content-type"], "image/png");
      assert.equal(digest(Buffer.from(down.data)), digest(image));
    }
  });

  await t.test("HEAD and OPTIONS are answered by it", async () => {
    const headers = { "provider-config-key": "wordpress", "connection-id": "blog" };
    const head = await nangod.call("HEAD", `/proxy${api}/posts?per_page=7`, { headers });
    assert.equal(head.status, 200);
    assert.equal(head.text, "");
    assert.equal(head.headers.get("x-wp-total"), "23"); // the published ones
    const options = await nangod.call("OPTIONS", `/proxy${api}/posts`, { headers });
    assert.match(options.headers.get("allow"), /GET.*POST/);
    assert.equal(options.body.namespace, "wp/v2");
  });

  await t.test("a wrong password is its refusal, not ours", async () => {
    await nangod.connect("wordpress", { id: "wrong", baseUrl: wordpress.url, credentials: { ...wordpress.credentials, password: "s3cret-no" } });
    const { status, data } = await refusal(client.post({ ...who, connectionId: "wrong", endpoint: `${api}/posts`, data: { title: "x" } }));
    assert.equal(status, 401);
    assert.match(data.code, /^(rest_cannot_create|incorrect_password)$/);
  });

  await t.test("ten at a time are all answered", async () => {
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => client.get({ ...who, endpoint: `${api}/posts?per_page=1&offset=${i % 20}&_fields=id,title` })));
    for (const [i, { data }] of all.entries()) assert.deepEqual(data, all[i % 20].data);
    assert.equal(new Set(all.map(({ data }) => data[0].id)).size, 20);
  });
});

const event = (uid, summary) =>
  ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", `UID:${uid}`, "DTSTAMP:20260101T000000Z", "DTSTART:20260102T100000Z",
    "DTEND:20260102T110000Z", `SUMMARY:${summary}`, "END:VEVENT", "END:VCALENDAR", ""].join("\r\n");

test("radicale, a calendar server", { timeout: 120_000 }, async (t) => {
  const radicale = await startRadicale(t);
  const file = join(scratch(t), "providers.yaml");
  writeFileSync(file, "calendar:\n    display_name: Calendar\n    auth_mode: BASIC\n    proxy:\n        base_url: ${connectionConfig.base}\n");
  const nangod = await start(t, { env: { NANGO_PROVIDERS: file } });
  await nangod.connect("calendar", { id: "ann", connection_config: { base: `${radicale.url}/ann` }, credentials: radicale.credentials });
  const { client } = nangod;
  const who = { providerConfigKey: "calendar", connectionId: "ann" };
  const xml = { "Content-Type": "application/xml; charset=utf-8" };

  await t.test("a calendar is made by a method that the client does not know", async () => {
    const { status } = await nangod.call("MKCALENDAR", "/proxy/office/", { raw: true, headers: { "provider-config-key": "calendar", "connection-id": "ann" } });
    assert.equal(status, 201);
  });

  const etags = {};
  await t.test("events are put, and not over one that is there", async () => {
    for (const n of [1, 2, 3]) {
      const headers = { "Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*" };
      const put = await client.put({ ...who, endpoint: `/office/${n}.ics`, data: event(`e${n}`, `Nummer ${n} – ü`), headers });
      assert.equal(put.status, 201);
      etags[n] = put.headers.etag;
      const again = await refusal(client.put({ ...who, endpoint: `/office/${n}.ics`, data: event(`e${n}`, "again"), headers }));
      assert.equal(again.status, 412);
    }
  });

  await t.test("PROPFIND lists them", async () => {
    const data = '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getetag/><resourcetype/></prop></propfind>';
    const found = await client.proxy({ ...who, method: "PROPFIND", endpoint: "/office/", data, headers: { ...xml, Depth: "1" } });
    assert.equal(found.status, 207);
    for (const n of [1, 2, 3]) {
      assert.match(found.data, new RegExp(`/ann/office/${n}.ics`));
      assert.ok(found.data.includes(etags[n].replaceAll('"', "&quot;")) || found.data.includes(etags[n]));
    }
  });

  await t.test("REPORT gives those that are asked for, with what is in them", async () => {
    const data = `<?xml version="1.0"?><C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
      <prop><getetag/><C:calendar-data/></prop><href>/ann/office/2.ics</href></C:calendar-multiget>`;
    const report = await client.proxy({ ...who, method: "REPORT", endpoint: "/office/", data, headers: { ...xml, Depth: "1" } });
    assert.equal(report.status, 207);
    assert.match(report.data, /SUMMARY:Nummer 2 – ü/);
    assert.doesNotMatch(report.data, /Nummer [13]/);
  });

  await t.test("one is read, and deleted by its version", async () => {
    const one = await client.get({ ...who, endpoint: "/office/3.ics", responseType: "text" });
    assert.match(one.headers["content-type"], /^text\/calendar/);
    assert.equal(one.headers.etag, etags[3]);
    assert.match(one.data, /UID:e3/);
    assert.equal((await refusal(client.delete({ ...who, endpoint: "/office/3.ics", headers: { "If-Match": '"other"' } }))).status, 412);
    assert.equal((await client.delete({ ...who, endpoint: "/office/3.ics", headers: { "If-Match": etags[3] } })).status, 200);
    assert.equal((await refusal(client.get({ ...who, endpoint: "/office/3.ics" }))).status, 404);
  });

  await t.test("OPTIONS says what it can", async () => {
    const answer = await nangod.call("OPTIONS", "/proxy/office/", { raw: true, headers: { "provider-config-key": "calendar", "connection-id": "ann" } });
    assert.match(answer.headers.get("dav"), /calendar-access/);
    assert.match(answer.headers.get("allow"), /REPORT/);
  });

  await t.test("another's calendar is refused by it", async () => {
    await nangod.connect("calendar", { id: "eve", connection_config: { base: `${radicale.url}/ann` }, credentials: { ...radicale.credentials, password: "s3cret" } });
    const answer = await refusal(client.get({ ...who, connectionId: "eve", endpoint: "/office/1.ics" }));
    assert.equal(answer.status, 401);
    assert.equal(answer.headers["www-authenticate"], undefined);
  });
});
