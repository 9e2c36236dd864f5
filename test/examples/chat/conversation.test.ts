/**
 * A client's conversation: it connects to the next server when one is lost, sends unacknowledged messages again,
 * and shows each message once.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { WebSocket, WebSocketServer } from "ws";
import { type ChatSocket, Conversation, type Told } from "../../../examples/chat/conversation.js";
import type { Message } from "../../../examples/chat/message.js";
import { makeFolder, until } from "../../daemon/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { freePort, listenAtFreePort, refusingAddress } from "../../support/free-port.js";
import { FrameLine, spawnServer, startServer, startStore } from "./scene.js";

let store: Awaited<ReturnType<typeof startStore>>;
before(async () => {
  store = await startStore();
});
after(() => store[Symbol.asyncDispose]());

const limits = { FLOOD_COUNT: 1000, HISTORY_COUNT: 10, SIGN_MS: 200 };
const start = () => startServer({ redis: store.port, limits });

/** Starts a conversation, and records its events. */
function converse(servers: readonly string[], pseudo: string, room: string) {
  const told: Told[] = [];
  const sockets: WebSocket[] = [];
  const conversation = new Conversation({
    servers,
    pseudo,
    session: null,
    room,
    makeId: randomUUID,
    tell: (one: Told) => told.push(one),
    makeSocket(url, protocol) {
      const socket = new WebSocket(url, protocol);
      sockets.push(socket);
      return socket as ChatSocket;
    },
  });
  const all = <Is extends Told["is"]>(is: Is) =>
    told.filter((one): one is Extract<Told, { is: Is }> => one.is === is);
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

test("what is said while servers come and go is kept once, in its order", async () => {
  const first = await start();
  await using second = await start();
  using ann = converse([first.address], "Ann", "order");
  using reader = converse([second.address], "Reader", "order");
  await until("both are there", () => ann.all("present").length > 0 && reader.all("present").length > 0);
  const texts = numbered("text", 60);
  for (const [index, text] of texts.entries()) {
    assert.equal(ann.conversation.say(text), true);
    // In the middle, the server is stopped once, and the connection is cut twice.
    if (index === 20) void first.stop();
    if (index === 30 || index === 45) {
      await until("some of it is kept", () => ann.all("message").length > index - 25);
      ann.sockets.at(-1)?.terminate();
    }
  }
  await until("all is kept", () => ann.conversation.waiting === 0);
  await until("all is heard", () => reader.all("message").length >= texts.length);
  assert.deepEqual(ann.texts(), texts);
  assert.deepEqual(reader.texts(), texts);
  assert.equal(new Set(ann.all("here").map(({ session }) => session)).size, 1, "one session");
  assert.ok(ann.all("here").length >= 2);
  assert.equal(ann.all("here").at(-1)?.server, second.address);
});

test("who was away is shown all that was said meanwhile, however much, and nothing twice", async () => {
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
  await until("it has heard some", () => ann.all("message").length === 5);
  const { conversation } = ann;
  // No event arrives while the connection is paused.
  ann.sockets.at(-1)?.pause();
  await say(numbered("meanwhile", 34));
  ann.sockets.at(-1)?.terminate();
  await until("it is shown", () => ann.all("message").length >= 39);
  await say(["behind"]);
  await until("it goes on", () => ann.texts().at(-1) === "behind");
  assert.deepEqual(ann.texts(), [...numbered("before", 5), ...numbered("meanwhile", 34), "behind"]);
  assert.equal(conversation.waiting, 0);
});

test("earlier pages come when they are asked for, to the beginning", async () => {
  await using server = await start();
  using line = new FrameLine(server.address);
  await line.begin("Writer", "pages");
  for (const text of numbered("text", 25)) {
    await line.ask({ do: "say", id: randomUUID(), text });
    await line.frame("kept");
  }
  using ann = converse([server.address], "Annie", "pages");
  await until("the last are there", () => ann.all("earlier").length === 1);
  assert.deepEqual(ann.texts(), numbered("text", 25).slice(15));
  for (const count of [2, 3]) {
    assert.equal(ann.all("earlier").at(-1)?.more, true);
    ann.conversation.earlier();
    await until("a page more is there", () => ann.all("earlier").length === count);
  }
  assert.equal(ann.all("earlier").at(-1)?.more, false);
  assert.deepEqual(ann.texts(), numbered("text", 25));
});

test("rooms are apart, and each tells who is there, at whichever server", async () => {
  await using first = await start();
  await using second = await start();
  using ann = converse([first.address], "Anne", "red");
  using bob = converse([second.address], "Bob", "red");
  const here = (one: typeof ann) =>
    (one.all("present").at(-1)?.people ?? []).map(({ pseudo }) => pseudo).sort();
  await until("both know of both", () => [ann, bob].every((one) => here(one).join() === "Anne,Bob"));
  assert.equal(bob.conversation.goTo("Blue"), true);
  await until("one is alone", () => here(ann).join() === "Anne");
  await until(
    "the other is elsewhere",
    () => bob.all("room").at(-1)?.room === "blue" && here(bob).join() === "Bob",
  );
  ann.conversation.say("in red");
  bob.conversation.say("in blue");
  await until("both are kept", () => ann.conversation.waiting + bob.conversation.waiting === 0);
  assert.deepEqual([ann.texts(), bob.texts()], [["in red"], ["in blue"]]);
  await until("it has heard of it", () =>
    ann.all("event").some(({ event }) => event.pseudo === "Bob" && event.kind === "left"),
  );
  const rooms = () => bob.all("present").at(-1)?.rooms ?? [];
  await until("rooms are told", () => rooms().includes("red") && rooms().includes("blue"));
});

test("who does not come back is here no more, when the server has died, too", async () => {
  await using server = await start();
  using ann = converse([server.address], "Ana", "dead");
  await until("it is there", () => ann.all("present").length > 0);
  // A killed server leaves this state.
  using redis = Object.assign(new Redis(store.port), { [Symbol.dispose]: () => redis.disconnect() });
  const uuid = randomUUID();
  await redis.set(uuid, JSON.stringify({ here: true, color: 3, pseudo: "Ghost", addr: ["", 0] }), "EX", 600);
  await redis.zadd("chat:here:dead", Date.now() + 600_000, uuid);
  await until("it was seen", () =>
    ann.all("present").some(({ people }) => people.some(({ pseudo }) => pseudo === "Ghost")),
  );
  await redis.zadd("chat:here:dead", Date.now() - 1, uuid);
  await until("it has left", () =>
    ann.all("event").some(({ event }) => event.kind === "left" && event.pseudo === "Ghost"),
  );
  await until("it is here no more", () => ann.all("present").at(-1)?.count === 1);
});

test("who has no session any more begins another one by the same name, and what waits is said in that", {
  skip: skipUnlessFull,
}, async () => {
  // It is not one of the system's ephemeral ports, which another process may get meanwhile.
  const settings = { PORT: String(await freePort()) };
  await using server = await startServer({ redis: store.port, limits, settings });
  using ann = converse([server.address], "Lost", "lost");
  await until("it is there", () => ann.all("here").length === 1);
  const [here] = ann.all("here");
  using redis = Object.assign(new Redis(store.port), { [Symbol.dispose]: () => redis.disconnect() });
  ann.sockets[0]?.pause();
  ann.conversation.say("not lost");
  await server.stop();
  await redis.del(here?.session ?? "", "chat:name:lost");
  await using next = await startServer({ redis: store.port, limits, settings });
  await until("it is there again", () => ann.all("here").length === 2 && ann.conversation.waiting === 0);
  assert.equal(next.address, server.address);
  assert.notEqual(ann.all("here")[1]?.session, here?.session);
  assert.deepEqual(ann.texts(), ["not lost"]);
});

test("a server that hangs is shown as silent before it is left, and as heard if it goes on", async () => {
  using folder = makeFolder();
  const hanging = await spawnServer(folder.path, { DB_PORT: String(store.port) });
  await using other = await start();
  using ann = converse([`ws://127.0.0.1:${hanging.port}`], "Hana", "hang");
  try {
    await until("it is there", () => ann.all("present").length > 0);
    hanging.signal("SIGSTOP");
    await until("it is silent", () => ann.all("silent").length === 1);
    assert.equal(ann.all("away").length, 0, "shown before it is left");
    hanging.signal("SIGCONT");
    await until("it is heard", () => ann.all("heard").length === 1);
    assert.equal(ann.all("away").length, 0);
    hanging.signal("SIGSTOP");
    await until("it is left for the other one", () => ann.all("here").at(-1)?.server === other.address);
    assert.equal(ann.all("silent").length, 2);
    // A server that hangs from the start is shown too.
    using late = converse([`ws://127.0.0.1:${hanging.port}`], "Late", "hang");
    await until("it is silent", () => late.all("silent").length === 1);
  } finally {
    await hanging.kill();
  }
});

test("a server of before, which promises no signs of life, is not taken for silent", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (socket) => {
    socket.on("message", () => {
      const you = { from: "f", pseudo: "Old", color: 1 };
      socket.send(JSON.stringify({ is: "welcome", session: randomUUID(), you, isBack: false, servers: [] }));
    });
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  using old = converse([`ws://127.0.0.1:${port}`], "Old", "old");
  await until("it is there", () => old.all("here").length === 1);
  // Meanwhile another server hangs and is shown.
  const silent = createServer(() => {});
  const hung = await listenAtFreePort(silent);
  using late = converse([`ws://127.0.0.1:${hung}`], "Late", "old");
  await until("the other is silent", () => late.all("silent").length === 1);
  assert.equal(old.all("silent").length, 0);
  server.close();
  silent.close();
});

test("an address that is none is passed over, and what says nothing harms nobody", async () => {
  await using server = await start();
  using ann = converse(["ws://:::", server.address], "Passer", "addresses");
  await until("she is at the other one", () => ann.all("here").length > 0);
  for (const data of ["{", "null", "7", '{"is":"unknown"}'])
    ann.sockets[0]?.emit("message", Buffer.from(data), false);
  assert.equal(ann.conversation.say("goes on"), true);
  await until("it is kept", () => ann.texts().includes("goes on"));
});

test("so much waits for a server, and no more", async () => {
  using ann = converse([`ws://${await refusingAddress()}`], "Alone", "alone");
  const answers = Array.from({ length: 101 }, (_, index) => ann.conversation.say(`text ${index}`));
  assert.deepEqual([answers.indexOf(false), ann.conversation.waiting], [100, 100]);
});
