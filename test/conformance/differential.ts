/**
 * Plays the same steps on the store and on a redis-server, finds the first different reply or a difference between the
 * final states, and shrinks the steps to those that reproduce the difference.
 */

import "../support/installed-families.js";
import { findCommand } from "../../daemon/store/command-table.js";
import { Database } from "../../daemon/store/database.js";
import type { Reply } from "../../protocol/reply.js";
import { nextTurn, until } from "../support/until.js";
import type { Call, Comparison } from "./comparison.js";
import type { Episode, Step } from "./episode.js";
import { askedBefore, type Encoding, incomparable, withoutNegativeZero } from "./incomparable.js";
import { folded, itemsOf, shown } from "./resp2-fold.js";
import { asResp3, haveSameShape, shownExactly } from "./resp3.js";
import { type RedisQueries, stateDifferences, stateOf, stateOfRedis } from "./state.js";

/** The first difference. */
export interface Difference {
  readonly of: "reply" | "state";
  /** Index of the step whose reply differs; the number of steps if the state differs. */
  readonly place: number;
  readonly text: string;
}

export interface Outcome {
  readonly difference: Difference | undefined;
  /** For each step, whether its reply was not an error. */
  readonly succeeded: readonly boolean[];
}

/** The queries to redis-server for one step. `problem` describes a difference in the replies, or returns undefined. */
interface Check {
  readonly ours: Reply;
  readonly ask: Comparison["ask"];
  readonly problem: (theirs: readonly Reply[], lag: number) => string | undefined;
}

/** Maximum number of attempts to remove some of the steps. */
const SHRINK_ATTEMPTS_MAX = 400;

/** redis-server's defaults for the size of collections in its compact encoding. */
const ENCODING_DEFAULTS = {
  "hash-max-listpack-entries": "512",
  "hash-max-listpack-value": "64",
  "set-max-intset-entries": "512",
  "zset-max-listpack-entries": "128",
  "zset-max-listpack-value": "64",
};

export async function play(played: Episode, redis: RedisQueries): Promise<Outcome> {
  const { steps } = played;
  const database = new Database();

  redis.queue(hello(2));
  redis.queue(["FLUSHALL"]);
  redis.queue(["CONFIG", "SET", ...settingsOf(played.encoding)]);
  redis.queue(hello(played.resp));
  await redis.flush();

  const succeeded: boolean[] = [];
  // The maximum number of milliseconds by which redis-server's clock, from which it takes its dates, was later than the
  // dates of the steps. It is measured, since it is larger on a slow machine.
  let lag = 0;

  for (const phase of phasesOf(steps)) {
    const { at } = phase[0]!;
    await untilClockShows(at, redis);
    const checks = phase.map((step) => checkOf(step, played.resp, database));
    for (const { ask } of checks) for (const question of ask) redis.queue(question);
    const replies = await redis.flush();
    lag = Math.max(lag, (await clockOf(redis)) - at);

    for (const { ours, ask, problem } of checks) {
      const text = problem(replies.splice(0, ask.length), lag);
      if (text !== undefined)
        return { difference: { of: "reply", place: succeeded.length, text }, succeeded };
      succeeded.push(ours.kind !== "error");
    }
  }

  await redis.call(...hello(2));
  const at = steps.at(-1)?.at ?? 0;
  const theirs = await stateOfRedis(redis, [...database.keyspaces.keys()]);
  const differences = stateDifferences(stateOf(database, at), theirs, lag);

  if (differences.length === 0) return { difference: undefined, succeeded };
  const text = `state: ${differences.join("\n       ")}`;
  return { difference: { of: "state", place: steps.length, text }, succeeded };
}

const hello = (version: Episode["resp"]) => ["HELLO", String(version)];

/** Groups the steps by date. */
function phasesOf(steps: readonly Step[]): readonly (readonly Step[])[] {
  const later = steps.findIndex(({ at }) => at !== steps[0]!.at);
  if (later < 0) return steps.length === 0 ? [] : [steps];
  return [steps.slice(0, later), ...phasesOf(steps.slice(later))];
}

async function untilClockShows(at: number, redis: RedisQueries): Promise<void> {
  await until("the clock of redis-server shows the time", async () => (await clockOf(redis)) >= at, {
    pause: nextTurn,
  });
}

/** Returns redis-server's time, in milliseconds since 1970. */
async function clockOf(redis: RedisQueries): Promise<number> {
  const [seconds, microseconds] = itemsOf(await redis.call("TIME")).map((part) =>
    part.kind === "bulk" ? Number(part.bytes) : Number.NaN,
  );
  return seconds! * 1000 + microseconds! / 1000;
}

/** Runs a step on the store. */
function checkOf(step: Step, resp: Episode["resp"], database: Database): Check {
  const reply = database.execute(step.argv, step);
  const select = ["SELECT", String(step.db)];
  const special = specialComparison(step, levelled(step.name, folded(reply)), database);
  if (special === undefined) {
    const ours = levelled(step.name, resp === 2 ? folded(reply) : asResp3(reply));
    const problem: Check["problem"] = (replies) => {
      const levelledTheirs = levelled(step.name, replies.at(-1)!);
      const isSame = shownExactly(ours) === shownExactly(levelledTheirs);
      return isSame ? undefined : replyDifference(ours, [step.argv], [levelledTheirs], shownExactly);
    };
    return { ours, ask: [select, ...beforehand(step.name), step.argv], problem };
  }
  return specialCheck(step, { resp, reply, special, select });
}

/**
 * Returns the check of a step with a special comparison. Replies in RESP2 are compared completely. In RESP3 only the
 * kinds of a reply and its parts are compared, and only for commands that read.
 */
function specialCheck(
  { name, argv }: Step,
  {
    resp,
    reply,
    special,
    select,
  }: { resp: Episode["resp"]; reply: Reply; special: Comparison; select: string[] },
): Check {
  const { flags } = findCommand(name)!;
  // Readers that may block, such as XREAD BLOCK, are excluded.
  const isReader = special.ask.length > 0 && flags.includes("readonly") && !flags.includes("blocking");
  // An integer is the same in both protocols, and a second PFCOUNT would change redis-server's key.
  const isShapeAsked = resp === 3 && isReader && reply.kind !== "integer";
  const shapeAsked = isShapeAsked ? [argv] : [];
  const before = [select, ...(resp === 3 ? [hello(2)] : []), ...beforehand(name)];

  const problem: Check["problem"] = (replies, lag) => {
    const theirs = replies.slice(before.length).map((each) => levelled(name, each));
    const answers = theirs.slice(0, special.ask.length);
    if (!special.agree(answers, lag)) return replyDifference(folded(reply), special.ask, answers, shown);
    const resp3 = theirs.at(-1)!;
    if (!isShapeAsked || reply.kind === "error" || haveSameShape(asResp3(reply), resp3)) return undefined;
    return `different kinds in RESP3\n${replyDifference(asResp3(reply), [argv], [resp3], shownExactly)}`;
  };

  const after = resp === 3 ? [hello(3), ...shapeAsked] : [];
  return { ours: reply, ask: [...before, ...special.ask, ...after], problem };
}

function beforehand(name: string): Comparison["ask"] {
  const { ask } = askedBefore[name] ?? {};
  return ask === undefined ? [] : [ask];
}

function settingsOf(encoding: Encoding): string[] {
  if (encoding === "default") return Object.entries(ENCODING_DEFAULTS).flat();
  return Object.keys(ENCODING_DEFAULTS).flatMap((name) => [name, encoding === "compact" ? "1000000" : "0"]);
}

/** Returns the special comparison of a step, or undefined if its reply must equal redis-server's. */
function specialComparison(
  { name, argv, db, at, id }: Step,
  ours: Reply,
  database: Database,
): Comparison | undefined {
  const special = incomparable[name];
  if (special === undefined || (ours.kind === "error" && special.errors === undefined)) return undefined;
  const run: Call["run"] = (other) => levelled(name, folded(database.execute(other, { at, db, id })));
  return special.compare({ argv, ours, db, run });
}

/** Returns a reply in comparable form, see `withoutNegativeZero`. */
function levelled(name: string, reply: Reply): Reply {
  return /^B?Z/.test(name) ? withoutNegativeZero(reply) : reply;
}

function replyDifference(
  ours: Reply,
  ask: Comparison["ask"],
  replies: readonly Reply[],
  show: (reply: Reply) => string,
): string {
  const theirs = ask.map((argv, i) => `${JSON.stringify(argv)} -> ${show(replies[i]!)}`);
  return `ours   ${show(ours)}\nredis  ${theirs.join("\n       ")}`;
}

/**
 * Returns fewer steps that still cause a difference of the same kind. If a time to live differs by less than the time
 * since the steps' date, a replay finds no difference, and all steps remain.
 */
export async function shrink(
  played: Episode,
  { place, of }: Difference,
  redis: RedisQueries,
): Promise<Episode> {
  let needed = played.steps.slice(0, place + 1);
  let attempts = 0;
  for (let size = Math.ceil(needed.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < needed.length && attempts < SHRINK_ATTEMPTS_MAX; attempts++) {
      const fewer = needed.toSpliced(from, size);
      const { difference } = await play({ ...played, steps: fewer }, redis);
      if (difference?.of !== of) from += size;
      else needed = fewer.slice(0, difference.place + 1);
    }
  }
  return { ...played, steps: needed };
}
