/**
 * Tests examples/typescript in a folder with dbsyncd installed as by npm. It is built with its tsconfig.json and run
 * with three daemons.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";

const LINES_MAX = 60;
const source = join(repositoryRoot, "examples", "typescript");
const scratch = mkdtempSync(join(tmpdir(), "dbsync-typescript-"));
const project = join(scratch, "project");
const tsc = join(repositoryRoot, "node_modules", "typescript", "bin", "tsc");
const main = join("src", "main.ts");

const readManifest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<
    "devDependencies" | "dependencies" | "version",
    Record<string, string>
  >;

before(async () => {
  cpSync(source, project, { recursive: true });
  const dbsyncd = join(project, "node_modules", "dbsyncd");
  mkdirSync(dbsyncd, { recursive: true });
  cpSync(join(repositoryRoot, "package.json"), join(dbsyncd, "package.json"));
  symlinkSync(buildRoot, join(dbsyncd, "dist"));
  symlinkSync(join(repositoryRoot, "node_modules", "@types"), join(project, "node_modules", "@types"));
  const { code, stdout } = await run(process.execPath, [tsc], { cwd: project });
  assert.equal(code, 0, stdout);
});

after(() => rmSync(scratch, { recursive: true, force: true }));

test("the example is short, and uses the package versions of the repository", () => {
  assert.ok(readFileSync(join(source, main), "utf8").split("\n").length - 1 <= LINES_MAX);
  const [own, root] = [readManifest(source), readManifest(repositoryRoot)];
  assert.deepEqual(own.dependencies, { dbsyncd: `^${root.version}` });
  for (const [name, range] of Object.entries(own.devDependencies))
    assert.equal(range, root.devDependencies[name], name);
});

test("the compiler reports a type error, since it uses the types of the package", async () => {
  const text = readFileSync(join(project, main), "utf8");
  writeFileSync(join(project, main), text.replace('policy: "majority"', 'policy: "mostly"'));
  const { code, stdout } = await run(process.execPath, [tsc, "--noEmit"], { cwd: project });
  writeFileSync(join(project, main), text);
  assert.notEqual(code, 0);
  assert.match(stdout, /"mostly"/);
});

test("the example books a seat once, reports it as taken to the next user, and books nothing without daemons", async () => {
  await using trio = await Trio.start();
  await trio.untilNoneIsLate();
  const key = join(scratch, "private.pem");
  writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });

  const env = {
    DBSYNC_SERVERS: trio.ports.map((port) => `127.0.0.1:${port}`).join(),
    DBSYNC_SIGNKEY: key,
  };
  const book = (...args: string[]) =>
    run(process.execPath, [join("dist", "main.js"), ...args], { cwd: project, env });

  const booked = await book("B7", "Ada");
  assert.deepEqual(booked, {
    code: 0,
    stdout: "B7: booked\nB7 belongs to Ada; Ada has 1; people: 1\n",
    stderr: "",
  });

  await trio.end(0, "SIGKILL");
  let second = await book("B7", "Bob");
  // On a busy machine, a daemon may not know yet whether it still has peers, and then its answer alone proves nothing.
  await until("the program knows the answer", () => second.stdout !== "B7: unknown\n", {
    pause: async () => (second = await book("B7", "Bob")),
  });
  assert.equal(second.stdout, "B7: taken\nB7 belongs to Ada; Bob has 0; people: 1\n", second.stderr);

  await trio.end(1, "SIGKILL");
  await trio.end(2, "SIGKILL");
  const none = await book("B8", "Bob");
  assert.deepEqual([none.code, none.stdout], [1, "B8: not booked\n"]);
  assert.match(none.stderr, /ECONNREFUSED/);
});
