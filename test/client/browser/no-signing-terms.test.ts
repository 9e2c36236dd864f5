/** Tests the terms of signing in a page against those of Node, for a client that has a key. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as inPage from "../../../client/browser/no-signing-terms.js";
import * as inNode from "../../../client/version-2/signing-terms.js";
import { type Hello, KNOWS_SIGNED, KNOWS_UNSIGNED } from "../../../protocol/version-2/messages-v2.js";

test("a client in a page disagrees with the daemons that a client in Node with a key disagrees with", () => {
  const disagreements = (terms: typeof inPage | typeof inNode) =>
    [[], [KNOWS_SIGNED], [KNOWS_UNSIGNED], [KNOWS_UNSIGNED, KNOWS_SIGNED]].map((knows) => {
      const refusal = terms.disagreement({ knows } as unknown as Hello, true);
      return refusal === null ? "agrees" : terms.isSigningMismatch(refusal) && refusal.split(":")[0];
    });
  const expected = ["not-due", "agrees", "not-due", "agrees"];
  assert.deepEqual([disagreements(inNode), disagreements(inPage)], [expected, expected]);
});
