/** Tests how far other daemons can set the dates of a daemon ahead of its clock, by requests to close dates. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosingAnswers } from "../../../../../daemon/cluster/peers/exchange/closing-answers.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { MemoryStorage } from "../../../../../daemon/timeline/memory-storage.js";
import { OwnDates } from "../../../../../daemon/timeline/own-dates.js";

const CLOCK = 1_790_000_000_000;
const { closeAheadMs, closeFarMs } = PEERING_LIMITS;

/** A daemon that answers requests of one member, and signs a write on demand. */
class Answerer {
  readonly storage = new MemoryStorage();
  readonly ownDates = new OwnDates(this.storage);
  readonly newest = { at: 0, seq: 0 };
  readonly answers: number[] = [];
  now = 0;
  readonly #closing: ClosingAnswers;

  constructor(future: number) {
    const cluster = {
      clock: () => CLOCK + this.now,
      uptime: () => this.now,
      timeline: this,
      limits: { ...PEERING_LIMITS, future },
    };
    const member = {
      connection: { send: ({ at }: { at: number }) => void this.answers.push(at) },
      outbox: { afterOwnPushes: (step: () => void) => step() },
    };
    this.#closing = new ClosingAnswers(cluster as never, member as never);
  }

  /** How far the date of its next write would be ahead of its clock. */
  get ahead(): number {
    const { newest, ownDates } = this;
    return Math.max(newest.at, CLOCK + this.now, ownDates.closedTo + 1) - CLOCK - this.now;
  }

  /** How far the first write after a restart would be ahead of the clock. */
  get aheadAfterRestart(): number {
    return new OwnDates(this.storage).closedTo + 1 - CLOCK - this.now;
  }

  sign(): void {
    this.newest.at = CLOCK + this.now + this.ahead;
  }

  async request(at: number): Promise<void> {
    this.#closing.request(at);
    await new Promise(setImmediate);
  }
}

for (const future of [5000, 1000, 100])
  test(`with writes between, requests set dates no further ahead than to a limit; --window ${future}`, async () => {
    const daemon = new Answerer(future);
    const max = Math.min(closeAheadMs, future / 2) + 2;
    for (let i = 0; i < 500; i++) {
      await daemon.request(2 ** 52);
      daemon.sign();
      assert.ok(daemon.ahead <= max && daemon.aheadAfterRestart <= future, `${daemon.ahead}`);
      if (i % 50 === 0) daemon.now++;
    }
    assert.ok(daemon.ahead >= max - 2);
  });

test("a write of a client that is dated further ahead is closed, and the dates do not grow from there", async () => {
  const daemon = new Answerer(5000);
  const at = CLOCK + 4000;
  daemon.newest.at = at;
  await daemon.request(at);
  assert.deepEqual(daemon.answers, [at]);

  daemon.sign();
  for (let i = 0; i < 500; i++) {
    await daemon.request(2 ** 52);
    daemon.sign();
  }
  assert.equal(daemon.ahead, 4001);

  for (; daemon.now < 1000; daemon.now += closeFarMs / 5) {
    await daemon.request(2 ** 52);
    daemon.sign();
  }
  assert.ok(daemon.ahead < 3100, `${daemon.ahead}`);

  daemon.now += closeFarMs;
  await daemon.request(daemon.newest.at);
  assert.equal(daemon.answers.at(-1), daemon.newest.at);
});

test("a date is not closed if the next write would be refused", async () => {
  const daemon = new Answerer(5000);
  daemon.newest.at = CLOCK + 5000;
  await daemon.request(daemon.newest.at);
  assert.ok(daemon.ahead <= 5000);
  daemon.now = 1;
  await daemon.request(daemon.newest.at);
  assert.equal(daemon.ahead, 5000);
});
