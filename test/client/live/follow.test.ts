/** Tests the change feed of the client with imitated daemons: positions, other daemons, errors, and slow callers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkFollowOptions,
  type FeedDaemon,
  type FeedEvent,
  type FollowOptions,
  follow,
} from "../../../client/live/follow.js";
import { realClientEnvironment } from "../../../client/shared/client-environment.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";

const positionOf = (number: number): string => number.toString(16).padStart(92, "0");

/** An imitation of a daemon with units at the positions 1 to `count`, whose pages contain at most two units. */
class FakeDaemon {
  readonly requests: string[][] = [];
  count: number;
  failure: Error | null = null;
  closes = 0;
  waitsFor: string | null = null;

  constructor(count: number) {
    this.count = count;
  }

  open(): FeedDaemon {
    return {
      call: async (command) => this.#answer([...command]),
      close: async () => void this.closes++,
    };
  }

  #answer(command: string[]): ReplyValue {
    this.requests.push(command);
    if (this.failure !== null) throw this.failure;

    const after = command[3] === "NOW" ? 0 : Number.parseInt(command[3] as string, 16);
    const last = Math.min(after + 2, this.count);
    const units: ReplyValue[] = [];
    for (let number = after + 1; number <= last; number++)
      units.push([
        ...["position", positionOf(number), "at", number, "seq", 0, "id", "aa", "index", 0, "signer", "bb"],
        ...["label", "app", "as", null, "db", 0, "commands", [["SET", Buffer.from("k"), Buffer.from([255])]]],
        ...["outcome", "applied", "reply", "OK"],
      ] as ReplyValue[]);

    const more = last < this.count ? 1 : 0;
    const waiting = [
      "final",
      9,
      "waits-for",
      this.waitsFor,
      "waits-since",
      this.waitsFor === null ? null : 5,
    ];
    return ["position", positionOf(last), "more", more, ...waiting, "units", units] as ReplyValue;
  }
}

const environment = {
  ...realClientEnvironment,
  setTimer: (_: number, fire: () => void) => {
    const immediate = setImmediate(fire);
    return { cancel: () => clearImmediate(immediate), keepProcessAlive: () => {} };
  },
};

function feedOf(
  daemons: readonly FakeDaemon[],
  options: FollowOptions = {},
  signal = new AbortController().signal,
) {
  const servers = daemons.map((_, index) => `db${index}`);
  return follow(options, {
    servers,
    open: (index) => (daemons[index] as FakeDaemon).open(),
    environment,
    signal,
  });
}

async function next(feed: AsyncGenerator<FeedEvent, void, void>): Promise<FeedEvent> {
  const { value } = await feed.next();
  assert.ok(value !== undefined);
  return value;
}

const refusal = (text: string) => new DbsyncError("reply", `db0: ${text}`);

test("each unit is returned once, and the next page is requested only when the caller needs its units", async () => {
  const daemon = new FakeDaemon(5);
  const feed = feedOf([daemon], { key: "k", signer: "beef" });
  for (let number = 1; number <= 5; number++) {
    const unit = await next(feed);
    assert.ok(unit.type === "unit");
    assert.deepEqual(
      [unit.position, unit.at, unit.server, unit.late],
      [positionOf(number), number, "db0", false],
    );
    assert.deepEqual(unit.commands, [["SET", "k", Buffer.from([255])]]);
    // A page contains two units.
    assert.equal(daemon.requests.length, Math.ceil(number / 2));
  }
  assert.deepEqual(daemon.requests[0], [
    ...["TIMELINE", "LOG", "AFTER", "NOW", "KEY", "k", "SIGNER", "beef", "LIMIT", "1000"],
  ]);
  await feed.return();
  assert.equal(daemon.closes, 1);
});

test("a final feed continues at the next daemon, at the same position, and emits `lost` if no daemon answers", async () => {
  const [one, two] = [new FakeDaemon(4), new FakeDaemon(4)];
  const feed = feedOf([one, two]);
  assert.equal((await next(feed)).type, "unit");
  assert.equal((await next(feed)).type, "unit");

  one.failure = new DbsyncError("all-failed", "down");
  const third = await next(feed);
  assert.ok(third.type === "unit");
  assert.deepEqual([third.position, third.server], [positionOf(3), "db1"]);
  await next(feed);

  two.failure = refusal("TRYAGAIN this daemon is catching-up");
  const lost = await next(feed);
  assert.ok(lost.type === "lost");
  assert.match(lost.detail, /down|catching-up/);

  [one.failure, two.failure, one.count, two.count] = [null, null, 5, 5];
  const fifth = await next(feed);
  assert.ok(fifth.type === "unit");
  assert.equal(fifth.position, positionOf(5));
  await feed.return();
});

test("a pruned position is an error only if no daemon has it", async () => {
  const [one, two] = [new FakeDaemon(3), new FakeDaemon(3)];
  one.failure = refusal("ERR entries up to 7 are no longer stored");
  const feed = feedOf([one, two], { from: positionOf(1) });
  assert.equal((await next(feed)).type, "unit");
  await feed.return();
  two.failure = one.failure;
  await assert.rejects(feedOf([one, two]).next(), /no longer stored/);
});

test("the first request rejects if all daemons fail", async () => {
  const [one, two] = [new FakeDaemon(3), new FakeDaemon(3)];
  one.failure = two.failure = new DbsyncError("all-failed", "down");
  await assert.rejects(feedOf([one, two]).next(), /down/);
});

test("an early feed never changes its daemon once it has answered", async () => {
  const [one, two] = [new FakeDaemon(2), new FakeDaemon(2)];
  const feed = feedOf([one, two], { form: "early" });
  assert.equal((await next(feed)).type, "unit");
  assert.deepEqual(one.requests[0]?.slice(2, 4), ["ARRIVED", "NOW"]);
  await next(feed);
  one.failure = refusal("ERR this position is not known here");
  await assert.rejects(feed.next(), /not known here/);
  assert.equal(two.requests.length, 0);
});

test("a member that the final date waits for is reported only once", async () => {
  const daemon = new FakeDaemon(0);
  daemon.waitsFor = "its member db3 is not connected";
  const feed = feedOf([daemon]);
  const waiting = await next(feed);
  assert.deepEqual(waiting, { type: "waiting", server: "db0", detail: daemon.waitsFor, since: 5, final: 9 });
  daemon.count = 1;
  assert.equal((await next(feed)).type, "unit");
  await feed.return();
});

test("an aborted feed and a closed client end the iteration with their errors", async () => {
  for (const [reason, code] of [
    [new Error("enough"), "aborted"],
    [new DbsyncError("closed", "the client is closed"), "closed"],
  ] as const) {
    const abort = new AbortController();
    const feed = feedOf([new FakeDaemon(1)], {}, abort.signal);
    await next(feed);
    const ended = feed.next();
    abort.abort(reason);
    await assert.rejects(ended, { code });
  }
});

test("wrong options are refused, and correct ones accepted", () => {
  for (const options of [
    { form: "late" },
    { from: "yesterday" },
    { from: positionOf(1), form: "early" },
    { from: `0123456789abcdef-${"0".repeat(32)}` },
    { from: new Date(Number.NaN) },
    { key: 1 },
    { signer: "xyz" },
  ])
    assert.throws(() => checkFollowOptions(options as never), { code: "bad-option" });
  for (const options of [
    {},
    { from: "2027-01-31T12:00:00Z" },
    { form: "early", from: `0123456789abcdef-${"0".repeat(32)}` },
  ])
    checkFollowOptions(options as never);
});
