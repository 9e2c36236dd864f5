/** Tests the advice for errors of commands on keys. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hintFor } from "../../../../tools/cli/keys/key-advice.js";

test("the advice for a key that exists with other rules is to change them by dbsync keys rules", () => {
  const exists = "The command failed: ERR this key exists with other rules, dates, rate or label";
  assert.match(
    hintFor(exists) ?? "",
    /change its rules with dbsync keys rules, for example dbsync keys rules /,
  );
  assert.equal(hintFor("The command failed: ERR this key was revoked"), null);
});
