// SPDX-License-Identifier: Apache-2.0
// Cron expressions against croner from npm, in time zones with and without summer time.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { program, run } from "./lib/nangod.mjs";

const { Cron } = createRequire(import.meta.url)("croner");

/** Our answers: seconds, -1 for never, or "refused". */
async function ours(rows) {
  const input = rows.map(({ zone, after, text }) => `${zone}\t${after}\t${text}\n`).join("");
  const done = await run(program("tests/cron-next"), [], { input });
  assert.equal(done.code, 0, done.stderr);
  return done.stdout.trim().split("\n").map((line) => (line === "refused" ? line : Number(line)));
}

function theirs({ zone, after, text }) {
  try {
    const next = new Cron(text, { timezone: zone, paused: true }).nextRun(new Date(after * 1000));
    return next === null ? -1 : next.getTime() / 1000;
  } catch {
    return "refused";
  }
}

/** A generator of equal rows in every run. */
function random(seed) {
  let state = seed >>> 0;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return { below: (n) => Math.floor(next() * n), pick: (list) => list[Math.floor(next() * list.length)] };
}

const zones = ["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Auckland", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"];
const seconds = (text) => Date.parse(text) / 1000;
/** Around both changes of clocks in Berlin, New York, Sydney; New Year; the leap day. */
const instants = ["2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z", "2026-03-08T00:30:00Z", "2026-11-01T00:30:00Z", "2026-04-04T10:00:00Z", "2026-10-03T10:00:00Z", "2026-12-31T23:59:30Z", "2027-02-28T23:00:00Z", "2028-02-28T23:00:00Z", "2026-07-15T08:15:00Z", "2045-06-01T00:00:00Z"].map(seconds);

const table = [
  "0 6 * * 1-5", "30 2 * * *", "*/15 9-17 * * mon-fri", "0 0 1 * *", "0 0 L * *", "0 0 LW * *", "0 0 15W * *", "0 0 1W * *", "0 0 31W * *",
  "0 9 * * 5#2", "0 9 * * 5L", "0 9 * * FRI#L", "0 0 13 * 5", "0 0 13 * +5", "0 12 29 2 *", "0 0 1,L * *", "0 4 L,5W * 5#1", "0 0 * * 5#1,5#3",
  "*/20 30 2 * * *", "15,45 10 8 * jan-mar *", "0 22-23 * * 7", "0 3 */2 * *", "5 4 * * sun", "0 0,12 1 */2 *", "1-59/7 3 * * *", "0 1 30 * *",
  "@daily", "@weekly", "@monthly", "@yearly", "@annually", "@midnight", " 0  5 * * * ", "01 002 * * *", "0 0 * * MON,WED#2", "0 0 30 2 *",
];
const refused = [
  "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 8", "* * * *", "", "a * * * *", "*/0 * * * *", "*/61 * * * *", "5-3 * * * *",
  "1,,2 * * * *", "* * * * 5#6", "* * * * 5#0", "1#2 * * * *", "+ * * * *", "* * W * *", "* * 1-10W * *", "5/15 * * * *", "/5 * * * *", "-5 * * * *", "5- * * * *",
  "* * L-3 * *", "* * * * L", "* * * * MON#1-WED#2", "@reboot", "0 0 * * 6-1", "* * +13 * *", "0.5 * * * *", "0 0 0x1 * *",
];

/**
 * Croner 10.0.1 steps over 1 March when it starts at the end of February and the list of days names
 * one that February lacks ("0 3 1,30 * *" on 28 February); from 1 March on it agrees.
 */
const isMarchFault = (row, got) => new Date(row.after * 1000).getUTCMonth() === 1 && theirs({ ...row, after: got - 1 }) === got;

/** No row has every hour: there croner goes by the clock's face, ours by real time (tests/unit/cron.c). */
function made(count) {
  const { below, pick } = random(7);
  const field = (min, max) =>
    pick([
      () => "*",
      () => String(min + below(max - min + 1)),
      () => `*/${1 + below(max - min)}`,
      () => { const a = min + below(max - min); return `${a}-${a + below(max - a + 1)}`; },
      () => { const a = min + below(max - min); return `${a}-${max}/${1 + below(5)}`; },
      () => `${min + below(max - min + 1)},${min + below(max - min + 1)}`,
    ])();
  return Array.from({ length: count }, () => {
    const hour = pick([() => String(below(24)), () => `${below(12)}-${12 + below(11)}`, () => `*/${2 + below(10)}`, () => `${below(24)},${below(24)}`])();
    const fields = [field(0, 59), hour, field(1, 31), pick(["*", "*", "*", field(1, 12)]), pick(["*", "*", field(0, 6), `${below(7)}#${1 + below(5)}`])];
    if (below(4) === 0) fields.unshift(field(0, 59));
    return { zone: pick(zones), after: pick([() => pick(instants), () => seconds("2026-01-01T00:00:00Z") + below(3 * 365 * 86400)])(), text: fields.join(" ") };
  });
}

test("cron: the next instant is croner's, in 13 zones", async () => {
  const rows = made(1500);
  for (const text of table) for (const zone of zones.slice(0, 6)) for (const after of instants) rows.push({ zone, after, text });
  const got = await ours(rows);
  let compared = 0;
  const wrong = [];
  rows.forEach((row, i) => {
    const want = theirs(row);
    if (got[i] !== want && isMarchFault(row, got[i])) return;
    compared++;
    if (got[i] !== want) wrong.push({ ...row, got: got[i] > 0 ? new Date(got[i] * 1000).toISOString() : got[i], want: want > 0 ? new Date(want * 1000).toISOString() : want });
  });
  assert.ok(compared > rows.length - 10 && compared >= 3000);
  assert.deepEqual(wrong.slice(0, 12), [], `${wrong.length} of ${compared} differ`);
});

test("cron: what croner refuses is refused", async () => {
  const rows = refused.map((text) => ({ zone: "UTC", after: instants[0], text }));
  const got = await ours(rows);
  rows.forEach((row, i) => {
    assert.equal(theirs(row), "refused", `croner takes "${row.text}"`);
    assert.equal(got[i], "refused", `"${row.text}"`);
  });
});
