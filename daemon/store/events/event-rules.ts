/** The events of writing commands. Source: redis-server 7.0, the calls of notifyKeyspaceEvent. */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { CommandEffects, EventClass } from "./command-effects.js";

export type EventRule = (effects: CommandEffects) => void;
export type EventCondition = (effects: CommandEffects, key: ByteString) => boolean;
type KeyOf = (effects: CommandEffects) => ByteString;

export const always: EventCondition = () => true;
export const ifChanged: EventCondition = (effects, key) => effects.changed(key);
/** Whether the command replied with a positive number. */
export const ifCounted: EventCondition = ({ reply }) => reply.kind === "integer" && reply.value > 0;
/** Whether the reply is not nil. */
export const ifAnswered: EventCondition = ({ reply }) => reply.kind !== "nil" && reply.kind !== "nil-array";
/** Whether the command found the key, even if it did not change it. */
export const ifFound: EventCondition = (effects, key) => effects.existed(key);

export const firstArgument: KeyOf = ({ argv }) => argv[1] as ByteString;
export const secondArgument: KeyOf = ({ argv }) => argv[2] as ByteString;
/** Returns the key that precedes the elements in the reply of a pop from several keys. */
const answeredKey: KeyOf = ({ reply }) => {
  const [key] = reply.kind === "array" ? reply.items : [];
  return key?.kind === "bulk" ? key.bytes : "";
};

/** Reports an event of a key, after the event of its creation and before that of its removal. */
export function reportOf(effects: CommandEffects, kind: EventClass, name: string, key: ByteString): void {
  if (!effects.existed(key) && effects.exists(key)) effects.report("n", "new", key);
  effects.report(kind, name, key);
  if (effects.existed(key) && !effects.exists(key)) effects.report("g", "del", key);
}

export function event(kind: EventClass, name: string, when = always, keyOf = firstArgument): EventRule {
  return (effects) => {
    const key = keyOf(effects);
    if (when(effects, key)) reportOf(effects, kind, name, key);
  };
}

/** Returns a rule for results that replace a key's value; an empty result removes the key. */
export function storedEvent(kind: EventClass, name: string, keyOf = firstArgument): EventRule {
  return (effects) => {
    const key = keyOf(effects);
    if (effects.exists(key)) reportOf(effects, kind, name, key);
    else if (effects.existed(key)) effects.report("g", "del", key);
  };
}

/**
 * Returns a rule like `storedEvent`, for commands in which an option among the arguments names the key.
 * @param words the options; the last one counts
 */
export function optionStoredEvent(kind: EventClass, name: string, words: RegExp, from: number): EventRule {
  return (effects) => {
    const index = effects.argv.findLastIndex((word, at) => at >= from && words.test(word));
    if (index > 0) storedEvent(kind, name, ({ argv }) => argv[index + 1] as ByteString)(effects);
  };
}

/** Returns a rule for an element that moves from one list to another: first the push, then the pop. */
function movedElement(ends: (argv: readonly ByteString[]) => readonly [from: string, to: string]): EventRule {
  return (effects) => {
    const from = firstArgument(effects);
    const to = secondArgument(effects);
    if (!ifAnswered(effects, from)) return;
    const [source, target] = ends(effects.argv);
    if (!effects.existed(to)) effects.report("n", "new", to);
    effects.report("l", isLeft(target) ? "lpush" : "rpush", to);
    effects.report("l", isLeft(source) ? "lpop" : "rpop", from);
    if (!effects.exists(from)) effects.report("g", "del", from);
  };
}

const isLeft = (word: string) => word.toUpperCase() === "LEFT";

/** Reports a pop from the key that the reply names. */
export const popEvent = (kind: EventClass, name: string) => event(kind, name, ifChanged, answeredKey);

/**
 * Reports a pop from the end that an argument after the keys names.
 * @param names the names of the events, by that argument
 * @param countAt index of the number of keys
 */
function popEventBy(kind: EventClass, names: Readonly<Record<string, string>>, countAt: number): EventRule {
  return (effects) => {
    if (!ifAnswered(effects, "")) return;
    const word = effects.argv[countAt + 1 + Number(effects.argv[countAt])] ?? "";
    popEvent(kind, names[word.toUpperCase()] ?? "")(effects);
  };
}

/** Returns a rule that reports each changed key, for types that Redis does not have. */
export function eachChangeEvent(name: string): EventRule {
  return (effects) => {
    for (const { db, key } of effects.changes.all) {
      const isThere = effects.exists(key, db);
      if (!effects.existed(key, db) && isThere) effects.report("n", "new", key, db);
      if (isThere) effects.report("d", name, key, db);
      else effects.report("g", "del", key, db);
    }
  };
}

export const setEvents = event("$", "set", ifChanged);

/** SETEX and PSETEX set a string with an expiry time. */
export const expiringSetEvents: EventRule = (effects) => {
  setEvents(effects);
  if (ifChanged(effects, firstArgument(effects))) effects.report("g", "expire", firstArgument(effects));
};

const expires = (effects: CommandEffects, from: number) =>
  effects.hasArgument(from, "EX", "PX", "EXAT", "PXAT");
export const optionalExpirySetEvents: EventRule = (effects) =>
  (expires(effects, 3) ? expiringSetEvents : setEvents)(effects);

/** `MSET key value …`: a key that occurs twice has two events, but is new only once. */
export const severalSetEvents: EventRule = (effects) => {
  const reported = new Set<ByteString>();
  for (let i = 1; i < effects.argv.length; i += 2) {
    const key = effects.argv[i] as ByteString;
    if (!reported.has(key) && !effects.existed(key)) effects.report("n", "new", key);
    reported.add(key);
    effects.report("$", "set", key);
  }
};

export const deletedEvents: EventRule = (effects) => {
  for (const { db, key } of effects.changes.all) effects.report("g", "del", key, db);
};

export const expireEvents: EventRule = (effects) => {
  const key = firstArgument(effects);
  if (ifCounted(effects, key)) effects.report("g", effects.exists(key) ? "expire" : "del", key);
};

export const getexEvents: EventRule = (effects) => {
  const key = firstArgument(effects);
  if (!ifAnswered(effects, key)) return;
  if (!effects.exists(key)) effects.report("g", "del", key);
  else if (expires(effects, 2)) effects.report("g", "expire", key);
  else if (effects.changed(key)) effects.report("g", "persist", key);
};

/** RENAME removes a previous value first, so the key is always new. */
export const renameEvents: EventRule = (effects) => {
  const from = firstArgument(effects);
  const to = secondArgument(effects);
  if (from === to || !effects.changed(from)) return;
  effects.report("n", "new", to);
  effects.report("g", "rename_from", from);
  effects.report("g", "rename_to", to);
};

export const moveEvents: EventRule = (effects) => {
  for (const { db, key } of effects.changes.all) {
    if (db === effects.db) continue;
    effects.report("n", "new", key, db);
    effects.report("g", "move_from", key);
    effects.report("g", "move_to", key, db);
  }
};

export const copyEvents: EventRule = (effects) => {
  for (const { db, key } of effects.changes.all) {
    effects.report("n", "new", key, db);
    effects.report("g", "copy_to", key, db);
  }
};

export const restoreEvents: EventRule = (effects) => {
  const key = firstArgument(effects);
  if (effects.exists(key)) {
    effects.report("n", "new", key);
    effects.report("g", "restore", key);
  } else deletedEvents(effects);
};

export const smoveEvents: EventRule = (effects) => {
  const from = firstArgument(effects);
  const to = secondArgument(effects);
  if (from === to || !effects.changed(from)) return;
  reportOf(effects, "s", "srem", from);
  if (effects.changed(to)) reportOf(effects, "s", "sadd", to);
};

/** Reports changes of scores. With INCR, the reply is a score or nil. */
export const scoreEvents: EventRule = (effects) =>
  event("z", effects.reply.kind === "integer" ? "zadd" : "zincr", ifChanged)(effects);

/**
 * Whether at least one of BITFIELD's operations has written. A changed key does not prove this: even if all operations
 * fail, the string may have grown.
 */
const setsBits: EventCondition = (effects, key) => {
  const { argv, reply } = effects;
  if (!effects.changed(key) || reply.kind !== "array") return false;
  const parts = argv.flatMap((word) => (/^(get|set|incrby)$/i.test(word) ? [word.toUpperCase()] : []));
  return reply.items.some(({ kind }, i) => kind !== "nil" && parts[i] !== "GET");
};

export const bitfieldEvents: EventRule = (effects) => {
  const key = firstArgument(effects);
  if (setsBits(effects, key)) reportOf(effects, "$", "setbit", key);
  else if (!effects.existed(key) && effects.exists(key)) effects.report("n", "new", key);
};

export const noEvents: EventRule = () => {};
export const incrementEvents = event("$", "incrby");
export const rightToLeftEvents = movedElement(() => ["RIGHT", "LEFT"]);
export const directedMoveEvents = movedElement((argv) => [argv[3] as string, argv[4] as string]);
const ENDS = { LEFT: "lpop", RIGHT: "rpop" };
const EXTREMES = { MIN: "zpopmin", MAX: "zpopmax" };
export const storedNearEvents = optionStoredEvent("z", "georadiusstore", /^store(dist)?$/i, 5);

/** MSETNX sets either all keys or none. */
export const msetnxEvents: EventRule = (effects) => {
  if (ifCounted(effects, "")) severalSetEvents(effects);
};
export const listPopEvents = (countAt: number) => popEventBy("l", ENDS, countAt);
export const sortedSetPopEvents = (countAt: number) => popEventBy("z", EXTREMES, countAt);
