/**
 * The compiler of updates, which `$set` and the other operators of DOC.UPDATE and the MDB.* commands share. An operator
 * defines a member's new value; each algebra defines how a path leads to the member. Source:
 * docs/decisions/0056-one-compiler-of-filters-and-updates.md.
 */

/** The change of a member. */
export interface Change<Value> {
  /**
   * Whether the change creates a missing member and the missing members on its path; otherwise a missing member stays
   * missing.
   */
  readonly makes: boolean;
  /**
   * @param old undefined if the member does not exist
   * @returns undefined if the member is removed
   * @throws CommandFailure
   */
  become(old: Value | undefined): Value | undefined;
}

/** One use of an operator, for one member. */
export interface UpdateCall<Value, Path> {
  readonly operator: string;
  /** The member's path as the client wrote it. */
  readonly name: string;
  readonly path: Path;
  readonly operand: Value;
}

/** A change and the path of the member that it changes. @typeParam Own changes that only this algebra has */
export interface ChangeAtPath<Value, Path, Own = never> {
  readonly operator: string;
  readonly path: Path;
  readonly change: Change<Value> | Own;
}

/** The values that updates change: JSON or BSON values. */
export interface UpdateAlgebra<Value, Path, Own = never> {
  /** Operators that only this algebra has. */
  readonly operators: readonly string[];

  unknownOperator(operator: string): Error;
  /** Returns the members to which an operator applies, with its operands. @throws CommandFailure */
  membersOf(operator: string, operands: Value): Iterable<readonly [string, Value]>;
  /** @throws CommandFailure if the path is not valid for a member */
  pathOf(name: string, operand: Value): Path;

  /** Compiles $inc. @throws CommandFailure */
  add(call: UpdateCall<Value, Path>): (old: Value | undefined) => Value;
  /** Compiles $push. @throws CommandFailure */
  append(call: UpdateCall<Value, Path>): (list: readonly Value[]) => Value & readonly Value[];
  /**
   * Compiles $pull, which retains the elements that neither equal the value nor meet the operators.
   * @throws CommandFailure
   */
  pull(call: UpdateCall<Value, Path>): (list: readonly Value[]) => Value & readonly Value[];
  /** @throws CommandFailure if the value is not a list */
  listOf(value: Value, call: UpdateCall<Value, Path>): readonly Value[];
  /** Compiles an operator that only this algebra has. @throws CommandFailure */
  changesOf(call: UpdateCall<Value, Path>): readonly ChangeAtPath<Value, Path, Own>[];
}

/** Operators that all algebras have. */
export const COMMON_OPERATORS = ["$set", "$unset", "$inc", "$push", "$pull"];

export const assignment = <Value>(value: Value): Change<Value> => ({ makes: true, become: () => value });
const REMOVAL: Change<never> = { makes: false, become: () => undefined };

/** Compiles the operators of an update, in order. @throws CommandFailure */
export function changesOf<Value, Path, Own>(
  update: Iterable<readonly [string, Value]>,
  algebra: UpdateAlgebra<Value, Path, Own>,
): ChangeAtPath<Value, Path, Own>[] {
  const changes: ChangeAtPath<Value, Path, Own>[] = [];
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

/** @returns null if only this algebra has the operator */
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
          const remaining = pull(list);
          return remaining.length === list.length ? old : remaining;
        },
      };
    }
    default:
      return null;
  }
}
