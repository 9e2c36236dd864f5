/** Tests docs/first-contact.md: one block starts a daemon, and each language needs one more line for an answer. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { skipUnlessFull } from "./support/amount.js";
import { FirstTerminal, firstContacts, skipReason } from "./support/first-contact.js";
import { repositoryRoot } from "./support/repository.js";
import { run } from "./support/run-program.js";
import { ScratchFolder } from "./support/scratch-folder.js";

const [start, ...languages] = firstContacts();
assert.ok(start !== undefined);

test("the page has one block that installs, starts and waits, and one line for each language", () => {
  assert.deepEqual(start.block.split("\n"), [
    "npm install",
    "npx dbsyncd --resp 6380 &",
    "npx dbsync status --wait",
    "",
  ]);
  assert.deepEqual(
    languages.map(({ name, block }) => [name, block.trimEnd().split("\n").length]),
    ["Node", "PHP", "Python", "Go", "Shell", "redis-cli"].map((name) => [name, 1]),
  );
});

test("the script `prepare` builds under npx only if the clone is not built, and under npm install always", async () => {
  using folder = new ScratchFolder();
  const { prepare } = (
    JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    }
  ).scripts;
  writeFileSync(join(folder.path, "npm"), '#!/bin/sh\necho "npm $*"\n', { mode: 0o755 });
  const PATH = [folder.path, dirname(process.execPath), process.env["PATH"]].join(delimiter);
  const printedBy = async (npm_command: string) =>
    (await run("sh", ["-c", String(prepare)], { cwd: folder.path, env: { PATH, npm_command } })).stdout;
  assert.equal(await printedBy("exec"), "npm run build\n");
  mkdirSync(join(folder.path, "dist/bundles"), { recursive: true });
  assert.equal(await printedBy("exec"), "");
  assert.equal(await printedBy("install"), "npm run build\n");
});

describe("the blocks work as they are pasted", { skip: skipUnlessFull }, () => {
  let terminal: FirstTerminal;
  /** Each block increments the same key, so the tests depend on their order. */
  let visits = 0;

  before(async () => {
    terminal = await FirstTerminal.open();
    assert.equal(await terminal.start(start.block), 0);
  });

  after(async () => await terminal[Symbol.asyncDispose]());

  for (const contact of languages)
    test(contact.name, { skip: skipReason(contact) }, async () => {
      visits++;
      const { code, stdout, stderr } = await terminal.paste(contact.block);
      // npm may print warnings.
      assert.deepEqual([code, stdout], [0, `${visits}\n`], stderr);
    });
});
