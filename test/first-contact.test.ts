/** Tests docs/first-contact.md: one block starts a daemon, and each language needs one more line for an answer. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { skipUnlessFull } from "./support/amount.js";
import { FirstTerminal, firstContacts, skipReason } from "./support/first-contact.js";

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
    ["Node", "PHP", "Python", "Shell", "redis-cli"].map((name) => [name, 1]),
  );
});

describe("the blocks work as they are pasted", { skip: skipUnlessFull }, () => {
  let terminal: FirstTerminal;
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
