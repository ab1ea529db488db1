// SPDX-License-Identifier: Apache-2.0
// nango-plugin as an author meets it: from init to a checked build, and every way to fail.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync, existsSync, readdirSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { program, run, scratch, top } from "./lib/nangod.mjs";

const tool = (args, options) => run(program("nango-plugin"), args, options);

async function made(t) {
	const dir = join(scratch(t), "demo");
	const { code } = await tool(["init", dir]);
	assert.equal(code, 0);
	return dir;
}

test("init makes a plugin that builds and checks at once, with both compilers", async (t) => {
	const dir = await made(t);
	for (const CC of ["gcc", "clang-14"]) {
		const env = { CC, CFLAGS: "-Werror -Wpedantic -Wconversion -Wshadow" };
		const built = await tool(["build", dir, "--json"], { env });
		assert.equal(built.code, 0, built.stderr);
		assert.equal(built.stderr, "", "no warning");
		assert.equal(JSON.parse(built.stdout).file, join(dir, "build/demo.so"));
	}
	const checked = await tool(["check", dir, "--json"]);
	assert.equal(checked.code, 0, checked.stderr + checked.stdout);
	const { provider, syncs, abi_major } = JSON.parse(checked.stdout);
	assert.deepEqual({ provider, syncs, abi_major }, { provider: "demo", syncs: 1, abi_major: 1 });
	const [{ file, arguments: line }] = JSON.parse(readFileSync(join(dir, "compile_commands.json")));
	assert.match(file, /demo\.c$/);
	assert.ok(line.includes("-c"));
	const ignored = readFileSync(join(dir, ".gitignore"), "utf8");
	assert.match(ignored, /^\/build\/$/m);
	assert.match(ignored, /^\/\.env$/m);
});

test("init overwrites nothing", async (t) => {
	const dir = await made(t);
	writeFileSync(join(dir, "demo.c"), "mine");
	const again = await tool(["init", dir]);
	assert.equal(again.code, 1);
	assert.match(again.stderr, /error\[E0013\]: .*plugin\.yaml exists already/);
	assert.equal(readFileSync(join(dir, "demo.c"), "utf8"), "mine");
});

test("init refuses a folder whose name is no provider, and says what to do", async (t) => {
	const { code, stderr } = await tool(["init", join(scratch(t), "My CRM")]);
	assert.equal(code, 2);
	assert.match(stderr, /help: .*--provider my-crm/);
});

test("a mistake in plugin.yaml is shown with its line and a caret", async (t) => {
	const dir = await made(t);
	const yaml = join(dir, "plugin.yaml");
	writeFileSync(yaml, readFileSync(yaml, "utf8").replace("runs:", "runz:"));
	const { code, stderr } = await tool(["build", dir]);
	assert.equal(code, 10);
	assert.equal(
		stderr,
		`error[E0103]: unknown key "runz" in a sync\n--> ${yaml}:7:5\n  |\n7 |     runz: every 1h\n` +
			`  |     ^^^^\nhelp: did you mean "runs"?\n`,
	);
	const json = await tool(["build", dir, "--json"]);
	assert.equal(json.code, 10);
	assert.deepEqual(JSON.parse(json.stdout), {
		ok: false,
		error: {
			code: "E0103",
			message: 'unknown key "runz" in a sync',
			file: yaml,
			line: 7,
			column: 5,
			help: 'did you mean "runs"?',
		},
	});
});

test("a compiler's error is shown as it is, and leaves no half-made file", async (t) => {
	const dir = await made(t);
	const source = join(dir, "demo.c");
	writeFileSync(source, readFileSync(source, "utf8").replace("item_save(run, &item)", "item_sav(run)"));
	const { code, stderr } = await tool(["build", dir], { env: { CC: "gcc", LC_ALL: "C" } });
	assert.equal(code, 10);
	assert.match(stderr, /demo\.c:\d+:\d+: .*item_sav/);
	assert.match(stderr, /error\[E0201\]: the compiler gcc did not accept it/);
	assert.deepEqual(readdirSync(join(dir, "build")).filter((name) => /\.so|part/.test(name)), []);
});

test("a compiler that is not there", async (t) => {
	const { code, stderr } = await tool(["build", await made(t)], { env: { CC: "no-such-cc" } });
	assert.equal(code, 10);
	assert.match(stderr, /error\[E0200\]: cannot run no-such-cc: .*\nhelp: apt install gcc/);
});

test("check names a build that is missing or older than plugin.yaml", async (t) => {
	const dir = await made(t);
	const missing = await tool(["check", dir]);
	assert.equal(missing.code, 4);
	assert.match(missing.stderr, new RegExp(`E0012.*\\nhelp: nango-plugin build ${dir}`));
	await tool(["build", dir]);
	const yaml = join(dir, "plugin.yaml");
	writeFileSync(yaml, readFileSync(yaml, "utf8").replace("0.1.0", "0.2.0"));
	const old = await tool(["check", dir]);
	assert.equal(old.code, 1);
	assert.match(old.stderr, /E0313/);
});

test("a sanitized build is its own file, and check refuses it", async (t) => {
	const dir = await made(t);
	const built = await tool(["build", dir, "--sanitize"], { env: { CC: "gcc" } });
	assert.equal(built.code, 0, built.stderr);
	const { code, stderr } = await tool(["check", join(dir, "build/demo.sanitize.so")]);
	assert.equal(code, 1);
	assert.match(stderr, /error\[E03(05|10)\]/);
});

test("equal sources give equal files", async (t) => {
	const dir = await made(t);
	await tool(["build", dir]);
	const first = readFileSync(join(dir, "build/demo.so"));
	await tool(["build", dir]);
	assert.ok(first.equals(readFileSync(join(dir, "build/demo.so"))));
});

test("command lines that are wrong end with 2 and a suggestion", async () => {
	for (const [args, text] of [
		[["biuld"], /E0001.*\nhelp: did you mean nango-plugin build/],
		[["build", "--outptu", "x"], /E0002.*\nhelp: did you mean --output\?/],
		[["build", "-o"], /E0003.*--output needs a value/],
		[["build", "a", "b"], /one word too many/],
		[["replay"], /replay needs FILE\.json\|DIR/],
		[["deploy", "--yes=1"], /--yes takes no value/],
		[["version", "--color", "blue"], /auto, always or never/],
		[["explain", "E9999"], /no error "E9999"/],
		[["completion", "fish"], /no completion/],
	]) {
		const { code, stderr, stdout } = await tool(args);
		assert.equal(code, 2, args.join(" "));
		assert.match(stderr, text);
		assert.equal(stdout, "");
	}
});

test("help, the man page and the completion know every command and option", async () => {
	const help = (await tool(["--help"])).stdout;
	const man = readFileSync(join(top, "tools/man/nango-plugin.1.scd"), "utf8");
	const completion = (await tool(["completion", "bash"])).stdout;
	const commands = [...help.matchAll(/^ {2}([a-z]+) +[A-Z]/gm)].map((match) => match[1]);
	assert.ok(commands.length >= 9);
	for (const command of commands) {
		assert.match(man, new RegExp(`^\\*${command}\\*|^\\*?${command}\\b`, "m"), command);
		const own = await tool([command, "--help"]);
		assert.equal(own.code, 0);
		for (const [, option] of own.stdout.matchAll(/--([a-z-]+)/g)) {
			if (command === "version" && option === "version") continue;
			assert.ok(man.includes(`--${option}`), `the man page has no --${option}`);
			if (own.stdout.includes(`  --${option}`) || own.stdout.includes(`, --${option}`))
				assert.match(completion, new RegExp(`--${option}\\b`));
		}
	}
});

test("every code that a message can carry is explained", async () => {
	const codes = new Set(Object.keys(JSON.parse((await tool(["explain", "--json"])).stdout)));
	for (const dir of ["tools/plugin", "runtime/run"])
		for (const name of readdirSync(join(top, dir)).filter((file) => file.endsWith(".c")))
			for (const [code] of readFileSync(join(top, dir, name), "utf8").matchAll(/\bE0\d{3}\b/g))
				assert.ok(codes.has(code), `${name}: ${code}`);
	assert.match((await tool(["explain", "e0112"])).stdout, /^E0112: no id\n/);
});

test("colours: never to a pipe, never with NO_COLOR, always when asked for", async () => {
	assert.doesNotMatch((await tool(["biuld"])).stderr, /\x1b/);
	assert.match((await tool(["explain", "E1", "--color=always"])).stderr, /\x1b\[1;31m/);
	assert.doesNotMatch((await tool(["explain", "E1"], { env: { NO_COLOR: "1" } })).stderr, /\x1b/);
});

test("version", async () => {
	const { abi_major, format } = JSON.parse((await tool(["version", "--json"])).stdout);
	assert.deepEqual({ abi_major, format }, { abi_major: 1, format: 1 });
	assert.match((await tool(["--version"])).stdout, /^nango-plugin \d+\.\d+\.\d+ \(SDK ABI 1\.\d+/);
});

test("generate writes the three files where it is told", async (t) => {
	const dir = await made(t);
	const out = join(scratch(t), "out");
	mkdirSync(out);
	const { code, stdout } = await tool(["generate", dir, "--output", out, "--json"]);
	assert.equal(code, 0);
	for (const file of JSON.parse(stdout).files) assert.ok(existsSync(file), file);
	assert.match(readFileSync(join(out, "models.d.ts"), "utf8"), /state: "open" \| "closed";/);
	const schema = JSON.parse(readFileSync(join(out, "models.schema.json")));
	assert.deepEqual(schema.definitions.Item.required, ["id", "name", "state", "updated_at"]);
});
