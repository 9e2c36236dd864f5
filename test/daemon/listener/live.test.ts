/**
 * Tests subscriptions of version 2 at the byte level: which clients receive which events, replays, and clients that do
 * not read.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../../protocol/byte-string.js";
import { FrameParser, writeFrame } from "../../../protocol/frame.js";
import type { Reply } from "../../../protocol/reply.js";
import { integer } from "../../../protocol/reply.js";
import {
  type Hello,
  readSubscriberMessage,
  writeClientHello,
  writeCommandMessage,
  writeListen,
} from "../../../protocol/version-2/messages-v2.js";
import { makeKeyPair, signCommands } from "../../support/envelope-client.js";
import { RawClient } from "../../support/raw-client.js";
import { until } from "../../support/until.js";
import { type RunningReplica, startReplica } from "../program/replicas.js";

const app = makeKeyPair();

type Received =
  | Hello
  | { readonly replies: readonly Reply[] }
  | { readonly elements: readonly ByteString[] }
  | { readonly code: string };

/** A client that sends hand-made frames and receives the events of its subscriptions. */
class Listener implements Disposable {
  readonly raw: RawClient;
  readonly #parser = new FrameParser(1 << 30, 2);
  readonly #messages: Received[] = [];
  hello: Hello | null = null;

  private constructor(raw: RawClient) {
    this.raw = raw;
  }

  static async open(port: number): Promise<Listener> {
    const listener = new Listener(await RawClient.open(port));
    listener.hello = await listener.greet();
    return listener;
  }

  async greet(): Promise<Hello> {
    this.raw.send(writeFrame(writeClientHello("", Date.now()), 2));
    const message = await this.next();
    assert.ok("versions" in message);
    return message;
  }

  /** Signs an envelope. @returns the frame */
  frame(commands: readonly (readonly string[])[], only = this.hello?.daemon ?? ""): ByteString {
    const cluster = this.hello?.cluster ?? "";
    const { body, signature } = signCommands(app, commands, { cluster, ...(only === "" ? {} : { only }) });
    return writeFrame(writeListen(body.toString("latin1"), signature.toString("latin1")), 2);
  }

  async send(frame: ByteString): Promise<readonly Reply[]> {
    this.raw.send(frame);
    const message = await this.next();
    assert.ok("replies" in message, JSON.stringify(message));
    return message.replies;
  }

  async next(): Promise<Received> {
    while (this.#messages.length === 0) {
      const bytes = await this.raw.read(Math.max(1, this.raw.received.length));
      assert.notEqual(bytes, "", "the connection is closed");
      for (const payload of this.#parser.split(Buffer.from(bytes, "latin1")))
        this.#messages.push(messageOf(payload));
    }
    return this.#messages.shift() as Received;
  }

  [Symbol.dispose](): void {
    this.raw[Symbol.dispose]();
  }
}

function messageOf(payload: Buffer): Received {
  const message = readSubscriberMessage(payload);
  if (message.kind !== "result") return message;
  const replies = Array.from({ length: message.units }, () => {
    const reply = message.replies.readReply();
    message.replies.readBulk();
    return reply;
  });
  return { replies };
}

const start = (...args: string[]): Promise<RunningReplica> =>
  startReplica({ args: ["-s", app.file, ...args] });
const textOf = ([reply]: readonly Reply[]): string => (reply?.kind === "error" ? reply.text : "");

test("the daemon announces that it sends events, in each of its hellos", async () => {
  await using daemon = await start();
  using listener = await Listener.open(daemon.port);
  assert.deepEqual(listener.hello?.knows, ["signed", "listen", "trace"]);
  assert.deepEqual((await listener.greet()).knows, ["signed", "listen", "trace"]);
});

test("requested events are sent between the answers, and none are sent after unsubscribing", async () => {
  await using daemon = await start();
  using listener = await Listener.open(daemon.port);
  const commands = [
    ["SUBSCRIBE", "a", "b"],
    ["PSUBSCRIBE", "*"],
    ["SSUBSCRIBE", "a"],
  ];
  assert.deepEqual(await listener.send(listener.frame(commands)), [integer(2), integer(3), integer(4)]);

  const run = async (...command: string[]) => {
    const { body, signature } = signCommands(app, [command], { cluster: listener.hello?.cluster ?? "" });
    listener.raw.send(
      writeFrame(writeCommandMessage(body.toString("latin1"), signature.toString("latin1")), 2),
    );
  };

  await run("PUBLISH", "a", "text");
  const events = [await listener.next(), await listener.next(), await listener.next()];
  assert.deepEqual(
    events.filter((one) => "elements" in one).map((one) => "elements" in one && one.elements),
    [
      ["message", "a", "text"],
      ["pmessage", "*", "a", "text"],
    ],
  );

  const opposite = listener.frame([
    ["UNSUBSCRIBE", "a", "b"],
    ["PUNSUBSCRIBE", "*"],
  ]);
  assert.deepEqual(await listener.send(opposite), [integer(2), integer(1)]);

  await run("PUBLISH", "a", "unsubscribed");
  assert.ok("replies" in (await listener.next()));
  await run("SPUBLISH", "a", "shard");
  const shard = [await listener.next(), await listener.next()].find((one) => "elements" in one);
  assert.deepEqual(shard && "elements" in shard && shard.elements, ["smessage", "a", "shard"]);
});

test("a daemon executes a client's command even if an attacker has sent it before as a subscription", async () => {
  await using daemon = await start();
  using thief = await Listener.open(daemon.port);
  using client = await Listener.open(daemon.port);
  const { body, signature } = signCommands(app, [["SET", "k", "v"]], {
    cluster: client.hello?.cluster ?? "",
  });
  const [bytes, seal] = [body.toString("latin1"), signature.toString("latin1")] as const;
  assert.match(textOf(await thief.send(writeFrame(writeListen(bytes, seal), 2))), /only/);
  const replies = await client.send(writeFrame(writeCommandMessage(bytes, seal), 2));
  assert.deepEqual(replies, [{ kind: "status", text: "OK" }]);
});

test("only the daemon that a subscription names accepts it, and only its first sender receives the events", async () => {
  await using daemon = await start();
  await using other = await start();
  using listener = await Listener.open(daemon.port);
  const frame = listener.frame([["SUBSCRIBE", "a"]]);
  assert.deepEqual(await listener.send(frame), [integer(1)]);

  using thief = await Listener.open(daemon.port);
  assert.deepEqual(await thief.send(frame), [integer(1)], "the attacker receives the first answer again");

  using elsewhere = await Listener.open(other.port);
  elsewhere.raw.send(frame);
  const refusal = await elsewhere.next();
  assert.ok("code" in refusal && refusal.code === "wrong-daemon", JSON.stringify(refusal));
  assert.match(textOf(await listener.send(listener.frame([["SUBSCRIBE", "a"]], ""))), /only/);

  const { body, signature } = signCommands(app, [["PUBLISH", "a", "text"]], {
    cluster: listener.hello?.cluster ?? "",
  });
  thief.raw.send(writeFrame(writeCommandMessage(body.toString("latin1"), signature.toString("latin1")), 2));
  const answer = await thief.next();
  assert.ok("replies" in answer);
  assert.deepEqual(answer.replies, [integer(1)], "the attacker receives no events");
  const event = await listener.next();
  assert.ok("elements" in event);
});

test("an invalid subscription is an error, and so are too many subscriptions", async () => {
  await using daemon = await start();
  using listener = await Listener.open(daemon.port);
  for (const command of [["SET", "k", "v"], ["SUBSCRIBE"], ["MONITOR"]])
    assert.match(
      textOf(await listener.send(listener.frame([command]))),
      /expected SUBSCRIBE/,
      command.join(" "),
    );
  const many = Array.from({ length: 10_000 }, (_, number) => `channel ${number}`);
  assert.deepEqual(await listener.send(listener.frame([["SUBSCRIBE", ...many]])), [integer(10_000)]);
  assert.match(
    textOf(await listener.send(listener.frame([["SUBSCRIBE", "one more"]]))),
    /10000 subscriptions/,
  );
  assert.deepEqual(await listener.send(listener.frame([["UNSUBSCRIBE", ...many]])), [integer(0)]);
});

test("a client that does not read its events is disconnected with a reason, and blocks no other client", async () => {
  await using daemon = await start("--resp", "0");
  using listener = await Listener.open(daemon.port);
  assert.deepEqual(await listener.send(listener.frame([["SUBSCRIBE", "flood"]])), [integer(1)]);
  listener.raw.socket.pause();

  using speaker = await RawClient.open(daemon.daemon.addressOf("resp")?.port ?? 0);
  const text = "x".repeat(100_000);
  await until("the connection is closed", async () => {
    speaker.send(`*3\r\n$7\r\nPUBLISH\r\n$5\r\nflood\r\n$${text.length}\r\n${text}\r\n`.repeat(20));
    return (await speaker.read(4 * 20)).endsWith(":0\r\n");
  });
  assert.ok(daemon.log.some(({ msg }) => /does not read its events as fast as they arrive/.test(msg)));

  listener.raw.socket.resume();
  for (;;) {
    const message = await listener.next();
    if (!("code" in message)) continue;
    assert.equal(message.code, "events-not-taken");
    break;
  }
});
