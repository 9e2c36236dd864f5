import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../../protocol/byte-string.js";
import { UnsendableCommand } from "../../../protocol/errors.js";
import { FrameParser } from "../../../protocol/frame.js";
import {
  commandText,
  readCommandPayload,
  splitCommand,
  writeCommandFrame,
} from "../../../protocol/version-1/command-v1.js";
import { seed } from "../../support/seed.js";

const latin1 = (text: string) => Buffer.from(text, "latin1");

test("a command is parsed back from its frame unchanged, signed or not", () => {
  const argument = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/[ \0]/.test(text));
  fc.assert(
    fc.property(
      fc.array(argument, { minLength: 1 }),
      fc.option(fc.uint8Array({ minLength: 1 })),
      (argv, bytes) => {
        const signature = bytes === null ? null : bytesOf(Buffer.from(bytes));
        const frame = writeCommandFrame(commandText(argv), signature);
        const [payload] = new FrameParser(10_000).split(latin1(frame));
        const read = readCommandPayload(payload as Buffer, signature !== null);
        assert.deepEqual(
          splitCommand(read.text),
          argv.map((text) => bytesOf(Buffer.from(text, "utf8"))),
        );
        assert.equal(read.signature === null ? null : bytesOf(read.signature), signature);
      },
    ),
    { seed: seed(), numRuns: 1000 },
  );
});

test("a line is sent unchanged, and split only at spaces", () => {
  assert.equal(commandText('SET  k   "a'), 'SET  k   "a\0');
  assert.deepEqual(splitCommand(latin1('SET  k   "a\0')), ["SET", "k", '"a']);
  assert.deepEqual(splitCommand(latin1("SET k a\tb\nc\0")), ["SET", "k", "a\tb\nc"]);
  assert.deepEqual(splitCommand(latin1("SET en a\0b\0")), ["SET", "en", "a"]);
  assert.deepEqual(splitCommand(latin1("  \0")), []);
});

test("complete surrogate pairs are accepted like any other character", () => {
  assert.equal(commandText("SET k \ud83d\ude00"), "SET k \xf0\x9f\x98\x80\0");
});

test("commands that version 1 cannot represent are refused, and never changed", () => {
  const unsendable: [string | string[], RegExp][] = [
    ["", /empty/],
    ["   ", /empty/],
    [[], /empty/],
    ["SET k a\0b", /NUL/],
    [["SET", "k", "a\0b"], /NUL/],
    ["SET k \ud83d", /surrogate/],
    [["SET", "k", "\ude00\ud83d"], /surrogate/],
    [["SET", "k", "a b"], /argument 2 contains a space/],
    [["SET", "k", ""], /argument 2 is empty/],
  ];
  for (const [command, problem] of unsendable) {
    assert.throws(
      () => commandText(command),
      (error) => error instanceof UnsendableCommand && problem.test(error.message),
    );
  }
});

test("an unexpected payload is refused with the offset", () => {
  const signature = "s".repeat(256);
  const bad: [string, boolean, number][] = [
    ["PING", false, 4],
    ["", false, 0],
    ["PING\0", true, 0],
    ["ds:5:PING\0", true, 10],
    [`ds:300:PING\0${signature}`, true, 268],
    [`ds:4:PING\0${signature}`, true, 9],
    [`ds:0:${signature}`, true, 5],
    [`ds:-5:PING\0${signature}`, true, 0],
  ];
  for (const [payload, signed, offset] of bad) {
    assert.throws(
      () => readCommandPayload(latin1(payload), signed),
      { name: "MalformedFrame", offset },
      payload.slice(0, 20),
    );
  }
});
