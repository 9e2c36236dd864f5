/**
 * Tests the conversation of a client. A client that loses its server connects to the next server, sends unacknowledged
 * messages again, and shows each message once.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { WebSocket } from "ws";
import {
  type ChatSocket,
  Conversation,
  type ConversationEvent,
} from "../../../examples/chat/conversation.js";
import type { Message } from "../../../examples/chat/message.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { freePort, refusingAddress } from "../../support/free-port.js";
import { until } from "../../support/until.js";
import { FrameLine, spawnServer, startServer, startStore } from "./scene.js";

let store: Awaited<ReturnType<typeof startStore>>;
before(async () => {
  store = await startStore();
});
after(() => store[Symbol.asyncDispose]());

const limits = { FLOOD_COUNT: 1000, HISTORY_COUNT: 10, SIGN_MS: 200 };
const start = () => startServer({ redis: store.port, limits });

/** Starts a conversation and records its events. */
function converse(servers: readonly string[], pseudo: string, room: string) {
  const events: ConversationEvent[] = [];
  const sockets: WebSocket[] = [];
  const conversation = new Conversation({
    servers,
    pseudo,
    session: null,
    room,
    makeId: randomUUID,
    onEvent: (one: ConversationEvent) => events.push(one),
    makeSocket(url, protocol) {
      const socket = new WebSocket(url, protocol);
      sockets.push(socket);
      return socket as ChatSocket;
    },
  });

  const all = <Is extends ConversationEvent["is"]>(is: Is) =>
    events.filter((one): one is Extract<ConversationEvent, { is: Is }> => one.is === is);
  return {
    conversation,
    all,
    sockets,
    texts: () =>
      all("message")
        .map(({ message }): Message => message)
        .sort((a, b) => (a.order < b.order ? -1 : 1))
        .map(({ text }) => text),
    [Symbol.dispose]: () => conversation.end(),
  };
}

const numbered = (what: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${what} ${index}`);

test("each message is stored once and in order while servers stop and start", async () => {
  const first = await start();
  await using second = await start();
  using ann = converse([first.address], "Ann", "order");
  using reader = converse([second.address], "Reader", "order");
  await until(
    "both users are present",
    () => ann.all("present").length > 0 && reader.all("present").length > 0,
  );

  const texts = numbered("text", 60);
  for (const [index, text] of texts.entries()) {
    assert.equal(ann.conversation.say(text), true);
    // In the middle, the server is stopped once and the connection is cut twice.
    if (index === 20) void first.stop();
    if (index === 30 || index === 45) {
      await until("some messages are stored", () => ann.all("message").length > index - 25);
      ann.sockets.at(-1)?.terminate();
    }
  }

  await until("all messages are stored", () => ann.conversation.waiting === 0);
  await until("the reader has received all messages", () => reader.all("message").length >= texts.length);

  assert.deepEqual(ann.texts(), texts);
  assert.deepEqual(reader.texts(), texts);
  assert.equal(new Set(ann.all("here").map(({ session }) => session)).size, 1, "one session");
  assert.ok(ann.all("here").length >= 2);
  assert.equal(ann.all("here").at(-1)?.server, second.address);
});

test("a client that was disconnected shows all missed messages, and none of them twice", async () => {
  await using server = await start();
  using ann = converse([server.address], "Anna", "gap");
  using line = new FrameLine(server.address);
  await line.begin("Talker", "gap");

  const say = async (texts: readonly string[]) => {
    for (const text of texts) {
      await line.ask({ do: "say", id: randomUUID(), text });
      await line.frame("kept");
    }
  };

  await say(numbered("before", 5));
  await until("the client has received some messages", () => ann.all("message").length === 5);
  const { conversation } = ann;

  // While the connection is paused, no event arrives.
  ann.sockets.at(-1)?.pause();
  await say(numbered("meanwhile", 34));
  ann.sockets.at(-1)?.terminate();
  await until("the missed messages are shown", () => ann.all("message").length >= 39);

  await say(["behind"]);
  await until("new messages arrive", () => ann.texts().at(-1) === "behind");
  assert.deepEqual(ann.texts(), [...numbered("before", 5), ...numbered("meanwhile", 34), "behind"]);
  assert.equal(conversation.waiting, 0);
});

test("a client receives earlier pages on request, back to the beginning", async () => {
  await using server = await start();
  using line = new FrameLine(server.address);
  await line.begin("Writer", "pages");
  for (const text of numbered("text", 25)) {
    await line.ask({ do: "say", id: randomUUID(), text });
    await line.frame("kept");
  }

  using ann = converse([server.address], "Annie", "pages");
  await until("the last page has arrived", () => ann.all("earlier").length === 1);
  assert.deepEqual(ann.texts(), numbered("text", 25).slice(15));

  for (const count of [2, 3]) {
    assert.equal(ann.all("earlier").at(-1)?.more, true);
    ann.conversation.earlier();
    await until("one more page has arrived", () => ann.all("earlier").length === count);
  }
  assert.equal(ann.all("earlier").at(-1)?.more, false);
  assert.deepEqual(ann.texts(), numbered("text", 25));
});

test("rooms are separate, and each room lists its users on all servers", async () => {
  await using first = await start();
  await using second = await start();
  using ann = converse([first.address], "Anne", "red");
  using bob = converse([second.address], "Bob", "red");

  const here = (one: typeof ann) =>
    (one.all("present").at(-1)?.people ?? []).map(({ pseudo }) => pseudo).sort();
  await until("both clients list both users", () =>
    [ann, bob].every((one) => here(one).join() === "Anne,Bob"),
  );

  assert.equal(bob.conversation.goTo("Blue"), true);
  await until("the first room has one user", () => here(ann).join() === "Anne");
  await until(
    "the other user is in another room",
    () => bob.all("room").at(-1)?.room === "blue" && here(bob).join() === "Bob",
  );

  ann.conversation.say("in red");
  bob.conversation.say("in blue");
  await until("both messages are stored", () => ann.conversation.waiting + bob.conversation.waiting === 0);
  assert.deepEqual([ann.texts(), bob.texts()], [["in red"], ["in blue"]]);
  await until("the client has received its message", () =>
    ann.all("event").some(({ event }) => event.pseudo === "Bob" && event.kind === "left"),
  );

  const rooms = () => bob.all("present").at(-1)?.rooms ?? [];
  await until(
    "the client receives the list of rooms",
    () => rooms().includes("red") && rooms().includes("blue"),
  );
});

test("a user who does not return is removed, even if the server was killed", async () => {
  await using server = await start();
  using ann = converse([server.address], "Ana", "dead");
  await until("the client is connected", () => ann.all("present").length > 0);

  // A killed server leaves this state behind.
  using redis = Object.assign(new Redis(store.port), { [Symbol.dispose]: () => redis.disconnect() });
  const uuid = randomUUID();
  await redis.set(uuid, JSON.stringify({ here: true, color: 3, pseudo: "Ghost", addr: ["", 0] }), "EX", 600);
  await redis.zadd("chat:here:dead", Date.now() + 600_000, uuid);
  await until("the user was listed", () =>
    ann.all("present").some(({ people }) => people.some(({ pseudo }) => pseudo === "Ghost")),
  );

  await redis.zadd("chat:here:dead", Date.now() - 1, uuid);
  await until("the user has left", () =>
    ann.all("event").some(({ event }) => event.kind === "left" && event.pseudo === "Ghost"),
  );
  await until("the user is no longer listed", () => ann.all("present").at(-1)?.count === 1);
});

test("a client without a session begins a new one with the same name, and sends its waiting messages in it", {
  skip: skipUnlessFull,
}, async () => {
  // The port is not an ephemeral one, which another process could receive in the meantime.
  const settings = { PORT: String(await freePort()) };
  await using server = await startServer({ redis: store.port, limits, settings });
  using ann = converse([server.address], "Lost", "lost");
  await until("the client is connected", () => ann.all("here").length === 1);
  const [here] = ann.all("here");
  using redis = Object.assign(new Redis(store.port), { [Symbol.dispose]: () => redis.disconnect() });

  ann.sockets[0]?.pause();
  ann.conversation.say("not lost");
  await server.stop();
  await redis.del(here?.session ?? "", "chat:name:lost");

  await using next = await startServer({ redis: store.port, limits, settings });
  await until(
    "the client has a new session",
    () => ann.all("here").length === 2 && ann.conversation.waiting === 0,
  );

  assert.equal(next.address, server.address);
  assert.notEqual(ann.all("here")[1]?.session, here?.session);
  assert.deepEqual(ann.texts(), ["not lost"]);
});

test("a client reports a hung server as silent before it leaves, and as responding if it continues", async () => {
  using folder = makeFolder();
  const hanging = await spawnServer(folder.path, { DB_PORT: String(store.port) });
  await using other = await start();
  using ann = converse([`ws://127.0.0.1:${hanging.port}`], "Hana", "hang");
  try {
    await until("the client is connected", () => ann.all("present").length > 0);

    hanging.signal("SIGSTOP");
    await until("the server is silent", () => ann.all("silent").length === 1);
    assert.equal(ann.all("away").length, 0, "reported before the client leaves");

    hanging.signal("SIGCONT");
    await until("the server responds", () => ann.all("heard").length === 1);
    assert.equal(ann.all("away").length, 0);

    hanging.signal("SIGSTOP");
    await until(
      "the client has moved to the other server",
      () => ann.all("here").at(-1)?.server === other.address,
    );
    assert.equal(ann.all("silent").length, 2);

    // A server that hangs from the start is also reported.
    using late = converse([`ws://127.0.0.1:${hanging.port}`], "Late", "hang");
    await until("the server is silent", () => late.all("silent").length === 1);
  } finally {
    await hanging.kill();
  }
});

test("a client skips an invalid address, and ignores meaningless frames", async () => {
  await using server = await start();
  using ann = converse(["ws://:::", server.address], "Passer", "addresses");
  await until("the client is connected to the other server", () => ann.all("here").length > 0);
  for (const data of ["{", "null", "7", '{"is":"unknown"}'])
    ann.sockets[0]?.emit("message", Buffer.from(data), false);
  assert.equal(ann.conversation.say("goes on"), true);
  await until("the message is stored", () => ann.texts().includes("goes on"));
});

test("a client limits the messages that wait for a server", async () => {
  using ann = converse([`ws://${await refusingAddress()}`], "Alone", "alone");
  const answers = Array.from({ length: 101 }, (_, index) => ann.conversation.say(`text ${index}`));
  assert.deepEqual([answers.indexOf(false), ann.conversation.waiting], [100, 100]);
});
