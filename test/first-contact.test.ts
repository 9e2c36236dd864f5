/**
 * Tests docs/first-contact.md: in each language, three lines lead from a clone to an answer. The test runs them as
 * printed.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { skipUnlessFull } from "./support/amount.js";
import { firstContacts, runFirstContact, skipReason } from "./support/first-contact.js";
import { repositoryRoot } from "./support/repository.js";

test("the page has three lines for each language, and test/docs.test.ts runs the first line", () => {
  const contacts = firstContacts();
  assert.deepEqual(
    contacts.map(({ name }) => name),
    ["Node", "PHP", "Python", "Shell", "redis-cli"],
  );
  for (const { name, lines } of contacts) {
    assert.equal(lines.length, 3, name);
    assert.equal(lines[0], "npm install", name);
  }
});

describe("the lines are answered", { skip: skipUnlessFull }, () => {
  for (const contact of firstContacts()) {
    test(contact.name, { skip: skipReason(contact) }, async () => {
      const { code, stdout, stderr } = (await runFirstContact(contact, repositoryRoot)).answer;
      // npm may print warnings.
      assert.deepEqual([code, stdout], [0, "1\n"], stderr);
    });
  }
});
