/**
 * Plays the same steps on the store and on a redis-server and finds the first reply that differs, or what differs in
 * the state at the end; and cuts the steps down to those that are needed for it.
 */

import type { Reply } from "../../protocol/reply.js";
import { Database } from "../../store/database.js";
import type { RedisConnection } from "../support/redis-connection.js";
import type { Call, Comparison } from "./comparison.js";
import type { Episode, Step } from "./episode.js";
import { type Encoding, incomparable, withoutNegativeZero } from "./incomparable.js";
import { folded, itemsOf, sameReply, shown } from "./resp2-fold.js";
import { stateDifferences, stateOf, stateOfRedis } from "./state.js";

/** The first thing that differs. */
export interface Difference {
  readonly of: "reply" | "state";
  /** Place of the step whose reply differs; the number of steps if it is the state. */
  readonly place: number;
  readonly text: string;
}

export interface Outcome {
  readonly difference: Difference | undefined;
  /** For each step whether its reply was no error. */
  readonly succeeded: readonly boolean[];
}

interface Check {
  readonly name: string;
  readonly ours: Reply;
  readonly comparison: Comparison;
}

/** At most so many attempts to do without a part of the steps. */
const SHRINK_ATTEMPTS_MAX = 400;

/** redis-server's settings of how much a collection may hold in its compact encoding. */
const ENCODING_DEFAULTS = {
  "hash-max-listpack-entries": "512",
  "hash-max-listpack-value": "64",
  "set-max-intset-entries": "512",
  "zset-max-listpack-entries": "128",
  "zset-max-listpack-value": "64",
};

export async function play({ steps, encoding }: Episode, redis: RedisConnection): Promise<Outcome> {
  const database = new Database();
  redis.queue(["FLUSHALL"]);
  redis.queue(["CONFIG", "SET", ...settingsOf(encoding)]);
  await redis.flush();
  const succeeded: boolean[] = [];
  for (const phase of phasesOf(steps)) {
    await untilClockShows(phase[0]!.at, redis);
    const checks = phase.map((step) => queueStep(step, database, redis));
    const replies = await redis.flush();
    for (const { name, ours, comparison } of checks) {
      const [, ...theirs] = replies
        .splice(0, 1 + comparison.ask.length)
        .map((reply) => levelled(name, reply));
      if (!comparison.agree(theirs)) {
        const text = replyDifference(ours, comparison, theirs);
        return { difference: { of: "reply", place: succeeded.length, text }, succeeded };
      }
      succeeded.push(ours.kind !== "error");
    }
  }
  const at = steps.at(-1)?.at ?? 0;
  const theirs = await stateOfRedis(redis, [...database.keyspaces.keys()]);
  const differences = stateDifferences(stateOf(database, at), theirs);
  if (differences.length === 0) return { difference: undefined, succeeded };
  const text = `state: ${differences.join("\n       ")}`;
  return { difference: { of: "state", place: steps.length, text }, succeeded };
}

/** The steps of each date. */
function phasesOf(steps: readonly Step[]): readonly (readonly Step[])[] {
  const later = steps.findIndex(({ at }) => at !== steps[0]!.at);
  if (later < 0) return steps.length === 0 ? [] : [steps];
  return [steps.slice(0, later), ...phasesOf(steps.slice(later))];
}

async function untilClockShows(at: number, redis: RedisConnection): Promise<void> {
  for (;;) {
    const [seconds, microseconds] = itemsOf(await redis.call("TIME")).map((part) =>
      part.kind === "bulk" ? Number(part.bytes) : Number.NaN,
    );
    if (seconds! * 1000 + microseconds! / 1000 >= at) return;
  }
}

/** Runs a step on the store and queues for redis-server the selection of its database and what is to be compared. */
function queueStep(step: Step, database: Database, redis: RedisConnection): Check {
  const { name, argv, db } = step;
  const ours = levelled(name, folded(database.execute(argv, step)));
  const comparison = comparisonOf(step, ours, database);
  for (const question of [["SELECT", String(db)], ...comparison.ask]) redis.queue(question);
  return { name, ours, comparison };
}

function settingsOf(encoding: Encoding): string[] {
  if (encoding === "default") return Object.entries(ENCODING_DEFAULTS).flat();
  return Object.keys(ENCODING_DEFAULTS).flatMap((name) => [name, encoding === "compact" ? "1000000" : "0"]);
}

function comparisonOf({ name, argv, db, at, id }: Step, ours: Reply, database: Database): Comparison {
  const special = incomparable[name];
  if (special === undefined || (ours.kind === "error" && special.errors === undefined)) {
    return { ask: [argv], agree: ([theirs]) => theirs !== undefined && sameReply(ours, theirs) };
  }
  const run: Call["run"] = (other) => levelled(name, folded(database.execute(other, { at, db, id })));
  return special.compare({ argv, ours, db, run });
}

/** A reply as it can be compared: see `withoutNegativeZero`. */
function levelled(name: string, reply: Reply): Reply {
  return name.startsWith("Z") ? withoutNegativeZero(reply) : reply;
}

function replyDifference(ours: Reply, { ask }: Comparison, replies: readonly Reply[]): string {
  const theirs = ask.map((argv, i) => `${JSON.stringify(argv)} -> ${shown(replies[i]!)}`);
  return `ours   ${shown(ours)}\nredis  ${theirs.join("\n       ")}`;
}

/**
 * Fewer steps that still differ, and in the same respect: times to live differ in the state anyhow when the steps are played
 * again long after their date.
 */
export async function shrink(
  { steps, encoding }: Episode,
  { place, of }: Difference,
  redis: RedisConnection,
): Promise<Episode> {
  let needed = steps.slice(0, place + 1);
  let attempts = 0;
  for (let size = Math.ceil(needed.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < needed.length && attempts < SHRINK_ATTEMPTS_MAX; attempts++) {
      const fewer = needed.toSpliced(from, size);
      const { difference } = await play({ steps: fewer, encoding }, redis);
      if (difference?.of !== of) from += size;
      else needed = fewer.slice(0, difference.place + 1);
    }
  }
  return { steps: needed, encoding };
}
