/** Tests when a daemon in front of real redis-servers starts to accept envelopes, with a clock that the test sets. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Databases } from "../../../../daemon/engine/pipeline/databases.js";
import { StartFloor } from "../../../../daemon/engine/pipeline/start-floor.js";
import { type Environment, realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { parseSpecifications, type RedisSpecification } from "../../../../daemon/options/database-list.js";
import { RedisBackend } from "../../../../faces/redis-behind/redis-backend.js";
import { integer } from "../../../../protocol/reply.js";
import { dateText } from "../../../../protocol/version-2/envelope.js";
import { makeKeyPair, type SignedEnvelope } from "../../../support/envelope-client.js";
import { freePort } from "../../../support/free-port.js";
import { keepLog } from "../../../support/log-lines.js";
import { RedisConnection } from "../../../support/redis-connection.js";
import { startRedis } from "../../../support/redis-server.js";
import { until } from "../../../support/until.js";
import { makeScene } from "../../program/scene.js";

const SECOND = 1000;
const FUTURE_MS = 5 * SECOND;

const pair = makeKeyPair();
/** The options of each test. */
const options = { timeout: 60_000 };

/**
 * Creates a daemon in front of these databases.
 * @param aheadMs  milliseconds by which the daemon's clock is ahead of the databases' clocks
 */
async function makeFront(databases: string, aheadMs = 0) {
  const clock = { now: Date.now() + aheadMs, uptime: 0 };
  const environment = { ...realEnvironment, clock: () => clock.now, uptime: () => clock.uptime };
  const { log, lines } = keepLog("info");
  const backends = parseSpecifications(databases).map(
    (one) => new RedisBackend({ specification: one as RedisSpecification, timeout: 5000, environment, log }),
  );

  const floor = new StartFloor({ databases: backends, future: FUTURE_MS, environment, log });
  const parts = { databases: new Databases(backends), environment, floor };
  const { pipeline, sign, take } = makeScene({ clock, pair, parts });

  for (const backend of backends) await backend.start();
  return {
    backends,
    clock,
    floor,
    pipeline,
    sign,
    /** Returns "result", or the refusal's code and effect. */
    async outcome(envelope: SignedEnvelope): Promise<string> {
      const answer = await take(envelope);
      return answer.kind === "result" ? "result" : `${answer.code}, ${answer.effect}`;
    },
    pass(milliseconds: number): void {
      clock.now += milliseconds;
      clock.uptime += milliseconds;
    },
    /** Returns the daemon's warnings about clocks. */
    warnings: () => lines.filter(({ level }) => level === "warn"),
    async [Symbol.asyncDispose](): Promise<void> {
      pipeline.stop();
      await floor.stop();
      for (const backend of backends) await backend.stop();
    },
  };
}

const at = (port: number) => `redis:127.0.0.1:${port}`;
const visit = [["INCR", "visits"]];

test(
  "a daemon whose clock was set back accepts nothing that the previous process accepted, and logs the reason",
  options,
  async () => {
    await using redis = await startRedis();
    await using before = await makeFront(at(redis.port));
    await before.floor.start();
    await until("the floor is known", () => before.floor.pending === null);
    const recorded: SignedEnvelope[] = [];
    before.clock.now = before.floor.date;
    for (let i = 0; i < 5; i++) {
      before.pass(1);
      recorded.push(before.sign(visit));
    }
    for (const envelope of recorded) assert.equal(await before.outcome(envelope), "result");
    // The test waits until the previous daemon's clock is ahead of the real clock by less than FUTURE_MS, the limit for
    // the date of an envelope.
    await until("the clock has reached the old floor", () => Date.now() + FUTURE_MS > before.clock.now);

    await using again = await makeFront(at(redis.port), -20 * SECOND);
    const startedAt = again.clock.now;
    const from = Date.now();
    await again.floor.start();
    await until("the floor is known again", () => again.floor.pending === null);
    assert.ok(again.floor.date >= from + FUTURE_MS && again.floor.date <= Date.now() + FUTURE_MS);
    while (again.clock.now <= again.floor.date) {
      again.pass(SECOND);
      for (const envelope of recorded)
        assert.match(await again.outcome(envelope), /^(skew|catching-up|too-old), not-applied$/);
      const isLive = again.clock.now >= again.floor.date;
      assert.equal(again.pipeline.recording.state, isLive ? "live" : "catching-up");
      const outcome = await again.outcome(again.sign(visit));
      assert.equal(outcome, again.clock.now > again.floor.date ? "result" : "catching-up, not-applied");
    }
    using asking = await RedisConnection.open(redis.port);
    assert.deepEqual(await asking.call("INCR", "visits"), integer(recorded.length + 2));
    const [line, ...more] = again.warnings();
    assert.deepEqual(more, []);
    assert.match(
      line?.msg ?? "",
      /^this clock is behind the clock of a Redis server: .* restart the daemon if /,
    );
    assert.ok(line);
    const { database, clock, behindMs, takesFrom } = line;
    assert.deepEqual(
      { database, clock, takesFrom },
      { database: at(redis.port), clock: dateText(startedAt), takesFrom: dateText(again.floor.date + 1) },
    );
    assert.ok(Number(behindMs) >= 20 * SECOND, `${behindMs}`);
  },
);

test("a daemon whose clock is not behind uses it, and logs nothing", options, async () => {
  await using redis = await startRedis();
  await using front = await makeFront(at(redis.port), 20 * SECOND);
  const date = front.clock.now + FUTURE_MS;
  await front.floor.start();
  await until("the floor is known", () => front.floor.pending === null);
  assert.equal(front.floor.date, date);
  assert.deepEqual(front.warnings(), []);
});

test(
  "a daemon refuses envelopes that arrive before its Redis has reported the time, even if they are repeated",
  options,
  async () => {
    const port = await freePort();
    await using front = await makeFront(at(port), -100 * SECOND);
    const early = front.sign(visit);
    assert.equal(await front.outcome(early), "catching-up, not-applied");
    await front.floor.start();
    await until("the database is down", () => front.floor.pending?.code === "database-down");

    front.pass(60 * SECOND);
    const ahead = front.sign(visit, { at: front.clock.now + FUTURE_MS - 1 });
    assert.equal(await front.outcome(ahead), "database-down, not-applied");
    assert.equal(front.pipeline.recording.state, "catching-up");

    await using _late = await startRedis({ port });
    await until("the floor is known", () => front.floor.pending === null);
    // A minute after the start of the process, the earliest start is a minute ago, so the daemon need not wait.
    assert.equal(front.pipeline.recording.state, "live");
    assert.ok(front.floor.date < front.clock.now);
    assert.equal(await front.outcome(ahead), "too-old, not-applied");
    assert.equal(await front.outcome(front.sign(visit)), "too-old, not-applied");
    front.pass(FUTURE_MS);
    assert.equal(await front.outcome(front.sign(visit)), "result");
  },
);

test("a daemon waits for each of its Redis servers, and uses the latest clock", options, async () => {
  await using redis = await startRedis();
  const port = await freePort();
  await using front = await makeFront(`${at(redis.port)},${at(port)}`, -20 * SECOND);
  const date = front.clock.now + FUTURE_MS;
  await front.floor.start();
  await until(
    "the floor has risen, and the database is down",
    () => front.floor.date > date && front.floor.pending?.code === "database-down",
  );
  assert.equal(await front.outcome(front.sign(visit)), "database-down, not-applied");
  await using _late = await startRedis({ port });
  await until("the floor is known", () => front.floor.pending === null);
  assert.equal(front.pipeline.recording.state, "catching-up");
  assert.equal(front.warnings().length, 2);
});

test(
  "a daemon whose user may not request the time of Redis logs that once, and uses its own clock",
  options,
  async () => {
    await using redis = await startRedis();
    using administrator = await RedisConnection.open(redis.port);
    await administrator.call("ACL", "SETUSER", "dbsyncd", "on", ">password", "~*", "+@all", "-time");
    await using front = await makeFront(`redis://dbsyncd:password@127.0.0.1:${redis.port}`, -20 * SECOND);
    const date = front.clock.now + FUTURE_MS;
    await front.floor.start();
    await until("the floor is known", () => front.floor.pending === null);
    assert.equal(front.floor.date, date);
    const [line, ...more] = front.warnings();
    assert.deepEqual(more, []);
    assert.match(line?.msg ?? "", /^the Redis server does not report its time, .*\+time/);
    assert.match(String(line?.["reason"]), /^NOPERM /);
  },
);

test("a busy Redis is queried again", options, async () => {
  await using redis = await startRedis({ args: ["--lua-time-limit", "1"] });
  await using front = await makeFront(at(redis.port));
  const [backend] = front.backends as [RedisBackend];
  await until("the backend is up", () => backend.up);

  using busy = await RedisConnection.open(redis.port);
  const script = busy.call("EVAL", "while true do end", "0");
  const isBusy = async () => {
    const reply = await backend.execute(["PING"]);
    return reply.kind === "error" && reply.text.startsWith("BUSY ");
  };
  await until("Redis is busy", isBusy);

  await front.floor.start();
  await until("a warning is logged", () => front.warnings().length > 0);
  assert.match(front.floor.pending?.detail ?? "", /does not report its time: BUSY /);
  assert.equal(await front.outcome(front.sign(visit)), "catching-up, not-applied");

  using killer = await RedisConnection.open(redis.port);
  await killer.call("SCRIPT", "KILL");
  await script;
  await until("the floor is known", () => front.floor.pending === null);
  assert.equal(front.warnings().length, 1);
});

test("a daemon without Redis starts only when a client's next date is later than the daemon's floor", async () => {
  const clock = { now: Date.now(), uptime: 0 };
  const steps: (() => void)[] = [];
  const environment: Environment = {
    ...realEnvironment,
    clock: () => clock.now,
    uptime: () => clock.uptime,
    setTimer(milliseconds, step) {
      clock.uptime += milliseconds;
      steps.push(step);
      return () => {};
    },
  };
  const { log } = keepLog("info");
  const floor = new StartFloor({ databases: [], future: 0, environment, log });
  let hasStarted = false;
  const started = floor.start().then(() => {
    hasStarted = true;
  });
  const next = async () => {
    steps.shift()?.();
    await new Promise(setImmediate);
  };
  // The dates of a client on the same machine are whole milliseconds, so they are at most one millisecond too early.
  for (; clock.now - 1 <= floor.date; clock.now++) {
    await next();
    assert.equal(hasStarted, false);
  }
  await next();
  await started;

  // A clock that stops or is set back does not delay the start.
  clock.now -= 10 * SECOND;
  const again = new StartFloor({ databases: [], future: 0, environment, log });
  hasStarted = false;
  const startedAgain = again.start().then(() => {
    hasStarted = true;
  });
  clock.now -= 10 * SECOND;
  await until("the daemon starts", () => hasStarted, { pause: next });
  await startedAgain;
});
