/**
 * The compiler of filters, which WHERE and $pull of DOC.* and the MDB.* commands share. It defines clauses and
 * operators in terms of an algebra of values; the necessary differences between JSON and BSON are in their algebras.
 * Source: docs/decisions/0056-one-compiler-of-filters-and-updates.md.
 */
import { allOf, type Condition } from "./condition.js";

export type Comparison = "$gt" | "$gte" | "$lt" | "$lte";

/** One use of an operator in a filter. */
export interface OperatorCall<Value, Path> {
  readonly operator: string;
  readonly operand: Value;
  /** The object that contains the operator. */
  readonly siblings: Value;
  /** The path of the member to which the operator applies. */
  readonly path: Path;
}

/** The values that filters test: JSON or BSON values. */
export interface FilterAlgebra<Value, Path, Test> {
  /** Maximum number of members and operators in one filter. */
  readonly conditionsMax: number;
  /**
   * The clauses that a filter may contain in addition to members: $and, $or, $nor, $not, $comment, and clauses that
   * only this algebra has.
   */
  readonly clauses: readonly string[];

  /** Compiles a clause that only this algebra has. @throws CommandFailure */
  ownClause(name: string, operand: Value): Condition<Path, Test>;

  tooManyConditions(): Error;
  unknownClause(name: string): Error;

  /**
   * Returns the members of a filter.
   * @param clause the clause of which the filter is the operand, or "" if there is none
   * @throws CommandFailure
   */
  fieldsOf(filter: Value, clause: string): readonly (readonly [string, Value])[];
  /** Returns the filters that $and, $or or $nor combines. @throws CommandFailure */
  filtersOf(operand: Value, clause: string): readonly Value[];
  /** @throws CommandFailure if the name is not valid for a member */
  pathOf(name: string): Path;

  /** Whether a member's operand consists of operators; otherwise it is a value. */
  hasOperators(operand: Value): boolean;
  /** Whether the operand of a member's $not consists of operators; otherwise it is a value. @throws CommandFailure */
  negatesOperators(operand: Value): boolean;

  /** Compiles a test for equality with a member's operand that is a value, not operators. */
  same(value: Value): Test;
  /** Compiles $eq and $ne. @throws CommandFailure */
  equals(call: OperatorCall<Value, Path>): Test;
  /** Compiles $gt, $gte, $lt and $lte, which compare only values of the same kind. @throws CommandFailure */
  compares(comparison: Comparison, call: OperatorCall<Value, Path>): Test;
  /** Compiles $in and $nin. @throws CommandFailure */
  isOneOf(call: OperatorCall<Value, Path>): Test;
  /** Compiles $regex. @throws CommandFailure */
  matches(call: OperatorCall<Value, Path>): Test;
  /** Returns the operand of $exists: whether the member must exist. @throws CommandFailure */
  asksForMember(call: OperatorCall<Value, Path>): boolean;
  readonly isThere: Test;

  /**
   * Returns the test that a value passes if and only if it fails the given test. Returns null if a path may lead to
   * several values; the caller then negates the complete condition instead.
   */
  complement(test: Test): Test | null;
  /** Returns the conjunction of a member's operators. */
  joined(path: Path, parts: readonly Condition<Path, Test>[]): Condition<Path, Test>;
  /**
   * Compiles an operator that only this algebra has; returns null if it is not a condition itself.
   * @throws CommandFailure if the operator does not exist
   */
  operator(
    call: OperatorCall<Value, Path>,
    compiler: FilterCompiler<Value, Path, Test>,
  ): Condition<Path, Test> | null;
}

const COMBINATIONS: readonly string[] = ["$and", "$or", "$nor"];

export class FilterCompiler<Value, Path, Test> {
  /** Number of members and operators so far. */
  conditions = 0;
  readonly #algebra: FilterAlgebra<Value, Path, Test>;

  constructor(algebra: FilterAlgebra<Value, Path, Test>) {
    this.#algebra = algebra;
  }

  /**
   * Compiles a complete filter.
   * @param clause the clause of which the filter is the operand, or "" if there is none
   * @throws CommandFailure
   */
  filter(filter: Value, clause = ""): Condition<Path, Test> {
    const fields = this.#algebra.fieldsOf(filter, clause);
    if (fields.length === 0 && clause !== "") this.count();
    const parts: Condition<Path, Test>[] = [];
    for (const [name, operand] of fields) {
      this.count();
      const part = name.startsWith("$") ? this.#clause(name, operand) : this.member(name, operand);
      if (part !== null) parts.push(part);
    }
    return allOf(parts);
  }

  /** Compiles a filter's operators, or its value, for one member. @throws CommandFailure */
  member(name: string, operand: Value): Condition<Path, Test> {
    const path = this.#algebra.pathOf(name);
    return this.#algebra.hasOperators(operand)
      ? this.operators(path, operand)
      : { kind: "member", path, test: this.#algebra.same(operand) };
  }

  /** Compiles the operators that a member must meet. @throws CommandFailure */
  operators(path: Path, siblings: Value): Condition<Path, Test> {
    const parts: Condition<Path, Test>[] = [];
    for (const [operator, operand] of this.#algebra.fieldsOf(siblings, "")) {
      this.count();
      const part = this.#operator({ operator, operand, siblings, path });
      if (part !== null) parts.push(part);
    }
    return this.#algebra.joined(path, parts);
  }

  /** Counts a condition. @throws CommandFailure if there are too many */
  count(): void {
    if (++this.conditions > this.#algebra.conditionsMax) throw this.#algebra.tooManyConditions();
  }

  /** @returns null if the clause is not a condition */
  #clause(name: string, operand: Value): Condition<Path, Test> | null {
    if (!this.#algebra.clauses.includes(name)) throw this.#algebra.unknownClause(name);
    if (name === "$comment") return null;
    if (name === "$not") return { kind: "not", part: this.filter(operand, name) };
    if (!COMBINATIONS.includes(name)) return this.#algebra.ownClause(name, operand);
    const parts = this.#algebra.filtersOf(operand, name).map((filter) => this.filter(filter, name));
    if (name === "$and") return { kind: "all", parts };
    const any = { kind: "any", parts } as const;
    return name === "$or" ? any : { kind: "not", part: any };
  }

  #operator(call: OperatorCall<Value, Path>): Condition<Path, Test> | null {
    const { operator, path } = call;
    const algebra = this.#algebra;
    const leaf = (test: Test): Condition<Path, Test> => ({ kind: "member", path, test });
    switch (operator) {
      case "$eq":
        return leaf(algebra.equals(call));
      case "$ne":
        return this.#negated(path, algebra.equals(call));
      case "$gt":
      case "$gte":
      case "$lt":
      case "$lte":
        return leaf(algebra.compares(operator, call));
      case "$in":
        return leaf(algebra.isOneOf(call));
      case "$nin":
        return this.#negated(path, algebra.isOneOf(call));
      case "$regex":
        return leaf(algebra.matches(call));
      case "$exists":
        return algebra.asksForMember(call) ? leaf(algebra.isThere) : this.#negated(path, algebra.isThere);
      case "$not":
        return { kind: "not", part: this.#inNegation(call) };
      default:
        return algebra.operator(call, this);
    }
  }

  #negated(path: Path, test: Test): Condition<Path, Test> {
    const complement = this.#algebra.complement(test);
    if (complement !== null) return { kind: "member", path, test: complement };
    return { kind: "not", part: { kind: "member", path, test } };
  }

  #inNegation({ operand, path }: OperatorCall<Value, Path>): Condition<Path, Test> {
    return this.#algebra.negatesOperators(operand)
      ? this.operators(path, operand)
      : { kind: "member", path, test: this.#algebra.same(operand) };
  }
}
