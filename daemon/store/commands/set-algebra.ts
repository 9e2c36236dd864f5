/**
 * Intersection, union and difference of sets. The order of a stored result is part of the state, so it depends only on
 * the dense order of each set and on the positions of the sets among the arguments.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { integer, type Reply, ZERO } from "../../../protocol/reply.js";
import { BYTES_PER_STEP } from "../keyspace/effort-budget.js";
import type { Data } from "../keyspace/mutators.js";
import { MemberSet } from "../values/member-set.js";

/** A set, or undefined for an absent key. */
export type Operand = MemberSet | undefined;
/** @returns the distinct members of the result */
export type SetOperation = (operands: readonly Operand[]) => ByteString[];

/** Cost in steps of each member that is read. */
const READ_STEPS = 3;
/** Cost in steps of looking up a member in another set. */
const LOOKUP_STEPS = 5;

/** Returns the sets of keys. @throws CommandFailure if a key has a value of another type */
export function operandsOf(data: Data, keys: readonly ByteString[]): Operand[] {
  return keys.map((key) => data.getAs(MemberSet, key)?.value);
}

/** Counts the members that an operation is about to read and to look up. @throws BudgetExceeded */
export function countOperation(
  { effort }: Data,
  operation: SetOperation,
  operands: readonly Operand[],
): void {
  const sizes = operands.map((operand) => operand?.size ?? 0);
  if (operation === union) {
    effort.work(READ_STEPS * sizes.reduce((sum, size) => sum + size, 0));
    return;
  }
  // Each member of one set is looked up in the remaining sets.
  const first = sizes[0] ?? 0;
  const read = operation === intersection ? sizes.reduce((min, size) => Math.min(min, size), first) : first;
  effort.work(read * (READ_STEPS + LOOKUP_STEPS * (sizes.length - 1)));
}

/**
 * Returns members in the order of the smallest set, or of the first of several smallest ones.
 * @param limit maximum number of members
 */
export function intersection(operands: readonly Operand[], limit = Number.POSITIVE_INFINITY): ByteString[] {
  const sets = operands.filter((operand) => operand !== undefined);
  if (sets.length < operands.length) return [];
  const [smallest, ...others] = sets.sort((a, b) => a.size - b.size);
  const members: ByteString[] = [];
  for (const member of smallest?.members ?? []) {
    if (members.length >= limit) break;
    if (others.every((other) => other.has(member))) members.push(member);
  }
  return members;
}

/** Returns the first set's members, followed by those that each further set adds. */
export function union(operands: readonly Operand[]): ByteString[] {
  const [first, other, ...more] = operands.filter((operand) => operand !== undefined);
  // For two sets the first one can be used for look-ups: building a set of all members takes three times as long.
  if (first !== undefined && more.length === 0)
    return [...first.members, ...(other?.members.filter((member) => !first.has(member)) ?? [])];
  const members = new Set<ByteString>();
  for (const operand of operands) for (const member of operand?.members ?? []) members.add(member);
  return [...members];
}

/** Returns the first set's members that no other set has. */
export function difference([first, ...others]: readonly Operand[]): ByteString[] {
  if (first === undefined) return [];
  return first.members.filter((member) => !others.some((other) => other?.has(member)));
}

/**
 * Stores a set of these members in a key and replaces any previous value; without members the key is removed.
 * @returns the number of members
 */
export function storeSet(data: Data, key: ByteString, members: readonly ByteString[]): Reply {
  if (members.length === 0) {
    if (data.get(key) !== undefined) data.delete(key);
    return ZERO;
  }
  const result = new MemberSet();
  for (const member of members) {
    data.effort.work(member.length / BYTES_PER_STEP);
    result.push(member);
  }
  data.put(key, result);
  return integer(members.length);
}
