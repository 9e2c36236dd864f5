/**
 * Tests the answers on decided keys at three daemons. Pipelines are answered as by one daemon, each command that only
 * one client can send with success succeeds once, and scripts and transactions on several keys take effect as a whole,
 * in the order of their answers, while daemons are suspended and killed. Source: docs/decisions/0081-decided-keys.md
 * and 0082-programs-on-decided-keys.md.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Reply } from "../../protocol/reply.js";
import { amount } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { decideOn, EARLY_PATTERNS, sendOrder } from "../support/decided-patterns.js";
import { pause } from "../support/pause.js";
import { RedisConnection, type RedisValue, textOfValue, valueOfReply } from "../support/redis-connection.js";
import { respPort } from "../support/resp-trio.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";
import { type Command, DATABASES, keysOf, Pipelines, repliesTo } from "./decided-pipelines.js";
import { LIBRARY, RACES } from "./decided-winners.js";

const DAEMONS = [0, 1, 2];
/** The pipelines that a connection sends, one after the other. */
const PIPELINES = amount(5, 12);
/** Matches an answer that does not show the effect of a command: a decision took too long. */
const UNDECIDED = /(MAYBE|NOT)APPLIED/;

let trio: Trio;

before(async () => {
  trio = await Trio.start(["--resp", "0", ...EARLY_PATTERNS], 3, { keys: "app" });
  await decideOn(trio, ["d:*", "x:*"], ([, ...argv]) =>
    sendOrder(trio, 0, "CLUSTER", ...argv, ...(argv.includes("x:*") ? ["DB", "2"] : [])),
  );
});
after(async () => {
  await trio?.[Symbol.asyncDispose]();
});

const open = async (index: number): Promise<RedisConnection> =>
  await RedisConnection.open(await respPort(trio, index));

/** Sends commands together. @returns the values of their answers */
async function send(connection: RedisConnection, commands: readonly Command[]): Promise<RedisValue[]> {
  for (const command of commands) connection.queue(command);
  return (await connection.flush()).map(valueOfReply);
}

/** Sends a pipeline. @returns the text of each reply, with its type */
async function textsOf(connection: RedisConnection, pipeline: readonly Command[]): Promise<string[]> {
  for (const command of pipeline) connection.queue(command);
  const replies = await connection.flush(repliesTo(pipeline));
  return replies.map((reply: Reply) => {
    const text = JSON.stringify(reply, (_, value) => (typeof value === "bigint" ? String(value) : value));
    // The reply to HELLO contains the number of the connection.
    return text.includes('"server"') ? reply.kind : text;
  });
}

/** Returns the values of the keys of a connection in each database. */
async function valuesOf(connection: RedisConnection, tag: string): Promise<string[]> {
  const values: string[] = [];
  for (const database of DATABASES)
    for (const key of keysOf(tag)) {
      const [, type, hasExpiry] = await send(connection, [
        ["SELECT", database],
        ["TYPE", key],
        ["PERSIST", key],
      ]);
      const reads: Readonly<Record<string, Command>> = {
        string: ["GET", key],
        list: ["LRANGE", key, "0", "-1"],
        set: ["SORT", key, "ALPHA"],
        hash: ["HGETALL", key],
        zset: ["ZRANGE", key, "0", "-1", "WITHSCORES"],
        stream: ["XRANGE", key, "-", "+"],
      };
      const value = (await send(connection, [reads[String(type)] ?? ["PING"]]))[0] as RedisValue;
      values.push(`${database} ${key} ${type} ${hasExpiry} ${textOfValue(value)}`);
    }
  return values;
}

test("random pipelines at three daemons are answered as by one daemon", async (t) => {
  await using lone = await startDaemon(["--resp", "0"]);
  const lonePort = await lone.portOf("Redis clients");
  let answered = 0;
  await Promise.all(
    DAEMONS.map(async (index) => {
      for (let round = 0; round < amount(1, 20); round++) {
        using here = await open(index);
        using there = await RedisConnection.open(lonePort);
        const tag = `${index}:${round}`;
        const pipelines = new Pipelines(new SeededRandom(seed(), index, round), tag);
        let texts: string[] = [];
        const sent: string[] = [];
        for (let n = 0; n < PIPELINES; n++) {
          const pipeline = pipelines.next();
          sent.push(...pipeline.map((command) => command.join(" ")));
          const [decided, expected] = await Promise.all([textsOf(here, pipeline), textsOf(there, pipeline)]);
          texts = decided;
          // After such an answer, the values are unknown.
          if (texts.some((text) => UNDECIDED.test(text))) break;
          assert.deepEqual(decided, expected, sent.join("\n"));
          answered += decided.length;
        }
        if (texts.some((text) => UNDECIDED.test(text))) continue;
        assert.deepEqual(await valuesOf(here, tag), await valuesOf(there, tag), sent.join("\n"));
      }
    }),
  );
  t.diagnostic(`${answered} answers`);
  assert.ok(answered > 0);
});

test("each command that one client can send with success succeeds at one of three daemons", async () => {
  const connections = await Promise.all(DAEMONS.map(open));
  for (const connection of connections) await connection.value("FUNCTION", "LOAD", "REPLACE", LIBRARY);
  for (let round = 0; round < amount(1, 10); round++)
    for (const { name, first, command, wins } of RACES) {
      const key = `d:${name.replaceAll(" ", "-")}:${round}`;
      const starter = connections[round % connections.length] as RedisConnection;
      const started: RedisValue[] = [];
      for (const argv of first?.(key) ?? []) started.push(await starter.value(...argv));
      const answers = await Promise.all(connections.map((one, i) => one.value(...command(key, i))));
      const texts = answers.map(textOfValue);
      if ([...texts, ...started.map(textOfValue)].some((text) => UNDECIDED.test(text))) continue;
      const winners = texts.filter((text) => (typeof wins === "string" ? text === wins : text !== wins.not));
      assert.equal(winners.length, 1, `${name}: ${texts.join(" | ")}`);
    }
  for (const connection of connections) connection[Symbol.dispose]();
});

const ACCOUNTS = ["d:account:0", "d:account:1", "d:account:2"];
const TOTAL = 300;
/** Scripts that return the next number of `d:turn`, and the sum of all accounts. */
const SUM = `local sum = 0
for _, key in ipairs(KEYS) do sum = sum + redis.call('GET', key) end
return {redis.call('INCR', 'd:turn'), sum}`;
const TRANSFER = `redis.call('DECRBY', KEYS[1], ARGV[1]) redis.pcall('LPUSH', KEYS[1], 'x') redis.call('INCRBY', KEYS[2], ARGV[1])
${SUM}`;

/** A script or transaction that has taken effect: its number, and when it was sent and answered. */
interface Turn {
  readonly number: number;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** The pause after each turn, in milliseconds. With it, turns still overlap, and the daemons take less CPU time. */
const PAUSE_MS = amount(10, 0);

/** The answer that a killed daemon did not send. */
const LOST = "lost";

/** Sends one script or transaction. @returns its number and the sum of all accounts, or an error or nil */
async function takeTurn(connection: RedisConnection, random: SeededRandom): Promise<RedisValue> {
  const [from, to] = random.shuffled(ACCOUNTS) as [string, string];
  const n = String(random.between(1, 9));
  const rest = ACCOUNTS.filter((key) => key !== from && key !== to);
  if (random.chance(0.3)) return await connection.value("EVAL", SUM, ACCOUNTS.length, ...ACCOUNTS);
  if (random.chance(0.4))
    return await connection.value("EVAL", TRANSFER, ACCOUNTS.length, from, to, ...rest, n);
  const isWatched = random.chance(0.5);
  const balances = isWatched
    ? await send(connection, [
        ["WATCH", from, to],
        ["MGET", from, to],
      ])
    : [];
  const [one, other] = (balances[1] ?? []) as readonly string[];
  const change: Command[] = isWatched
    ? [["MSET", from, String(Number(one) - Number(n)), to, String(Number(other) + Number(n))]]
    : [
        ["DECRBY", from, n],
        ["INCRBY", to, n],
      ];
  const commands: Command[] = [["MULTI"], ...change, ["INCR", "d:turn"], ["MGET", ...ACCOUNTS], ["EXEC"]];
  const answer = (await send(connection, commands)).at(-1) as RedisValue;
  if (!Array.isArray(answer)) return answer;
  const [number, values] = answer.slice(-2) as [number, readonly string[]];
  return [number, values.reduce((sum, value) => sum + Number(value), 0)];
}

/** Takes turns at a daemon until it is over. @returns those with an answer, and how many have an unknown effect */
async function takeTurns(index: number, random: SeededRandom, isOver: () => boolean) {
  const turns: Turn[] = [];
  let unknown = 0;
  let connection: RedisConnection | null = null;
  while (!isOver()) {
    connection ??= await open(index).catch(() => null);
    const sentAt = performance.now();
    const answer = connection === null ? null : await takeTurn(connection, random).catch(() => LOST);
    if (Array.isArray(answer)) {
      const [number, sum] = answer as [number, number];
      assert.equal(sum, TOTAL, `daemon ${index}, turn ${number}`);
      turns.push({ number, sentAt, answeredAt: performance.now() });
      if (PAUSE_MS > 0) await pause(PAUSE_MS);
      continue;
    }

    if (answer === LOST || /^MAYBEAPPLIED/.test(textOfValue(answer))) unknown++;
    if (answer === LOST) {
      connection?.[Symbol.dispose]();
      connection = null;
    }
    await pause(20);
  }
  connection?.[Symbol.dispose]();
  return { turns, unknown };
}

test("scripts and transactions on several keys are seen as a whole, and numbered as they are answered", async (t) => {
  using connection = await open(0);
  await trio.until("the accounts are open", async () => {
    const accounts = ACCOUNTS.flatMap((key) => [key, String(TOTAL / ACCOUNTS.length)]);
    return (await connection.value("MSET", ...accounts)) === "OK";
  });
  const random = new SeededRandom(seed(), 82);
  let isOver = false;
  const working = DAEMONS.map((index) => takeTurns(index, new SeededRandom(seed(), index), () => isOver));
  // A rejection ends the test only after the faults.
  for (const work of working) work.catch(() => {});
  for (let fault = 0; fault < amount(2, 12); fault++) {
    const index = random.below(3);
    const isKilled = fault % 2 === 1;
    await pause(amount(200, 500));
    if (isKilled) await trio.end(index, "SIGKILL");
    else trio.daemon(index).kill("SIGSTOP");
    await pause(random.between(200, amount(1_000, 5_000)));
    if (isKilled) await trio.start(index);
    else trio.daemon(index).kill("SIGCONT");
    await trio.until("each daemon decides again", async () => {
      for (const one of DAEMONS) {
        using client = await open(one);
        if (typeof (await client.value("INCR", "d:healed")) !== "number") return false;
      }
      return true;
    });
  }
  isOver = true;
  const all = await Promise.all(working);
  const turns = all.flatMap((one) => one.turns).sort((a, b) => a.number - b.number);
  const unknown = all.reduce((sum, one) => sum + one.unknown, 0);
  t.diagnostic(`${turns.length} turns, ${unknown} with an unknown effect`);
  assert.equal(new Set(turns.map(({ number }) => number)).size, turns.length);
  let sentLast = Number.NEGATIVE_INFINITY;
  for (const { number, sentAt, answeredAt } of turns) {
    assert.ok(answeredAt > sentLast, `turn ${number} was answered before an earlier one was sent`);
    sentLast = Math.max(sentLast, sentAt);
  }
  const last = (turns.at(-1) ?? assert.fail()).number;
  assert.ok(last <= turns.length + unknown, `turn ${last} after ${turns.length} and ${unknown} unknown`);
});
