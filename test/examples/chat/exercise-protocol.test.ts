/** Tests the protocol of the exercise (examples/chat/README.md) and its sessions. Two servers share one Redis. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { WebSocketServer } from "ws";
import { Seat } from "../../../examples/chat/chat-connection.js";
import { RedisHistory } from "../../../examples/chat/history.js";
import type { Message } from "../../../examples/chat/message.js";
import { words } from "../../../examples/chat/protocols.js";
import { Rooms } from "../../../examples/chat/rooms.js";
import { Sessions } from "../../../examples/chat/sessions.js";
import { settingsOf } from "../../../examples/chat/settings.js";
import { until } from "../../support/until.js";
import { Line, startServer, startStore } from "./scene.js";

const ESC = "\u001b";
const UUID = /^ID\|([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$/;

let store: Awaited<ReturnType<typeof startStore>>;
let one: Awaited<ReturnType<typeof startServer>>;
let other: Awaited<ReturnType<typeof startServer>>;
let redis: Redis;

before(async () => {
  store = await startStore();
  redis = new Redis(store.port);
  one = await startServer({ redis: store.port });
  other = await startServer({ redis: store.port });
});

after(async () => {
  redis.disconnect();
  await other.stop();
  await one.stop();
  await store[Symbol.asyncDispose]();
});

/** Enters the chat. @returns the UUID of the user */
async function enter(line: Line, pseudo: string): Promise<string> {
  await line.say(`Hello|${pseudo}`);
  const [, uuid] = UUID.exec(await line.next()) ?? [];
  assert.ok(uuid !== undefined);
  await line.until(`Annonce : ${pseudo} a rejoint la chatroom`);
  return uuid;
}

test("a server sends a message to its author, and to all users on both servers", async () => {
  using ann = new Line(one.address);
  using bob = new Line(other.address);
  await enter(ann, "Ann");
  await enter(bob, "Bob");
  assert.match(await ann.next(), /^\[\d\d:\d\d\]\u001bAnnonce : Bob a rejoint la chatroom$/);
  await ann.say("bonjour");
  assert.match(await ann.next(), /^\[\d\d:\d\d\]\u001bVous avez dit : bonjour$/);
  const fields = (await bob.next()).split(ESC);
  assert.equal(fields.length, 4);
  assert.match(fields[0] ?? "", /^\[\d\d:\d\d\]$/);
  assert.ok(Number(fields[1]) >= 0 && Number(fields[1]) <= 255);
  assert.deepEqual(fields.slice(2), ["Ann", " a dit : bonjour"]);
  ann.socket.close();
  assert.match(await bob.until("Ann"), /\u001bAnnonce : Ann a quitté la chatroom$/);
});

test("a new user receives earlier messages, and a returning user is recognised on another server", async () => {
  using cat = new Line(one.address);
  const uuid = await enter(cat, "Cat");
  await cat.say("premier");
  await cat.until("premier");

  using dan = new Line(other.address);
  await dan.say("Hello|Dan");
  await dan.until("ID|");
  assert.match(await dan.until("premier"), /\u001bCat\u001b a dit : premier$/);

  cat.socket.close();
  await dan.until("Cat a quitté");
  using back = new Line(other.address);
  await back.say(`ID|${uuid}`);
  assert.equal(await back.next(), "200");
  assert.match(await back.next(), /^\[\d\d:\d\d\]\u001bWelcome back {2}!$/);
  assert.match(await back.until("premier"), /\u001bVous avez dit : premier$/);
  assert.match(await dan.until("Cat"), /\u001bAnnonce : Cat est de retour !$/);
});

test("each session is a key with the fields of the exercise, and expires", async () => {
  using eve = new Line(one.address);
  const uuid = await enter(eve, "Eve");
  const { here, color, pseudo, addr, timestamp } = JSON.parse((await redis.get(uuid)) ?? "");
  assert.deepEqual({ here, pseudo }, { here: true, pseudo: "Eve" });
  assert.ok(Number.isInteger(color) && color >= 0 && color <= 255);
  assert.equal(addr[0], "127.0.0.1");
  assert.equal(typeof addr[1], "number");
  assert.match(timestamp, /^\[\d\d:\d\d\]$/);
  const seconds = await redis.ttl(uuid);
  assert.ok(seconds > 0 && seconds <= 90);
});

for (const first of ["bonjour", "Hello|", "Hello|   ", `Hello|${"x".repeat(33)}`, "hello|Ann", ""]) {
  test(`the server requests a name and disconnects a client that begins with ${JSON.stringify(first.slice(0, 12))}`, async () => {
    using line = new Line(one.address);
    await line.say(first);
    assert.equal(await line.next(), "You must choose un nametag");
    assert.equal(await line.closed, 1000);
  });
}

test("the server rejects an unknown or malformed UUID", async () => {
  await redis.set("00000000-0000-4000-8000-000000000001", "no JSON", "EX", 60);
  await redis.lpush("00000000-0000-4000-8000-000000000002", "a list");
  await redis.expire("00000000-0000-4000-8000-000000000002", 60);
  await Promise.all(
    ["1", "2", "3"].map(async (last) => {
      using line = new Line(one.address);
      await line.say(`ID|00000000-0000-4000-8000-00000000000${last}`);
      assert.equal(await line.next(), "Connection rejected");
      assert.equal(await line.closed, 1000);
    }),
  );
  using line = new Line(one.address);
  await line.say("ID|chat:servers");
  assert.equal(await line.next(), "Connection rejected");
});

test("a name belongs to one user while it is in use, in any spelling", async () => {
  using gus = new Line(one.address);
  await enter(gus, "Gus");
  for (const name of ["Gus", "gus", "ＧＵＳ", "G\u200bus", "Guѕ", "𝐆𝐮𝐬"]) {
    using thief = new Line(other.address);
    await thief.say(`Hello|${name}`);
    assert.equal(await thief.next(), "You must choose un nametag", name);
  }
});

test("letters that look alike are equal in names", async () => {
  using first = new Line(one.address);
  await enter(first, "Victim");
  for (const name of ["VICTIM", "Vlctim", "V1ctim", "Viсtim", "ⅴictim"]) {
    using thief = new Line(other.address);
    await thief.say(`Hello|${name}`);
    assert.equal(await thief.next(), "You must choose un nametag", name);
  }
  using another = new Line(other.address);
  await enter(another, "Victor");
});

test("the server rejects names that look like texts that clients display", async () => {
  for (const name of [
    "Victim (you)",
    "Victim (YOU)",
    "Victim （you）",
    "Victim ( уou )",
    "Victim [you]",
    "You",
    "vous",
    "Annonce",
  ]) {
    using line = new Line(one.address);
    await line.say(`Hello|${name}`);
    assert.equal(await line.next(), "You must choose un nametag", name);
  }
  using line = new Line(one.address);
  await enter(line, "Young (Paris)");
});

test("a name is free as soon as its user has left, and stays reserved for a disconnected user", async () => {
  for (const code of [1000, 1001, undefined]) {
    using leaving = new Line(one.address);
    using witness = new Line(other.address);
    await enter(witness, "Witness");
    const uuid = await enter(leaving, "Lea");

    leaving.socket.close(code);
    await witness.until("Lea a quitté");
    using next = new Line(other.address);
    await enter(next, "lea");

    // The user who left cannot use the name again while another user has it.
    using back = new Line(one.address);
    await back.say(`ID|${uuid}`);
    assert.equal(await back.next(), "Connection rejected");

    next.socket.close();
    await witness.until("lea a quitté");
    using again = new Line(one.address);
    await again.say(`ID|${uuid}`);
    assert.equal(await again.next(), "200");

    again.socket.close();
    await witness.until("Lea a quitté");
    witness.socket.close();
    await witness.closed;
    await until("the name is free", async () => (await redis.exists("chat:name:wltness")) === 0);
  }

  using cut = new Line(one.address);
  using witness = new Line(other.address);
  await enter(witness, "Watcher");
  const uuid = await enter(cut, "Lou");

  cut.socket.terminate();
  await witness.until("Lou a quitté");
  using thief = new Line(other.address);
  await thief.say("Hello|Lou");
  assert.equal(await thief.next(), "You must choose un nametag");

  using back = new Line(other.address);
  await back.say(`ID|${uuid}`);
  assert.equal(await back.next(), "200");
});

test("a user receives its own message once, even if the history is read before the message is acknowledged", async () => {
  const { limits } = settingsOf({});
  const subscriber = redis.duplicate();
  const sessions = new Sessions(redis, limits, (name) => name);
  const real = new RedisHistory(redis);

  const history = {
    async add(message: Message) {
      const added = await real.add(message);
      await rooms.refreshAll();
      return added;
    },
    last: (room: string, count: number, before: string | null) => real.last(room, count, before),
    close: () => real.close(),
  };
  const rooms = new Rooms({ redis, subscriber, sessions, history, limits, log: () => {} });

  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (socket) => {
    const parts = { socket, addr: ["", 0] as const, dialect: words, sessions, rooms, history, limits };
    new Seat({ ...parts, servers: async () => [], log: () => {} });
  });
  await once(server, "listening");

  using line = new Line(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await enter(line, "Mia");
  for (const text of ["said once", "and this"]) {
    await line.say(text);
    await line.until(text);
  }

  assert.equal(line.received.filter((text) => text.includes("said once")).length, 1);
  subscriber.disconnect();
  server.close();
});

test("a message cannot forge fields, and stays one line", async () => {
  using hal = new Line(one.address);
  using ida = new Line(one.address);
  await enter(hal, "Hal");
  await enter(ida, "Ida");
  await hal.say(`oui${ESC}non\u0007\nla suite`);
  assert.match(await ida.until("oui"), /\u001bHal\u001b a dit : ouinon la suite$/);
});

test("a session that another connection has taken over does not end with the first connection", async () => {
  using first = new Line(one.address);
  const uuid = await enter(first, "Joe");
  using second = new Line(other.address);
  await second.say(`ID|${uuid}`);
  assert.equal(await second.next(), "200");
  await second.until("Welcome");
  first.socket.terminate();
  await second.say("encore");
  await second.until("encore");
  assert.equal(JSON.parse((await redis.get(uuid)) ?? "").here, true);
  assert.ok(second.received.every((line) => !line.includes("Joe a quitté")));
});

const SOMEONE = { id: "forged", at: 1, from: "f", pseudo: "forged", color: 1 };
const SAID = { ...SOMEONE, order: "0", room: "chatroom", text: "forged" };
const FORGED: readonly object[] = [
  { ...SOMEONE, kind: "promoted" },
  { ...SOMEONE, kind: "left", pseudo: "forged\u001b[2J" },
  { ...SOMEONE, kind: "left", color: "1m\u001b[2J" },
  { ...SOMEONE, kind: "joined", at: 1e300 },
  { kind: "said", message: { text: "forged" } },
  { kind: "said", message: { ...SAID, room: "elsewhere" } },
  { kind: "said", message: { ...SAID, text: "forged\u001bforged" } },
];

test("the server ignores invalid messages on the chat's channels, and invalid entries of servers", async () => {
  using kim = new Line(one.address);
  await enter(kim, "Kim");

  for (const text of [
    "",
    "{",
    "null",
    "7",
    "[]",
    '{"kind":"said"}',
    '{"kind":"said","message":null}',
    '{"kind":"left"}',
    ...FORGED.map((event) => JSON.stringify(event)),
  ])
    await redis.publish("chat:room:chatroom", text);

  await redis.zadd("chat:servers", Date.now() + 60_000, "ws://evil\r\n.example", Date.now() + 60_000, "*; x");
  const response = await fetch(one.address.replace("ws", "http"));
  assert.match(
    response.headers.get("content-security-policy") ?? "",
    /connect-src 'self' ws:\/\/[\d.:]+ ws:\/\/[\d.:]+;/,
  );

  await kim.say("still here");
  await kim.until("Vous avez dit : still here");
  assert.ok(kim.received.every((line) => !/undefined|NaN|forged/.test(line)));
});
