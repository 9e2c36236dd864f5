import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { FrameParser, writeFrame } from "../../../protocol/frame.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import {
  commandFrame,
  type Hello,
  readClientMessage,
  readDaemonMessage,
  tracedFrame,
  writeCommandMessage,
  writeHello,
  writeRefused,
  writeResult,
} from "../../../protocol/version-2/messages-v2.js";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const hash = (digit: string) => digit.repeat(32);

test("a hello is parsed back unchanged, from either side", () => {
  const daemon: Hello = {
    kind: "hello",
    versions: [1, 2],
    daemon: hash("d"),
    cluster: hash("c"),
    clock: 1790000000000,
    state: "catching-up",
    role: "daemon",
  };
  const client: Hello = { ...daemon, versions: [2], daemon: "", cluster: "", state: "", role: "client" };
  assert.deepEqual(readDaemonMessage(latin1(writeHello(daemon))), daemon);
  assert.deepEqual(readClientMessage(latin1(writeHello(client))), client);
});

test("a hello contains the number of members, or omits it", () => {
  const hello = { kind: "hello", versions: [2], daemon: hash("d"), cluster: hash("c"), clock: 5 } as const;
  for (const members of [0, 2, 9999]) {
    const said: Hello = { ...hello, state: "live", role: "daemon", members };
    assert.deepEqual(readDaemonMessage(latin1(writeHello(said))), said);
  }
  for (const members of ["", "-1", "02", "10000", "x"]) {
    const text = writeCommand(["hello", "2", hash("d"), hash("c"), "5", "live", "daemon", members]);
    assert.throws(() => readDaemonMessage(latin1(text)), MalformedFrame, members);
  }
});

test("a hello of a later version may have more elements, which are ignored", () => {
  const known = ["hello", "1 2 3", hash("d"), hash("c"), "5", "live", "daemon", "2"];
  for (const more of [[""], ["x".repeat(99), "3"], Array<string>(56).fill("x")]) {
    const message = readDaemonMessage(latin1(writeCommand([...known, ...more])));
    const { knows, ...rest } = message as Hello;
    assert.deepEqual(rest, readDaemonMessage(latin1(writeCommand(known))));
    assert.deepEqual(knows, (more[0] as string).split(" "));
  }
  const tooMany = writeCommand([...known, ...Array<string>(57).fill("x")]);
  assert.throws(() => readDaemonMessage(latin1(tooMany)), MalformedFrame);
  const noString = `${writeCommand(known).replace("*8", "*9")}:5\r\n`;
  assert.throws(() => readDaemonMessage(latin1(noString)), MalformedFrame);
});

test("a command may contain the condition of its answer, in exactly one form", () => {
  for (const wait of [{ kind: "stable" }, { kind: "replicated", daemons: 99 }] as const) {
    const message = readClientMessage(latin1(writeCommandMessage("b", "s", wait)));
    assert.deepEqual(message.kind === "command" && message.wait, wait);
  }
  for (const wait of [
    "",
    "Stable",
    "stable ",
    "replicated",
    "replicated 0",
    "replicated 02",
    "replicated 100",
  ]) {
    const text = writeCommand(["command", "b", "s", wait]);
    assert.throws(() => readClientMessage(latin1(text)), MalformedFrame, wait);
  }
});

test("a command's frame is the same whether it is made of bytes or of text, whatever its lengths", () => {
  for (const length of [3, 9, 10, 99, 100, 999, 1000, 99_999, 100_000]) {
    const body = "\xff".repeat(length);
    const signature = "\0\r\n".repeat(85);
    for (const wait of [null, { kind: "stable" }, { kind: "replicated", daemons: 12 }] as const) {
      const expected = writeFrame(writeCommandMessage(body, signature, wait ?? undefined), 2);
      assert.equal(bytesOf(commandFrame(latin1(body), latin1(signature), wait)), expected);
    }
  }
});

test("a trace context is parsed after the signed bytes, with and without a wait; other bytes are not", () => {
  const traceparent = `00-${"0af7651916cd43dd8448eb211c80319c"}-b7ad6b7169203331-01`;
  for (const wait of [null, { kind: "stable" }, { kind: "replicated", daemons: 12 }] as const) {
    for (const body of ["", "*3", "b\r\n:\xff".repeat(9_999)]) {
      const frame = tracedFrame(commandFrame(latin1(body), latin1("s:s"), wait), traceparent);
      const [payload = latin1("")] = new FrameParser(1_000_000, 2).split(frame);
      const message = readClientMessage(payload);
      assert.ok(message.kind === "command");
      assert.equal(bytesOf(message.body), body);
      assert.equal(bytesOf(message.signature), "s:s");
      assert.deepEqual(message.wait, wait ?? undefined);
      assert.equal(message.traceparent, traceparent);
    }
  }
  const zeros = "0".repeat(32);
  const wrong = ["", traceparent.toUpperCase(), `${traceparent}0`, traceparent.replace("00-", "ff-")];
  for (const text of [
    ...wrong,
    `00-${zeros}-b7ad6b7169203331-01`,
    traceparent.replace("b7ad6b7169203331", zeros.slice(16)),
  ])
    assert.throws(
      () => readClientMessage(latin1(writeCommand(["command", "b", "s", "", text]))),
      MalformedFrame,
      text,
    );
  assert.throws(() => readClientMessage(latin1(writeCommand(["command", "b", "s", ""]))), MalformedFrame);
});

test("a command's body and signature are parsed back byte for byte", () => {
  const message = readClientMessage(latin1(writeCommandMessage("b\r\n\0\xff", "s".repeat(256))));
  assert.equal(message.kind, "command");
  if (message.kind !== "command") return;
  assert.equal(bytesOf(message.body), "b\r\n\0\xff");
  assert.equal(bytesOf(message.signature), "s".repeat(256));
});

test("a result's head is parsed immediately, and its units one by one", () => {
  const head = { id: hash("i"), daemon: hash("d"), clock: 5, newest: { at: 4, seq: 65_535 }, units: 2 };
  const message = readDaemonMessage(latin1(writeResult(head, "+OK\r\n$0\r\n\r\n:7\r\n$4\r\nlate\r\n")));
  assert.equal(message.kind, "result");
  if (message.kind !== "result") return;
  const { replies, ...rest } = message;
  assert.deepEqual(rest, { kind: "result", ...head });
  assert.deepEqual(replies.readReply(), { kind: "status", text: "OK" });
  assert.equal(replies.readBulk(), "");
  assert.deepEqual(replies.readReply(), { kind: "integer", value: 7 });
  assert.equal(replies.readBulk(), "late");
  assert.ok(replies.isAtEnd);
});

test("a result whose newest date is not two canonical decimals is refused", () => {
  const bad = [
    "",
    "4",
    "4 ",
    " 5",
    "4  5",
    "04 5",
    "4 05",
    "4 65536",
    "9007199254740992 0",
    "4 5 6",
    "4,5",
    "-1 0",
  ];
  for (const newest of bad) {
    const text = writeCommand(["result", hash("i"), hash("d"), "5", newest, "", ""]);
    assert.throws(() => readDaemonMessage(latin1(text)), MalformedFrame, JSON.stringify(newest));
  }
});

test("a refusal is parsed back unchanged", () => {
  const refusal = {
    id: hash("i"),
    code: "skew",
    sentence: "dated too far",
    clock: 5,
    effect: "not-applied",
  } as const;
  assert.deepEqual(readDaemonMessage(latin1(writeRefused(refusal))), { kind: "refused", ...refusal });
});

test("invalid messages are refused", () => {
  const bad = [
    writeCommand(["command", "b"]),
    writeCommand(["command", "b", "s", "x"]),
    `${writeCommand(["command", "b", "s"])}x`,
    writeCommand(["hello"]),
    writeCommand(["hello", "2", "short", "", "0", "", "client"]),
    writeCommand(["hello", "two", "", "", "0", "", "client"]),
    writeCommand(["hello", "2", "", "", "-1", "", "client"]),
    writeCommand(["hello", "2", "", "", "0", "sleepy", "client"]),
    writeCommand(["hello", "2", "", "", "0", "", "admin"]),
    writeCommand(["goodbye"]),
    "$5\r\nhello\r\n",
    "*0\r\n",
    "",
  ];
  for (const text of bad)
    assert.throws(() => readClientMessage(latin1(text)), MalformedFrame, JSON.stringify(text));
  for (const text of [...bad, writeCommand(["refused", "i", "c", "s", "0", "maybe"])]) {
    assert.throws(() => readDaemonMessage(latin1(text)), MalformedFrame, JSON.stringify(text));
  }
});
