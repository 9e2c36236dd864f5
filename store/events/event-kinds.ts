/** The kinds of rules for events of commands: the event, its condition, and its key. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { CommandEffects, EventClass } from "./command-effects.js";

export type EventRule = (effects: CommandEffects) => void;
export type Condition = (effects: CommandEffects, key: ByteString) => boolean;
type KeyOf = (effects: CommandEffects) => ByteString;

export const always: Condition = () => true;
export const changed: Condition = (effects, key) => effects.changed(key);
/** Whether the command replied with a positive number. */
export const counted: Condition = ({ reply }) => reply.kind === "integer" && reply.value > 0;
export const answered: Condition = ({ reply }) => reply.kind !== "nil" && reply.kind !== "nil-array";
/** Whether the command found the key, even if it did not change it. */
export const found: Condition = (effects, key) => effects.existed(key);

export const first: KeyOf = ({ argv }) => argv[1] as ByteString;
export const second: KeyOf = ({ argv }) => argv[2] as ByteString;
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

export function on(kind: EventClass, name: string, when = always, keyOf = first): EventRule {
  return (effects) => {
    const key = keyOf(effects);
    if (when(effects, key)) reportOf(effects, kind, name, key);
  };
}

/** Returns a rule for results that replace a key's value; an empty result removes the key. */
export function stored(kind: EventClass, name: string, keyOf = first): EventRule {
  return (effects) => {
    const key = keyOf(effects);
    if (effects.exists(key)) reportOf(effects, kind, name, key);
    else if (effects.existed(key)) effects.report("g", "del", key);
  };
}

/**
 * Returns a rule like `stored`, for commands in which an option among the arguments names the key.
 * @param words the options; the last one counts
 */
export function storedAfter(kind: EventClass, name: string, words: RegExp, from: number): EventRule {
  return (effects) => {
    const index = effects.argv.findLastIndex((word, at) => at >= from && words.test(word));
    if (index > 0) stored(kind, name, ({ argv }) => argv[index + 1] as ByteString)(effects);
  };
}

/** Reports an element that moved from one list to another: first the push, then the pop. */
export function movedElement(
  ends: (argv: readonly ByteString[]) => readonly [from: string, to: string],
): EventRule {
  return (effects) => {
    const [from, to] = [first(effects), second(effects)];
    if (!answered(effects, from)) return;
    const [source, target] = ends(effects.argv);
    if (!effects.existed(to)) effects.report("n", "new", to);
    effects.report("l", isLeft(target) ? "lpush" : "rpush", to);
    effects.report("l", isLeft(source) ? "lpop" : "rpop", from);
    if (!effects.exists(from)) effects.report("g", "del", from);
  };
}

const isLeft = (word: string) => word.toUpperCase() === "LEFT";

/** Reports a pop from the key that the reply names. */
export const poppedFirst = (kind: EventClass, name: string) => on(kind, name, changed, answeredKey);

/**
 * Reports a pop from the end that an argument after the keys names.
 * @param names the names of the events, by that argument
 * @param countAt index of the number of keys
 */
export function poppedBy(
  kind: EventClass,
  names: Readonly<Record<string, string>>,
  countAt: number,
): EventRule {
  return (effects) => {
    if (!answered(effects, "")) return;
    const word = effects.argv[countAt + 1 + Number(effects.argv[countAt])] ?? "";
    poppedFirst(kind, names[word.toUpperCase()] ?? "")(effects);
  };
}

/** Returns a rule that reports each changed key, for types that Redis does not have. */
export function eachChanged(name: string): EventRule {
  return (effects) => {
    for (const { db, key } of effects.changes.all) {
      const isThere = effects.exists(key, db);
      if (!effects.existed(key, db) && isThere) effects.report("n", "new", key, db);
      if (isThere) effects.report("d", name, key, db);
      else effects.report("g", "del", key, db);
    }
  };
}
