/**
 * The commands of unmodified clients, with what each answer says about the value of its key. Each command writes, so
 * the members decide on it if its key matches a pattern. The values of keys are texts, those of collections as JSON.
 */
import type { RedisValue } from "../../../support/redis-connection.js";
import type { SeededRandom } from "../../../support/seeded-random.js";
import type { Effect, Value } from "../checker.js";

/** The meaning of the answer to a command for the value of its key. */
export interface Meaning {
  /** Returns the effect of the command according to its answer, or null if the answer shows nothing. */
  readonly answered: (answer: RedisValue) => Effect | null;
  /** The effect without an answer, if it takes effect; null: it changes nothing that the check knows. */
  readonly unknown: Effect | null;
}

/** A command of a Redis client, or a transaction of several. */
export interface PlainCommand extends Meaning {
  readonly calls: readonly (readonly string[])[];
  /** Whether a single call is a transaction. */
  readonly isTransaction?: true;
}

/** A possible outcome of a command on a value. */
interface Possible<State> {
  readonly answer: RedisValue;
  readonly state: State;
}
type Run<State> = (state: State) => readonly Possible<State>[];

/** The conversion of the values of a type to texts and back. */
interface Form<State> {
  readonly read: (value: Value) => State;
  readonly write: (state: State) => Value;
}

const NUMBER: Form<number> = { read: (value) => Number(value ?? 0), write: String };
const TEXT: Form<Value> = { read: (value) => value, write: (state) => state };
const LIST: Form<readonly string[]> = {
  read: (value) => (value === null ? [] : (JSON.parse(value) as string[])),
  write: (state) => (state.length === 0 ? null : JSON.stringify(state)),
};
const SET: Form<readonly string[]> = { read: LIST.read, write: (state) => LIST.write([...state].sort()) };
const NUMBERS: Form<Readonly<Record<string, number>>> = {
  read: (value) => (value === null ? {} : (JSON.parse(value) as Record<string, number>)),
  write: (state) => {
    const entries = Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1));
    return entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries));
  },
};

const one = <State>(answer: RedisValue, state: State): readonly Possible<State>[] => [{ answer, state }];

/** Returns commands whose answers and effects `run` describes. */
function checked<State>(
  form: Form<State>,
  run: Run<State>,
  ...calls: readonly (readonly (string | number)[])[]
): PlainCommand {
  const texts = calls.map((call) => call.map(String));
  return { ...meaning(form, texts.map((call) => call.join(" ")).join("; "), run), calls: texts };
}

/** Returns what an answer means, if `run` returns the answers that are possible on a value. */
function meaning<State>(form: Form<State>, text: string, run: Run<State>): Meaning {
  const next = (value: Value, answer: string | null) =>
    run(form.read(value))
      .filter((after) => answer === null || JSON.stringify(after.answer) === answer)
      .map(({ state }) => form.write(state));
  return {
    answered: (reply) => {
      const answer = JSON.stringify(reply);
      return { kind: "step", text: `${text} → ${answer}`, next: (value) => next(value, answer) };
    },
    unknown: { kind: "step", text, next: (value) => next(value, null) },
  };
}

/** A key that no client sets. A transaction that also removes it is decided, so that what it reads is not outdated. */
const NO_KEY = "d:nothing";

/** Returns a transaction that reads a value. @param answerOf  returns the answer to the read */
const reading = <State>(
  form: Form<State>,
  read: readonly string[],
  answerOf: (state: State) => RedisValue,
): PlainCommand => checked(form, (state) => one([answerOf(state), 0], state), read, ["DEL", NO_KEY]);

/** Draws a command on a key. @param token  a value that no other command writes */
export type Draw = (key: string, token: string, random: SeededRandom) => PlainCommand;

/** The lifetime of a lock in milliseconds. No round lasts that long, even if clocks differ. */
const LOCK_MS = "3600000";
const FIELDS = ["a", "b"];

const add = (state: Readonly<Record<string, number>>, name: string, by: number) => {
  const value = (state[name] ?? 0) + by;
  return { value, state: { ...state, [name]: value } };
};
const without = <Item>(items: Readonly<Record<string, Item>>, name: string): Record<string, Item> =>
  Object.fromEntries(Object.entries(items).filter(([other]) => other !== name));

const popFirst: Draw = (key) => checked(LIST, (list) => one(list[0] ?? null, list.slice(1)), ["LPOP", key]);
const popLast: Draw = (key) =>
  checked(LIST, (list) => one(list.at(-1) ?? null, list.slice(0, -1)), ["RPOP", key]);

/** The commands of Redis clients for each kind of key. */
export const REDIS: Readonly<Record<string, readonly Draw[]>> = {
  counter: [
    (key) => checked(NUMBER, (n) => one(n + 1, n + 1), ["INCR", key]),
    (key) => checked(NUMBER, (n) => one(n - 3, n - 3), ["DECRBY", key, 3]),
    (key) => checked(NUMBER, (n) => one([n + 1, n + 3], n + 3), ["INCR", key], ["INCRBY", key, 2]),
    (key) => checked(TEXT, (value) => one(value, "0"), ["GETSET", key, "0"]),
    (key) => checked(TEXT, (value) => one(value, null), ["GETDEL", key]),
    (key) => reading(TEXT, ["GET", key], (value) => value),
  ],
  lock: [
    (key, token) =>
      checked(TEXT, (value) => (value === null ? one("OK", token) : one(null, value)), [
        "SET",
        key,
        token,
        "NX",
        "PX",
        LOCK_MS,
      ]),
    (key, token) =>
      checked(TEXT, (value) => (value === null ? one(1, token) : one(0, value)), ["SETNX", key, token]),
    (key) => checked(TEXT, (value) => one(value === null ? 0 : 1, null), ["DEL", key]),
    (key, token) =>
      checked(TEXT, (value) => (value === null ? one(null, null) : one(value, token)), [
        "SET",
        key,
        token,
        "XX",
        "GET",
      ]),
    (key) => reading(TEXT, ["GET", key], (value) => value),
  ],
  list: [
    (key, token) => checked(LIST, (list) => one(list.length + 1, [token, ...list]), ["LPUSH", key, token]),
    (key, token) =>
      checked(LIST, (list) => one(list.length + 2, [...list, token, `${token}b`]), [
        "RPUSH",
        key,
        token,
        `${token}b`,
      ]),
    popFirst,
    popFirst,
    popLast,
    popLast,
    (key) =>
      checked(
        LIST,
        ([first, ...rest]) => (first === undefined ? one(null, []) : one(first, [...rest, first])),
        ["LMOVE", key, key, "LEFT", "RIGHT"],
      ),
    (key) => reading(LIST, ["LRANGE", key, "0", "-1"], (list) => list),
  ],
  set: [
    (key, token) => checked(SET, (set) => one(1, [...set, token]), ["SADD", key, token]),
    (key) =>
      checked(
        SET,
        (set) =>
          set.length === 0
            ? one(null, set)
            : set.map((answer) => ({ answer, state: set.filter((other) => other !== answer) })),
        ["SPOP", key],
      ),
    (key) => reading(SET, ["SCARD", key], (set) => set.length),
  ],
  hash: [
    (key, _, random) => {
      const [field, by] = [random.oneOf(FIELDS), random.between(-2, 5)];
      const run: Run<Readonly<Record<string, number>>> = (hash) => {
        const { value, state } = add(hash, field, by);
        return one(value, state);
      };
      return checked(NUMBERS, run, ["HINCRBY", key, field, by]);
    },
    (key, _, random) => {
      const field = random.oneOf(FIELDS);
      return checked(NUMBERS, (hash) => (field in hash ? one(0, hash) : one(1, { ...hash, [field]: 7 })), [
        "HSETNX",
        key,
        field,
        7,
      ]);
    },
    (key, _, random) => {
      const field = random.oneOf(FIELDS);
      return checked(NUMBERS, (hash) => one(field in hash ? 1 : 0, without(hash, field)), [
        "HDEL",
        key,
        field,
      ]);
    },
    (key) =>
      reading(NUMBERS, ["HMGET", key, ...FIELDS], (hash) =>
        FIELDS.map((field) => (field in hash ? String(hash[field]) : null)),
      ),
  ],
  sorted: [
    (key, _, random) => {
      const member = random.oneOf(FIELDS);
      const run: Run<Readonly<Record<string, number>>> = (scores) => {
        const { value, state } = add(scores, member, 1);
        return one(String(value), state);
      };
      return checked(NUMBERS, run, ["ZINCRBY", key, 1, member]);
    },
    (key) => {
      const run: Run<Readonly<Record<string, number>>> = (scores) => {
        const [least] = Object.entries(scores).sort(([a, i], [b, j]) => i - j || (a < b ? -1 : 1));
        return least === undefined
          ? one([], scores)
          : one([least[0], String(least[1])], without(scores, least[0]));
      };
      return checked(NUMBERS, run, ["ZPOPMIN", key]);
    },
  ],
  stream: [addEntry, addEntry, addEntry, addEntry],
};

/** Returns a command that adds an entry to a stream, whose value is the last id that a client has received. */
function addEntry(key: string, token: string): PlainCommand {
  const call = ["XADD", key, "*", "token", token];
  return {
    calls: [call],
    answered: (answer) => {
      const id = String(answer);
      const next = (value: Value) => (value === null || isIdAfter(id, value) ? [id] : []);
      return { kind: "step", text: `${call.join(" ")} → ${id}`, next };
    },
    unknown: null,
  };
}

/** Whether the id of an entry is later than another one. */
export function isIdAfter(id: string, other: string): boolean {
  const [ms = 0, number = 0] = id.split("-").map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split("-").map(Number);
  return ms > otherMs || (ms === otherMs && number > otherNumber);
}

/** Returns a transaction that has an effect only if the key is unchanged since a client has read it. */
export function setIfUnchanged(key: string, seen: Value): PlainCommand {
  // Another client may have written the same value again.
  const unmet = (value: Value) => one(null, value);
  const run: Run<Value> = (value) => {
    if (value !== seen) return unmet(value);
    const sum = Number(value ?? 0) + 2;
    return [...unmet(value), ...one([sum], String(sum))];
  };
  return { ...checked(TEXT, run, ["INCRBY", key, 2]), isTransaction: true };
}

/** Requests of memcached clients, as lines of the protocol. The answers are lines, too. */
export const MEMCACHED: Readonly<Record<string, readonly Draw[]>> = {
  item: [
    (key, _, random) => {
      const value = String(random.below(5));
      const run: Run<Value> = (item) => (item === null ? one("STORED", value) : one("NOT_STORED", item));
      return checked(TEXT, run, [`add ${key} 0 0 1\r\n${value}`]);
    },
    increment,
    increment,
    (key) =>
      checked(TEXT, (item) => (item === null ? one("NOT_FOUND", null) : one("DELETED", null)), [
        `delete ${key}`,
      ]),
    (key, _, random) => {
      const value = String(random.below(5));
      const run: Run<Value> = (item) => (item === null ? one("NOT_STORED", null) : one("STORED", value));
      return checked(TEXT, run, [`replace ${key} 0 0 1\r\n${value}`]);
    },
  ],
};

function increment(key: string): PlainCommand {
  const run: Run<Value> = (item) => {
    if (item === null) return one("NOT_FOUND", null);
    const value = String(Number(item) + 1);
    return one(value, value);
  };
  return checked(TEXT, run, [`incr ${key} 1`]);
}

/** Returns a request that replaces a value which was read, unless another client has changed it since. */
export const compareAndSet = (key: string, read: { value: string; unique: string }): PlainCommand => {
  const next = String((Number(read.value) + 1) % 9);
  // Another client may have written the same value again.
  const run: Run<Value> = (item) =>
    item === null
      ? one("NOT_FOUND", null)
      : item === read.value
        ? [...one("STORED", next), ...one("EXISTS", item)]
        : one("EXISTS", item);
  return checked(TEXT, run, [`cas ${key} 0 0 1 ${read.unique}\r\n${next}`]);
};

/** A document without its _id. */
export interface Fields {
  readonly n?: number;
  readonly v?: string;
}
const DOCUMENT: Form<Fields | null> = {
  read: (value) => (value === null ? null : (JSON.parse(value) as Fields)),
  write: (state) => (state === null ? null : documentText(state)),
};

/** Returns the text of a document, whose fields have a fixed order. */
export const documentText = ({ n, v }: Fields): string => JSON.stringify({ n, v });
const textOf = (document: Fields | null): Value => DOCUMENT.write(document);
const counted = (document: Fields): Fields => ({ ...document, n: (document.n ?? 0) + 1 });

/** The meanings of the answers to calls of MongoDB clients. */
export const DOCUMENTS = {
  insert: (id: string, v: string): Meaning =>
    meaning(DOCUMENT, `insert ${id} ${v}`, (found) =>
      found === null ? one("inserted", { v }) : one("duplicate", found),
    ),
  countAndReturn: (id: string): Meaning =>
    meaning(DOCUMENT, `findAndModify ${id} $inc`, (found) =>
      found === null ? one(null, null) : one(textOf(counted(found)), counted(found)),
    ),
  upsert: (id: string): Meaning =>
    meaning(DOCUMENT, `upsert ${id} $inc`, (found) =>
      found === null ? one("upserted", { n: 1 }) : one("matched", counted(found)),
    ),
  remove: (id: string): Meaning =>
    meaning(DOCUMENT, `findAndModify ${id} remove`, (found) => one(textOf(found), null)),
  /** @param seen  the value of the field in the filter */
  replace: (id: string, seen: string, v: string): Meaning =>
    meaning(DOCUMENT, `update ${id} ${seen} ${v}`, (found) =>
      found?.v === seen ? one("matched", { ...found, v }) : one("none", found),
    ),
} as const;

/** The command that reads the complete value of a key, and the text of its answer. */
interface ReadOfKind {
  readonly argv: (key: string) => readonly string[];
  readonly valueOf: (answer: RedisValue) => Value;
}

/** The reads of keys, by their kinds. */
export const READS: Readonly<Record<string, ReadOfKind>> = {
  counter: { argv: (key) => ["GET", key], valueOf: (answer) => answer as Value },
  lock: { argv: (key) => ["GET", key], valueOf: (answer) => answer as Value },
  item: { argv: (key) => ["GET", key], valueOf: (answer) => answer as Value },
  list: { argv: (key) => ["LRANGE", key, "0", "-1"], valueOf: (answer) => LIST.write(answer as string[]) },
  set: { argv: (key) => ["SMEMBERS", key], valueOf: (answer) => SET.write(answer as string[]) },
  hash: { argv: (key) => ["HGETALL", key], valueOf: (answer) => numbersIn(answer as string[]) },
  sorted: {
    argv: (key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
    valueOf: (answer) => numbersIn(answer as string[]),
  },
};

const numbersIn = (flat: readonly string[]): Value =>
  NUMBERS.write(
    Object.fromEntries(
      flat.flatMap((name, index) => (index % 2 === 0 ? [[name, Number(flat[index + 1])] as const] : [])),
    ),
  );
