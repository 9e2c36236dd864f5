/** Tests the shares of the working memory with queries whose size and number of steps are known. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../../../daemon/engine/backends/backend.js";
import { SHARES, WorkingMemory } from "../../../../daemon/engine/backends/working-memory.js";
import type { Environment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { MemoryGrant } from "../../../../daemon/store/keyspace/effort-budget.js";
import { replyOfSteps } from "../../../../protocol/lazy-replies.js";
import { integer, type Reply } from "../../../../protocol/reply.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { slowEnvironment } from "../../../support/slow-environment.js";
import { nextTurn, until } from "../../../support/until.js";

const BYTES = 12_800_000;
/** The bytes of an equal share, and of the large one. */
const SHARE = 100_000;
const LARGE = 11_200_000;

interface Scene {
  readonly memory: WorkingMemory;
  /** Ends the wait of the queries that wait. */
  readonly endWaits: () => void;
}

function scene(bytes = BYTES): Scene {
  const timers = new Set<() => void>();
  const environment: Environment = {
    ...slowEnvironment(),
    setTimer: (_, step) => {
      timers.add(step);
      return () => timers.delete(step);
    },
  };
  const memory = new WorkingMemory(environment, { bytes, wait: 1 });
  const endWaits = () => {
    for (const step of timers) step();
  };
  return { memory, endWaits };
}

interface Work {
  readonly caller?: string;
  /** The bytes that each step takes. */
  readonly takes: readonly number[];
  /** The length of the command. */
  readonly length?: number;
}

/** A query that runs until it has taken its bytes, and counts its beginnings and ends. */
class Subject {
  started = 0;
  ended = 0;
  readonly answer: Outcome | Promise<Outcome>;

  constructor(
    memory: WorkingMemory,
    { caller = "a", takes, length = 9 }: Work,
    keepMemory?: (release: () => void) => void,
  ) {
    const start = (grant: MemoryGrant) => replyOfSteps(this.#steps(grant, takes), true);
    this.answer = memory.run({ caller, argv: ["x".repeat(length)], start, sender: { keepMemory } });
  }

  *#steps(grant: MemoryGrant, takes: readonly number[]): Generator<void, Reply> {
    this.started++;
    try {
      for (const bytes of takes) {
        grant.take(bytes);
        yield;
      }
      return integer(takes.length);
    } finally {
      this.ended++;
    }
  }
}

/** Returns the reply's kind, or the code of the refusal. */
const resultOf = async ({ answer }: Subject): Promise<string> => {
  const outcome = await answer;
  return outcome.kind === "failed" ? outcome.code : outcome.kind;
};

const isEmpty = ({ memory }: Scene) => {
  const { used, waiting } = memory.figures;
  assert.deepEqual({ used, waiting }, { used: 0, waiting: 0 });
};

test("a query that needs one turn is answered in it, and holds nothing afterwards", () => {
  const one = scene();
  const { answer } = new Subject(one.memory, { takes: [] });
  assert.deepEqual(answer, integer(0));
  isEmpty(one);
});

test(`queries of random sizes stay within the budget, and all are answered (seed ${seedOfRun()})`, async () => {
  const random = new SeededRandom(seedOfRun());
  const one = scene();
  const subjects: Subject[] = [];
  for (let i = 0; i < 400; i++) {
    const most = random.below(3) === 0 ? 2 * LARGE : SHARE;
    const takes = Array.from({ length: 1 + random.below(8) }, () => random.below(most / 8));
    subjects.push(new Subject(one.memory, { caller: `user ${random.below(5)}`, takes }));
    if (random.below(4) === 0) await new Promise(setImmediate);
  }

  const results = new Set<string>();
  for (const subject of subjects) results.add(await resultOf(subject));
  assert.deepEqual([...results].sort(), ["integer", "working-memory"]);
  const { peak } = one.memory.figures;
  assert.ok(peak <= BYTES && peak > SHARES * SHARE, `${peak} bytes were held`);
  for (const { started, ended } of subjects) assert.equal(started, ended, "an iterator was not ended");
  isEmpty(one);
});

test("a query that outgrows its share waits for the large one, holds nothing meanwhile, and begins again", async () => {
  const one = scene();
  const first = new Subject(one.memory, { takes: [LARGE, 0, 0, 0, 0, 0] });
  const second = new Subject(one.memory, { caller: "b", takes: [SHARE, 1, 0] });
  await until("a query waits", () => one.memory.figures.waiting === 1, { pause: nextTurn });
  assert.equal(one.memory.figures.used, LARGE);
  assert.deepEqual([second.started, second.ended], [1, 1]);
  assert.equal(await resultOf(first), "integer");
  assert.equal(await resultOf(second), "integer");
  assert.equal(second.started, 2);
  isEmpty(one);
});

test("a query that would need more than the large share is refused before it takes more", async () => {
  const one = scene();
  const subject = new Subject(one.memory, { takes: [LARGE, 1] });
  assert.equal(await resultOf(subject), "working-memory");
  assert.equal(await resultOf(new Subject(one.memory, { takes: [LARGE + 1] })), "working-memory");
  assert.equal(one.memory.figures.peak, LARGE);
  isEmpty(one);
});

test("a small query of one user does not wait for the many large queries of another user", async () => {
  const one = scene();
  const ended: string[] = [];
  const note = (name: string, { answer }: Subject) => Promise.resolve(answer).then(() => ended.push(name));
  const takes = [SHARE, SHARE, ...Array(50).fill(0)];
  const large = Array.from({ length: 30 }, () => note("large", new Subject(one.memory, { takes })));
  const small = note("small", new Subject(one.memory, { caller: "b", takes: [SHARE / 2, SHARE / 2] }));
  await small;
  assert.deepEqual(ended, ["small"]);
  await Promise.all(large);
  isEmpty(one);
});

test("large queries of several users take turns", async () => {
  const one = scene();
  const ended: string[] = [];
  const all = ["a", "a", "a", "a", "b", "c"].map((caller) => {
    const { answer } = new Subject(one.memory, { caller, takes: [SHARE, SHARE, 0, 0] });
    return Promise.resolve(answer).then(() => ended.push(caller));
  });
  await Promise.all(all);
  assert.ok(ended.indexOf("b") < 4 && ended.indexOf("c") < 4, ended.join(" "));
  isEmpty(one);
});

test("a query that waits too long is refused, for an equal share as for the large one", async () => {
  const one = scene();
  const releases: (() => void)[] = [];
  const keep = (release: () => void) => releases.push(release);
  // One share stays free for a user that holds none, but not for one that holds as many.
  const held = Array.from({ length: SHARES - 1 }, (_, i) => {
    return new Subject(one.memory, { caller: `user ${i}`, takes: [SHARE] }, keep);
  });
  for (const subject of held) await subject.answer;
  const large = new Subject(one.memory, { caller: "user 0", takes: [SHARE] });
  await until("a query waits", () => one.memory.figures.waiting === 1, { pause: nextTurn });
  one.endWaits();
  assert.equal(await resultOf(large), "working-memory-busy");
  assert.equal(large.started, 0);
  for (const release of [...releases, ...releases]) release();
  isEmpty(one);

  const owner = new Subject(one.memory, { takes: [LARGE] }, keep);
  await owner.answer;
  const second = new Subject(one.memory, { takes: [SHARE, SHARE] });
  await until("a query waits", () => one.memory.figures.waiting === 1, { pause: nextTurn });
  one.endWaits();
  assert.equal(await resultOf(second), "working-memory-busy");
  releases.at(-1)?.();
  isEmpty(one);
});

test("waiting queries do not take more memory than the budget", async () => {
  const one = scene();
  const releases: (() => void)[] = [];
  const subjects = Array.from(
    { length: 50 },
    () => new Subject(one.memory, { takes: [1, 0], length: BYTES / 4 }, (release) => releases.push(release)),
  );
  const refused = subjects.filter(({ answer }) => !(answer instanceof Promise));
  assert.ok(refused.length > 30, `${refused.length} were refused`);
  for (const { answer } of refused) assert.ok("code" in answer && answer.code === "working-memory-busy");
  one.endWaits();
  for (const { answer } of subjects) await answer;
  for (const release of releases) release();
  isEmpty(one);
});

test("the query of a client that has disconnected ends at its next step, and does not begin if it waits", async () => {
  const one = scene();
  const sender = { isGone: false };
  let steps = 0;
  let ended = 0;

  const start = (grant: MemoryGrant) => {
    const work = function* (): Generator<void, Reply> {
      try {
        grant.take(LARGE);
        for (;;) {
          steps++;
          yield;
        }
      } finally {
        ended++;
      }
    };
    return replyOfSteps(work(), true);
  };

  const query = { argv: [], start, sender };
  const running = one.memory.run({ ...query, caller: "a" });
  const waiting = one.memory.run({ ...query, caller: "b" });
  await until("the first steps are done", () => steps > 3, { pause: nextTurn });

  sender.isGone = true;
  const reached = steps;
  for (const answer of [running, waiting]) assert.equal((await answer).kind, "error");
  assert.ok(steps <= reached + 1, `${steps - reached} more steps`);
  assert.ok(ended > 0);
  isEmpty(one);
});

test("the garbage of large queries is bounded while one of them runs or waits", async () => {
  const bounds: boolean[] = [];
  const limits = { bytes: 10 * BYTES, wait: 1 };
  const environment = { ...slowEnvironment(), setTimer: () => () => undefined };
  const memory = new WorkingMemory(environment, limits, (isBounded) => bounds.push(isBounded));
  assert.equal(await resultOf(new Subject(memory, { takes: [SHARE, SHARE] })), "integer");
  assert.deepEqual(bounds, []);
  const takes = [LARGE, LARGE, 0, 0];
  const both = ["a", "b"].map((caller) => new Subject(memory, { caller, takes }));
  await until("a query waits", () => memory.figures.waiting === 1, { pause: nextTurn });
  assert.deepEqual(bounds, [true]);
  for (const subject of both) assert.equal(await resultOf(subject), "integer");
  assert.deepEqual(bounds, [true, false]);
});

test("an unexpected error of a query releases its memory", async () => {
  const one = scene();
  const fault = new Error("a fault");
  const failing = (takes: number) =>
    one.memory.run({
      caller: "a",
      argv: [],
      start: (grant) => {
        const steps = function* (): Generator<void, Reply> {
          grant.take(takes);
          yield;
          throw fault;
        };
        return replyOfSteps(steps(), true);
      },
    });
  await assert.rejects(async () => failing(SHARE), fault);
  await assert.rejects(async () => failing(LARGE), fault);
  isEmpty(one);
});
