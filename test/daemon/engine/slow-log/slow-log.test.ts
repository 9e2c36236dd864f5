/** Tests that no password of a command is logged, whatever the other words are. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutSecrets } from "../../../../daemon/engine/slow-log/slow-log.js";
import { findCommand } from "../../../../daemon/store/command-table.js";

for (const [words, shown] of Object.entries({
  "HELLO 3 AUTH default secret": "HELLO 3 AUTH (redacted) (redacted)",
  "HELLO 3 SETNAME auth AUTH default secret": "HELLO 3 SETNAME auth AUTH (redacted) (redacted)",
  "HELLO 3 auth AUTH secret SETNAME AUTH": "HELLO 3 auth (redacted) (redacted) SETNAME AUTH",
  "HELLO 3 SETNAME name": "HELLO 3 SETNAME name",
  "AUTH default secret": "AUTH (redacted) (redacted)",
}))
  test(`${words} is shown as ${shown}`, () => {
    const argv = words.split(" ");
    const command = findCommand(argv[0] ?? "") ?? assert.fail();
    assert.equal(withoutSecrets(command, argv).join(" "), shown);
  });
