/** The list commands that remove elements from an end: LPOP, RPOP and LMPOP; LMOVE and RPOPLPUSH, which move them. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { bulksReply } from "../../../protocol/lazy-bulk-reply.js";
import { array, bulk, NIL, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import { mustBePositive, syntaxError, wrongArity } from "../../arguments/command-errors.js";
import { integerFrom } from "../../arguments/number-arguments.js";
import { REMOVED_ELEMENT_STEPS } from "../../keyspace/effort-budget.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import { type End, List } from "../../values/list.js";
import { copied } from "../../values/tables/packed-elements.js";
import { type MultiplePop, multiplePop } from "../multiple-pop.js";

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

/** `LPOP key [count]`, `RPOP key [count]` */
export function pop(data: Data, argv: readonly ByteString[], end: End): Reply {
  if (argv.length > 3) throw wrongArity(end === "left" ? "lpop" : "rpop");
  if (argv[2] === undefined) {
    const entry = data.getAs(List, argv[1]!);
    return entry === undefined ? NIL : bulk(data.listPop(entry, end));
  }
  const count = integerFrom(0, argv[2], mustBePositive);
  const entry = data.getAs(List, argv[1]!);
  return entry === undefined ? NIL_ARRAY : bulksReply("array", takeOff(data, entry, end, count));
}

/** `LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count]` */
export function lmpop(data: Data, argv: readonly ByteString[]): Reply {
  return popFirst(data, multiplePop(argv, 1, endArgument));
}

/** Removes elements from the first existing list. */
export function popFirst(data: Data, { keys, end, count }: MultiplePop<End>): Reply {
  for (const key of keys) {
    const entry = data.getAs(List, key);
    if (entry !== undefined) return array([bulk(key), bulksReply("array", takeOff(data, entry, end, count))]);
  }
  return NIL_ARRAY;
}

/** `LMOVE source destination LEFT|RIGHT LEFT|RIGHT` */
export function lmove(data: Data, argv: readonly ByteString[]): Reply {
  return move(data, {
    source: argv[1]!,
    from: endArgument(argv[3]!),
    target: argv[2]!,
    to: endArgument(argv[4]!),
  });
}

/** `RPOPLPUSH source destination` */
export function rpoplpush(data: Data, argv: readonly ByteString[]): Reply {
  return move(data, { source: argv[1]!, from: "right", target: argv[2]!, to: "left" });
}

export interface Move {
  readonly source: ByteString;
  readonly from: End;
  readonly target: ByteString;
  readonly to: End;
}

/**
 * Moves an element from one end of a list to one end of another, or of the same list. Returns nil if the source is
 * absent.
 */
export function move(data: Data, { source, from, target, to }: Move): Reply {
  const entry = data.getAs(List, source);
  if (entry === undefined) return NIL;
  data.getAs(List, target); // reports a wrong type before anything changes
  const list = entry.value;
  // An element that moves within one list may keep its position. It is then not removed and added again, because
  // removing the only element would also remove the key and its expiry time.
  if (source === target && (from === to || list.size === 1))
    return bulk(list.at(from === "left" ? 0 : list.size - 1));
  const element = copied(data.listPop(entry, from));
  data.listPush(data.getOrPut(List, target), to, element);
  return bulk(element);
}

/** Parses `LEFT` or `RIGHT`. @throws CommandFailure */
export function endArgument(bytes: ByteString): End {
  const name = bytes.toUpperCase();
  if (name === "LEFT") return "left";
  if (name === "RIGHT") return "right";
  throw syntaxError();
}
