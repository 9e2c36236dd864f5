/**
 * Tests consumers that wait for entries that their group has not delivered: several connections in turn, with each step
 * run to its end, on our listener and on a redis-server. DBSYNC_SEED replays a run, DBSYNC_COMMANDS makes it longer.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import {
  areNearly,
  idleOfConsumers,
  idleOfPending,
  timesOfStream,
} from "../../../test/conformance/group-comparison.js";
import { shown } from "../../../test/conformance/resp2-fold.js";
import { shownExactly } from "../../../test/conformance/resp3.js";
import { amount } from "../../../test/support/amount.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { SeededRandom, seedOfRun } from "../../../test/support/seeded-random.js";
import { RedisComparison } from "./redis-comparison.js";

const STEPS = Number(process.env["DBSYNC_COMMANDS"] ?? amount(400, 5_000));
const STEPS_OF_EPISODE = 150;
const CONNECTIONS = 4;
/** Milliseconds by which idle times and dates of both servers may differ. */
const LAG = 200_000;
const IDLE = "400000";
/** The number of attempts after which a server counts as hanging instead of busy. */
const ATTEMPTS_MAX = 100_000;

const seed = seedOfRun();
const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false) comparison = await RedisComparison.start();
});
after(() => comparison?.[Symbol.asyncDispose]());

type Argv = readonly ByteString[];
/** Replies, each with the number of its connection. */
type Answers = readonly (readonly [number, Reply])[];

/** Several connections to one server, and the numbers of the connections that wait. */
class Side implements AsyncDisposable {
  readonly #admin: RedisConnection;
  readonly #connections: readonly RedisConnection[];
  readonly #ids: readonly string[];
  /** The replies since the last call, by connection. */
  #answers: [number, Reply][] = [];
  readonly waiting = new Set<number>();

  private constructor(
    admin: RedisConnection,
    connections: readonly RedisConnection[],
    ids: readonly string[],
  ) {
    this.#admin = admin;
    this.#connections = connections;
    this.#ids = ids;
  }

  static async open(port: number): Promise<Side> {
    const admin = await RedisConnection.open(port);
    await admin.call("FLUSHALL");
    const connections: RedisConnection[] = [];
    const ids: string[] = [];
    for (let number = 0; number < CONNECTIONS; number++) {
      const connection = await RedisConnection.open(port);
      await connection.call("HELLO", number % 2 === 0 ? "2" : "3");
      connections.push(connection);
      ids.push(shown(await connection.call("CLIENT", "ID")).slice(1));
    }
    return new Side(admin, connections, ids);
  }

  /** Sends a command on a connection. @returns all replies that it caused, by connection number */
  async step(number: number, argv: Argv): Promise<Answers> {
    this.waiting.add(number);
    (this.#connections[number] as RedisConnection).call(...argv).then(
      (reply) => {
        this.waiting.delete(number);
        this.#answers.push([number, reply]);
      },
      () => {},
    );
    return this.#settled(`connection ${number} has run ${argv.join(" ")}`);
  }

  /** Ends the wait of one connection. */
  async unblock(number: number, how: string): Promise<Answers> {
    await this.#admin.call("CLIENT", "UNBLOCK", this.#ids[number] as string, how);
    return this.#settled(`${number} is unblocked`);
  }

  ask(...argv: Argv): Promise<Reply> {
    return this.#admin.call(...argv);
  }

  async #settled(step: string): Promise<Answers> {
    for (let attempts = 0; !(await this.#isSettled()); attempts++)
      if (attempts === ATTEMPTS_MAX) throw new Error(`the replies did not settle after ${step}`);
    const answers = this.#answers.sort(([one], [other]) => one - other);
    this.#answers = [];
    return answers;
  }

  /** Returns whether all connections without a reply wait. */
  async #isSettled(): Promise<boolean> {
    const info = await this.#admin.call("INFO", "clients");
    const blocked = info.kind === "bulk" ? Number(/blocked_clients:(\d+)/.exec(info.bytes)?.[1]) : -1;
    return blocked === this.waiting.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#admin[Symbol.dispose]();
    for (const connection of this.#connections) connection[Symbol.dispose]();
  }
}

const KEYS = ["s", "s", "s", "t"];
const GROUPS = ["g", "g", "g", "h"];

/** Commands that name a stream as a key to write, but usually add no entry that a waiting client could receive. */
const commandsLeavingNothing = (key: ByteString): readonly Argv[] => [
  ["SET", key, "x", "NX"],
  ["SETNX", key, "x"],
  ["MSETNX", "v", "x", key, "x"],
  ["RENAMENX", key, "s"],
  ["COPY", key, "t"],
  ["MOVE", key, "0"],
  ["EXPIRE", key, "100000"],
  ["PERSIST", key],
  ["EXPIRE", key, "-1"],
  ["XADD", key, "0-1", "f", "x"],
];

/**
 * Returns a command for one connection. No command replaces a stream that a client waits for with another stream,
 * because redis-server treats a stream whose last entry was deleted as missing.
 * @param step  the number of the step, from which increasing ids are derived
 */
function commandOf(random: SeededRandom, number: number, step: number): Argv {
  const key = random.oneOf(KEYS);
  const group = random.oneOf(GROUPS);
  const consumer = random.chance(0.8) ? `c${number}` : "c0";
  const id = `${step - random.below(12)}-1`;
  const read = (...options: readonly string[]) => ["XREADGROUP", "GROUP", group, consumer, ...options];
  const count = random.chance(0.5) ? ["COUNT", String(random.between(0, 2))] : [];
  const noAck = random.chance(0.15) ? ["NOACK"] : [];

  const makers: readonly (readonly [weight: number, make: () => Argv])[] = [
    [12, () => ["XADD", key, `${step}-1`, "f", String(step)]],
    [12, () => read(...count, "BLOCK", "0", ...noAck, "STREAMS", key, ">")],
    [5, () => read("BLOCK", "0", ...count, "STREAMS", "s", "t", ">", ">")],
    [3, () => read(...count, "STREAMS", key, random.chance(0.5) ? ">" : "0")],
    [2, () => read("BLOCK", "0", "STREAMS", key, "0")],
    [4, () => ["XGROUP", "CREATE", key, group, random.oneOf(["0", "$"]), "MKSTREAM"]],
    [1, () => ["XGROUP", "DESTROY", key, group]],
    [1, () => ["XGROUP", "SETID", key, group, random.oneOf(["0", "$", id])]],
    [1, () => ["XGROUP", "DELCONSUMER", key, group, consumer]],
    [5, () => ["XACK", key, group, id, `${step - 1}-1`]],
    [2, () => ["XCLAIM", key, group, consumer, random.oneOf(["0", IDLE]), id, "IDLE", "1000000"]],
    [2, () => ["XAUTOCLAIM", key, group, consumer, random.oneOf(["0", IDLE]), "0", "COUNT", "2"]],
    [1, () => ["XDEL", key, id]],
    [1, () => ["XTRIM", key, "MAXLEN", "3"]],
    [1, () => [random.oneOf(["DEL", "UNLINK"]), key]],
    [
      1,
      () =>
        random.oneOf([["SET", key, "x"], ["RENAME", "s", "u"], ["COPY", "s", "u", "REPLACE"], ["FLUSHDB"]]),
    ],
    [2, () => random.oneOf(commandsLeavingNothing(key))],
    [2, () => ["XREAD", "BLOCK", "0", ...count, "STREAMS", key, "$"]],
    [3, () => ["XPENDING", key, group, "-", "+", "9"]],
    [2, () => ["XINFO", "CONSUMERS", key, group]],
    [2, () => ["XINFO", "GROUPS", key]],
  ];

  let remaining = random.below(makers.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, make] of makers) {
    remaining -= weight;
    if (remaining < 0) return make();
  }
  throw new Error("the weights do not add up");
}

function isSame([name, subcommand]: Argv, one: Reply, other: Reply): boolean {
  if (name === "XPENDING") return areNearly(one, other, idleOfPending, LAG);
  if (subcommand === "CONSUMERS") return areNearly(one, other, idleOfConsumers, LAG);
  return shownExactly(one) === shownExactly(other);
}

/** Compares both servers' replies. @param argv  the command that connection `number` has sent */
function areSame(number: number, argv: Argv, ours: Answers, redis: Answers): boolean {
  if (ours.length !== redis.length) return false;
  return ours.every(([from, reply], i) => {
    const [other, theirs] = redis[i] as readonly [number, Reply];
    return from === other && isSame(from === number ? argv : [], reply, theirs);
  });
}

async function assertSameStreams(ourSide: Side, theirs: Side, where: string): Promise<void> {
  for (const key of new Set(KEYS)) {
    const [one, other] = await Promise.all(
      [ourSide, theirs].map((side) => side.ask("XINFO", "STREAM", key, "FULL", "COUNT", "0")),
    );
    // The shape of the tree is internal to each server.
    const [ours, redis] = [one, other].map((reply) =>
      reply?.kind === "array" ? { ...reply, items: reply.items.filter((_, i) => i !== 3 && i !== 5) } : reply,
    );
    assert.ok(
      areNearly(ours as Reply, redis as Reply, timesOfStream, LAG),
      `${where}, ${key}:\n${shown(one as Reply)}\n${shown(other as Reply)}`,
    );
  }
}

test(`waiting consumers receive the same replies as from redis-server (seed ${seed})`, { skip }, async () => {
  let served = 0;
  for (let episode = 0; episode * STEPS_OF_EPISODE < STEPS; episode++) {
    const random = new SeededRandom(seed, episode);
    await using ourSide = await Side.open(comparison.ours.port);
    await using theirs = await Side.open(comparison.redis.port);
    const played: string[] = [];
    for (const side of [ourSide, theirs])
      for (const key of new Set(KEYS)) await side.ask("XGROUP", "CREATE", key, "g", "0", "MKSTREAM");
    for (let step = 1; step <= STEPS_OF_EPISODE; step++) {
      const free = [...Array(CONNECTIONS).keys()].filter((number) => !ourSide.waiting.has(number));
      const mustEnd = free.length === 0 || (ourSide.waiting.size > 0 && random.chance(0.03));
      const number = mustEnd ? random.oneOf([...ourSide.waiting]) : random.oneOf(free);
      const argv = mustEnd
        ? ["UNBLOCK", random.oneOf(["TIMEOUT", "ERROR"])]
        : commandOf(random, number, step);
      played.push(`${number}> ${argv.join(" ")}`);
      const [ours, redis] = await Promise.all(
        [ourSide, theirs].map((side) =>
          mustEnd ? side.unblock(number, argv[1] as string) : side.step(number, argv),
        ),
      );
      served += (ours?.length ?? 0) > 1 ? 1 : 0;
      if (!areSame(number, argv, ours as Answers, redis as Answers))
        assert.fail(report(episode, played, ours as Answers, redis as Answers));
    }
    await assertSameStreams(ourSide, theirs, `seed ${seed}, episode ${episode}`);
  }
  assert.ok(served > STEPS / 50, `${served} steps have served a waiting client`);
});

function report(episode: number, played: readonly string[], ours: Answers, redis: Answers): string {
  const shownAnswers = (answers: Answers) =>
    answers.map(([number, reply]) => `  ${number}: ${shownExactly(reply)}`).join("\n");
  return `seed ${seed}, episode ${episode}:\n${played.join("\n")}\nours\n${shownAnswers(ours)}\nredis\n${shownAnswers(redis)}`;
}
