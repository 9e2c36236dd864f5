/**
 * Kills a daemon process again and again while one client pipelines writes, transactions, scripts and reads, and
 * another client reads. After each restart, no answer that either client received may show a write that the daemon has
 * lost.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFolder } from "../daemon/program/replicas.js";
import { amount } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection } from "../support/redis-connection.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { nextTurn, until } from "../support/until.js";

const ROUNDS = amount(2, 20);
/** The maximum number of answers that each client receives before the daemon is killed. */
const ANSWERS_MAX = 400;
const PIPELINE = 50;
const seed = seedOfRun();

/** Each line increments the counter, or only reads it; all answers contain its value. */
const INCREMENTS = [
  "INCR n",
  "MULTI\r\nINCR n\r\nEXEC",
  `EVAL "return redis.call('INCR', KEYS[1])" 1 n`,
  "GET n",
] as const;

/** Returns the highest counter in a stream of answers, apart from an incomplete last line. */
function highestIn(answers: string): number {
  const complete = answers.slice(0, answers.lastIndexOf("\r\n") + 1);
  let highest = 0;
  for (const [, digits] of complete.matchAll(/^(?::|)(\d+)\r/gm)) highest = Math.max(highest, Number(digits));
  return highest;
}

const answersIn = (received: string): number => received.split("\n").length;

test(`no answer shows a write that is lost when the daemon is killed (seed ${seed})`, async (t) => {
  using folder = makeFolder();
  const random = new SeededRandom(seed, 0);
  const resp = await freePort();
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--resp", String(resp), "-p", "0"];

  let shown = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await using daemon = await startDaemon(args);
    using check = await RedisConnection.open(resp);
    const reply = await check.call("GET", "n");
    const value = reply.kind === "bulk" ? Number(reply.bytes) : 0;
    assert.ok(value >= shown, `round ${round}: the counter is ${value}, but answers showed ${shown}`);

    using writer = await RawClient.open(resp);
    using reader = await RawClient.open(resp);
    const wanted = random.between(1, ANSWERS_MAX);
    let sent = 0;
    const isAnswered = () => answersIn(writer.received) + answersIn(reader.received) >= wanted;
    const send = async () => {
      const answered = answersIn(writer.received);
      for (; sent < answered + PIPELINE; sent++) {
        writer.send(`${INCREMENTS[random.below(INCREMENTS.length)]}\r\n`);
        reader.send("GET n\r\n");
      }
      await nextTurn();
    };

    await until(`${wanted} answers have arrived`, isAnswered, { pause: send });
    daemon.kill("SIGKILL");
    await daemon.ended();
    shown = Math.max(value, highestIn(await writer.rest()), highestIn(await reader.rest()));
  }

  t.diagnostic(`the counter reached ${shown}`);
  assert.ok(shown > 0);
});
