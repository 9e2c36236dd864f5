/**
 * Tests dbsync-client as a user without the repository does: packs it, installs it into an empty folder without a
 * network, and uses it.
 */
import assert from "node:assert/strict";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { some } from "./support/amount.js";
import { startDaemon } from "./support/daemon-process.js";
import { clientPackage } from "./support/make-client-package.js";
import { repositoryRoot } from "./support/repository.js";
import { run } from "./support/run-program.js";
import { MODULES, typeCheck } from "./support/type-check.js";

/** The maximum size of the installed package in bytes. */
const BYTES_MAX = 3_000_000;

const scratch = mkdtempSync(join(tmpdir(), "dbsync-client-package-"));
const user = join(scratch, "user");
const modules = join(user, "node_modules");
let packed: readonly string[] = [];

before(async () => {
  mkdirSync(user);
  writeFileSync(join(user, "package.json"), "{}");
  // The test packs a copy, because npm writes into the folder of the package while other tests read it.
  cpSync(clientPackage, join(scratch, "source"), { recursive: true });
  const [report] = JSON.parse(await npm(["pack", "--json", "./source"], scratch)) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = report.files.map(({ path }) => path);
  const options = ["--offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  await npm(["install", ...options, join(scratch, report.filename)], user);
});

after(() => rmSync(scratch, { recursive: true, force: true }));

async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run("npm", args, { cwd });
  assert.equal(code, 0, stderr);
  return stdout;
}

async function node(script: string, type: "module" | "commonjs"): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [`--input-type=${type}`, "-e", script], {
    cwd: user,
  });
  assert.equal(stderr, "");
  return stdout.trim();
}

function program(name: string, args: readonly string[]) {
  return run(join(modules, ".bin", name), args, { cwd: user });
}

test("the client package is smaller than 3 MB, needs no other package, and contains no part of the daemon", () => {
  assert.deepEqual(
    readdirSync(modules).filter((name) => !name.startsWith(".")),
    ["dbsync-client"],
  );
  const bytes = readdirSync(modules, { recursive: true, encoding: "utf8" })
    .map((file) => statSync(join(modules, file)))
    .reduce((sum, { size, blocks }) => sum + Math.max(size, blocks * 512), 0);
  assert.ok(bytes < BYTES_MAX, `${bytes} bytes on disk`);
  assert.deepEqual(
    packed.filter((file) => /dbsyncd|\bdaemon\/|(?<!re)store|timeline|\.pem$|\.test\./.test(file)),
    [],
  );
});

test("import and require return the same functions, without any other package", async () => {
  const names = "dbsyncSend, createClient, dbsyncReset, DbsyncError";
  const script = `console.log([${names}].map((f) => typeof f).join())`;
  const expected = "function,function,function,function";
  assert.equal(await node(`import { ${names} } from "dbsync-client"; ${script}`, "module"), expected);
  assert.equal(await node(`const { ${names} } = require("dbsync-client"); ${script}`, "commonjs"), expected);
  const same = `import * as one from "dbsync-client"; import { createRequire } from "node:module";
    console.log(createRequire(import.meta.url)("dbsync-client").dbsyncSend === one.dbsyncSend);`;
  assert.equal(await node(same, "module"), "true", "import and require return the same library");
});

test("TypeScript finds the types from ES modules and from CommonJS, with old and new module rules", async () => {
  const use = `const outcomesOf = (error: unknown) => error instanceof DbsyncError && error.outcomes;
    const options: SendOptions = { policy: "first", timeout: 500 };
    const value: string | null = await dbsyncSend("GET k", options);
    await using client = createClient({ servers: "db1" });
    const reply: ReplyValue = await client.call(["GET", "k"]);
    // @ts-expect-error: the imported names have types other than any
    void dbsyncSend(7);
    console.log(value, reply, outcomesOf(null));`;
  const imports = `import { createClient, DbsyncError, dbsyncSend, type ReplyValue, type SendOptions } from "dbsync-client";`;
  writeFileSync(join(user, "use.mts"), `${imports}\n${use}\n`);
  writeFileSync(join(user, "use.cts"), `${imports}\nvoid (async () => {\n${use}\n})();\n`);
  for (const module of some(MODULES)) {
    const { code, stdout } = await typeCheck(user, ["use.mts", "use.cts"], module);
    assert.equal(code, 0, `${module}: ${stdout}`);
  }
});

test("dbsync-keygen makes a key, and the program of docs/client-package.md and dbsync send commands signed with it", async () => {
  assert.equal((await program("dbsync-keygen", ["--out", "."])).code, 0);
  await using daemon = await startDaemon(["-s", join(user, "public.pem")]);
  const address = `${daemon.address}:${daemon.port}`;
  const page = readFileSync(join(repositoryRoot, "docs", "client-package.md"), "utf8");
  const [, block = ""] = /^```js\n([\s\S]*?)^```$/m.exec(page) ?? [];
  const script = block
    .replace("127.0.0.1:1111", address)
    .replace(/^await (.*); \/\/ "OK"$/m, "console.log(await $1);");
  assert.equal(await node(script, "module"), "OK");
  const got = await program("dbsync", ["send", "-s", address, "-k", "private.pem", "GET", "greeting"]);
  assert.deepEqual(got, { code: 0, stdout: "hello\n", stderr: "" });
  const refused = await program("dbsync", ["send", "-s", address, "GET", "greeting"]);
  assert.notEqual(refused.code, 0, "unsigned");
});

test("each program prints its version, and names the tasks that require dbsyncd", async () => {
  for (const name of ["dbsync", "dbsync-keygen"])
    assert.match((await program(name, ["--version"])).stdout, /^\d+\.\d+\.\d+\n$/, name);
  const verified = await program("dbsync", ["log", "verify", "--data", "."]);
  assert.deepEqual([verified.code, verified.stdout], [2, ""]);
  assert.match(verified.stderr, /npm install dbsyncd/);
  const backup = await program("dbsync", ["backup", "--data", ".", "none.dbsync"]);
  assert.equal(backup.code, 2);
  assert.match(backup.stderr, /^dbsync: .* npm install dbsyncd\n$/);
  const result = await program("dbsync-keygen", ["--certificate", "--san", "localhost", "--out", "."]);
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /Use the dbsync-keygen of dbsyncd/);
  assert.doesNotMatch(result.stderr, /\n\s+at /, "stderr has no stack trace");
});
