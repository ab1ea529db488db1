// SPDX-License-Identifier: Apache-2.0
// The signers of runtime/auth against those of npm: what they sign, these verify or sign alike.
import assert from "node:assert/strict";
import { createPublicKey, createSecretKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { exportJWK, jwtVerify, SignJWT } from "jose";
import { program, run } from "./lib/nangod.mjs";

/** The answers of the C signers, one a row. */
async function signed(rows) {
  const done = await run(program("tests/auth-signers-lines"), [], { input: rows.map((row) => `${JSON.stringify(row)}\n`).join("") });
  assert.equal(done.code, 0, done.stderr);
  const answers = done.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(answers.length, rows.length);
  return answers;
}

// ---- JWT: jose ----

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const ed25519 = generateKeyPairSync("ed25519").privateKey;
const pems = [
  ["RS256", rsa, "pkcs8"], ["RS256", rsa, "pkcs1"], ["PS256", rsa, "pkcs8"], ["PS256", rsa, "pkcs1"],
  ["ES256", ec, "pkcs8"], ["ES256", ec, "sec1"], ["EdDSA", ed25519, "pkcs8"],
];
const middle = (pem) => pem.replace(/-----[^-]+-----/g, "").trim();
const spellings = {
  "as it is": (pem) => pem,
  "without the last line end": (pem) => pem.trim(),
  "line ends of Windows": (pem) => pem.replaceAll("\n", "\r\n"),
  "line ends of old": (pem) => pem.replaceAll("\n", "\r"),
  "line ends written out": (pem) => pem.replaceAll("\n", "\\n"),
  "line ends of Windows written out": (pem) => pem.replaceAll("\n", "\\r\\n"),
  "line ends written out twice": (pem) => pem.replaceAll("\n", "\\\\n"),
  "one line with spaces": (pem) => pem.replaceAll("\n", " "),
  "one line with nothing": (pem) => pem.replaceAll("\n", ""),
  "indented": (pem) => pem.replaceAll("\n", "\n    "),
  "in quotes": (pem) => JSON.stringify(pem),
  "no BEGIN and END": middle,
  "no BEGIN and END, one line": (pem) => middle(pem).replaceAll("\n", ""),
  "no BEGIN and END, line ends written out": (pem) => middle(pem).replaceAll("\n", "\\n"),
  "no END": (pem) => pem.replace(/-----END.*/, ""),
  "base64 of it": (pem) => Buffer.from(pem).toString("base64"),
  "base64 of it, in lines": (pem) => Buffer.from(pem).toString("base64").replace(/.{76}/g, "$&\n"),
  "base64 of it with line ends written out": (pem) => Buffer.from(pem.replaceAll("\n", "\\n")).toString("base64"),
};

test("jose verifies what is signed with every algorithm and every spelling of its key", async () => {
  const rows = [];
  for (const [alg, key, type] of pems)
    for (const [spelling, spell] of Object.entries(spellings)) {
      const text = spell(key.export({ type, format: "pem" }));
      rows.push({ signer: "jwt", header: { typ: "JWT", alg, kid: "k/1" }, payload: { iss: spelling, n: rows.length, ä: "€\n" }, key: text, public: createPublicKey(key) });
    }
  const answers = await signed(rows);
  for (const [i, row] of rows.entries()) {
    assert.equal(answers[i].message, undefined, `${row.header.alg} ${row.payload.iss}`);
    const { payload, protectedHeader } = await jwtVerify(answers[i].out, row.public, { algorithms: [row.header.alg] });
    assert.equal(JSON.stringify(payload), JSON.stringify(row.payload));
    assert.equal(JSON.stringify(protectedHeader), JSON.stringify(row.header));
  }
  assert.equal(rows.length, 7 * 18);
});

test("jose verifies tokens of secrets as text and in hexadecimal digits", async () => {
  const rows = ["HS256", "HS384", "HS512"].flatMap((alg) => [
    { signer: "jwt", header: { alg }, payload: { alg }, key: "a secret of 32 bytes, with ä and €" },
    { signer: "jwt", header: { alg }, payload: { alg }, key: "x".repeat(200) }, // over the block of the hash
    { signer: "jwt", header: { alg }, payload: { alg }, key: "00fF".repeat(16), hex: true },
  ]);
  const answers = await signed(rows);
  for (const [i, row] of rows.entries()) {
    const secret = createSecretKey(Buffer.from(row.key, row.hex ? "hex" : "utf8"));
    assert.deepEqual((await jwtVerify(answers[i].out, secret)).payload, row.payload);
    await assert.rejects(jwtVerify(answers[i].out, createSecretKey(Buffer.from("another secret of 32 bytes, ä and €"))));
  }
});

test("jose verifies tokens of RSA keys given as JWK, with and without primes", async () => {
  const rows = [];
  for (const bits of [2048, 3072, 4096]) {
    const key = generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
    const { kty, n, e, d, ...primes } = await exportJWK(key);
    for (const alg of ["RS256", "PS256"])
      for (const jwk of [{ kty, n, e, d, ...primes }, { kty, n, e, d }])
        rows.push({ signer: "jwt", header: { alg, kid: "1" }, payload: { sub: "client", bits }, jwk, public: createPublicKey(key) });
  }
  const answers = await signed(rows);
  for (const [i, row] of rows.entries()) assert.deepEqual((await jwtVerify(answers[i].out, row.public)).payload, row.payload, answers[i].message);
});

test("a refusal never shows the key", async () => {
  const damage = [(pem) => pem.slice(0, 300), (pem) => pem.replace(/[A-Z]{2}/g, "##"), (pem) => pem.split("\n").toSpliced(1, 1).join("\n"), (pem) => `x${middle(pem).slice(4)}`];
  const rows = pems.flatMap(([, key, type]) => damage.map((spoil) => ({ signer: "jwt", header: { alg: "RS256" }, payload: {}, key: spoil(key.export({ type, format: "pem" })) })));
  const answers = await signed(rows);
  for (const [i, row] of rows.entries()) {
    assert.equal(answers[i].error, "invalid_credentials", row.key);
    for (const line of middle(row.key).split("\n").filter(Boolean)) assert.ok(!answers[i].message.includes(line.slice(0, 8)), answers[i].message);
  }
});

test("claims are read from what jose signed", async () => {
  const claims = { exp: 1893456000, tid: "t-1", nested: { a: [1, null, "ä"] } };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "ES256" }).sign(ec);
  const [answer, none] = await signed([{ signer: "claims", token }, { signer: "claims", token: token.slice(1 + token.indexOf(".")) }]);
  assert.deepEqual(JSON.parse(answer.out), claims);
  assert.equal(none.error, "invalid_credentials");
});
