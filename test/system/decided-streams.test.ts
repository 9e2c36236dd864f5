/**
 * Tests streams on decided keys at three real daemons that all take writes: the ids of entries are in the order of the
 * log at each daemon, and each follower receives each entry once, although a daemon is cut off again and again. Source:
 * docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { amount } from "../support/amount.js";
import { pause } from "../support/pause.js";
import { RedisConnection } from "../support/redis-connection.js";
import { respPort } from "../support/resp-trio.js";
import { Trio } from "../support/trio.js";
import { isIdAfter } from "./linearizability/decided-keys/commands.js";

const ARGS = ["--resp", "0", "--window", "3s,1s"];
const DAEMONS = [0, 1, 2];
const STREAM = "d:stream";
const CUTS = amount(4, 10);
/** The time for which a daemon is cut off from one or both of the others, and between two cuts, in milliseconds. */
const CUT_MS = 1_200;
const PEACE_MS = 300;
/** The maximum milliseconds for which a follower waits in one command. */
const BLOCK_MS = 500;

type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

/** A client that reads what follows the last id that it has received. */
class Follower {
  readonly ids: string[] = [];
  isStopped = false;
  readonly done: Promise<void>;

  constructor(port: number, block: number | null) {
    this.done = this.#follow(port, block);
  }

  async #follow(port: number, block: number | null): Promise<void> {
    using connection = await RedisConnection.open(port);
    const words = block === null ? [] : ["BLOCK", block];
    for (let isOver = false; !isOver; ) {
      const isLast = this.isStopped;
      const last = this.ids.at(-1) ?? "0";
      const reply = await connection.value("XREAD", "COUNT", 100, ...words, "STREAMS", STREAM, last);
      if (reply instanceof Error) throw reply;
      const [[, entries] = ["", []]] = (reply ?? []) as [string, Entries][];
      for (const [id] of entries) this.ids.push(id);
      isOver = isLast && entries.length === 0;
      if (block === null) await pause(5);
    }
  }
}

/** Adds entries at a daemon until it is over. @returns the ids of those that were acknowledged */
async function addUntil(port: number, isOver: () => boolean): Promise<string[]> {
  using connection = await RedisConnection.open(port);
  const ids: string[] = [];
  for (let n = 0; !isOver(); n++) {
    const answer = await connection.value("XADD", STREAM, "*", "n", n);
    if (typeof answer !== "string") await pause(50);
    else {
      const last = ids.at(-1);
      assert.ok(last === undefined || isIdAfter(answer, last), `${answer} after ${last}`);
      ids.push(answer);
    }
  }
  return ids;
}

/** Waits until all daemons have the same entries. @returns their ids */
async function untilEqual(trio: Trio, ports: readonly number[]): Promise<string[]> {
  let lists: string[][] = [];
  await trio.until("all daemons have the same entries", async () => {
    lists = await Promise.all(
      ports.map(async (port) => {
        using connection = await RedisConnection.open(port);
        const entries = (await connection.value("XRANGE", STREAM, "-", "+")) as unknown as Entries;
        return entries.map(([id]) => id);
      }),
    );
    return lists.every((list) => isDeepStrictEqual(list, lists[0]));
  });
  return lists[0] as string[];
}

test("each follower of a decided stream receives each entry once and in order, also through cuts", async (t) => {
  await using trio = await Trio.make(ARGS, 3, { keys: "app", areHere: true });
  await trio.openLinks();
  await trio.startAll();

  const key = createPrivateKey(readFileSync(join(trio.folder(0), "daemon.pem")));
  await using operator = trio.client([0], { key });
  await trio.until("the pattern is announced", async () => {
    return (await operator.call(["CLUSTER", "DECIDE", "d:*"], { policy: "first" })) === "OK";
  });

  await using client = trio.client();
  await trio.until(
    "the pattern has begun",
    async () => Number(await client.call(["INCR", "d:begun"], { policy: "majority" })) > 0,
  );

  const ports = await Promise.all(DAEMONS.map((index) => respPort(trio, index)));
  const followers = ports.flatMap((port) => [new Follower(port, BLOCK_MS), new Follower(port, null)]);
  let isOver = false;
  const adding = ports.map((port) => addUntil(port, () => isOver));

  for (let cut = 0; cut < CUTS; cut++) {
    const [one, other] = [cut % 3, (cut + 1) % 3];
    // Every second cut separates only two daemons, so that the third one passes on what each has.
    const isBetweenTwo = cut % 2 === 0;
    const links = isBetweenTwo ? [trio.links[one]?.[other], trio.links[other]?.[one]] : [];
    if (isBetweenTwo) for (const link of links) if (link !== undefined) link.isCut = true;
    if (!isBetweenTwo) trio.cutOff([one]);
    await pause(CUT_MS);
    trio.cutOff([]);
    await pause(PEACE_MS);
  }

  isOver = true;
  const ids = (await Promise.all(adding)).flat();
  await untilEqual(trio, ports);
  for (const follower of followers) follower.isStopped = true;
  await Promise.all(followers.map(({ done }) => done));
  const all = await untilEqual(trio, ports);

  t.diagnostic(`${all.length} entries, of which ${ids.length} acknowledged`);
  assert.deepEqual(
    ids.filter((id) => !all.includes(id)),
    [],
  );
  assert.equal(new Set(ids).size, ids.length);

  for (const [index, follower] of followers.entries()) {
    const received = new Set(follower.ids);
    assert.deepEqual(
      ids.filter((id) => !received.has(id)),
      [],
      `follower ${index} has missed acknowledged entries`,
    );
    // An entry without an answer can be decided late, after the last command of a follower.
    const last = follower.ids.at(-1) as string;
    const expected = all.filter((id) => !isIdAfter(id, last));
    assert.deepEqual(follower.ids, expected, `follower ${index}`);
  }
});
