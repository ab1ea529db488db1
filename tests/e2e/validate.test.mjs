// SPDX-License-Identifier: Apache-2.0
// The validator of records against ajv, on the JSON Schema that the spec gives out: records are made
// from the model, and one thing in most of them is put wrong. Both must say the same of each.
//
// Where they differ on purpose is left to tests/unit/validate.c: an integer beyond int64, 1.0 as an
// integer, U+0000 in a text, 1e400 (JavaScript reads it as Infinity), an offset without minutes.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import Ajv from "ajv";
import formats from "ajv-formats";
import { program, scratch } from "./lib/nangod.mjs";

const yaml = `nango: 1
provider: p
version: 1.0.0
syncs: {s: {runs: every 1h, models: [Thing]}}
models:
  Thing:
    id: string
    count: integer
    some: "integer?"
    ratio: "number | null"
    price: decimal
    is_on: boolean
    day: date
    later: "(date | null)?"
    state: open | 'On Hold' | it-is
    raw: json
    void: "null?"
    tags: "string[]"
    sizes: "integer[]?"
    days: "date[]?"
    owner: "Person?"
    people: "Person[]"
    bag: "Bag?"
  Person: {name: string, age: "integer?", boss: "(Person | null)?"}
  Bag: {id: integer, $extra: keep}
`;

/** A random number that is the same in every run. */
function random(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const texts = ["", "a", "déjà", "\u{1f600}", 'q"\\\n', "2024-01-01", "open", "1.5", "null"];
const dates = [
  "2024-02-29", "2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "24-01-01", "2024-1-1", "2024-04-31",
  "2024-01-01T00:00:00Z", "2024-01-01t00:00:00z", "2024-01-01 00:00:00Z", "2024-01-01T23:59:60Z", "2024-01-01T22:59:60-01:00",
  "2024-01-01T12:00:60Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00Z",
  "2024-01-01T00:00:00.5+05:30", "2024-01-01T00:00:00.+05:30", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+05:60",
  "2024-01-01T00:00:00Z ", " 2024-01-01", "2024-01-01T",
];
const decimals = ["0", "-0", "10.50", "1e5", "-1.5E-3", "123456789012345678901234567890", "01", "1.", ".5", "+1", "1,5", "", "0x1", "1e", "NaN"];
const goodDates = [dates[0], ...dates.slice(8, 13)];
const anything = [null, true, false, 0, -1, 1.5, 9007199254740991, "", "a", [], {}, ["a"], [null], { name: "x" }, "2024-01-01", "open"];

function makers(pick) {
  const one = (list) => structuredClone(list[pick(list.length)]);
  const mostly = (good, all) => one(pick(10) ? good : all);
  const date = () => mostly(goodDates, dates);
  const maybe = (make) => (pick(2) ? make() : undefined);
  const list = (make) => Array.from({ length: pick(4) }, make);
  const integer = () => one([0, -5, 7, 2 ** 40, -(2 ** 53) + 1]);
  const person = (depth = 0) => ({
    name: one(texts),
    age: maybe(integer),
    boss: depth > 3 ? undefined : one([undefined, null, person(depth + 1)]),
  });
  const thing = () => ({
    id: one(texts), count: integer(), some: maybe(integer), ratio: one([null, 0.5, -1e300, 3]), price: mostly(decimals.slice(0, 6), decimals),
    is_on: one([true, false]), day: date(), later: one([undefined, null, date()]), state: one(["open", "On Hold", "it-is"]),
    raw: one(anything), void: one([undefined, null]), tags: list(() => one(texts)), sizes: maybe(() => list(integer)),
    days: maybe(() => list(date)), owner: maybe(person), people: list(() => person()),
    bag: maybe(() => ({ id: integer(), [one(["x", "déjà"])]: one(anything) })),
  });
  return { thing, one };
}

/** Every object and list within, itself included. */
function* containers(value) {
  if (value === null || typeof value !== "object") return;
  yield value;
  for (const inner of Object.values(value)) yield* containers(inner);
}

/** Puts one thing wrong, or perhaps right. */
function damage(thing, pick, one) {
  const all = [...containers(thing)];
  const at = all[pick(all.length)];
  const keys = Object.keys(at);
  if (keys.length === 0 || pick(6) === 0) {
    if (Array.isArray(at)) at.push(one(anything));
    else at[one(["x", "id", "name"])] = one(anything);
  } else if (pick(4) === 0 && !Array.isArray(at)) {
    delete at[one(keys)];
  } else {
    at[one(keys)] = one(anything);
  }
}

async function start(t) {
  const dir = scratch(t);
  const file = join(dir, "plugin.yaml");
  await writeFile(file, yaml);
  const child = spawn(program("tests/validate-lines"), [file, "Thing"], { stdio: ["pipe", "pipe", "inherit"] });
  return async (lines) => {
    child.stdin.end(lines.join("\n") + "\n");
    let out = "";
    for await (const piece of child.stdout) out += piece;
    const [schema, ...verdicts] = out.trimEnd().split("\n");
    return { schema: JSON.parse(schema), verdicts };
  };
}

test("records: the validator and ajv agree on each of 3,000", async (t) => {
  const pick = random(7);
  const { thing, one } = makers(pick);
  const records = Array.from({ length: 3000 }, (_, i) => {
    const made = thing();
    for (let times = i % 3; times > 0; times--) damage(made, pick, one);
    return JSON.stringify(made);
  });
  const ask = await start(t);
  const { schema, verdicts } = await ask(records);
  const ajv = new Ajv({ strict: false, allErrors: false });
  formats(ajv);
  const check = ajv.compile(schema);
  assert.equal(verdicts.length, records.length);
  let good = 0;
  for (const [i, text] of records.entries()) {
    const fits = check(JSON.parse(text));
    good += fits;
    assert.equal(verdicts[i] === "ok", fits, `${verdicts[i]} | ${JSON.stringify(check.errors)} | ${text}`);
  }
  // A test in which nearly all are bad, or good, would prove little.
  assert.ok(good > 150 && good < 2850, `${good} fit`);
});
