/** Tests the client with fake version 2 daemons on loopback: batches, headers, replies, retries. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { OutcomeMessage } from "../../client/calls/diagnostics-channels.js";
import { createClient } from "../../client/dbsync-send.js";
import { realEnvironment } from "../../client/shared/client-environment.js";
import { DbsyncError } from "../../client/shared/errors.js";
import { parseServers } from "../../client/shared/server-list.js";
import { readHello } from "../../client/version-2/single-hello.js";
import { startDaemon } from "../../daemon/program/testing.js";
import { FrameParser, writeFrame } from "../../protocol/frame.js";
import { error, type Reply } from "../../protocol/reply.js";
import { RespReader } from "../../protocol/resp/resp-reader.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { writeRefused } from "../../protocol/version-2/messages-v2.js";
import { unitOrderKey } from "../../protocol/version-2/unit-names.js";
import { until } from "../support/until.js";
import { FakeServer } from "./fake-server.js";
import { HandClock } from "./hand-clock.js";
import { client2Of, ServedDaemon } from "./served-daemon.js";
import { clientOf, errorOf, PATIENCE_MS, summary } from "./test-client.js";

test("simultaneous calls share a few signatures and arrive in the order of the calls", async () => {
  await using one = await ServedDaemon.start();
  await using two = await ServedDaemon.start();
  const signatures = { count: 0 };
  await using client = client2Of([one, two], { signatures });
  await client.send("PING");
  const sent = Array.from({ length: 200 }, (_, call) => `SET k ${call}`);
  await Promise.all(sent.map((command) => client.send(command)));
  assert.ok(signatures.count <= 3, `${signatures.count} signatures`);
  await until("the other daemon to receive everything", () => two.envelopes.flat().length === 201);
  for (const { envelopes } of [one, two]) assert.deepEqual(envelopes.flat().slice(1), sent);
  assert.deepEqual([one.accepted, two.accepted], [1, 1]);
});

test("reads and writes never share an envelope, and keep their order", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  await Promise.all(["SET a 1", "GET a", "GET b", "SET a 2", "GET a"].map((command) => client.send(command)));
  assert.deepEqual(daemon.envelopes, [["SET a 1"], ["GET a", "GET b"], ["SET a 2"], ["GET a"]]);
});

test("commands for the key ring have separate envelopes, and keep their position", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  const calls = ["SET a 1", "key REVOKE 00", "KEY LIST", "GET a", "CLUSTER LIST", "SET a 2"];
  await Promise.all([
    ...calls.map((command) => client.send(command)),
    client.call([Buffer.from("KEY"), "LIST"]),
    client.send("SET a 3"),
  ]);
  assert.deepEqual(daemon.envelopes, [
    ["SET a 1"],
    ["key REVOKE 00", "KEY LIST"],
    ["GET a"],
    ["CLUSTER LIST"],
    ["SET a 2"],
    ["KEY LIST"],
    ["SET a 3"],
  ]);
});

test("simultaneous calls may together exceed the limit of a single call", async () => {
  const bytes = "v".repeat(128 * 1024);
  await using daemon = await ServedDaemon.start({ reply: () => ({ kind: "bulk", bytes }) });
  await using client = client2Of([daemon]);
  const values = await Promise.all(Array.from({ length: 600 }, () => client.send("GET k")));
  assert.ok(values.every((value) => value === bytes));
});

test("an argument may contain spaces, line feeds, NUL and any bytes, and may be empty", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  await client.call(["SET", "a b\r\n\0", Buffer.of(0, 255), "", "é", 7]);
  assert.deepEqual(daemon.daemon.applied[0]?.envelope.commands, [
    ["SET", "a b\r\n\0", "\0\xff", "", "\xc3\xa9", "7"],
  ]);
});

const REPLIES: [reply: Reply, value: unknown, text: string | null][] = [
  [{ kind: "status", text: "OK" }, "OK", "OK"],
  [{ kind: "bulk", bytes: "\xc3\xa9" }, "é", "é"],
  [{ kind: "integer", value: 5 }, 5, "5"],
  [{ kind: "integer", value: 2n ** 62n }, 2n ** 62n, String(2n ** 62n)],
  [{ kind: "nil" }, null, null],
  [{ kind: "array", items: [] }, [], null],
  [{ kind: "array", items: [{ kind: "bulk", bytes: "a" }, { kind: "nil" }] }, ["a", null], "a\n"],
];

for (const [reply, value, text] of REPLIES) {
  test(`the reply ${reply.kind} ${String(value)} is typed for call, and text for send`, async () => {
    await using daemon = await ServedDaemon.start({ reply: () => reply });
    await using client = client2Of([daemon]);
    assert.deepEqual(await client.call("GET k"), value);
    assert.equal(await client.send("GET k"), text);
  });
}

test("replies contain Buffers if the caller asks for them", async () => {
  await using daemon = await ServedDaemon.start({ reply: () => ({ kind: "bulk", bytes: "\0\xff" }) });
  await using client = client2Of([daemon]);
  assert.deepEqual(await client.call("GET k", { buffers: true }), Buffer.of(0, 255));
});

test("a failing command is an error with the daemon's text, and does not affect the other calls of its envelope", async () => {
  const reply = ([name]: readonly string[]) =>
    name === "LPUSH" ? error("WRONGTYPE No.") : ({ kind: "status", text: "OK" } as const);
  await using daemon = await ServedDaemon.start({ reply });
  await using client = client2Of([daemon]);
  const [before, failure, behind] = await Promise.all([
    client.send("SET a 1"),
    errorOf(client.send("LPUSH a 1")),
    client.send("SET a 2"),
  ]);
  assert.deepEqual([before, behind, failure.code, failure.effect], ["OK", "OK", "reply", "not-applied"]);
  assert.equal(failure.message, "The command failed (LPUSH a): WRONGTYPE No.");
  assert.equal(daemon.daemon.applied.length, 1);
});

for (const [what, replies, options, code] of [
  [
    "a majority of errors",
    [error("ERR no"), error("ERR no"), error("ERR no")],
    { policy: "majority" },
    "reply",
  ],
  [
    "outcomes that no majority can share",
    [{ kind: "status", text: "OK" }, error("ERR no"), error("ERR other")],
    { if: [{ key: "k", writer: null }] },
    "answers-differ",
  ],
] as const) {
  test(`a call that fails because of ${what} reports a silent daemon as not awaited`, async () => {
    await using one = await ServedDaemon.start({ id: 1, reply: () => replies[0] });
    await using two = await ServedDaemon.start({ id: 2, reply: () => replies[1] });
    await using three = await ServedDaemon.start({ id: 3, reply: () => replies[2] });
    await using silent = await ServedDaemon.start({ id: 9 });
    await using client = client2Of([one, two, three, silent], { clock: new HandClock() });
    await client.sendAll("PING");
    silent.passes = () => [];
    const { code: failedBy, outcomes, message } = await errorOf(client.send("SET k 1", options));
    assert.equal(failedBy, code);
    assert.equal(summary(outcomes.at(-1)), "not-awaited unknown");
    if (code !== "reply") assert.match(message, /: not-awaited: the call had failed before it answered; /);
  });
}

test("a daemon that has not answered at the deadline is reported with a timeout", async () => {
  await using one = await ServedDaemon.start({ id: 1, reply: () => error("ERR no") });
  await using silent = await ServedDaemon.start({ id: 2 });
  const clock = new HandClock();
  await using client = client2Of([one, silent], { clock });
  await client.sendAll("PING");
  silent.passes = () => [];
  const failed = errorOf(client.send("SET k 1", { policy: "majority", timeout: 100 }));
  await until("the write to be sent", () => silent.daemon.applied.length === 2);
  clock.advance(100);
  assert.equal(summary((await failed).outcomes.at(-1)), "timeout unknown");
});

test("multi is one unit with a reply for each command", async () => {
  const reply = ([name]: readonly string[]): Reply =>
    name === "INCR" ? { kind: "integer", value: 1 } : error("ERR no");
  await using daemon = await ServedDaemon.start({ reply });
  await using client = client2Of([daemon]);
  const values = await client.multi(["INCR a", ["LPUSH", "a", "x y"]]);
  assert.equal(values?.[0], 1);
  assert.ok(values?.[1] instanceof DbsyncError && values[1].code === "reply");
  assert.deepEqual(daemon.envelopes, [["INCR a", "LPUSH a x y"]]);
  assert.equal(daemon.daemon.applied[0]?.envelope.multi, true);
  assert.equal((await errorOf(client.multi([]))).code, "bad-command");
});

test("header options are in the envelope's header, and require a separate envelope for the call", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  assert.equal(client.lastWrite, null);
  await client.send("SET a 1");
  const [first] = daemon.daemon.applied;
  const { at = 0, seq = 0 } = first?.envelope ?? {};
  const after = hexOf(unitOrderKey(at, seq, first?.id ?? "", 0));
  assert.equal(client.lastWrite, after);

  const writer = "0a".repeat(36);
  await Promise.all([
    client.send("SET a 2"),
    client.call("SET a 3", { db: 3, after, only: "01".repeat(32), if: [{ key: "a", writer }] }),
    client.send("SET a 4"),
  ]);
  assert.deepEqual(daemon.envelopes.slice(1), [["SET a 2"], ["SET a 3"], ["SET a 4"]]);

  const { envelope } = daemon.daemon.applied[2] ?? {};
  assert.deepEqual([envelope?.db, envelope?.only], [3, "\x01".repeat(32)]);
  assert.deepEqual(envelope?.if, [{ db: 3, key: "a", writer: "\n".repeat(36) }]);
  assert.equal(hexOf(envelope?.after ?? ""), after);
});

test("an envelope that is lost with its connection is sent again with the same bytes, and applied once", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  await client.send("PING");
  let losses = 2;
  daemon.passes = (answers) => (daemon.daemon.applied.length > 1 && losses-- > 0 ? null : answers);
  assert.equal(await client.send("INCR n"), "OK");
  assert.deepEqual(daemon.envelopes, [["PING"], ["INCR n"]]);
  assert.deepEqual(new Set(daemon.daemon.arrived).size, 2);
  assert.ok(daemon.daemon.arrived.length > 2);
});

test("an envelope that is lost repeatedly is an error, and may have been applied", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  await client.send("PING");
  daemon.passes = (answers) => (answers.every((answer) => answer.includes("hello")) ? answers : null);
  const failure = await errorOf(client.send("INCR n", { timeout: 20_000 }));
  assert.equal(summary(failure.outcomes[0]), "lost unknown");
  assert.equal(failure.effect, "unknown");
});

for (const code of ["skew", "catching-up", "revoked"]) {
  test(`an envelope that was lost and is then refused (${code}) may have been applied, and is not signed again`, async () => {
    await using daemon = await ServedDaemon.start();
    await using client = client2Of([daemon]);
    await client.send("PING");
    daemon.passes = () => {
      daemon.daemon.forget();
      daemon.daemon.refusal = { code, effect: "not-applied" };
      daemon.passes = (answers) => answers;
      return null;
    };
    const failure = await errorOf(client.send("INCR n"));
    assert.deepEqual([failure.code, failure.effect], ["refused", "unknown"]);
    assert.deepEqual(daemon.envelopes, [["PING"], ["INCR n"]]);
    assert.equal(new Set(daemon.daemon.arrived).size, 2);
  });
}

test("an envelope that is too old for a daemon is signed again", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  await client.send("PING");
  daemon.daemon.refusal = { code: "too-old", effect: "not-applied" };
  daemon.passes = (answers) => {
    daemon.daemon.refusal = null;
    return answers;
  };
  assert.equal(await client.send("INCR n"), "OK");
  assert.deepEqual(daemon.envelopes, [["PING"], ["INCR n"]]);
});

test("a refusal is reported with code, sentence and effect", async () => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  daemon.daemon.refusal = { code: "over-rate", effect: "not-applied" };
  const failure = await errorOf(client.send("INCR n"));
  assert.deepEqual([failure.code, failure.effect], ["refused", "not-applied"]);
  assert.match(failure.message, /refused: .*\(over-rate: No\.\)/);
  daemon.daemon.refusal = { code: "answer-not-kept", effect: "unknown" };
  assert.equal((await errorOf(client.send("INCR n"))).effect, "unknown");
});

test("a hello of another length or protocol is refused in one sentence, and no command is sent", async () => {
  const hello = (...elements: string[]) => writeCommand(["hello", ...elements]);
  const head = ["d".repeat(32), "c".repeat(32), "5", "live", "daemon", ""];
  const found: readonly (readonly [string, string])[] = [
    ["a hello with 7 elements instead of 9", hello("2", ...head.slice(0, 5))],
    ["a hello with 10 elements instead of 9", hello("2", ...head, "signed", "")],
    ["a hello of protocol 3 instead of 2", hello("3", ...head, "signed")],
  ];
  for (const [what, other] of found) {
    await using daemon = await ServedDaemon.start();
    daemon.passes = () => [Buffer.from(writeFrame(other, 2), "latin1")];
    for (const versions of ["2", "1,2"] as const) {
      await using client = client2Of([daemon], { versions });
      const failure = await errorOf(client.send("SET a 1"));
      assert.equal(summary(failure.outcomes[0]), "refused not-applied");
      const sentence = `other-protocol: The daemon sent ${what}: install the same version of dbsync on both sides.`;
      assert.ok(failure.message.includes(sentence), failure.message);
    }
    const [server = assert.fail()] = parseServers(daemon.address);
    const greeting = await readHello(server, realEnvironment, PATIENCE_MS);
    assert.ok(greeting.kind === "failed" && greeting.detail.includes(what));
    assert.deepEqual(daemon.daemon.applied, []);
  }
});

test("a daemon that refuses the client's hello is reported with its sentence", async () => {
  await using daemon = await ServedDaemon.start();
  const refused = writeRefused({
    id: "",
    code: "other-protocol",
    sentence: "The hello is not one.",
    clock: 5,
    effect: "not-applied",
  });
  daemon.passes = () => [Buffer.from(writeFrame(refused, 2), "latin1")];
  await using client = client2Of([daemon], { versions: "1,2" });
  const failure = await errorOf(client.send("SET a 1"));
  assert.equal(summary(failure.outcomes[0]), "refused not-applied");
  assert.match(failure.message, /other-protocol: The hello is not one\./);
});

test("every daemon's outcome is published on the diagnostics channel", async () => {
  await using daemon = await ServedDaemon.start();
  await using old = await FakeServer.start();
  await using client = client2Of([daemon, old], { versions: "1,2" });
  await client.sendAll("PING");

  const seen: OutcomeMessage[] = [];
  const listen = (message: unknown) => void seen.push(message as OutcomeMessage);
  subscribe("dbsync:outcome", listen);
  await client.sendAll("SET a 1");
  unsubscribe("dbsync:outcome", listen);

  assert.deepEqual(
    seen.map(({ address, version, status, commands }) => [address, version, status, commands]).sort(),
    [
      [daemon.address, 2, "ok", 1],
      [old.address, 1, "ok", 1],
    ].sort(),
  );
  assert.ok(seen.some(({ id }) => id === hexOf(daemon.daemon.applied[1]?.id ?? "")));
});

/** The timeout of calls that are never answered, long enough to be sent on a busy machine. */
const WAITING_MS = 1_000;

test('a call that fails while a daemon waits for the write in "after" reports that', async () => {
  await using daemon = await startDaemon();
  await using client = createClient(daemon.options);
  await client.send("SET a 1");
  const later = `00ffff${(client.lastWrite ?? "").slice(6)}`;
  const failure = await errorOf(client.call("GET a", { after: later, timeout: WAITING_MS }));
  assert.match(failure.message, /does not have the write that `after` refers to/);
});

test("a call that fails while a daemon waits until a write is final reports that", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-waits-"));
  try {
    await using daemon = await startDaemon({ args: ["--data", join(folder, "data")] });
    await using client = createClient(daemon.options);
    const final = await errorOf(client.send("SET a 1", { stable: true, timeout: WAITING_MS }));
    assert.match(final.message, /timeout: .*waiting until the write is final: dbsync status/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a recorded command that failed may still succeed, so it is not reported as not applied", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-provisional-"));
  try {
    await using recorder = await startDaemon({ args: ["--data", join(folder, "data")] });
    await using plain = await startDaemon();
    for (const [daemon, effect] of [
      [recorder, "unknown"],
      [plain, "not-applied"],
    ] as const) {
      await using client = createClient(daemon.options);
      await client.send("SET k text");
      const failed = await errorOf(client.send("LPUSH k a"));
      assert.match(failed.message, /WRONGTYPE/);
      assert.deepEqual([failed.code, failed.effect], ["reply", effect]);
      const unknown = await errorOf(client.send("NOSUCH k"));
      assert.equal(unknown.effect, "not-applied", "a malformed command never succeeds");
    }
    await using client = createClient(recorder.options);
    const { outcomes } = await client.sendAll("SET k 1", { if: [{ key: "k", writer: null }] });
    const flags = outcomes[0]?.status === "ok" && outcomes[0].flags;
    assert.deepEqual(flags, ["unmet"], "a daemon without members decides immediately");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("WRITERS returns the writers that the option `if` accepts", async () => {
  await using daemon = await startDaemon();
  await using client = createClient(daemon.options);
  await client.send("SET a 1");
  const [writer, absent] = (await client.call("WRITERS a b")) as [string, null];
  assert.deepEqual([writer.length, absent], [72, null]);
  assert.equal(await client.call("SET a 2", { if: [{ key: "a", writer }] }), "OK");
  assert.equal(await client.call("SET a 3", { if: [{ key: "a", writer }] }), null);
  const { outcomes } = await client.sendAll("SET a 3", { if: [{ key: "a", writer }] });
  assert.deepEqual(outcomes[0]?.status === "ok" && outcomes[0].flags, ["unmet"]);
  const [bytes] = (await client.call("writers a", { buffers: true })) as [Buffer];
  assert.equal(await client.call("SET a 3", { if: [{ key: "a", writer: bytes }] }), "OK");
});

const fail = (): never => {
  throw new TypeError("Cannot read properties of null");
};

test("an exception while replies are read ends the connection to that daemon, and another answers", async (context) => {
  await using one = await ServedDaemon.start();
  await using two = await ServedDaemon.start();
  await using client = client2Of([one, two]);
  await client.send("SET k 1");
  context.mock.method(RespReader.prototype, "readReply", fail, { times: 1 });
  const { outcomes } = await client.sendAll("SET k 2");
  assert.deepEqual(outcomes.map(summary).sort(), ["garbage unknown", "ok OK"]);
  assert.deepEqual((await client.sendAll("SET k 3")).outcomes.map(summary), ["ok OK", "ok OK"]);
});

test("an exception in the parser of frames ends the connection to that daemon", async (context) => {
  await using daemon = await ServedDaemon.start();
  await using client = client2Of([daemon]);
  await client.send("SET k 1");
  const { split } = FrameParser.prototype;
  const fault = context.mock.method(
    FrameParser.prototype,
    "split",
    function (this: FrameParser, chunk: Buffer) {
      return chunk.includes("result") ? fail() : split.call(this, chunk);
    },
  );
  const { outcomes } = await errorOf(client.send("SET k 2"));
  fault.mock.restore();
  assert.deepEqual(outcomes.map(summary), ["garbage unknown"]);
  assert.equal(await client.send("SET k 3"), "OK");
});

test("an exception in the parser of version 1 ends the connection to that daemon", async (context) => {
  await using bad = await FakeServer.start();
  const { split } = FrameParser.prototype;
  const fault = context.mock.method(
    FrameParser.prototype,
    "split",
    function (this: FrameParser, chunk: Buffer) {
      return chunk.includes("OK") ? fail() : split.call(this, chunk);
    },
  );
  await using client = clientOf([bad]);
  const { outcomes } = await errorOf(client.send("SET k 1"));
  assert.deepEqual(outcomes.map(summary), ["garbage unknown"]);
  fault.mock.restore();
  assert.equal(await client.send("SET k 2"), "OK");
});
