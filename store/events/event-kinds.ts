/** The kinds of rules for events of commands: the event, its condition, and its key. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Doing, EventClass } from "./doing.js";

export type EventRule = (doing: Doing) => void;
export type Condition = (doing: Doing, key: ByteString) => boolean;
type KeyOf = (doing: Doing) => ByteString;

export const always: Condition = () => true;
export const changed: Condition = (doing, key) => doing.has(key);
/** Holds if the command replied with a positive number. */
export const counted: Condition = ({ reply }) => reply.kind === "integer" && reply.value > 0;
export const answered: Condition = ({ reply }) => reply.kind !== "nil" && reply.kind !== "nil-array";
/** Holds if the command found the key, even if it did not change it. */
export const found: Condition = (doing, key) => doing.was(key);

export const first: KeyOf = ({ argv }) => argv[1] as ByteString;
export const second: KeyOf = ({ argv }) => argv[2] as ByteString;
/** Returns the key that precedes the elements in the reply of a pop from several keys. */
const answeredKey: KeyOf = ({ reply }) => {
  const [key] = reply.kind === "array" ? reply.items : [];
  return key?.kind === "bulk" ? key.bytes : "";
};

/** Reports an event of a key, after the event of its creation and before that of its removal. */
export function reportOf(doing: Doing, kind: EventClass, name: string, key: ByteString): void {
  if (!doing.was(key) && doing.is(key)) doing.report("n", "new", key);
  doing.report(kind, name, key);
  if (doing.was(key) && !doing.is(key)) doing.report("g", "del", key);
}

export function on(kind: EventClass, name: string, when = always, keyOf = first): EventRule {
  return (doing) => {
    const key = keyOf(doing);
    if (when(doing, key)) reportOf(doing, kind, name, key);
  };
}

/** Returns a rule for results that replace a key's value; an empty result removes the key. */
export function stored(kind: EventClass, name: string, keyOf = first): EventRule {
  return (doing) => {
    const key = keyOf(doing);
    if (doing.is(key)) reportOf(doing, kind, name, key);
    else if (doing.was(key)) doing.report("g", "del", key);
  };
}

/**
 * Returns the same rule for commands in which an option among the arguments names the key.
 * @param words the options; the last one counts
 */
export function storedBehind(kind: EventClass, name: string, words: RegExp, from: number): EventRule {
  return (doing) => {
    const index = doing.argv.findLastIndex((word, at) => at >= from && words.test(word));
    if (index > 0) stored(kind, name, ({ argv }) => argv[index + 1] as ByteString)(doing);
  };
}

/** Reports an element that moved from one list to another: first the push, then the pop. */
export function movedElement(
  ends: (argv: readonly ByteString[]) => readonly [from: string, to: string],
): EventRule {
  return (doing) => {
    const [from, to] = [first(doing), second(doing)];
    if (!answered(doing, from)) return;
    const [source, target] = ends(doing.argv);
    if (!doing.was(to)) doing.report("n", "new", to);
    doing.report("l", isLeft(target) ? "lpush" : "rpush", to);
    doing.report("l", isLeft(source) ? "lpop" : "rpop", from);
    if (!doing.is(from)) doing.report("g", "del", from);
  };
}

const isLeft = (word: string) => word.toUpperCase() === "LEFT";

/** Reports a pop from the key that the reply names. */
export const poppedFirst = (kind: EventClass, name: string) => on(kind, name, changed, answeredKey);

/**
 * Reports a pop from the end that an argument after the keys names.
 * @param names by that argument
 * @param countAt index of the number of keys
 */
export function poppedBy(
  kind: EventClass,
  names: Readonly<Record<string, string>>,
  countAt: number,
): EventRule {
  return (doing) => {
    if (!answered(doing, "")) return;
    const word = doing.argv[countAt + 1 + Number(doing.argv[countAt])] ?? "";
    poppedFirst(kind, names[word.toUpperCase()] ?? "")(doing);
  };
}

/** Returns a rule that reports each changed key, for types that Redis does not have. */
export function eachChanged(name: string): EventRule {
  return (doing) => {
    for (const { db, key } of doing.changes.all) {
      const isThere = doing.is(key, db);
      if (!doing.was(key, db) && isThere) doing.report("n", "new", key, db);
      if (isThere) doing.report("d", name, key, db);
      else doing.report("g", "del", key, db);
    }
  };
}
