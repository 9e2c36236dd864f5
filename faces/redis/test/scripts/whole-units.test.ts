/**
 * Tests that a script or transaction that reaches a limit of the daemon is refused as a whole: no data, no message, no
 * key event, and no waiting client is served. What a script did before an error of its own stays, as in Redis.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { integer, type Reply } from "../../../../protocol/reply.js";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { makeFolder, startReplica } from "../../../../test/daemon/program/replicas.js";
import { makeKeyPair } from "../../../../test/support/envelope-client.js";
import { RedisConnection } from "../../../../test/support/redis-connection.js";
import { inTime, until } from "../../../../test/support/until.js";

const MAX = 100_000;
const app = makeKeyPair();
/** Limits that a busy machine does not reach. */
const PATIENT = ["--lua-time-limit", "10m", "--standstill", "1m"];

/** A subscriber of all messages and key events. */
class Subscriber {
  readonly #socket: Socket;
  #text = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => {
      this.#text += text;
    });
  }

  static async open(port: number): Promise<Subscriber> {
    const subscriber = new Subscriber(connect(port, "127.0.0.1"));
    await once(subscriber.#socket, "connect");
    subscriber.#socket.write(writeCommand(["HELLO", "3"]) + writeCommand(["PSUBSCRIBE", "*"]));
    await subscriber.received();
    return subscriber;
  }

  /** Returns the texts of the messages since the last call. */
  async received(): Promise<string[]> {
    this.#socket.write(writeCommand(["PING", "end"]));
    while (!this.#text.endsWith("$3\r\nend\r\n"))
      await inTime(() => `no data arrives after ${this.#text}`, once(this.#socket, "data"));
    const lines = this.#text.split("\r\n");
    this.#text = "";
    return lines.flatMap((line, i) => (line === "pmessage" ? [lines[i + 6] ?? ""] : []));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

interface Scene {
  readonly client: RedisConnection;
  readonly other: RedisConnection;
  readonly subscriber: Subscriber;
}

const KINDS = ["records", "has its data in memory"] as const;

async function withScene(
  kind: (typeof KINDS)[number],
  run: (scene: Scene) => Promise<void>,
  options = PATIENT,
): Promise<void> {
  using folder = makeFolder();
  const data = kind === "records" ? ["-s", app.file, "--data", folder.path] : [];
  await using replica = await startReplica({ args: [...data, "--resp", "0", ...options] });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  using client = await RedisConnection.open(port);
  using other = await RedisConnection.open(port);
  await client.call("CONFIG", "SET", "notify-keyspace-events", "EA");
  using subscriber = await Subscriber.open(port);
  await run({ client, other, subscriber });
}

const errorOf = (reply: Reply): string => (reply.kind === "error" ? reply.text : "");

/** The beginning of each script: effects that must not be visible if the script is refused. */
const EFFECTS =
  "redis.call('set', 'k', 'new') redis.call('lpush', 'awaited', 'v') redis.call('del', 'gone') " +
  "redis.call('expire', 'k', 100) redis.call('publish', 'c', 'message') ";

/** Checks that a refused unit has had no effect. @param refuse  sends it, and returns its reply */
async function assertRefused(
  { client, other, subscriber }: Scene,
  refuse: () => Promise<Reply>,
  text: RegExp,
): Promise<void> {
  await client.call("MSET", "k", "old", "gone", "here");
  await subscriber.received();

  const popped = other.call("BLPOP", "awaited", "0");
  await until("the command waits", async () =>
    JSON.stringify(await client.call("INFO", "clients")).includes("blocked_clients:1"),
  );

  assert.match(errorOf(await refuse()), text);
  assert.deepEqual(await client.call("MGET", "k", "gone"), {
    kind: "array",
    items: ["old", "here"].map((bytes) => ({ kind: "bulk", bytes })),
  });
  assert.deepEqual(await client.call("TTL", "k"), integer(-1));
  assert.deepEqual(await client.call("DBSIZE"), integer(2));
  assert.deepEqual(await subscriber.received(), []);

  // The client still waits, for the next element.
  await client.call("RPUSH", "awaited", "later");
  assert.match(JSON.stringify(await popped), /later/);
  await client.call("FLUSHALL");
}

const LIMITS: readonly (readonly [string, string, RegExp])[] = [
  ["steps", "redis.pcall('setrange', 'large', 100000000, 'x') return 1", /^TOOMUCH .*--max-unit-steps/],
  [
    "steps of a read",
    "local keys = {} for i = 1, 5000 do keys[i] = 'z' end " +
      "for i = 1, 200 do redis.call('zadd', 'z', i, i) end redis.pcall('zunion', 5000, unpack(keys)) return 1",
    /^TOOMUCH /,
  ],
  [
    "steps of all reads",
    "local elements = {} for i = 1, 1000 do elements[i] = i end redis.call('rpush', 'l', unpack(elements)) " +
      "for i = 1, 600 do redis.pcall('lrange', 'l', 0, -1) end return 1",
    /^TOOMUCH .*--max-read-steps/,
  ],
  [
    "bytes of all reads",
    "redis.call('setrange', 's', 1000000, 'x') for i = 1, 70 do redis.pcall('get', 's') end return 1",
    /^TOOMUCH .*--max-read-bytes/,
  ],
  ["memory", "pcall(function() return string.rep('x', 1e9) end) return 1", /^ERR not enough memory/],
  ["memory that it does not catch", "return string.rep('x', 1e9)", /^ERR not enough memory/],
];

for (const kind of KINDS) {
  for (const [limit, script, text] of LIMITS)
    test(`a daemon that ${kind} refuses a script as a whole: ${limit}`, () =>
      withScene(kind, async (scene) => {
        await assertRefused(scene, () => scene.client.call("EVAL", EFFECTS + script, "0"), text);
      }));

  test(`a daemon that ${kind} refuses a script as a whole: time`, () =>
    withScene(
      kind,
      (scene) =>
        assertRefused(
          scene,
          () => scene.client.call("EVAL", `${EFFECTS} while true do pcall(redis.call, 'incr', 'n') end`, "0"),
          /^ERR Script stopped/,
        ),
      ["--lua-time-limit", "200ms", "--standstill", "1m"],
    ));

  test(`a daemon that ${kind} applies ${MAX} writes of a script, and refuses more as a whole`, () =>
    withScene(kind, async (scene) => {
      const { client, subscriber } = scene;
      const loop = (count: number, call: string) =>
        `${EFFECTS} for i = 6, ${count} do redis.${call}('rpush', 'l', i) end return 'done'`;

      for (const call of ["call", "pcall"])
        await assertRefused(
          scene,
          () => client.call("EVAL", loop(MAX + 2, call), "0"),
          /^TOOMUCH nothing was done.* 100000 commands/,
        );

      await client.call("SET", "gone", "here");
      await subscriber.received();
      assert.deepEqual(await client.call("EVAL", loop(MAX + 1, "call"), "0"), {
        kind: "bulk",
        bytes: "done",
      });
      assert.deepEqual(await client.call("LLEN", "l"), integer(MAX - 4));
      assert.equal((await subscriber.received()).filter((text) => text === "message").length, 1);
    }));

  test(`a daemon that ${kind} refuses a script that publishes too much`, () =>
    withScene(kind, (scene) =>
      assertRefused(
        scene,
        () =>
          scene.client.call("EVAL", `${EFFECTS} for i = 1, ${MAX} do redis.call('publish', 'c', i) end`, "0"),
        /^TOOMUCH nothing was done/,
      ),
    ));

  test(`a daemon that ${kind} refuses a transaction as a whole`, () =>
    withScene(kind, async (scene) => {
      const { client } = scene;
      const exec = async (...commands: readonly string[][]): Promise<Reply> => {
        for (const argv of [["MULTI"], ...commands, ["EXEC"]]) client.queue(argv);
        return (await client.flush()).at(-1) as Reply;
      };
      const effects = [
        ["SET", "k", "new"],
        ["LPUSH", "awaited", "v"],
        ["PUBLISH", "c", "message"],
        ["DEL", "gone"],
      ];
      const large = ["SETRANGE", "large", "100000000", "x"];
      await assertRefused(scene, () => exec(...effects, large), /^TOOMUCH /);
      const script = ["EVAL", "redis.pcall('setrange', 'large', 100000000, 'x')", "0"];
      await assertRefused(scene, () => exec(...effects, script), /^TOOMUCH /);
    }));

  test(`a daemon that ${kind} keeps what a script did before its own error`, () =>
    withScene(kind, async ({ client, subscriber }) => {
      await client.call("MSET", "k", "old", "gone", "here");
      await subscriber.received();
      const failing = `${EFFECTS} redis.call('lpush', 'k', 'v')`;
      assert.match(errorOf(await client.call("EVAL", failing, "0")), /^WRONGTYPE/);
      assert.deepEqual(await client.call("GET", "k"), { kind: "bulk", bytes: "new" });
      assert.deepEqual(await client.call("LLEN", "awaited"), integer(1));
      const received = await subscriber.received();
      assert.ok(received.includes("message"), received.join(" "));
      assert.ok(received.includes("gone"), received.join(" "));
    }));

  test(`a daemon that ${kind} empties a list of 20,000 jobs in one script`, () =>
    withScene(kind, async ({ client }) => {
      const count = 20_000;
      const fill = `for i = 1, ${count} do redis.call('rpush', 'q', i) redis.call('hset', 'job:' .. i, 'f', 'v') end`;
      assert.equal(errorOf(await client.call("EVAL", fill, "0")), "");
      const empty =
        "local n = 0 while true do local id = redis.call('lpop', 'q') if not id then break end " +
        "redis.call('del', 'job:' .. id) redis.call('del', 'job:' .. id .. ':dependents') n = n + 1 end return n";
      assert.deepEqual(await client.call("EVAL", empty, "0"), integer(count));
      assert.deepEqual(await client.call("DBSIZE"), integer(0));
    }));
}

for (const kind of KINDS)
  test(`a daemon that ${kind} refuses a transaction of reads as a whole, but not the same reads in turn`, () =>
    withScene(
      kind,
      async ({ client }) => {
        await client.call("RPUSH", "l", ...Array.from({ length: 1000 }, String));
        const send = async (...commands: readonly string[][]): Promise<readonly Reply[]> => {
          for (const argv of commands) client.queue(argv);
          return await client.flush();
        };
        const reads = (count: number) => Array<string[]>(count).fill(["LRANGE", "l", "0", "-1"]);
        const refused = await send(["MULTI"], ...reads(60), ["EXEC"]);
        assert.match(errorOf(refused.at(-1) as Reply), /^TOOMUCH the reads .*--max-read-steps/);
        for (const reply of await send(...reads(60))) assert.equal(reply.kind, "array");
        const permitted = (await send(["MULTI"], ...reads(10), ["EXEC"])).at(-1);
        assert.ok(permitted?.kind === "array" && permitted.items.length === 10);
      },
      [...PATIENT, "--max-read-steps", "100000"],
    ));

test("a script on a daemon that records is refused as a whole if it writes to two databases", () =>
  withScene("records", (scene) =>
    assertRefused(
      scene,
      () =>
        scene.client.call(
          "EVAL",
          `${EFFECTS} redis.call('select', 1) redis.pcall('set', 'k', 1) return 1`,
          "0",
        ),
      /^ERR nothing was done.* one database/,
    ),
  ));

for (const kind of KINDS)
  test(`a refused EXEC of a daemon that ${kind} does not select another database`, () =>
    withScene(kind, async ({ client }) => {
      const large = ["SETRANGE", "k", "100000000", "x"];
      for (const refused of [large, ["EVAL", "return redis.call('SETRANGE', 'k', '100000000', 'x')", "0"]]) {
        for (const argv of [["MULTI"], ["SELECT", "3"], ["SET", "a", "1"], refused])
          await client.call(...argv);
        assert.match(errorOf(await client.call("EXEC")), /^TOOMUCH/);
        await client.call("SET", "selected", "0");
        await client.call("SELECT", "3");
        assert.deepEqual(await client.call("EXISTS", "selected", "a"), integer(0));
        await client.call("SELECT", "0");
      }
    }));
