// SPDX-License-Identifier: Apache-2.0
// nango-plugin deploy against a server that notes what it was asked: what is sent, what is asked
// of whom, and every way to fail. (The real server has its own test.)
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { before, test } from "node:test";
import { program, run, scratch } from "./lib/nangod.mjs";

const tool = (args, options) => run(program("nango-plugin"), args, options);
const KEY = "5d8e3c1a-0000-4000-8000-000000000001";
let object;

before(async (t) => {
	const dir = join(scratch(t), "demo");
	await tool(["init", dir]);
	const { code, stderr } = await tool(["build", dir]);
	assert.equal(code, 0, stderr);
	object = join(dir, "build/demo.so");
});

async function server(t, answer) {
	const seen = [];
	const http = createServer(async (req, res) => {
		const pieces = [];
		for await (const piece of req) pieces.push(piece);
		seen.push({ method: req.method, url: req.url, headers: req.headers, body: Buffer.concat(pieces) });
		const { status = 200, body } = answer(req, seen.length);
		res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
	});
	http.listen(0, "127.0.0.1");
	await once(http, "listening");
	t.after(() => http.close());
	return { seen, url: `http://127.0.0.1:${http.address().port}` };
}

const plan = (req) => ({
	status: req.url.includes("dry_run") ? 200 : 201,
	body: {
		deployment: { id: 7, integration: "demo", provider: "demo", version: "0.1.0", sha256: "00" },
		changes: {
			syncs: { added: ["items"], changed: [], removed: ["old"] },
			actions: { added: [], changed: [], removed: [] },
			models: { added: [], changed: ["Item"], removed: [] },
		},
		applied: !req.url.includes("dry_run"),
	},
});

const settings = (url) => ({ NANGO_HOSTPORT: url, NANGO_SECRET_KEY_DEV: KEY });

test("shows the plan, then deploys", async (t) => {
	const { seen, url } = await server(t, plan);
	const { code, stdout, stderr } = await tool(["deploy", "--plugin", object, "--yes"], { env: settings(url) });
	assert.equal(code, 0, stderr);
	assert.match(stdout, /demo 0\.1\.0 → integration demo, environment dev/);
	assert.match(stdout, / {2}\+ sync items\n {2}- sync old\n {2}~ model Item\nDeployed as 7\.\n$/);
	assert.deepEqual(
		seen.map(({ method, url: path }) => `${method} ${path}`),
		["POST /deployments?integration=demo&dry_run=true", "POST /deployments?integration=demo"],
	);
	for (const { headers, body } of seen) {
		assert.equal(headers.authorization, `Bearer ${KEY}`);
		assert.equal(headers["content-type"], "application/octet-stream");
		assert.ok(body.equals(readFileSync(object)));
	}
});

test("--dry-run changes nothing; --integration names another integration", async (t) => {
	const { seen, url } = await server(t, plan);
	const args = ["deploy", "-p", object, "--dry-run", "--integration", "my demo", "--json"];
	const { code, stdout } = await tool(args, { env: settings(url) });
	assert.equal(code, 0);
	assert.equal(JSON.parse(stdout).applied, false);
	assert.deepEqual(
		seen.map(({ url: path }) => path),
		["/deployments?integration=my%20demo&dry_run=true"],
	);
});

test("without a terminal nothing is asked and nothing deployed", async (t) => {
	const { seen, url } = await server(t, plan);
	const { code, stderr } = await tool(["deploy", "-p", object], { env: settings(url), input: "y\n" });
	assert.equal(code, 11);
	assert.match(stderr, /error\[E0406\].*\nhelp: --yes deploys/);
	assert.equal(seen.length, 1, "only the plan was asked for");
	const named = await tool(["deploy", "-p", object], {
		env: { ...settings(url), NANGO_DEPLOY_AUTO_CONFIRM: "true" },
	});
	assert.equal(named.code, 0);
});

test("on a terminal it asks", async (t) => {
	const { seen, url } = await server(t, plan);
	const ask = (input) =>
		run("script", ["-qec", `${program("nango-plugin")} deploy -p ${object}`, "/dev/null"], {
			env: settings(url),
			input,
		});
	const no = await ask("n\n");
	assert.match(no.stdout, /Deploy\? \[y\/N\]/);
	assert.equal(no.code, 11);
	const yes = await ask("y\n");
	assert.equal(yes.code, 0, yes.stdout);
	assert.equal(seen.length, 3);
});

test("server and key come from the nearest .env, the environment wins", async (t) => {
	const { seen, url } = await server(t, plan);
	const dir = scratch(t);
	mkdirSync(join(dir, "a/b"), { recursive: true });
	writeFileSync(
		join(dir, ".env"),
		`# settings\nexport NANGO_HOSTPORT="${url}/"\nNANGO_SECRET_KEY_PROD = from-file # note\nNANGO_SECRET_KEY_MY_TEST='quoted'\n`,
	);
	const clean = { NANGO_HOSTPORT: "", NANGO_SECRET_KEY_DEV: "", NANGO_SECRET_KEY_PROD: "" };
	const deploy = (environment, env = {}) =>
		tool(["deploy", environment, "-p", object, "--dry-run"], { cwd: join(dir, "a/b"), env: { ...clean, ...env } });
	assert.equal((await deploy("prod")).code, 0);
	assert.equal((await deploy("my-test")).code, 0);
	assert.equal((await deploy("prod", { NANGO_SECRET_KEY_PROD: "from-environment" })).code, 0);
	assert.deepEqual(
		seen.map(({ headers }) => headers.authorization),
		["Bearer from-file", "Bearer quoted", "Bearer from-environment"],
	);
	const missing = await deploy("dev");
	assert.equal(missing.code, 5);
	assert.match(missing.stderr, /error\[E0402\]: NANGO_SECRET_KEY_DEV is not set\nhelp: /);
});

test("each failure has its code and status", async (t) => {
	const error = (status, code, message) => () => ({ status, body: { error: { code, message } } });
	for (const [answer, status, text] of [
		[error(401, "unknown_account", "No environment has this key."), 5, /E0404.*No environment has this key/],
		[error(400, "unknown_provider_config", "no such integration"), 11, /E0405.*no such integration/],
		[() => ({ status: 500, body: "oops" }), 11, /E0407/],
		[() => ({ status: 200, body: {} }), 11, /E0407/],
	]) {
		const { url } = await server(t, answer);
		const { code, stderr } = await tool(["deploy", "-p", object, "--yes"], { env: settings(url) });
		assert.equal(code, status, stderr);
		assert.match(stderr.replace("]: ", ": "), text);
		assert.doesNotMatch(stderr, new RegExp(KEY), "the key is never shown");
	}
	const nobody = await tool(["deploy", "-p", object, "--yes"], { env: settings("http://127.0.0.1:9") });
	assert.equal(nobody.code, 11);
	assert.match(nobody.stderr, /error\[E0403\]: no answer from http:\/\/127\.0\.0\.1:9.*\nhelp: start it/);
	const nowhere = await tool(["deploy", "-p", object], { cwd: scratch(t), env: { NANGO_HOSTPORT: "" } });
	assert.equal(nowhere.code, 2);
	assert.match(nowhere.stderr, /E0401/);
	const odd = await tool(["deploy", "-p", object], { env: { NANGO_HOSTPORT: "localhost:3003" } });
	assert.equal(odd.code, 2);
});
