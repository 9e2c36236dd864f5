/**
 * Tests channels, compared with redis-server: several connections that subscribe, publish and disconnect, at random and
 * in fixed conversations; permissions, limits, INFO and CLIENT.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Channels } from "../../../daemon/engine/channels/channels.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { seed } from "../../../test/support/seed.js";
import { SeededRandom } from "../../../test/support/seeded-random.js";
import { nextTurn, until } from "../../../test/support/until.js";
import { namesInOneTurn } from "./names-in-one-turn.js";
import { RecordingClient } from "./recording-client.js";
import { lines, RedisComparison } from "./redis-comparison.js";
import { type RespScene, startResp } from "./scene.js";

const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false) comparison = await RedisComparison.start();
});
after(() => comparison?.[Symbol.asyncDispose]());

const CHANNELS = ["a", "ab", "abc", "b", "", "x y", "\xff\x00"];
const PATTERNS = ["*", "a*", "?b", "[ab]", "\\a", "", "x y"];

/** Returns a random command of one client. */
function drawn(random: SeededRandom, step: number): string {
  const some = (names: readonly string[]) =>
    Array.from({ length: random.between(1, 3) }, () => random.oneOf(names));
  const command = random.oneOf<() => readonly string[]>([
    () => ["SUBSCRIBE", ...some(CHANNELS)],
    () => ["PSUBSCRIBE", ...some(PATTERNS)],
    () => ["SSUBSCRIBE", ...some(CHANNELS)],
    () => ["UNSUBSCRIBE", ...some(CHANNELS)],
    () => ["PUNSUBSCRIBE", ...some(PATTERNS)],
    () => ["SUNSUBSCRIBE", ...some(CHANNELS)],
    ...Array.from({ length: 6 }, () => () => ["PUBLISH", random.oneOf(CHANNELS), `message ${step}`]),
    () => ["SPUBLISH", random.oneOf(CHANNELS), `message ${step}`],
    () => ["PUBSUB", "NUMSUB", ...some(CHANNELS)],
    () => ["PUBSUB", "SHARDNUMSUB", ...some(CHANNELS)],
    () => ["PUBSUB", "NUMPAT"],
    () => ["PUBSUB", random.oneOf(["NOTHING", "numsub"])],
    () => ["PUBSUB", "CHANNELS", "no such"],
    () => ["PUBLISH", "a"],
    () => ["SUBSCRIBE"],
    () => [random.oneOf(["PING", "GET", "DBSIZE", "MULTI "]), ...some(["one"])],
    () => ["RESET"],
    () => ["HELLO", random.oneOf(["2", "3", "3"])],
  ])();
  return writeCommand(command);
}

/** Sorts a message's patterns, because Redis does not define their order. */
function inOrder(told: string): string {
  return told.replace(
    /(?:[*>]4\r\n\$8\r\npmessage\r\n(?:\$\d+\r\n[^$]*?\r\n){2}\$\d+\r\nmessage \d+\r\n)+/g,
    (run) => (run.match(/[*>]4\r\n(?:\$\d+\r\n[^$]*?\r\n){4}/g) ?? []).sort().join(""),
  );
}

test("subscribers and publishers receive the same answers as from redis-server", { skip }, async () => {
  const episodes = 40;
  for (let episode = 0; episode < episodes; episode++) {
    const told = await Promise.all(
      [comparison.ours.port, comparison.redis.port].map(async (port) => {
        const random = new SeededRandom(seed(), episode);
        const clients = [];
        for (let i = 0; i < 4; i++) clients.push(await RecordingClient.open(port));
        for (let step = 0; step < 60; step++) {
          const client = random.oneOf(clients);
          await client.send(drawn(random, step));
        }
        const all = [];
        for (const client of clients) all.push(inOrder(withoutIds(await client.receivedSoFar())));
        for (const client of clients) client[Symbol.dispose]();
        return all;
      }),
    );
    for (const [i, ours] of (told[0] as readonly string[]).entries())
      assertSame(ours, told[1]?.[i] as string, `seed ${seed()}, episode ${episode}, client ${i}`);
    for (const port of [comparison.ours.port, comparison.redis.port]) await untilUnsubscribed(port);
  }
});

/** Compares long texts, and reports the position of the first difference. */
function assertSame(ours: string, theirs: string, what: string): void {
  let at = 0;
  while (at < ours.length && ours[at] === theirs[at]) at++;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 100), at + 100));
  assert.ok(ours === theirs, `${what}: ours ${around(ours)}, redis-server's ${around(theirs)}`);
}

/** Removes a client's number from the reply to HELLO. */
function withoutIds(told: string): string {
  return told.replace(/(\$2\r\nid\r\n):\d+/g, "$1:1");
}

/** Waits until a message reaches no subscriber, because a closed client may still be counted briefly. */
async function untilUnsubscribed(port: number): Promise<void> {
  using admin = await RedisConnection.open(port);
  await until("no client is subscribed", async () => {
    const reply = await admin.call("INFO", "stats");
    return reply.kind === "bulk" && /pubsub_channels:0\r\npubsub_patterns:0/.test(reply.bytes);
  });
}

const CONVERSATIONS: Readonly<Record<string, readonly string[]>> = {
  "other commands are refused while a RESP2 client has subscriptions": [
    ...[
      "SUBSCRIBE a",
      "GET k",
      "CONFIG GET x",
      "MULTI",
      "PING",
      "PING hi",
      "GETT",
      "SUBSCRIBE",
      "RESET",
      "GET k",
    ],
  ],
  "shard channels are counted separately, and also restrict RESP2": [
    ...[
      "SSUBSCRIBE a",
      "SUBSCRIBE a b",
      "PSUBSCRIBE *",
      "GET k",
      "SUNSUBSCRIBE",
      "UNSUBSCRIBE a b",
      "PUNSUBSCRIBE",
    ],
    ...["GET k", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"],
  ],
  "RESP3 continues with other commands, and receives its own messages": [
    ...["HELLO 3", "SUBSCRIBE a", "PUBLISH a x", "GET k", "UNSUBSCRIBE", "PUBLISH a x", "UNSUBSCRIBE"],
  ],
  "within EXEC": ["MULTI", "SUBSCRIBE a", "PSUBSCRIBE b*", "EXEC", "PING", "RESET", "PING"],
  "CLIENT REPLY OFF suppresses answers but not messages": [
    ...["HELLO 3", "CLIENT REPLY OFF", "SUBSCRIBE a", "PUBLISH a x", "CLIENT REPLY ON", "CLIENT REPLY SKIP"],
    ...["PUBLISH a y", "PUBLISH a z"],
  ],
  "commands about channels": [
    ...[
      "HELLO 3",
      "SUBSCRIBE only",
      "SSUBSCRIBE mine",
      "PUBSUB CHANNELS",
      "PUBSUB CHANNELS on*",
      "PUBSUB CHANNELS n*",
    ],
    ...["PUBSUB SHARDCHANNELS", "PUBSUB NUMSUB only other", "PUBSUB NUMSUB", "PUBSUB CHANNELS a b"],
  ],
};

for (const [topic, commands] of Object.entries(CONVERSATIONS))
  test(`answers equal redis-server's: ${topic}`, { skip }, async () => {
    await Promise.all([comparison.ours.port, comparison.redis.port].map(untilUnsubscribed));
    await comparison.assertSame(lines(...commands));
  });

async function withUsers(rules: string): Promise<RespScene> {
  return startResp({ users: ["user default on nopass ~* &* +@all", `user ann on >word ~* +@all ${rules}`] });
}

test("a client without permission for a channel receives an error, and is disconnected when its rules change", async () => {
  await using scene = await withUsers("resetchannels &news:* &exactly");
  using ann = await RedisConnection.open(scene.port);
  await ann.call("AUTH", "ann", "word");

  const refused = /NOPERM this user has no permissions to access one of the channels used as arguments/;
  for (const command of [
    ["SUBSCRIBE", "news:1", "other"],
    ["PSUBSCRIBE", "news:1*"],
    ["PSUBSCRIBE", "*"],
    ["SSUBSCRIBE", "other"],
    ["PUBLISH", "other", "x"],
    ["SPUBLISH", "other", "x"],
  ]) {
    const reply = await ann.call(...command);
    assert.match(reply.kind === "error" ? reply.text : reply.kind, refused, command.join(" "));
  }

  for (const command of [
    ["PUBLISH", "news:1", "x"],
    ["PUBLISH", "exactly", "x"],
  ])
    assert.deepEqual(await ann.call(...command), { kind: "integer", value: 0 }, command.join(" "));

  using listener = await RawClient.open(scene.port);
  listener.send(lines("AUTH ann word", "PSUBSCRIBE news:*", "UNSUBSCRIBE never"));
  await until("the client is subscribed", () => listener.received.includes("unsubscribe"));

  using admin = await RedisConnection.open(scene.port);
  assert.match(
    JSON.stringify(await admin.call("ACL", "DRYRUN", "ann", "PUBLISH", "other", "x")),
    /'other' channel/,
  );
  assert.deepEqual(await admin.call("PUBLISH", "news:1", "heard"), { kind: "integer", value: 1 });

  await admin.call("ACL", "SETUSER", "ann", "resetchannels", "&news:1");
  await until("the connection is closed", () => listener.ended);
  assert.deepEqual(await admin.call("PUBLISH", "news:1", "not heard"), { kind: "integer", value: 0 });
});

test("a list of many names is subscribed to in several turns, and its answers are in order", async () => {
  await using scene = await startResp();
  using other = await RedisConnection.open(scene.port);
  const count = 30_000;
  const names = Array.from({ length: count }, (_, number) => `name:${number}`);

  const isServedMeanwhile = async (command: string, isThrough: () => boolean) => {
    let isBetween = false;
    await until(
      `${command} is answered`,
      async () => {
        const reply = await other.value("PUBSUB", "NUMPAT");
        isBetween ||= Number(reply) > 0 && Number(reply) < count;
        return isThrough();
      },
      { pause: async () => {} },
    );
    return isBetween;
  };

  using client = await RawClient.open(scene.port);
  client.send(lines("HELLO 3") + writeCommand(["PSUBSCRIBE", ...names]) + lines("PING one"));
  assert.ok(await isServedMeanwhile("PSUBSCRIBE", () => client.received.endsWith("$3\r\none\r\n")));

  const confirmed = [...client.received.matchAll(/psubscribe\r\n\$\d+\r\nname:(\d+)\r\n:(\d+)\r\n/g)];
  assert.deepEqual(
    confirmed.map(([, name, total]) => [name, total]),
    names.map((_, number) => [String(number), String(number + 1)]),
  );

  client.send(lines("PUNSUBSCRIBE", "PING two"));
  assert.ok(await isServedMeanwhile("PUNSUBSCRIBE", () => client.received.endsWith("$3\r\ntwo\r\n")));
  assert.equal(client.received.split("punsubscribe").length - 1, count);
});

const NAMES = 10_000;
const many = (prefix: string) => Array.from({ length: NAMES }, (_, i) => `${prefix}:${i}`);

const DONE = "$4\r\ndone\r\n";

test("an EXEC takes its lists of many names in several turns, in the order of its commands", async (t) => {
  await using scene = await startResp();
  using client = await RawClient.open(scene.port);
  client.send(lines("HELLO 3"));

  const request =
    lines("MULTI") +
    writeCommand(["SUBSCRIBE", ...many("a")]) +
    lines("SUBSCRIBE b", "SET k v") +
    writeCommand(["SSUBSCRIBE", ...many("c")]) +
    lines("UNSUBSCRIBE", "EXEC", "ECHO done");

  const { answer, names } = await namesInOneTurn(t, client, request, DONE);
  // Two turns of the listener may follow each other between two of the test.
  assert.ok(names > 0 && names <= 2000, `${names} names in one turn`);

  const confirmations = [...answer.matchAll(/(s?(?:un)?subscribe)\r\n\$\d+\r\n(\w(?::\d+)?)\r\n:(\d+)/g)];
  const expected = [
    ...many("a").map((name, i) => ["subscribe", name, i + 1]),
    ["subscribe", "b", NAMES + 1],
    ...many("c").map((name, i) => ["ssubscribe", name, i + 1]),
    ...[...many("a"), "b"].map((name, i) => ["unsubscribe", name, NAMES - i]),
  ];
  // The last confirmation of each command is in the array of EXEC, which follows the others.
  const last = [NAMES - 1, NAMES, 2 * NAMES, 3 * NAMES + 1];
  const order = [...expected.filter((_, i) => !last.includes(i)), ...last.map((i) => expected[i])];

  assert.deepEqual(
    confirmations.map(([, word, name, count]) => [word, name, Number(count)]),
    order,
  );
  assert.match(answer, /\*5\r\n>3\r\n\$9\r\nsubscribe\r\n/);

  using other = await RedisConnection.open(scene.port);
  assert.deepEqual(await other.value("PUBSUB", "CHANNELS"), []);
});

test("an EXEC whose other commands count subscriptions subscribes to all names before them", async (t) => {
  await using scene = await startResp();
  using client = await RawClient.open(scene.port);
  client.send(lines("HELLO 3"));
  const request =
    lines("MULTI") + writeCommand(["PSUBSCRIBE", ...many("a")]) + lines("PUBSUB NUMPAT", "EXEC", "ECHO done");
  const { answer } = await namesInOneTurn(t, client, request, DONE);
  assert.ok(answer.endsWith(`:${NAMES}\r\n:${NAMES}\r\n${DONE}`), answer.slice(-100));
});

test("a client that is disconnected while it subscribes to many names has no subscriptions", async () => {
  await using scene = await startResp();
  using other = await RedisConnection.open(scene.port);
  const count = async () => Number(await other.value("PUBSUB", "NUMPAT"));
  {
    using client = await RawClient.open(scene.port);
    client.send(
      writeCommand(["PSUBSCRIBE", ...Array.from({ length: 100_000 }, (_, number) => `name:${number}`)]),
    );
    await until("some names are subscribed to", async () => (await count()) > 0, { pause: async () => {} });
  }
  const idle = async () => /connected_clients:1\r/.test(String(await other.value("INFO", "clients")));
  await until("the client is disconnected", idle);
  await until("no subscription remains", async () => (await count()) === 0);
  assert.equal(await count(), 0);
});

/** Requests that subscribe to two lists of names. */
const TWO_LISTS: Readonly<Record<string, (first: readonly string[], last: readonly string[]) => string>> = {
  SUBSCRIBE: (first, last) => writeCommand(["SUBSCRIBE", ...first, ...last]),
  PSUBSCRIBE: (first, last) => writeCommand(["PSUBSCRIBE", ...first, ...last]),
  SSUBSCRIBE: (first, last) => writeCommand(["SSUBSCRIBE", ...first, ...last]),
  EXEC: (...lists) =>
    lines("MULTI") + lists.map((names) => writeCommand(["SUBSCRIBE", ...names])).join("") + lines("EXEC"),
};

test("a client whose user loses rights while it subscribes to many names is disconnected", async (t) => {
  // The names of one turn each.
  const first = Array.from({ length: 1000 }, (_, i) => `a${i}`);
  const last = Array.from({ length: 1000 }, (_, i) => `b${i}`);
  for (const [what, request] of Object.entries(TWO_LISTS)) {
    const rules = ["user default on nopass ~* &* +@all", "user ann on nopass +@all &*"];
    await using scene = await startResp({ users: rules });
    using admin = await RedisConnection.open(scene.port);
    using client = await RawClient.open(scene.port);
    client.send(lines("AUTH ann x"));
    await until("the user has logged in", () => client.received.includes("+OK"));

    const { users } = scene;
    const added = t.mock.method(Channels.prototype, "add");
    client.send(request(first, last));
    // This immediate runs before that of the second turn.
    await until("a name is subscribed to", () => added.mock.callCount() > 0, {
      pause: nextTurn,
    });
    const atChange = added.mock.callCount();
    users.replaceAll(users.changed("ann", ["resetchannels", ...first.map((name) => `&${name}`)]));
    await until(`${what}: the client is disconnected`, () => client.ended);
    added.mock.restore();

    assert.equal(atChange, first.length, `${what}: names at the change`);
    assert.equal(await admin.value("PUBLISH", "b999", "secret"), 0, what);
    assert.equal(await admin.value("SPUBLISH", "b999", "secret"), 0, what);
    assert.doesNotMatch(client.received, /b999/, what);
  }
});

test("a client whose user loses rights after EXEC, before its list of many names is taken, is disconnected", async (t) => {
  const names = Array.from({ length: 1001 }, (_, i) => `b${i}`);
  const rules = ["user default on nopass ~* &* +@all", "user ann on nopass +@all &*"];
  await using scene = await startResp({ users: rules });
  using client = await RawClient.open(scene.port);
  const { users } = scene;
  const login = users.login.bind(users);
  const logins = t.mock.method(users, "login", (...args: Parameters<typeof login>) => {
    // In EXEC, this immediate runs before that of the first turn.
    if (logins.mock.callCount() === 1)
      setImmediate(() => users.replaceAll(users.changed("ann", ["resetchannels"])));
    return login(...args);
  });
  const added = t.mock.method(Channels.prototype, "add");
  client.send(
    lines("AUTH ann x", "MULTI", "AUTH ann x") + writeCommand(["SUBSCRIBE", ...names]) + lines("EXEC"),
  );
  await until("the client is disconnected, or subscribes", () => client.ended || added.mock.callCount() > 0);
  assert.equal(logins.mock.callCount(), 2);
  assert.equal(added.mock.callCount(), 0);
  added.mock.restore();
});

test("a client that never reads is disconnected when too much is pending, unlike other clients", async () => {
  await using scene = await startResp({ limits: { maxOutputBytes: 200_000 } });
  using deaf = await RawClient.open(scene.port);
  using good = await RawClient.open(scene.port);

  for (const one of [deaf, good]) {
    one.send(lines("SUBSCRIBE a"));
    await until("the client is subscribed", () => one.received.includes("subscribe"));
  }

  deaf.socket.pause();
  using speaker = await RedisConnection.open(scene.port);
  const text = "x".repeat(50_000);
  let count = 0;
  await until("the client that does not read is disconnected", async () => {
    const reply = await speaker.call("PUBLISH", "a", text);
    count++;
    return reply.kind === "integer" && reply.value === 1;
  });

  await until(
    "the other client has received all messages",
    () => good.received.split(text).length - 1 === count,
  );
});

test("pending long messages of a client count towards the limit of all connections", async () => {
  await using scene = await startResp({
    limits: { maxBufferedBytes: 16_000_000, maxUnprovenBytes: 8_000_000 },
  });
  using deaf = await RawClient.open(scene.port);
  deaf.send(lines("SUBSCRIBE a"));
  await until("the client is subscribed", () => deaf.received.includes("subscribe"));
  deaf.socket.pause();
  using speaker = await RedisConnection.open(scene.port);
  const text = "x".repeat(1_000_000);
  // The messages exceed the budget and the system's buffers, but not --max-output-bytes.
  for (let i = 0; i < 40; i++) await speaker.call("PUBLISH", "a", text);
  assert.deepEqual(await speaker.call("PUBLISH", "a", text), { kind: "integer", value: 0 });
  assert.ok(scene.log.some(({ reason }) => reason === "too-much-buffered"));
});

test("a client that is disconnected because of its own command is served no further, and receives nothing", async () => {
  await using scene = await startResp();
  using own = await RawClient.open(scene.port);
  own.send(
    lines(
      ...["HELLO 3", "SUBSCRIBE a", "ACL SETUSER default resetchannels"],
      ...["ACL SETUSER default allchannels", "SUBSCRIBE b"],
    ),
  );
  await until("the connection is closed", () => own.ended);
  using other = await RedisConnection.open(scene.port);
  assert.deepEqual(await other.call("PUBSUB", "CHANNELS"), { kind: "array", items: [] });
});

test("subscriptions count as memory, so a client with too many subscriptions is disconnected", async () => {
  await using scene = await startResp({
    limits: { maxBufferedBytes: 3_000_000, maxUnprovenBytes: 2_000_000 },
  });
  using good = await RedisConnection.open(scene.port);
  assert.deepEqual(await good.call("PING"), { kind: "status", text: "PONG" });
  using greedy = await RawClient.open(scene.port);
  greedy.socket.resume();
  const names = Array.from({ length: 500 }, (_, i) => `channel ${i} ${"long".repeat(20)}`);
  let turn = 0;
  await until("the connection is closed", () => {
    const prefix = turn++;
    if (!greedy.ended) greedy.send(writeCommand(["SUBSCRIBE", ...names.map((name) => `${prefix} ${name}`)]));
    return greedy.ended;
  });
  assert.deepEqual(await good.call("PUBSUB", "CHANNELS"), { kind: "array", items: [] });
});

test("10,000 subscriptions of one connection receive messages, are counted, and end with it", async () => {
  await using scene = await startResp();
  using admin = await RedisConnection.open(scene.port);
  const one = await RawClient.open(scene.port);
  const names = Array.from({ length: 10_000 }, (_, i) => `c${i}`);
  one.send(writeCommand(["SUBSCRIBE", ...names]));
  await until("all subscriptions are confirmed", () => one.received.includes(":10000\r\n"));

  const list = await admin.call("CLIENT", "LIST", "TYPE", "pubsub");
  assert.match(
    list.kind === "bulk" || list.kind === "verbatim" ? list.bytes : list.kind,
    /flags=P .*sub=10000 psub=0 ssub=0/,
  );
  assert.deepEqual(await admin.call("PUBLISH", "c9999", "x"), { kind: "integer", value: 1 });

  one[Symbol.dispose]();
  await until("the subscriptions are removed", async () => {
    const reply = await admin.call("PUBSUB", "CHANNELS");
    return reply.kind === "array" && reply.items.length === 0;
  });
});
