/** The list commands that remove elements from an end: LPOP, RPOP and LMPOP; LMOVE and RPOPLPUSH, which move them. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { bulksReply } from "../../../../protocol/lazy-replies.js";
import { array, bulk, bulkOrNil, NIL, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import type { Choice } from "../../../../protocol/version-2/envelope.js";
import { mustBePositive, syntaxError, wrongArity } from "../../arguments/command-errors.js";
import { integerFrom } from "../../arguments/number-arguments.js";
import { REMOVED_ELEMENT_STEPS } from "../../keyspace/effort-budget.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import type { Unit } from "../../keyspace/unit.js";
import { type End, List } from "../../values/list.js";
import { copied } from "../../values/tables/packed-elements.js";
import { type MultiplePop, multiplePop, type Popped, popFirst } from "../multiple-pop.js";
import { chosenAtEnd, takeSearched } from "./list-claims.js";

/** Removes elements from an end and returns them in the order of removal; a list that becomes empty is removed. */
export function takeOff(data: Data, entry: Typed<List>, end: End, count: number): ByteString[] {
  const list = entry.value;
  const { size } = list;
  if (count >= size) {
    data.effort.answer(size);
    const elements = list.slice();
    data.delete(entry.key);
    return end === "left" ? elements : elements.reverse();
  }
  const popped: ByteString[] = [];
  if (count * 2 < size) {
    data.effort.work(REMOVED_ELEMENT_STEPS * count);
    for (let i = 0; i < count; i++) popped.push(data.listPop(entry, end));
    return popped;
  }
  // Removing the elements in one change needs only one undo record. This change copies the remaining elements, but at
  // least as many elements are removed as remain.
  const from = end === "left" ? 0 : size - count;
  const elements = list.slice(from, from + count);
  data.listSplice(entry, from, count, []);
  return end === "left" ? elements : elements.reverse();
}

/** Removes the chosen elements that are still in the list, and returns them. */
function takeChosen(data: Data, entry: Typed<List>, end: End, chosen: Choice): ByteString[] {
  const atEnd = chosenAtEnd(data, entry.value, end, chosen);
  if (atEnd === 1 && chosen.length === 1) return [data.listPop(entry, end, chosen[0])];
  const isEmptied = atEnd === entry.value.size;
  const taken = atEnd === 0 ? [] : takeOff(data, entry, end, atEnd);
  if (atEnd === chosen.length || isEmptied) return taken;
  return taken.concat(takeSearched(data, entry, end, chosen.slice(atEnd)));
}

/** What a call removes from a list. */
interface Removal {
  readonly end: End;
  readonly count: number;
  /** What a daemon has recorded that it removes, or undefined. */
  readonly chosen: Choice | undefined;
}

/** Removes elements, and adds them to what the unit has taken. */
function remove(data: Data, entry: Typed<List>, { end, count, chosen }: Removal, unit: Unit): ByteString[] {
  if (chosen !== undefined) return takeChosen(data, entry, end, chosen);
  const elements = takeOff(data, entry, end, count);
  if (unit.taken !== undefined) for (const element of elements) unit.taken.push(copied(element));
  return elements;
}

/** `LPOP key [count]`, `RPOP key [count]` */
export function pop(data: Data, argv: readonly ByteString[], end: End, unit: Unit): Reply {
  if (argv.length > 3) throw wrongArity(end === "left" ? "lpop" : "rpop");
  const { choice: chosen } = unit;
  if (argv[2] === undefined) {
    const entry = data.getAs(List, argv[1]!);
    if (entry === undefined) return NIL;
    if (chosen !== undefined) return bulkOrNil(takeChosen(data, entry, end, chosen)[0]);
    if (unit.omitsChanges) {
      const { value: list } = entry;
      unit.taken?.push(copied(list.at(end === "left" ? 0 : list.size - 1)));
      return NIL;
    }
    const element = data.listPop(entry, end);
    unit.taken?.push(element);
    return bulk(element);
  }
  const count = integerFrom(0, argv[2], mustBePositive);
  const entry = data.getAs(List, argv[1]!);
  if (entry === undefined) return NIL_ARRAY;
  return bulksReply("array", remove(data, entry, { end, count, chosen }, unit));
}

/** `LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count]` */
export function lmpop(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  return popReply(popFirstList(data, multiplePop(argv, 1, endArgument), unit));
}

/** Removes elements from the first existing list, or the chosen ones. Returns null if there are none. */
export const popFirstList = (data: Data, { keys, end, count }: MultiplePop<End>, unit: Unit) =>
  popFirst(keys, {
    data,
    type: List,
    unit,
    remove: (entry, chosen) => remove(data, entry, { end, count, chosen }, unit),
  });

/** Returns the reply to LMPOP. */
export const popReply = (popped: Popped<ByteString> | null): Reply =>
  popped === null ? NIL_ARRAY : array([bulk(popped.key), bulksReply("array", popped.items)]);

/** `LMOVE source destination LEFT|RIGHT LEFT|RIGHT` */
export function lmove(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const from = endArgument(argv[3]!);
  const to = endArgument(argv[4]!);
  return move(data, { source: argv[1]!, from, target: argv[2]!, to }, unit);
}

/** `RPOPLPUSH source destination` */
export function rpoplpush(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  return move(data, { source: argv[1]!, from: "right", target: argv[2]!, to: "left" }, unit);
}

export interface Move {
  readonly source: ByteString;
  readonly from: End;
  readonly target: ByteString;
  readonly to: End;
}

/**
 * Moves an element from one end of a list to one end of another, or of the same list. Returns nil if the source is
 * absent, or if the chosen element is no longer in it.
 */
export function move(data: Data, { source, from, target, to }: Move, unit: Unit): Reply {
  const entry = data.getAs(List, source);
  if (entry === undefined) return NIL;
  data.getAs(List, target); // reports a wrong type before anything changes
  const list = entry.value;
  const { choice: chosen, taken } = unit;
  const isAtEnd = chosen === undefined || chosenAtEnd(data, list, from, chosen) === chosen.length;
  // An element that moves within one list may keep its position. It is then not removed and added again, because
  // removing the only element would also remove the key and its expiry time.
  if (source === target && isAtEnd && (from === to || list.size === 1) && chosen?.length !== 0) {
    const element = list.at(from === "left" ? 0 : list.size - 1);
    taken?.push(copied(element));
    return bulk(element);
  }
  const element =
    chosen === undefined ? copied(data.listPop(entry, from)) : takeChosen(data, entry, from, chosen)[0];
  if (element === undefined) return NIL;
  taken?.push(element);
  data.listPush(data.getOrPut(List, target), to, copied(element));
  return bulk(element);
}

/** Parses `LEFT` or `RIGHT`. @throws CommandFailure */
export function endArgument(bytes: ByteString): End {
  const name = bytes.toUpperCase();
  if (name === "LEFT") return "left";
  if (name === "RIGHT") return "right";
  throw syntaxError();
}
