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
  readSubscriberMessage,
  tracedFrame,
  writeClientHello,
  writeCommandMessage,
  writeHello,
  writeRefused,
  writeResult,
} from "../../../protocol/version-2/messages-v2.js";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const hash = (digit: string) => digit.repeat(32);

const DAEMON: Hello = {
  kind: "hello",
  versions: [1, 2],
  daemon: hash("d"),
  cluster: hash("c"),
  clock: 1790000000000,
  state: "catching-up",
  role: "daemon",
  members: 2,
  knows: ["signed", "trace"],
};
const ELEMENTS = ["hello", "2", hash("d"), hash("c"), "5", "live", "daemon", "2", "signed"];
const withElement = (index: number, value: string) =>
  latin1(writeCommand(ELEMENTS.map((element, at) => (at === index ? value : element))));

test("a hello is parsed back unchanged, from either side", () => {
  for (const hello of [
    DAEMON,
    { ...DAEMON, members: 0 },
    { ...DAEMON, members: 9999, knows: [] },
    { ...DAEMON, members: null },
  ])
    assert.deepEqual(readDaemonMessage(latin1(writeHello(hello))), hello);
  const client = latin1(writeClientHello(hash("c"), 5));
  assert.deepEqual(readClientMessage(client), {
    kind: "hello",
    versions: [2],
    daemon: "",
    cluster: hash("c"),
    clock: 5,
    state: "",
    role: "client",
    members: null,
    knows: [],
  });
});

test("a hello has one form: each value has one encoding", () => {
  for (const members of ["-1", "02", "10000", "x", " "])
    assert.throws(() => readDaemonMessage(withElement(7, members)), MalformedFrame, members);
  for (const knows of [" ", "signed ", " signed", "signed  trace", "Signed", "a".repeat(33)])
    assert.throws(() => readDaemonMessage(withElement(8, knows)), MalformedFrame, knows);
  const noString = `${writeCommand(ELEMENTS.slice(0, 8)).replace("*8", "*9")}:5\r\n`;
  assert.throws(() => readDaemonMessage(latin1(noString)), MalformedFrame);
});

test("a hello of another length or protocol is reported as such, whatever else it contains", () => {
  for (const read of [readClientMessage, readDaemonMessage, readSubscriberMessage]) {
    for (const elements of [["hello"], ELEMENTS.slice(0, 7), ELEMENTS.slice(0, 8), [...ELEMENTS, "", "x"]])
      assert.throws(() => read(latin1(writeCommand(elements))), {
        name: "OtherProtocol",
        message: `a hello with ${elements.length} elements instead of 9: install the same version of dbsync on both sides`,
      });
    for (const versions of ["1", "3", "1 3"])
      assert.throws(() => read(withElement(1, versions)), {
        name: "OtherProtocol",
        found: `a hello of protocol ${versions.replace(" ", " and ")} instead of 2`,
      });
    assert.equal(read(withElement(1, "2 3")).kind, "hello");
    assert.equal(read(withElement(8, "signed later-words")).kind, "hello");
  }
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
  const dated = { ...refusal, newest: { at: 1_790_000_000_000, seq: 17 } };
  assert.deepEqual(readDaemonMessage(latin1(writeRefused(dated))), { kind: "refused", ...dated });
});

test("invalid messages are refused", () => {
  const bad = [
    writeCommand(["command", "b"]),
    writeCommand(["command", "b", "s", "x"]),
    `${writeCommand(["command", "b", "s"])}x`,
    writeCommand(["hello", "2", "short", "", "0", "", "client", "", ""]),
    writeCommand(["hello", "two", "", "", "0", "", "client", "", ""]),
    writeCommand(["hello", "2", "", "", "-1", "", "client", "", ""]),
    writeCommand(["hello", "2", "", "", "0", "sleepy", "client", "", ""]),
    writeCommand(["hello", "2", "", "", "0", "", "admin", "", ""]),
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
