/** The kinds of rules by which commands tell events: what is told of a key, under which condition, and which key that is. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Doing, EventClass } from "./doing.js";

export type EventRule = (doing: Doing) => void;
export type Condition = (doing: Doing, key: ByteString) => boolean;
type KeyOf = (doing: Doing) => ByteString;

export const always: Condition = () => true;
export const changed: Condition = (doing, key) => doing.has(key);
/** What answers a number has done something if it is not 0. */
export const counted: Condition = ({ reply }) => reply.kind === "integer" && reply.value > 0;
export const answered: Condition = ({ reply }) => reply.kind !== "nil" && reply.kind !== "nil-array";
/** Whether the command found the key, though nothing of it may have changed. */
export const found: Condition = (doing, key) => doing.was(key);

export const first: KeyOf = ({ argv }) => argv[1] as ByteString;
export const second: KeyOf = ({ argv }) => argv[2] as ByteString;
/** What a pop of several keys answers: the key before the elements. */
const answeredKey: KeyOf = ({ reply }) => {
  const [key] = reply.kind === "array" ? reply.items : [];
  return key?.kind === "bulk" ? key.bytes : "";
};

/** What is done to a key, between its coming and its going. */
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
    const place = doing.argv.findLastIndex((word, at) => at >= from && words.test(word));
    if (place > 0) stored(kind, name, ({ argv }) => argv[place + 1] as ByteString)(doing);
  };
}

/** An element from one end of a list to one of another: told to be put before it is told to be taken. */
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

/** From the key that the answer names. */
export const poppedFirst = (kind: EventClass, name: string) => on(kind, name, changed, answeredKey);

/**
 * The same where a word behind the keys says from which end.
 * @param names    by that word
 * @param countAt  where the number of keys stands
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
