/**
 * Compares the answers to random commands that take elements, between a daemon that records their choices and
 * redis-server: alone, in MULTI, and in scripts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { makeFolder, startReplica } from "../../../test/daemon/program/replicas.js";
import { amount } from "../../../test/support/amount.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { SeededRandom, seedOfRun } from "../../../test/support/seeded-random.js";
import { answers } from "./redis-comparison.js";

type Argv = readonly string[];

const seed = seedOfRun();
const CONVERSATIONS = amount(3, 25);
/** Calls of a conversation. It is one pipeline, so that many claims are recorded in one envelope. */
const CALLS = 200;
const IN_MULTI = 0.15;
const IN_SCRIPT = 0.15;

/** The source of random calls that claim elements, or that add what they claim. */
class Calls {
  readonly #random: SeededRandom;
  #ids = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  next(): Argv {
    const random = this.#random;
    return random.oneOf(random.oneOf([this.#lists, this.#sets, this.#streams]))();
  }

  /** Returns a key of a kind; rarely one of another kind, or of a type that no claim takes from. */
  #key(kind: string): string {
    const random = this.#random;
    return `${random.chance(0.03) ? random.oneOf(["l", "z", "s", "text"]) : kind}${random.below(2)}`;
  }

  #keys(kind: string): Argv {
    return Array.from({ length: 1 + this.#random.below(3) }, () => this.#key(kind));
  }

  #count(): Argv {
    return this.#random.chance(0.4) ? [String(this.#random.below(4))] : [];
  }

  readonly #element = () => `e${this.#random.below(9)}`;
  readonly #score = () => String(this.#random.below(5));
  readonly #end = () => this.#random.oneOf(["LEFT", "RIGHT", "left"]);
  readonly #elements = () => Array.from({ length: 1 + this.#random.below(4) }, this.#element);

  readonly #lists: readonly (() => Argv)[] = [
    () => ["RPUSH", this.#key("l"), ...this.#elements()],
    () => ["LPUSH", this.#key("l"), ...this.#elements()],
    () => ["LPOP", this.#key("l"), ...this.#count()],
    () => ["RPOP", this.#key("l"), ...this.#count()],
    () => ["LMOVE", this.#key("l"), this.#key("l"), this.#end(), this.#end()],
    () => ["RPOPLPUSH", this.#key("l"), this.#key("l")],
    () => this.#multiple("LMPOP", "l", this.#end()),
    () => ["LRANGE", this.#key("l"), "0", "-1"],
    () => ["EXPIRE", this.#key("l"), "1000"],
    // These wait at most for a millisecond, and then return nil.
    () => [this.#random.oneOf(["BLPOP", "BRPOP"]), ...this.#keys("l"), "0.001"],
    () => ["BLMOVE", this.#key("l"), this.#key("l"), this.#end(), this.#end(), "0.001"],
    () => ["BRPOPLPUSH", this.#key("l"), this.#key("l"), "0.001"],
    () => this.#multiple("BLMPOP", "l", this.#end(), "0.001"),
  ];

  readonly #sets: readonly (() => Argv)[] = [
    () => ["ZADD", this.#key("z"), this.#score(), this.#element(), this.#score(), this.#element()],
    () => ["ZPOPMIN", this.#key("z"), ...this.#count()],
    () => ["ZPOPMAX", this.#key("z"), ...this.#count()],
    () => this.#multiple("ZMPOP", "z", this.#random.oneOf(["MIN", "max"])),
    () => [this.#random.oneOf(["BZPOPMIN", "BZPOPMAX"]), ...this.#keys("z"), "0.001"],
    () => this.#multiple("BZMPOP", "z", this.#random.oneOf(["MIN", "MAX"]), "0.001"),
    () => ["ZRANGE", this.#key("z"), "0", "-1", "WITHSCORES"],
    // A set of one member: the choice among several is random.
    () => ["SADD", `one${this.#random.below(2)}`, "only"],
    () => ["SPOP", this.#random.chance(0.1) ? "text0" : `one${this.#random.below(2)}`, ...this.#count()],
    () => ["SET", `text${this.#random.below(2)}`, this.#element()],
    () => ["GETDEL", this.#key("text")],
  ];

  readonly #streams: readonly (() => Argv)[] = [
    () => ["XADD", this.#key("s"), `${++this.#ids}-1`, "f", this.#element()],
    () => ["XGROUP", "CREATE", this.#key("s"), "g", this.#random.oneOf(["$", "0"]), "MKSTREAM"],
    () => [
      ...["XREADGROUP", "GROUP", "g", this.#consumer()],
      ...(this.#random.chance(0.5) ? ["COUNT", String(1 + this.#random.below(3))] : []),
      ...(this.#random.chance(0.2) ? ["NOACK"] : []),
      ...(this.#random.chance(0.3) ? ["BLOCK", "1"] : []),
      ...(this.#random.chance(0.2) ? ["STREAMS", "s0", "s1", ">", ">"] : ["STREAMS", this.#key("s"), ">"]),
    ],
    () => ["XREADGROUP", "GROUP", "g", this.#consumer(), "STREAMS", this.#key("s"), "0"],
    () => ["XACK", this.#key("s"), "g", this.#id(), this.#id()],
    () => ["XDEL", this.#key("s"), this.#id()],
    () => [
      ...["XCLAIM", this.#key("s"), "g", this.#consumer(), "0", this.#id(), this.#id()],
      ...this.#random.oneOf([[], ["JUSTID"], ["FORCE"], ["RETRYCOUNT", "3"]]),
    ],
    () => [
      ...["XAUTOCLAIM", this.#key("s"), "g", this.#consumer(), "0", this.#random.oneOf(["0", this.#id()])],
      ...this.#random.oneOf([[], ["COUNT", "2"], ["JUSTID"]]),
    ],
    () => ["XPENDING", this.#key("s"), "g"],
  ];

  readonly #consumer = () => this.#random.oneOf(["ann", "ben"]);
  readonly #id = () => `${1 + this.#random.below(this.#ids + 1)}-1`;

  #multiple(name: string, kind: string, end: string, ...timeout: Argv): Argv {
    const keys = this.#keys(kind);
    const count = this.#random.chance(0.5) ? ["COUNT", String(1 + this.#random.below(3))] : [];
    return [name, ...timeout, String(keys.length), ...keys, end, ...count];
  }
}

/** Returns the bytes of a conversation. */
function conversation(random: SeededRandom, version: 2 | 3): string {
  const calls = new Calls(random);
  const sent: Argv[] = [["FLUSHALL"], ["HELLO", String(version)]];
  for (let i = 0; i < CALLS; i++) {
    if (random.chance(IN_MULTI)) sent.push(["MULTI"], calls.next(), calls.next(), calls.next(), ["EXEC"]);
    else if (random.chance(IN_SCRIPT))
      sent.push(["EVAL", "return redis.pcall(unpack(ARGV))", "0", ...calls.next()]);
    else sent.push(calls.next());
  }
  return sent.map(writeCommand).join("");
}

const READ = "XREADGROUP GROUP g ann STREAMS s >";
const CLAIM = "XAUTOCLAIM s g ben 0 0";
/** Adds an entry, reads it, and claims it for another consumer. */
const SCRIPT = `local id = redis.call("XADD", "s", "*", "f", "v")
  local read = redis.call("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
  return {id, read, redis.call("XCLAIM", "s", "g", "ben", 0, id)}`;
const EVAL: Argv = ["EVAL", SCRIPT, "0"];

const argvs = (...lines: readonly string[]): readonly Argv[] => lines.map((line) => line.split(" "));

/** Conversations that claim entries in the envelope that adds them, with ids that the server chooses. */
const ADDED_AND_CLAIMED: readonly (readonly Argv[])[] = [
  argvs("MULTI", "XADD s * f v", READ, "EXEC"),
  argvs("MULTI", "XADD s * f v", "XADD s * f w", READ, CLAIM, "XPENDING s g", "EXEC"),
  argvs("MULTI", "XADD s * f v", "RENAME s t", "XREADGROUP GROUP g ann STREAMS t >", "EXEC"),
  argvs(
    "MULTI",
    "XADD s MAXLEN 1 * f v",
    READ,
    "XCLAIM s g ben 0 1-1 FORCE",
    "XREADGROUP GROUP g ben STREAMS s 0",
    "EXEC",
  ),
  argvs("XADD s * f v", READ, "XADD s * f w", READ, CLAIM),
  argvs(...["MULTI", "XADD s * f v", READ, "EXEC"], ...["MULTI", "XADD s * f w", READ, "EXEC"], CLAIM),
  [EVAL, EVAL],
  [...argvs("XADD s * f v"), EVAL, ...argvs("MULTI", "XADD s * f w", READ, CLAIM, "EXEC")],
  [
    EVAL,
    ...argvs("XADD s * f v", READ, "MULTI", "XADD s * f w", READ, CLAIM, "EXEC"),
    EVAL,
    ...argvs("XLEN s"),
  ],
];

/** Replaces the ids that a server has chosen by their numbers in the order in which they appear. */
function withoutIds(text: string): string {
  const ids: string[] = [];
  return text.replace(/\$\d+\r\n(\d{10,}-\d+)\r\n/g, (_, id: string) => {
    if (!ids.includes(id)) ids.push(id);
    return `<${ids.indexOf(id)}>`;
  });
}

test("entries that are added and claimed in one envelope are answered as by redis-server", {
  skip: skipWithout("redis-server"),
}, async () => {
  await using redis = await startRedis();
  using folder = makeFolder();
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0"];
  await using replica = await startReplica({ args });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  const begin = argvs("FLUSHALL", "XGROUP CREATE s g $ MKSTREAM");
  for (const calls of ADDED_AND_CLAIMED) {
    const bytes = [...begin, ...calls].map(writeCommand).join("");
    const [ours, theirs] = await Promise.all([answers(port, bytes), answers(redis.port, bytes)]);
    assert.equal(withoutIds(ours), withoutIds(theirs), JSON.stringify(calls));
  }
});

test(`claims on a daemon that records them are answered as by redis-server (seed ${seed})`, {
  skip: skipWithout("redis-server"),
}, async () => {
  await using redis = await startRedis();
  using folder = makeFolder();
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0"];
  await using replica = await startReplica({ args });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  for (let number = 0; number < CONVERSATIONS; number++) {
    const bytes = conversation(new SeededRandom(seed, number), number % 2 === 0 ? 2 : 3);
    const [ours, theirs] = await Promise.all([answers(port, bytes), answers(redis.port, bytes)]);
    assert.equal(ours, theirs, `conversation ${number}: ${JSON.stringify(bytes)}`);
  }
});
