/**
 * Tests that the programs in docs/go.md and in the README of the client print what their comments say. docs.test.ts
 * runs the page's shell blocks.
 */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { GO_ENV, MODULE } from "./running.js";

const blocksOf = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    ([, text = ""]) => text,
  );

const page = readFileSync(join(repositoryRoot, "docs/go.md"), "utf8");
const readme = readFileSync(join(MODULE, "README.md"), "utf8");

/** The values that the comments of a program name, one per printed line. */
const expectedOf = (program: string): string[] =>
  [...program.matchAll(/^\tfmt\.Println\(.*\) +\/\/ (.*)$/gm)].map(([, value = ""]) => value);

/** Makes a program of the statements in the README, which print what they return. */
const programOf = (statements: string): string =>
  [
    'package main\n\nimport (\n\t"context"\n\t"fmt"\n\t"log"\n\n\t"dbsyncd.example/go/dbsync"\n)\n\nfunc main() {',
    "\tctx := context.Background()",
    statements
      .replace(/^/gm, "\t")
      .replace(/^\t(client\.Call\(.*\)) +(\/\/ .*)$/gm, "\tfmt.Println($1) $2 <nil>"),
    "\tfmt.Println(greeting, err) // good morning <nil>\n}\n",
  ].join("\n");

test("the programs of docs/go.md and of the README print the documented values", {
  skip: skipWithout("go"),
}, async () => {
  using folder = new ScratchFolder();
  const app = makeKeyPair();
  await using one = await startDaemon(["-s", app.file]);
  await using other = await startDaemon(["-s", app.file]);
  const [statements = ""] = blocksOf(readme, "go");
  assert.ok(statements.split("\n").length <= 10);
  const programs = [...blocksOf(page, "go"), programOf(statements)];
  assert.equal(programs.length, 3);
  assert.equal(programs.flatMap(expectedOf).length, 11);

  const options = { env: GO_ENV, cwd: join(folder.path, "hello") };
  // The lines of the page, whose folder is next to a clone's.
  const [, lines = ""] = blocksOf(page, "sh");
  const made = await run("bash", ["-euc", lines.replace("../clients/go", MODULE)], {
    ...options,
    cwd: folder.path,
  });
  assert.equal(made.code, 0, made.stderr);
  folder.privateKey(app);
  copyFileSync(join(folder.path, "private.pem"), join(options.cwd, "private.pem"));
  for (const [index, program] of programs.entries()) {
    const name = `program${index}`;
    mkdirSync(join(options.cwd, name));
    const text = program
      .replace("127.0.0.1:1111", `127.0.0.1:${one.port}`)
      .replace("127.0.0.1:1112", `127.0.0.1:${other.port}`)
      .replace("10.0.0.1,10.0.0.2", `127.0.0.1:${one.port},127.0.0.1:${other.port}`);
    writeFileSync(join(options.cwd, name, "main.go"), text);
    const { code, stdout, stderr } = await run("go", ["run", `./${name}`], options);
    assert.deepEqual([code, stdout.trimEnd().split("\n")], [0, expectedOf(program)], stderr);
    const formatted = await run("gofmt", ["-d", "main.go"], { cwd: join(options.cwd, name) });
    if (index < 2) assert.equal(formatted.stdout.replace(/127\.0\.0\.1:\d+/g, ""), "");
  }
});

test("dbsync-go prints replies, and exits with 1 after a command's error and 2 without a reply", {
  skip: skipWithout("go"),
}, async () => {
  await using daemon = await startDaemon();
  const env = { ...GO_ENV, DBSYNC_SERVERS: `127.0.0.1:${daemon.port}` };
  using folder = new ScratchFolder();
  const program = join(folder.path, "dbsync-go");
  const built = await run("go", ["build", "-o", program, "./dbsync-go"], { cwd: MODULE, env });
  assert.deepEqual(built, { code: 0, stdout: "", stderr: "" });

  const send = (...words: string[]) => run(program, words, { env });
  assert.deepEqual(await send("SET", "k", "a b  c"), { code: 0, stdout: "OK\n", stderr: "" });
  assert.deepEqual(await send("MGET", "k", "none"), { code: 0, stdout: "a b  c\n\n", stderr: "" });
  const wrong = await send("NOSUCH");
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /^\(error\) ERR unknown command/);

  await daemon.stop();
  const none = await send("PING");
  assert.equal(none.code, 2);
  assert.match(none.stderr, /^dbsync: No daemon answered:\n.*refused.*\[not applied there\]\n$/);
});
