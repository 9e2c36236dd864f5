/**
 * Tests the processing of envelopes of version 2: which envelopes are accepted, how other envelopes are
 * refused, and that no envelope is applied twice.
 */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { READ_LIMITS_DEFAULT } from "../../../daemon/store/read-allowance.js";
import { bulk, integer, NIL, NIL_ARRAY, OK, type Reply, status } from "../../../protocol/reply.js";
import { unitId, unitOrderKey } from "../../../protocol/version-2/unit-names.js";
import { amount } from "../../support/amount.js";
import { EnvelopeClient, frameOf, makeKeyPair, signBody } from "../../support/envelope-client.js";
import { RawClient } from "../../support/raw-client.js";
import { type InProcessOptions, startInProcess } from "./in-process.js";

const pair = makeKeyPair();
const rsa = makeKeyPair("rsa");
const root = makeKeyPair();
const foreign = makeKeyPair();

type Options = Partial<InProcessOptions>;

/** Starts a daemon with all keys, and a client. */
async function start(options: Options = {}) {
  const daemon = await startInProcess({
    backends: [new MemoryBackend(options.environment ?? realEnvironment)],
    keys: [pair.file, rsa.file],
    rootKeys: [root.file],
    ...options,
  });
  after(() => daemon[Symbol.asyncDispose]());
  const open = async (signer = pair) => {
    const client = await EnvelopeClient.open(daemon.port, signer);
    after(() => client[Symbol.dispose]());
    return client;
  };
  return { daemon, open, client: await open() };
}

test("an envelope of several commands is answered with a reply for each command", async () => {
  const { client } = await start();
  const message = await client.ask([
    ["SET", "k", "v"],
    ["GET", "k"],
    ["INCR", "k"],
    ["INCR", "n"],
  ]);
  assert.ok(message.kind === "result");
  assert.deepEqual(message.replies.slice(0, 2), [OK, bulk("v")]);
  assert.equal(message.replies[2]?.kind, "error");
  assert.deepEqual(message.replies[3], integer(1));
  assert.deepEqual(message.flags, ["", "", "", ""]);
  assert.ok(Math.abs(message.clock - Date.now()) < 5000);
  assert.ok(message.newest.at <= Date.now());
});

test("keys of both types can sign, and the first frame of a connection determines its version", async () => {
  const { daemon, open } = await start();
  const client = await open(rsa);
  assert.deepEqual(await client.replies([["PING"]]), [status("PONG")]);
  using old = await RawClient.open(daemon.port);
  old.command("PING");
  assert.equal(await old.rest(), "");
});

test("a hello contains versions, daemon, cluster, clock and state, and shows that a daemon has no keys", async () => {
  const { client, daemon } = await start();
  const { versions, cluster, state, role, clock, daemon: id } = await client.hello();
  assert.deepEqual({ versions, state, role }, { versions: [1, 2], state: "live", role: "daemon" });
  assert.equal(cluster, daemon.pipeline.signers?.cluster);
  assert.equal(id.length, 32);
  assert.ok(Math.abs(clock - Date.now()) < 5000);

  const keyless = await start({ keys: [], rootKeys: [] });
  assert.equal((await keyless.client.hello()).knows[0], "unsigned");
  const message = await keyless.client.ask([["PING"]], { cluster });
  assert.equal(message.kind === "refused" && message.code, "not-due");
  const modern = await start({ takesVersion1: false });
  assert.deepEqual((await modern.client.hello()).versions, [2]);
  using old = await RawClient.open(modern.daemon.port);
  old.command("PING");
  assert.equal(await old.rest(), "");
  assert.ok(modern.daemon.log.some((line) => line["reason"] === "version-1-off"));
});

test("each wrong envelope is refused with its own code and not applied, and the connection stays open", async () => {
  const { client, open } = await start();
  const expectCode = async (
    code: string,
    from: EnvelopeClient,
    header: Parameters<typeof client.sign>[1],
  ) => {
    const message = await from.ask([["SET", "k", "v"]], header);
    assert.deepEqual(message.kind === "refused" && [message.code, message.effect], [code, "not-applied"]);
  };

  await expectCode("unknown-key", await open(foreign), {});
  await expectCode("wrong-cluster", client, { cluster: "c".repeat(32) });
  await expectCode("wrong-daemon", client, { only: "d".repeat(32) });
  await expectCode("not-a-daemon", client, { as: "anna" });
  await expectCode("wrong-db", client, { db: 16 });
  await expectCode("skew", client, { at: Date.now() - 60_000 });
  await expectCode("skew", client, { at: Date.now() + 60_000 });
  await expectCode("too-old", client, { at: Date.now() - 20_000 });

  const { body, signature } = client.sign([["SET", "k", "v"]]);
  const message = await client.exchange(frameOf(body, Buffer.concat([signature, signature])));
  assert.equal(message.kind === "refused" && message.code, "bad-signature");

  const unread = signBody(pair.privateKey, Buffer.concat([client.sign([["PING"]]).body, Buffer.from("x")]));
  const malformed = await client.exchange(unread.frame);
  assert.deepEqual(malformed.kind === "refused" && [malformed.code, malformed.id], ["malformed", unread.id]);

  assert.deepEqual(await client.replies([["GET", "k"]]), [NIL]);
});

test("an invalid message is refused, and the connection is closed after it", async () => {
  const { client } = await start();
  client.raw.send("ds2:4:*1\r\n");
  const message = await client.next();
  assert.deepEqual(message?.kind === "refused" && [message.code, message.id], ["malformed", ""]);
  assert.equal(await client.next(), null);
});

test("a repeated envelope receives the first answer", async () => {
  const { client, open } = await start();
  const { frame } = client.sign([["INCR", "n"]]);
  const first = await client.exchange(frame);
  const other = await open();
  const again = await other.exchange(frame);
  assert.ok(first.kind === "result" && again.kind === "result");
  assert.deepEqual(again.replies, first.replies);
  assert.deepEqual(await client.replies([["GET", "n"]]), [bulk("1")]);
});

test("`multi` makes one unit: all commands are applied, or none if one is malformed", async () => {
  const { client } = await start();
  const multi = true;
  const [reply] = await client.replies(
    [
      ["SET", "k", "1"],
      ["LPUSH", "k", "x"],
      ["INCR", "k"],
    ],
    { multi },
  );
  assert.ok(reply?.kind === "array");
  assert.deepEqual([reply.items[0], reply.items[1]?.kind, reply.items[2]], [OK, "error", integer(2)]);
  const [wrong, ...more] = await client.replies([["SET", "k", "9"], ["NOSUCH"]], { multi });
  assert.deepEqual([wrong?.kind, more], ["error", []]);
  assert.deepEqual(await client.replies([["GET", "k"]]), [bulk("2")]);
});

test("a condition on the last writer is met or reported as unmet", async () => {
  const { client } = await start();
  const absent = [{ db: 0, key: "k", writer: "" }];
  const first = client.sign([["SET", "k", "1"]], { if: absent });
  assert.equal((await client.exchange(first.frame)).kind, "result");

  const message = await client.ask([["SET", "k", "2"]], { if: absent });
  assert.deepEqual(message.kind === "result" && [message.replies, message.flags], [[NIL_ARRAY], ["unmet"]]);

  const written = [{ db: 0, key: "k", writer: unitId(first.id, 0) }];
  assert.deepEqual(await client.replies([["WRITERS", "k"]]), [
    { kind: "array", items: [bulk(unitId(first.id, 0))] },
  ]);
  assert.deepEqual(
    await client.replies(
      [
        ["SET", "k", "3"],
        ["GET", "k"],
      ],
      { if: written, multi: true },
    ),
    [{ kind: "array", items: [OK, bulk("3")] }],
  );
});

test("`db` selects the database", async () => {
  const { client } = await start();
  await client.replies([["SET", "k", "five"]], { db: 5 });
  assert.deepEqual(await client.replies([["GET", "k"]]), [NIL]);
  assert.deepEqual(await client.replies([["GET", "k"]], { db: 5 }), [bulk("five")]);
});

test("no command can select the database, because later commands would use another database than expected", async () => {
  const { client } = await start();
  const commands = [
    ["select", "5"],
    ["SET", "k", "v"],
  ];
  const [reply, ...more] = await client.replies(commands, { multi: true });
  assert.deepEqual([reply?.kind, more], ["error", []]);
  assert.deepEqual(await client.replies([["GET", "k"]]), [NIL]);
  const [alone] = await client.replies(commands);
  assert.equal(alone?.kind, "error");
});

test("`after` waits for another envelope, and is refused immediately if that envelope can never arrive", async () => {
  const { client, open, daemon } = await start();
  const at = Date.now();
  const first = client.sign([["SET", "k", "1"]], { at });
  const after = unitOrderKey(at, 0, first.id, 0);
  const second = client.sign([["GET", "k"]], { after });
  client.raw.send(second.frame);
  client.raw.send(second.frame);

  const other = await open();
  assert.equal((await other.exchange(first.frame)).kind, "result");
  for (let i = 0; i < 2; i++) {
    const message = await client.next();
    assert.deepEqual(message?.kind === "result" && message.replies, [bulk("1")]);
  }

  const before = await client.ask([["PING"]], { after: unitOrderKey(at - 60_000, 0, "x".repeat(32), 0) });
  assert.equal(before.kind === "refused" && before.code, "not-yet");

  client.raw.send(client.sign([["PING"]], { after: unitOrderKey(Date.now(), 0, "x".repeat(32), 0) }).frame);
  await other.replies([["PING"]]);
  daemon.pipeline.stop();
  const never = await client.next();
  assert.equal(never?.kind === "refused" && never.code, "not-yet");
});

test("an administrator adds, limits and revokes keys with immediate effect, and the log names the administrator", async () => {
  const { open, daemon } = await start();
  const admin = await open(root);
  const limited = await open(foreign);
  const id = Buffer.from(foreign.id, "latin1").toString("hex");

  const [denied] = await (await open()).replies([["KEY", "ADD", foreign.pem]]);
  assert.match(denied?.kind === "error" ? denied.text : "", /^NOPERM/);

  await admin.replies([
    ["KEY", "ADD", foreign.pem, "LABEL", "limited", "RULES", "+get", "+set", "~limited:*"],
  ]);
  const [accepted, other] = await limited.replies([
    ["SET", "limited:1", "v"],
    ["SET", "k", "v"],
  ]);
  assert.deepEqual(accepted, OK);
  assert.match(other?.kind === "error" ? other.text : "", /^NOPERM/);

  await admin.replies([["KEY", "REVOKE", id]]);
  const message = await limited.ask([["GET", "limited:1"]]);
  assert.equal(message.kind === "refused" && message.code, "revoked");

  const audit = daemon.log.filter(({ msg }) => msg === "the keys were changed");
  assert.equal(audit.length, 2);
  assert.equal(audit[1]?.["by"], Buffer.from(root.id, "latin1").toString("hex"));
});

test("several KEY commands in one unit are all applied, or none if one is malformed", async () => {
  const { open } = await start();
  const admin = await open(root);
  const id = Buffer.from(pair.id, "latin1").toString("hex");
  for (const wrong of [["KEY", "REVOKE"], ["KEY", "NOSUCH"], ["KEY"]]) {
    const replies = await admin.replies([["KEY", "REVOKE", id], wrong], { multi: true });
    assert.deepEqual(
      replies.map(({ kind }) => kind),
      ["error"],
    );
  }
  assert.deepEqual(await (await open()).replies([["PING"]]), [status("PONG")]);
});

test("KEY and CLUSTER commands are accepted only without other commands, and up to 256 KiB", async () => {
  const { client } = await start();
  const codeOf = async (commands: string[][]) => {
    const message = await client.ask(commands);
    return message.kind === "refused" ? `${message.code} ${message.effect}` : message.kind;
  };

  assert.equal(
    await codeOf([
      ["KEY", "LIST"],
      ["SET", "k", "v"],
    ]),
    "not-alone not-applied",
  );
  assert.equal(await codeOf([["KEY", "REVOKE", "0".repeat(262_144)]]), "ring-too-long not-applied");
  assert.equal(
    await codeOf([
      ["KEY", "LIST"],
      ["CLUSTER", "LIST"],
    ]),
    "result",
  );
  assert.deepEqual(await client.replies([["EXISTS", "k"]]), [integer(0)]);
});

test("a key that exceeds its rate is refused", async () => {
  let uptime = 0;
  const { open } = await start({ environment: { ...realEnvironment, uptime: () => uptime } });
  await (await open(root)).replies([["KEY", "ADD", foreign.pem, "RATE", "2", "RULES", "+@all", "~*"]]);
  const limited = await open(foreign);
  const codes: string[] = [];
  for (let i = 0; i < 4; i++) codes.push((await limited.ask([["PING"]])).kind);
  assert.deepEqual(codes, ["result", "result", "refused", "refused"]);
  uptime += 500;
  assert.equal((await limited.ask([["PING"]])).kind, "result");
});

test("version 1 accepts neither KEY commands nor TIMELINE", async () => {
  for (const command of ["KEY LIST", "timeline STATUS"]) {
    const daemon = await startInProcess({ backends: [new MemoryBackend(realEnvironment)] });
    after(() => daemon[Symbol.asyncDispose]());
    using client = await RawClient.open(daemon.port);
    client.command(command);
    assert.equal(await client.rest(), "");
    assert.ok(daemon.log.some((line) => line["reason"] === "not-permitted"));
  }
});

test("replies that would make an answer too long become errors, and other replies stay", async () => {
  const bytes = amount(1, 8) * 1024 * 1024;
  const backend = new MemoryBackend(realEnvironment);
  backend.database.readLimits = { ...READ_LIMITS_DEFAULT, bytes: Number.POSITIVE_INFINITY };
  const { client } = await start({ backends: [backend], limits: { maxOutputBytes: 32 * bytes } });
  await client.replies([["SET", "k", "v".repeat(bytes)]]);
  const reads = Array.from({ length: 80 }, () => ["GET", "k"]);
  const replies = await client.replies([...reads, ["STRLEN", "k"]]);
  const tooLong = (reply: Reply) => reply.kind === "error" && reply.text.startsWith("TOOLONG ");
  assert.deepEqual(replies.map(tooLong), [...reads.map((_, i) => i >= 31), false]);
  const combined = await client.ask(reads, { multi: true });
  assert.ok(
    combined.kind === "result" && combined.replies.length === 1 && tooLong(combined.replies[0] as Reply),
  );
  assert.deepEqual(await client.replies([["STRLEN", "k"]]), [integer(bytes)]);
});

test("many envelopes in flight are all answered, in the order of each client", async () => {
  const { client } = await start();
  const count = 300;
  const envelopes = Array.from({ length: count }, () => client.sign([["INCR", "n"]]));
  client.raw.send(envelopes.map(({ frame }) => frame).join(""));
  for (let i = 0; i < count; i++) {
    const message = await client.next();
    assert.ok(message?.kind === "result");
    assert.equal(message.id, envelopes[i]?.id);
    assert.deepEqual(message.replies, [integer(i + 1)]);
  }
});
