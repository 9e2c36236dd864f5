/**
 * The one compiler of updates: of `$set` and its like in DOC.UPDATE, and of MDB.*. An operator says what a member becomes; how a path leads to
 * it is each algebra's own. Source: docs/decisions/0056-one-compiler-of-filters-and-updates.md.
 */

/** The change of a member. */
export interface Change<Value> {
  /** Whether the change makes a member, and those on the path to it, that is missing; otherwise it leaves it missing. */
  readonly makes: boolean;
  /** @param old  undefined: there is no such member @returns undefined: the member is removed @throws CommandFailure */
  become(old: Value | undefined): Value | undefined;
}

/** An operator's use for one member. */
export interface UpdateCall<Value, Path> {
  readonly operator: string;
  /** The member's path as it was written. */
  readonly name: string;
  readonly path: Path;
  readonly operand: Value;
}

/** @typeParam Own  changes that only these values have */
export interface PlacedChange<Value, Path, Own = never> {
  readonly operator: string;
  readonly path: Path;
  readonly change: Change<Value> | Own;
}

/** The values that updates are about: JSON's or BSON's. */
export interface UpdateAlgebra<Value, Path, Own = never> {
  /** Operators that only these values have. */
  readonly operators: readonly string[];

  unknownOperator(operator: string): Error;
  /** Returns the members that an operator is for, with its operands. @throws CommandFailure */
  membersOf(operator: string, operands: Value): Iterable<readonly [string, Value]>;
  /** @throws CommandFailure  no member can have the path */
  pathOf(name: string, operand: Value): Path;

  /** $inc. @throws CommandFailure */
  add(call: UpdateCall<Value, Path>): (old: Value | undefined) => Value;
  /** $push. @throws CommandFailure */
  append(call: UpdateCall<Value, Path>): (list: readonly Value[]) => Value & readonly Value[];
  /** $pull: all elements but those that are the same, or meet operators. @throws CommandFailure */
  pull(call: UpdateCall<Value, Path>): (list: readonly Value[]) => Value & readonly Value[];
  /** @throws CommandFailure  the value is no list */
  listOf(value: Value, call: UpdateCall<Value, Path>): readonly Value[];
  /** Compiles an operator that only these values have. @throws CommandFailure */
  changesOf(call: UpdateCall<Value, Path>): readonly PlacedChange<Value, Path, Own>[];
}

/** Operators that all values have. */
export const COMMON_OPERATORS = ["$set", "$unset", "$inc", "$push", "$pull"];

export const assignment = <Value>(value: Value): Change<Value> => ({ makes: true, become: () => value });
const REMOVAL: Change<never> = { makes: false, become: () => undefined };

/** Compiles the operators of an update, in order. @throws CommandFailure */
export function changesOf<Value, Path, Own>(
  update: Iterable<readonly [string, Value]>,
  algebra: UpdateAlgebra<Value, Path, Own>,
): PlacedChange<Value, Path, Own>[] {
  const changes: PlacedChange<Value, Path, Own>[] = [];
  for (const [operator, operands] of update) {
    if (!COMMON_OPERATORS.includes(operator) && !algebra.operators.includes(operator))
      throw algebra.unknownOperator(operator);
    for (const [name, operand] of algebra.membersOf(operator, operands)) {
      const path = algebra.pathOf(name, operand);
      const call = { operator, name, path, operand };
      const change = commonChange(call, algebra);
      if (change === null) for (const own of algebra.changesOf(call)) changes.push(own);
      else changes.push({ operator, path, change });
    }
  }
  return changes;
}

/** @returns null: only these values have the operator */
function commonChange<Value, Path, Own>(
  call: UpdateCall<Value, Path>,
  algebra: UpdateAlgebra<Value, Path, Own>,
): Change<Value> | null {
  switch (call.operator) {
    case "$set":
      return assignment(call.operand);
    case "$unset":
      return REMOVAL;
    case "$inc":
      return { makes: true, become: algebra.add(call) };
    case "$push": {
      const append = algebra.append(call);
      return {
        makes: true,
        become: (old) => append(old === undefined ? [] : algebra.listOf(old, call)),
      };
    }
    case "$pull": {
      const pull = algebra.pull(call);
      return {
        makes: false,
        become(old) {
          const list = algebra.listOf(old as Value, call);
          const rest = pull(list);
          return rest.length === list.length ? old : rest;
        },
      };
    }
    default:
      return null;
  }
}
