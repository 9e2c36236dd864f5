/** Tests that shown commands are shortened, and contain no password, whatever the other arguments are. */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { shortenedCommand, withoutSecrets } from "../../../../daemon/engine/slow-log/shown-command.js";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../../daemon/store/command-table.js";

for (const [words, shown] of Object.entries({
  "HELLO 3 AUTH default secret": "HELLO 3 AUTH (redacted) (redacted)",
  "HELLO 3 SETNAME auth AUTH default secret": "HELLO 3 SETNAME auth AUTH (redacted) (redacted)",
  "HELLO 3 auth AUTH secret SETNAME AUTH": "HELLO 3 auth (redacted) (redacted) SETNAME AUTH",
  "HELLO 3 SETNAME name": "HELLO 3 SETNAME name",
  "AUTH default secret": "AUTH (redacted) (redacted)",
  "ACL DRYRUN ann AUTH ann secret": "ACL DRYRUN ann AUTH (redacted) (redacted)",
  "acl dryrun ann auth secret": "acl dryrun ann auth (redacted)",
  "ACL DRYRUN ann HELLO 3 AUTH ann secret": "ACL DRYRUN ann HELLO 3 AUTH (redacted) (redacted)",
  "ACL DRYRUN ann ACL SETUSER ann >secret": "ACL DRYRUN ann ACL SETUSER (redacted) (redacted)",
  "ACL DRYRUN ann GET k": "ACL DRYRUN ann GET k",
  "ACL DRYRUN ann AUHT secret": "ACL DRYRUN ann AUHT (redacted)",
  "KEY DRYRUN id AUTH ann secret": "KEY DRYRUN id AUTH (redacted) (redacted)",
  "TIMELINE GET 1 AUTH ann secret": "TIMELINE GET 1 AUTH (redacted) (redacted)",
  "COMMAND GETKEYS AUTH secret": "COMMAND GETKEYS AUTH (redacted)",
  "COMMAND GETKEYS ACL DRYRUN ann AUTH secret": "COMMAND GETKEYS ACL DRYRUN ann AUTH (redacted)",
  [`${"COMMAND GETKEYS ".repeat(9)}AUTH secret`]: `${"COMMAND GETKEYS ".repeat(5)}COMMAND${" (redacted)".repeat(9)}`,
  "ACL SETUSER ann >secret": "ACL SETUSER (redacted) (redacted)",
  "CONFIG SET requirepass secret maxmemory 1": "CONFIG SET requirepass (redacted) maxmemory 1",
}))
  test(`${words} is shown as ${shown}`, () => {
    const argv = words.split(" ");
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure) assert.fail(command.message);
    assert.equal(withoutSecrets(command, argv).join(" "), shown);
  });

test("long arguments and long commands are shortened, as Redis does, with the number of omitted bytes and arguments", () => {
  assert.deepEqual(shortenedCommand(["SET", "x".repeat(128)]), ["SET", "x".repeat(128)]);
  assert.deepEqual(shortenedCommand(["SET", "x".repeat(130)]), [
    "SET",
    `${"x".repeat(128)}... (2 more bytes)`,
  ]);
  const words = Array.from({ length: 33 }, (_, index) => `${index}`);
  assert.deepEqual(shortenedCommand(words.slice(1)), words.slice(1));
  assert.deepEqual(shortenedCommand(words), [...words.slice(0, 31), "... (2 more arguments)"]);
});
