/**
 * Scripts of unmodified Redis clients on decided keys, and what their answers mean: locks, comparisons, counters and
 * queues. They read, choose and write, so that a script that runs on an outdated state gives a wrong answer.
 */
import { createHash } from "node:crypto";
import type { SeededRandom } from "../../../support/seeded-random.js";
import type { Value } from "../checker.js";
import {
  checked,
  type Draw,
  type Form,
  LOCK_MS,
  NUMBER,
  one,
  type PlainCommand,
  type Reads,
  type Run,
  TEXT,
} from "./commands.js";

/** The share of scripts that are sent by their hashes. */
const BY_HASH = 0.5;
/** The values that scripts compare and set are below it, so that some comparisons succeed. */
const COMPARED = 4;

const ACQUIRE =
  "if redis.call('exists', KEYS[1]) == 1 then return 0 end redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2]) return 1";
const RELEASE =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";
const GET = "return redis.call('get', KEYS[1])";
const COMPARE_AND_SET =
  "local old = redis.call('get', KEYS[1]) if old == ARGV[1] then redis.call('set', KEYS[1], ARGV[2]) end return old";
/** Returns the value before and after the addition. */
const ADD = `
  local old = redis.call('get', KEYS[1])
  local new = (tonumber(old) or 0) + ARGV[1]
  redis.call('set', KEYS[1], new)
  return {old, new}`;
const PUSH =
  "redis.call('lpush', KEYS[1], ARGV[1]) return {redis.call('llen', KEYS[1]), redis.call('llen', KEYS[2])}";
const MOVE = `
  local moved = redis.call('rpop', KEYS[1])
  if moved then redis.call('lpush', KEYS[2], moved) end
  return {moved, redis.call('llen', KEYS[1]), redis.call('llen', KEYS[2])}`;
/** Removes the element that was moved first, as its worker does at the end. */
const FINISH = `
  local moved = redis.call('lindex', KEYS[2], -1)
  if not moved then return false end
  redis.call('lrem', KEYS[2], -1, moved)
  return moved`;
const BOTH = "return {redis.call('lrange', KEYS[1], 0, -1), redis.call('lrange', KEYS[2], 0, -1)}";

/** Two lists, the second of which has what was moved from the first one. */
interface Queue {
  readonly waiting: readonly string[];
  readonly moved: readonly string[];
}

const QUEUE: Form<Queue> = {
  read: (value) => {
    const [waiting, moved] = value === null ? [[], []] : (JSON.parse(value) as [string[], string[]]);
    return { waiting, moved };
  },
  write: ({ waiting, moved }) =>
    waiting.length + moved.length === 0 ? null : JSON.stringify([waiting, moved]),
};
const keysOfQueue = (key: string) => [key, `${key}:moved`];

/** Returns a script, which is sent by its hash or as text. */
function script<State>(
  form: Form<State>,
  run: Run<State>,
  {
    text,
    keys,
    args = [],
    random,
  }: { text: string; keys: readonly string[]; args?: readonly string[]; random: SeededRandom },
): PlainCommand {
  const rest = [String(keys.length), ...keys, ...args];
  const whole = ["EVAL", text, ...rest];
  if (!random.chance(BY_HASH)) return checked(form, run, whole);
  const hash = createHash("sha1").update(text).digest("hex");
  return { ...checked(form, run, ["EVALSHA", hash, ...rest]), unlessKnown: whole };
}

const readText: Draw = (key, _, random) =>
  script(TEXT, (value) => one(value, value), { text: GET, keys: [key], random });

const addition =
  (by: number): Run<Value> =>
  (value) => {
    const sum = Number(value ?? 0) + by;
    return one([value, sum], String(sum));
  };

const compareOrSet =
  (from: string, to: string): Run<Value> =>
  (value) =>
    one(value, value === from ? to : value);

/** The scripts for each kind of key. */
export const PROGRAMS: Readonly<Record<string, readonly Draw[]>> = {
  counter: [
    (key, _, random) => {
      const by = random.between(-2, 5);
      return script(TEXT, addition(by), { text: ADD, keys: [key], args: [String(by)], random });
    },
    (key, _, random) => {
      const [from, to] = [String(random.below(COMPARED)), String(random.below(COMPARED))];
      return script(TEXT, compareOrSet(from, to), {
        text: COMPARE_AND_SET,
        keys: [key],
        args: [from, to],
        random,
      });
    },
    (key) =>
      checked(
        NUMBER,
        (n) => one([n + 1, [String(n + 1), n + 3]], n + 3),
        ["INCR", key],
        ["EVAL", ADD, 1, key, 2],
      ),
    readText,
  ],
  lock: [
    (key, token, random) =>
      script(TEXT, (value) => (value === null ? one(1, token) : one(0, value)), {
        text: ACQUIRE,
        keys: [key],
        args: [token, LOCK_MS],
        random,
      }),
    readText,
  ],
  queue: [
    (key, token, random) =>
      script(
        QUEUE,
        ({ waiting, moved }) =>
          one([waiting.length + 1, moved.length], { waiting: [token, ...waiting], moved }),
        { text: PUSH, keys: keysOfQueue(key), args: [token], random },
      ),
    (key, _, random) => script(QUEUE, moveLast, { text: MOVE, keys: keysOfQueue(key), random }),
    (key, _, random) =>
      script(
        QUEUE,
        ({ waiting, moved }) => one(moved.at(-1) ?? null, { waiting, moved: moved.slice(0, -1) }),
        { text: FINISH, keys: keysOfQueue(key), random },
      ),
    (key, token) =>
      checked(
        QUEUE,
        ({ waiting, moved }) => one(waiting.length + 1, { waiting: [token, ...waiting], moved }),
        ["LPUSH", key, token],
      ),
    (key, _, random) =>
      script(QUEUE, (queue) => one([queue.waiting, queue.moved], queue), {
        text: BOTH,
        keys: keysOfQueue(key),
        random,
      }),
  ],
};

function moveLast({ waiting, moved }: Queue) {
  const last = waiting.at(-1);
  if (last === undefined) return one([null, 0, moved.length], { waiting, moved });
  const after = { waiting: waiting.slice(0, -1), moved: [last, ...moved] };
  return one([last, after.waiting.length, after.moved.length], after);
}

/** Returns a script that releases a lock if its value is a token. */
export const releaseLock = (key: string, token: string, random: SeededRandom): PlainCommand =>
  script(TEXT, (value) => (value === token ? one(1, null) : one(0, value)), {
    text: RELEASE,
    keys: [key],
    args: [token],
    random,
  });

/** Returns a transaction with a script, which has an effect only if the key is unchanged since a client has read it. */
export function setIfUnchanged(key: string, seen: Value, random: SeededRandom): PlainCommand {
  const by = random.between(1, 3);
  const run: Run<Value> = (value) => {
    // Another client may have written the same value again.
    const unmet = one(null, value);
    if (value !== seen) return unmet;
    return [...unmet, ...addition(by)(value).map(({ answer, state }) => ({ answer: [answer], state }))];
  };
  return { ...checked(TEXT, run, ["EVAL", ADD, 1, key, by]), isTransaction: true };
}

export const PROGRAM_READS: Reads = {
  queue: {
    argv: (key) => ["EVAL_RO", BOTH, "2", ...keysOfQueue(key)],
    valueOf: (answer) => {
      const [waiting, moved] = answer as [string[], string[]];
      return QUEUE.write({ waiting, moved });
    },
  },
};
