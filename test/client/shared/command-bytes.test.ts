/** Tests how a client classifies commands by name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HEADER_CHECKS } from "../../../client/settings/header-options.js";
import {
  commandBytes,
  commandKindOf,
  isReadCommand,
  textArguments,
} from "../../../client/shared/command-bytes.js";
import { commandLabel } from "../../../client/shared/command-labels.js";
import { bytesOfText, exactBytesOfText } from "../../../protocol/byte-string.js";

test("a bigint is sent as its digits, because a reply may be one", () => {
  const command = ["INCRBY", "n", 9007199254740993n] as const;
  assert.equal(commandBytes(command), "*3\r\n$6\r\nINCRBY\r\n$1\r\nn\r\n$16\r\n9007199254740993\r\n");
  assert.deepEqual(textArguments(command), ["INCRBY", "n", "9007199254740993"]);
  assert.equal(commandKindOf([-5n]), "writes");
  assert.equal(commandLabel(["GET", 7n]), commandLabel(["GET", 7]));
});

test("a command needs a name, but its arguments may be empty", () => {
  for (const command of ["", [], [""], ["", "k"]])
    assert.throws(() => commandBytes(command), { code: "bad-command", message: /it has no name/ });
  assert.equal(commandBytes(["GET", ""]), "*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
});

test("the pattern for browsers without isWellFormed finds the same halves of characters", (t) => {
  const texts = ["\ud83d", "a\ude00", "\ude00\ud83d", "é\ud83d\ude00", "\u{1f600}", "\ufffd", "é", ""];
  const found = () => texts.map((text) => exactBytesOfText(text) === null);
  const expected = found();
  assert.deepEqual(expected, [true, true, true, false, false, false, false, false]);
  t.mock.method(String.prototype as unknown as { isWellFormed(): unknown }, "isWellFormed", () => undefined);
  assert.deepEqual(found(), expected);
});

test("a text with half of a character is refused in both versions, and each complete text is sent", () => {
  const half = { code: "bad-command", message: /half of a character/ };
  for (const text of ["\ud83d", "a\ude00", "\ude00\ud83d", "é\ud83d\ud83d\ude00"]) {
    for (const command of [["SET", "k", text], ["SET", text, "v"], [text], `SET k ${text}`]) {
      assert.throws(() => commandBytes(command), half);
      assert.throws(() => textArguments(command), half);
    }
    assert.ok(!HEADER_CHECKS.if([{ key: text, writer: null }]), text);
  }
  for (const text of ["\u{1f600}", "\ufffd", "é", "\u0000"])
    assert.ok(commandBytes(["SET", "k", text]).includes(bytesOfText(text)), text);
});

test("a read is recognized by its name, in any case, in a line or a list", () => {
  for (const read of ["GET k", " get k", "PING", ["GET", "k"], ["Get", "k"]]) assert.ok(isReadCommand(read));
  for (const write of ["SET k v", "", "GETDEL k", [], ["INCR", "k"], ["UNHEARD-OF"]])
    assert.ok(!isReadCommand(write));
});

test("a command for the key ring is recognized by its name, in any case, as text or bytes", () => {
  for (const ring of ["KEY LIST", "key list", ["Cluster", "ADD"], [Buffer.from("cLUSTER")]])
    assert.equal(commandKindOf(ring), "ring", String(ring));
  for (const write of ["SET k v", "KEX", ["CLUSTERS"], [1, 2], []])
    assert.equal(commandKindOf(write), "writes", String(write));
  for (const read of ["get k", "GET k", ["Ping"]]) assert.equal(commandKindOf(read), "reads", String(read));
});
