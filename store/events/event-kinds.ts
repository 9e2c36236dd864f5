/** Kinds of rules for the events of commands: the event, its condition, and its key. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Doing, EventClass } from "./doing.js";

export type EventRule = (doing: Doing) => void;
export type Condition = (doing: Doing, key: ByteString) => boolean;
type KeyOf = (doing: Doing) => ByteString;

export const always: Condition = () => true;
export const changed: Condition = (doing, key) => doing.has(key);
/** Holds if the number that a command answers is not 0. */
export const counted: Condition = ({ reply }) => reply.kind === "integer" && reply.value > 0;
export const answered: Condition = ({ reply }) => reply.kind !== "nil" && reply.kind !== "nil-array";
/** Whether the command found the key, though nothing of it may have changed. */
export const found: Condition = (doing, key) => doing.was(key);

export const first: KeyOf = ({ argv }) => argv[1] as ByteString;
export const second: KeyOf = ({ argv }) => argv[2] as ByteString;
/** Returns the key that a pop of several keys answers before the elements. */
const answeredKey: KeyOf = ({ reply }) => {
  const [key] = reply.kind === "array" ? reply.items : [];
  return key?.kind === "bulk" ? key.bytes : "";
};

/** Reports an event of a key, after its creation and before its removal. */
export function tellOf(doing: Doing, kind: EventClass, name: string, key: ByteString): void {
  if (!doing.was(key) && doing.is(key)) doing.tell("n", "new", key);
  doing.tell(kind, name, key);
  if (doing.was(key) && !doing.is(key)) doing.tell("g", "del", key);
}

export function on(kind: EventClass, name: string, when = always, keyOf = first): EventRule {
  return (doing) => {
    const key = keyOf(doing);
    if (when(doing, key)) tellOf(doing, kind, name, key);
  };
}

/** A result that takes the place of what a key held; an empty one takes it away. */
export function stored(kind: EventClass, name: string, keyOf = first): EventRule {
  return (doing) => {
    const key = keyOf(doing);
    if (doing.is(key)) tellOf(doing, kind, name, key);
    else if (doing.was(key)) doing.tell("g", "del", key);
  };
}

/** The same where a word among the arguments names the key. @param words  the last of them counts */
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
    const [taken, put] = ends(doing.argv);
    if (!doing.was(to)) doing.tell("n", "new", to);
    doing.tell("l", isLeft(put) ? "lpush" : "rpush", to);
    doing.tell("l", isLeft(taken) ? "lpop" : "rpop", from);
    if (!doing.is(from)) doing.tell("g", "del", from);
  };
}

const isLeft = (word: string) => word.toUpperCase() === "LEFT";

/** Reports a pop from the key that the answer names. */
export const poppedFirst = (kind: EventClass, name: string) => on(kind, name, changed, answeredKey);

/**
 * Reports a pop whose end is a word after the keys.
 * @param names    by that word
 * @param countAt  index of the number of keys
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

/** Each key that changed, of types that Redis does not have. */
export function eachChanged(name: string): EventRule {
  return (doing) => {
    for (const { db, key } of doing.changes.all) {
      const isThere = doing.is(key, db);
      if (!doing.was(key, db) && isThere) doing.tell("n", "new", key, db);
      if (isThere) doing.tell("d", name, key, db);
      else doing.tell("g", "del", key, db);
    }
  };
}
