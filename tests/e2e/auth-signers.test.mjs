// SPDX-License-Identifier: Apache-2.0
// The signers of runtime/auth against those of npm: what they sign, these verify or sign alike.
import assert from "node:assert/strict";
import { createHash, createHmac, createPublicKey, createSecretKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import aws4 from "aws4";
import { exportJWK, jwtVerify, SignJWT } from "jose";
import OAuth from "oauth-1.0a";
import { program, run } from "./lib/nangod.mjs";

/** The answers of the C signers, one a row. */
async function signed(rows) {
  const done = await run(program("tests/auth-signers-lines"), [], { input: rows.map((row) => `${JSON.stringify(row)}\n`).join("") });
  assert.equal(done.code, 0, done.stderr);
  const answers = done.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(answers.length, rows.length);
  return answers;
}

/** A generator of equal rows in every run. */
function generator(seed) {
  let state = seed >>> 0;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const below = (n) => Math.floor(next() * n);
  const pick = (list) => list[below(list.length)];
  return { below, pick, some: (most, make) => Array.from({ length: below(most + 1) }, make) };
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

// ---- OAuth 1: oauth-1.0a ----

const words = ["", "a", "acme", "a b", "x/y?z#w", "ä€😀", "100%", "q&a=1+2", "(p)", "!*'()-_.~", "0", "%41", "A", "~", "line\none", "[]", ":@;,$"];

/** Names and values as an application gave them. Of a name that is there twice, oauth-1.0a loses an empty value. */
function parameters({ pick, some }, names) {
  return some(6, () => [pick(names), pick(words)]).filter(([name, value], i, all) => value !== "" || all.filter((other) => other[0] === name).length === 1);
}
const grouped = (list) => {
  const out = {};
  for (const [name, value] of list) out[name] = name in out ? [out[name], value].flat() : value;
  return out;
};
const encodeForm = (list) => new URLSearchParams(list).toString(); // spaces as "+"

test("300 random requests are signed as oauth-1.0a does", async () => {
  const random = generator(21);
  const { below, pick, some } = random;
  const methods = ["HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT"];
  const rows = Array.from({ length: 300 }, (_, i) => {
    // Its own parsing takes names as they stand, so names of the query need no encoding here, and differ from the form's.
    const query = parameters(random, ["a", "b", "a1", "Z", "file", "zz-_.~"]).map(([name, value]) => `${name}${value === "" && below(2) ? "" : `=${encodeURIComponent(value)}`}`);
    const form = parameters(random, ["f", "f.1", "ä f", "F&", "x[]", "m"]);
    const path = some(4, () => `/${encodeURIComponent(pick(words))}`).join("");
    return {
      signer: "oauth1", method: i % 3, verb: pick(["GET", "POST", "put", "DELETE"]), data: grouped(form), form: form.length ? encodeForm(form) : undefined,
      url: `${pick(["http://api.example.com", "https://h:8443", "https://1.2.3.4", "http://[::1]:3000"])}${path || "/"}${query.length ? `?${query.join("&")}` : ""}`,
      consumerKey: pick(words) || "key", consumerSecret: pick(words), nonce: `n${i}`, timestamp: 1700000000 + i, realm: below(3) ? undefined : pick(["Photos", "1234_SB1", "a b"]),
      ...(below(4) ? { token: pick(words), tokenSecret: pick(words) } : {}), ...(below(4) ? {} : { callback: `https://app.example/cb?state=${i}` }), ...(below(4) ? {} : { verifier: pick(words) || "v" }),
    };
  });
  const answers = await signed(rows.map(({ data, ...row }) => row));
  for (const [i, row] of rows.entries()) {
    const name = methods[row.method];
    const hash = name === "PLAINTEXT" ? undefined : (text, key) => createHmac(name.slice(5).toLowerCase(), key).update(text).digest("base64");
    const oauth = new OAuth({ consumer: { key: row.consumerKey, secret: row.consumerSecret }, signature_method: name, hash_function: hash, realm: row.realm });
    oauth.getNonce = () => row.nonce;
    oauth.getTimeStamp = () => row.timestamp;
    // Its way to send oauth_callback and oauth_verifier: as data, of which the header shows what begins with oauth_.
    const extra = { ...(row.callback && { oauth_callback: row.callback }), ...(row.verifier && { oauth_verifier: row.verifier }) };
    const token = row.token === undefined ? undefined : { key: row.token, secret: row.tokenSecret };
    const made = oauth.authorize({ url: row.url, method: row.verb, data: { ...row.data, ...extra } }, token);
    assert.equal(answers[i].out, oauth.toHeader({ ...made, ...extra }).Authorization, JSON.stringify(row));
  }
  assert.ok(rows.filter(({ form, url }) => form && url.includes("?")).length > 100);
});

// ---- AWS Signature Version 4: aws4 ----

// Only what a URL may hold: at the first other character, aws4 encodes the whole path once more.
const pieces = ["a", "A", "b.txt", "", "", ".", "..", "...", "+", "a+b", ":", "arn:aws:x", "a%20b", "%2F", "x%2Fy", "%2B", "%c3%a4", "%C3%A4", "!*'()", "$,;=@&", "~-_.", "%7E", "%25", "%2520", "a=b", "%00"];
const names = ["a", "A", "b", "a1", "max-keys", "prefix", "X-Amz", "a%20b", "a+b", "%41", "q%5B%5D", "ns:x", "~", "%C3%A4", "flag", "versionId"];
const values = ["", "1", "2", "B", "a%20b", "a+b", "a%2Bb", "x/y", "x%2Fy", "a=b", "%3D", "!*'()", "%c3%a4", "$,;:@", "~", "%25", "%5b", "?"];

test("600 random requests are signed as aws4 does, of s3 and of others", async () => {
  const { below, pick, some } = generator(31);
  const rows = Array.from({ length: 600 }, (_, i) => {
    const service = pick(["s3", "s3", "execute-api", "sts", "iam", "es", "inspector2"]);
    const path = some(5, () => `/${pick(pieces)}`).join("") || "/";
    const query = below(4) ? `?${some(6, () => `${pick(names)}${pick(["=", "=", ""])}`).map((name) => (name.endsWith("=") ? name + pick(values) : name)).join("&")}` : "";
    const time = 1700000000 + i * 86413;
    const body = below(2) ? pick(["x", "a=1&b=2", '{"ä":"€"}']) : undefined;
    const headers = Object.fromEntries([
      ["Accept", "application/json"], ["X-Amz-Target", " DynamoDB  \t Query "], ["x-custom", ""], ["Content-Type", "text/plain; charset=utf-8"], ["X-Umlaut", "ä"], ["Date", "x"],
      ["User-Agent", "nangod"], ["Expect", "100-continue"], ["Range", "bytes=0-9"], ["Connection", "close"],
    ].filter(() => below(2)));
    return {
      signer: "sigv4", id: "AKIDEXAMPLE", secret: pick(["wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "ä key"]), token: below(3) ? undefined : "to/ken+==", region: pick(["us-east-1", "eu-central-1"]), service, time,
      bare: service !== "s3" && below(2) === 1, method: pick(["GET", "PUT", "POST", "DELETE", "HEAD"]), host: pick(["api.example.com", "bucket.s3.amazonaws.com", "localhost"]), port: pick([undefined, 9000]), path: path + query, body, headers,
      bodySha256: service === "s3" && below(4) === 0 ? "UNSIGNED-PAYLOAD" : undefined,
    };
  });
  const expected = rows.map((row) => {
    const stamp = new Date(row.time * 1000).toISOString().replace(/[:-]|\.\d{3}/g, "");
    const hash = row.bodySha256 ?? createHash("sha256").update(row.body ?? "").digest("hex");
    const request = { service: row.service, region: row.region, hostname: row.host, port: row.port, path: row.path, method: row.method, body: row.body, headers: { ...row.headers, "X-Amz-Date": stamp, ...(row.bare ? {} : { "X-Amz-Content-Sha256": hash }) } };
    return aws4.sign(request, { accessKeyId: row.id, secretAccessKey: row.secret, sessionToken: row.token }).headers;
  });
  // What aws4 adds by itself (length and type of the body) is signed, so it is given here, too.
  const own = /^(authorization|host|x-amz-(date|content-sha256|security-token))$/i;
  const given = rows.map(({ host, port, path, ...row }, i) => ({
    ...row, url: `https://${host}${port ? `:${port}` : ""}${path}`, headers: Object.fromEntries(Object.entries(expected[i]).filter(([name]) => !own.test(name)).map(([name, value]) => [name, String(value)])),
  }));
  const answers = await signed(given);
  for (const [i, row] of rows.entries()) {
    const made = Object.fromEntries((answers[i].out ?? assert.fail(answers[i].message)).trim().split("\n").map((line) => line.split(": ")));
    assert.equal(made.authorization, expected[i].Authorization, JSON.stringify(row));
    for (const name of ["X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token"]) assert.equal(made[name.toLowerCase()], expected[i][name]);
  }
  assert.ok(new Set(rows.filter(({ service }) => service === "s3").map(({ path }) => path)).size > 100);
  assert.ok(new Set(rows.filter(({ service }) => service !== "s3").map(({ path }) => path)).size > 300);
});

// ---- WSSE: Node's cryptography ----

test("60 WSSE headers have the digest of their nonce, time and password", async () => {
  const { pick, below } = generator(41);
  const rows = Array.from({ length: 60 }, () => ({ signer: "wsse", username: pick(["customer001", "ä b", "a@b.example"]), password: pick(["secret", "ä€😀", 'a"b\\', "x".repeat(1024)]), created: below(2e12) }));
  const seen = new Set();
  for (const [i, { out }] of (await signed(rows)).entries()) {
    const { username, password, created } = rows[i];
    const [, nonce] = /Nonce="([0-9a-f]{32})"/.exec(out);
    const time = new Date(created).toISOString();
    const digest = Buffer.from(createHash("sha1").update(nonce + time + password).digest("hex")).toString("base64");
    assert.equal(out, `UsernameToken Username="${username}", PasswordDigest="${digest}", Nonce="${nonce}", Created="${time}"`);
    seen.add(nonce);
  }
  assert.equal(seen.size, 60);
});
