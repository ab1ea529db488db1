// SPDX-License-Identifier: Apache-2.0
// Placeholders of templates: 2,000 random ones, against an expansion of their own written here from
// templates/README.md, with Node's cryptography, dates and encodeURIComponent.
import assert from "node:assert/strict";
import { createHash, createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deployItems } from "./lib/items.mjs";
import { program, run, scratch, top } from "./lib/nangod.mjs";

/** A generator of equal rows in every run. */
function generator(seed) {
  let state = seed >>> 0;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const below = (n) => Math.floor(next() * n);
  return { below, pick: (list) => list[below(list.length)] };
}

// ---- the oracle ----

class Unresolved extends Error {}
class Refused extends Error {}

const units = { millisecond: 1, second: 1e3, minute: 6e4, hour: 36e5, day: 864e5, week: 6048e5 };
const pad = (n, width) => String(n).padStart(width, "0");
const name = (date, options) => new Intl.DateTimeFormat("en-US", { timeZone: "UTC", ...options }).format(date);
const tokens = {
  YYYY: (d) => pad(d.getUTCFullYear(), 4), YY: (d) => pad(d.getUTCFullYear() % 100, 2),
  MMMM: (d) => name(d, { month: "long" }), MMM: (d) => name(d, { month: "short" }), MM: (d) => pad(d.getUTCMonth() + 1, 2), M: (d) => d.getUTCMonth() + 1,
  DD: (d) => pad(d.getUTCDate(), 2), D: (d) => d.getUTCDate(),
  dddd: (d) => name(d, { weekday: "long" }), ddd: (d) => name(d, { weekday: "short" }), d: (d) => d.getUTCDay(),
  HH: (d) => pad(d.getUTCHours(), 2), H: (d) => d.getUTCHours(), hh: (d) => pad(d.getUTCHours() % 12 || 12, 2), h: (d) => d.getUTCHours() % 12 || 12,
  mm: (d) => pad(d.getUTCMinutes(), 2), m: (d) => d.getUTCMinutes(), ss: (d) => pad(d.getUTCSeconds(), 2), s: (d) => d.getUTCSeconds(),
  SSS: (d) => pad(d.getUTCMilliseconds(), 3), A: (d) => (d.getUTCHours() < 12 ? "AM" : "PM"), a: (d) => (d.getUTCHours() < 12 ? "am" : "pm"),
  ZZ: () => "+0000", Z: () => "+00:00", X: (d) => Math.floor(d / 1000), x: (d) => d.getTime(),
};
const tokenPattern = new RegExp(`\\[[^\\]]*\\]|${Object.keys(tokens).join("|")}`, "g");

function addMonths(date, count) {
  const out = new Date(date);
  out.setUTCDate(1);
  out.setUTCMonth(out.getUTCMonth() + count);
  const last = new Date(Date.UTC(out.getUTCFullYear(), out.getUTCMonth() + 1, 0)).getUTCDate();
  out.setUTCDate(Math.min(date.getUTCDate(), last));
  return out;
}

function now(text, ms) {
  const match = /^now(?:([+-])(\d{1,9}):([a-z]+))?(?::(.*))?$/s.exec(text);
  if (!match) return undefined;
  let date = new Date(ms);
  if (match[1]) {
    const count = Number(match[2]) * (match[1] === "-" ? -1 : 1);
    const unit = match[3].replace(/s$/, "");
    if (unit === "month") date = addMonths(date, count);
    else if (unit === "year") date = addMonths(date, 12 * count);
    else if (units[unit]) date = new Date(ms + count * units[unit]);
    else return undefined;
  }
  if (match[4] === undefined) return date.toISOString();
  return match[4].replace(tokenPattern, (token) => (token[0] === "[" ? token.slice(1, -1) : tokens[token](date)));
}

const at = (object, path) => {
  const dotted = path.split(".").reduce((value, part) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value[part] : undefined), object);
  return dotted ?? object?.[path];
};

function lookUp(row, text) {
  const dot = text.indexOf(".");
  const prefix = dot < 0 ? "" : text.slice(0, dot);
  if (["credentials", "connectionConfig", "metadata", "assertionOption"].includes(prefix)) return at(row[prefix], text.slice(dot + 1));
  const step = /^step([1-9]\d*)\.(.+)$/s.exec(text);
  if (step) return at(row.steps[step[1] - 1], step[2]);
  return at(row.values, text) ?? at(row.credentials, text === "accessToken" ? "access_token" : text) ?? at(row.connectionConfig, text)
    ?? (text === "random" ? row.random : now(text, row.now));
}

function value(row, text) {
  const found = lookUp(row, text);
  const isSetting = /^(connectionConfig|metadata)\./.test(text);
  if (found === undefined || found === null || typeof found === "object" || (found === "" && isSetting)) throw new Unresolved(text);
  return String(found);
}

/** The index behind the placeholder that begins at `from`, or -1. */
function closes(text, from) {
  if (!text.startsWith("${", from)) return -1;
  let depth = 0;
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === "{") depth++;
    if (text[i] === "}" && --depth === 0) return i + 1;
  }
  return -1;
}

/** Parts text where `is` says so, outside placeholders. */
function parts(text, separator) {
  const out = [""];
  for (let i = 0; i < text.length;) {
    const end = closes(text, i);
    if (end > 0) out[out.length - 1] += text.slice(i, end);
    else if (text.startsWith(separator, i)) out.push("");
    else out[out.length - 1] += text[i];
    i = end > 0 ? end : i + (text.startsWith(separator, i) ? separator.length : 1);
  }
  return out;
}

const digest = (text, encoding) => createHash("sha256").update(text).digest(encoding);
const readKey = (pem) => {
  try {
    return createPrivateKey(pem.replaceAll("\\n", "\n"));
  } catch {
    throw new Refused(pem);
  }
};
const functions = {
  base64: [1, 1, (text) => Buffer.from(text).toString("base64")],
  sha256Hex: [1, 1, (text) => digest(text, "hex")],
  sha256Base64: [1, 1, (text) => digest(text, "base64")],
  hmacSha1Hex: [2, 2, (text, key) => createHmac("sha1", key).update(text).digest("hex")],
  ed25519Sign: [2, 2, (text, pem) => sign(null, Buffer.from(text), readKey(pem)).toString("base64")],
  fingerprint: [1, 1, (pem) => `SHA256:${createHash("sha256").update(createPublicKey(readKey(pem)).export({ type: "spki", format: "der" })).digest("base64")}`],
  awsSigV4: [4, 5, (...list) => ["signed", ...list].join(";")],
};

function call(row, fn, text) {
  const [least, most, body] = functions[fn] ?? [];
  if (!body) throw new Unresolved(fn);
  let list = most === 1 ? [text] : parts(text, ",");
  if (most === 2 && list.length > 2) list = [list.slice(0, -1).join(","), list.at(-1)];
  if (list.length < least || list.length > most) throw new Refused(fn);
  return body(...list.map((part, i) => alternative({ ...row, mode: "text" }, i > 0 ? part.replace(/^[ \t\n]+|[ \t\n]+$/g, "") : part)));
}

function encode(row, before, text) {
  if (row.mode !== "url" || before === null) return text;
  const isHost = /:\/\/[^/?#]*$/.test(before) && /^[A-Za-z0-9.-]+:\d+$/.test(text);
  return isHost ? text : encodeURIComponent(text);
}

function alternative(row, text) {
  let out = "";
  for (let i = 0; i < text.length;) {
    const end = closes(text, i);
    if (end < 0) {
      out += text[i++];
      continue;
    }
    const inside = text.slice(i + 2, end - 1);
    const match = /^([A-Za-z0-9]+)\((.*)\)$/s.exec(inside);
    out += encode(row, i === 0 ? null : out, match ? call(row, match[1], match[2]) : value(row, inside));
    i = end;
  }
  return out;
}

function oracle(row) {
  const list = row.mode === "whole" ? [row.template] : parts(row.template, "||");
  for (const [i, text] of list.entries()) {
    try {
      return { text: alternative(row, list.length > 1 ? text.replace(/^[ \t\n]+|[ \t\n]+$/g, "") : text) };
    } catch (error) {
      if (error instanceof Refused) return { error: "invalid_template" };
      if (!(error instanceof Unresolved)) throw error;
      if (i === list.length - 1) return { error: "not_found" };
    }
  }
}

// ---- rows ----

const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
const words = ["", "", "", "acme", "a b", "x/y?z#w", "ä€😀", "100%", "q&a=1+2", "(p)", "{b}", "h.example:8443", "h:x", "https://api.example/v1", "a,b, c", "line\none", "!*'()-_.~", "0"];
const keys = ["apiKey", "username", "password", "access_token", "subdomain", "accounts-server", "a.b", "raw"];

function scope({ pick, below }) {
  const object = () => Object.fromEntries(keys.filter(() => below(3) > 0).map((key) => [key, pick([pick(words), pick(words), below(1e9), below(2) === 1, null, { id: pick(words), b: { c: below(9) } }, [1]])]));
  return {
    values: below(2) ? { method: pick(["GET", "POST"]), token: pick(words), path: "/v1/ä" } : {},
    credentials: { ...object(), pem, line: pem.replaceAll("\n", "\\n") }, connectionConfig: object(), metadata: object(), assertionOption: object(),
    steps: [object(), { data: object() }], now: Date.UTC(2024, below(24), 1 + below(31), below(24), below(60), below(60), below(1000)),
    random: "3b241101-e2bb-4255-8caf-4136c566a962",
  };
}

function template({ pick, below }) {
  const key = () => pick([...keys, "raw.id", "raw.b.c", "nope"]);
  const literal = () => pick(["", "https://", "/", "/v1?q=", "Bearer ", ", ", "(", ")", "{", "{{$guid}}", "$", "a|b", " ", "\n", "ä", "://x", ".example.com"]);
  const placeholder = (depth) => pick([
    () => key(), () => `credentials.${key()}`, () => `connectionConfig.${key()}`, () => `metadata.${key()}`, () => `assertionOption.${key()}`,
    () => `step${1 + below(3)}.${pick(["", "data."])}${key()}`, () => pick(["method", "token", "path", "accessToken", "random", "now"]),
    () => `now:${pick(["YYYY-MM-DDTHH:mm:ss", "YYYYMMDDTHHmmss[Z]", "ddd, DD MMM YYYY HH:mm:ss ZZ", "X", "x", "dddd D MMMM YY h:m:s.SSS a A Z", "[at] H"])}`,
    () => `now${pick(["+", "-"])}${below(400)}:${pick([...Object.keys(units), "month", "year", "moon"])}${pick(["", "s"])}${pick(["", ":X", ":YYYY-MM-DD HH:mm"])}`,
    ...(depth > 2 ? [] : [() => `${pick(["base64", "sha256Hex", "sha256Base64", "nope"])}(${text(depth + 1)})`, () => `base64(${text(depth + 1)})`,
      () => `hmacSha1Hex(${text(depth + 1)}, ${text(depth + 1)})`, () => `ed25519Sign(${text(depth + 1)}, \${credentials.${pick(["pem", "line", "apiKey"])}})`,
      () => "fingerprint(${credentials.pem})", () => `awsSigV4(${Array.from({ length: 3 + below(4) }, () => text(depth + 1).replaceAll(",", "")).join(", ")})`]),
  ])();
  function text(depth) {
    return Array.from({ length: 1 + below(3) }, () => (below(2) ? literal() : `\${${placeholder(depth)}}`)).join("");
  }
  const whole = Array.from({ length: below(4) === 0 ? 2 + below(2) : 1 }, () => text(0)).join(pick([" || ", "||"]));
  return below(20) === 0 ? whole.slice(0, below(whole.length)) : whole;
}

test("2,000 random templates are expanded as the oracle does", async () => {
  const random = generator(11);
  const rows = Array.from({ length: 2000 }, () => ({ template: template(random), mode: random.pick(["text", "url", "url", "whole"]), ...scope(random) }));
  const done = await run(program("tests/expand-lines"), [], { input: rows.map((row) => `${JSON.stringify(row)}\n`).join("") });
  assert.equal(done.code, 0, done.stderr);
  const answers = done.stdout.trim().split("\n").map((line) => JSON.parse(line));
  const kinds = {};
  for (const [i, row] of rows.entries()) {
    const expected = oracle(row);
    assert.deepEqual(answers[i], expected, JSON.stringify(row));
    kinds[expected.error ?? "text"] = (kinds[expected.error ?? "text"] ?? 0) + 1;
  }
  // Rows that say nothing would agree, too.
  assert.ok(kinds.text > 500 && kinds.not_found > 100 && kinds.invalid_template > 10, JSON.stringify(kinds));
});

test("500 random configurations make the URLs that Node makes of them", async () => {
  const random = generator(12);
  const templates = [
    "https://${connectionConfig.subdomain}.example.com/${connectionConfig.a.b}?q=${connectionConfig.username}", "${connectionConfig.apiKey} || https://api.example.com/v1",
    "https://${connectionConfig.accounts-server}/oauth/${connectionConfig.raw.b.c}", "https://example.com/?d=${now:YYYY-MM-DDTHH:mm:ss}&b=${base64(${connectionConfig.apiKey})}",
  ];
  const settings = () => Object.fromEntries(keys.map((key) => [key, random.pick(words.slice(3))]));
  const rows = Array.from({ length: 500 }, () => ({ template: random.pick(templates), mode: "url", ...scope(random), connectionConfig: { ...settings(), raw: { b: { c: random.below(9) } } } }));
  const done = await run(program("tests/expand-lines"), [], { input: rows.map((row) => `${JSON.stringify(row)}\n`).join("") });
  const answers = done.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(answers, rows.map(oracle));
  assert.ok(answers.filter(({ text }) => text).length === 500);
});

test("all headers and parameters of a request agree on the time and on chance; what does not resolve is left out", async (t) => {
  const dir = join(scratch(t), "templates");
  mkdirSync(dir);
  const own = readFileSync(join(top, "templates/unauthenticated.yaml"), "utf8");
  writeFileSync(
    join(dir, "unauthenticated.yaml"),
    own.replace("proxy:\n", "proxy:\n    headers: {x-one: '${random}', x-two: 'a ${random}', x-time: '${now:x}', x-number: 5, x-none: '${metadata.nope}', x-else: '${metadata.nope} || b'}\n    query: {stamp: '${now:x}', none: '${metadata.nope}'}\n"),
  );
  const { nangod, provider, connect } = await deployItems(t, { env: { NANGO_TEMPLATES: dir } });
  await connect();
  await nangod.settled("unauthenticated", "acme", "items");
  const { headers, query } = provider.requests[0];
  assert.match(headers["x-one"], /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(headers["x-two"], `a ${headers["x-one"]}`);
  assert.ok(Math.abs(Number(headers["x-time"]) - Date.now()) < 600_000);
  assert.equal(query.get("stamp"), headers["x-time"]);
  assert.deepEqual([headers["x-number"], headers["x-none"], headers["x-else"], query.has("none")], ["5", undefined, "b", false]);
});
