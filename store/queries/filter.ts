/**
 * The one compiler of filters: of WHERE and $pull of DOC.*, and of MDB.*. It gives each clause and each operator its meaning, in terms of an
 * algebra of values; where JSON and BSON have to differ, the difference is in their algebras. Source: docs/decisions/0056-one-compiler-of-filters-and-updates.md.
 */
import { allOf, type Condition } from "./condition.js";

export type Comparison = "$gt" | "$gte" | "$lt" | "$lte";

/** An operator in a filter. */
export interface OperatorCall<Value, Place> {
  readonly operator: string;
  readonly operand: Value;
  /** The object that the operator is in. */
  readonly siblings: Value;
  /** The member that it is about. */
  readonly place: Place;
}

/** The values that filters are about: JSON's or BSON's. */
export interface FilterAlgebra<Value, Place, Test> {
  /** Members and operators of one filter. */
  readonly conditionsMax: number;
  /** Whether an empty filter counts as a condition. */
  readonly countsEmpty: boolean;
  /** The names that may appear next to members' names: $and, $or, $nor, $not, $comment, and own ones. */
  readonly clauses: readonly string[];

  /** Compiles a clause that only these values have. @throws CommandFailure */
  ownClause(name: string, operand: Value): Condition<Place, Test>;

  tooManyConditions(): Error;
  unknownClause(name: string): Error;

  /** Returns the members of a filter. @param clause  the one whose operand it is; "": none @throws CommandFailure */
  fieldsOf(filter: Value, clause: string): readonly (readonly [string, Value])[];
  /** Returns the filters that $and, $or or $nor combines. @throws CommandFailure */
  filtersOf(operand: Value, clause: string): readonly Value[];
  /** @throws CommandFailure  no member can have the name */
  placeOf(name: string): Place;

  /** Whether a member's operand has operators; else it is a value. */
  hasOperators(operand: Value): boolean;
  /** Whether the operand of a member's $not has operators; else it is a value. @throws CommandFailure */
  negatesOperators(operand: Value): boolean;

  /** Tests a value that is where operators could be. */
  same(value: Value): Test;
  /** $eq, $ne. @throws CommandFailure */
  equals(call: OperatorCall<Value, Place>): Test;
  /** $gt, $gte, $lt, $lte: only values of one kind compare. @throws CommandFailure */
  compares(comparison: Comparison, call: OperatorCall<Value, Place>): Test;
  /** $in, $nin. @throws CommandFailure */
  isOneOf(call: OperatorCall<Value, Place>): Test;
  /** $regex. @throws CommandFailure */
  matches(call: OperatorCall<Value, Place>): Test;
  /** $exists: whether a member has to be there. @throws CommandFailure */
  asksForMember(call: OperatorCall<Value, Place>): boolean;
  readonly isThere: Test;

  /** Returns the test that exactly the other values pass; null: the condition is to be negated instead, because a place may have several values. */
  complement(test: Test): Test | null;
  /** Returns the conjunction of operators of one member. */
  joined(place: Place, parts: readonly Condition<Place, Test>[]): Condition<Place, Test>;
  /** Compiles an operator that only these values have; null: it says nothing by itself. @throws CommandFailure  there is no such operator */
  operator(
    call: OperatorCall<Value, Place>,
    compiler: FilterCompiler<Value, Place, Test>,
  ): Condition<Place, Test> | null;
}

const COMBINATIONS: readonly string[] = ["$and", "$or", "$nor"];

export class FilterCompiler<Value, Place, Test> {
  /** Members and operators so far. */
  conditions = 0;
  readonly #algebra: FilterAlgebra<Value, Place, Test>;

  constructor(algebra: FilterAlgebra<Value, Place, Test>) {
    this.#algebra = algebra;
  }

  /** Compiles a complete filter. @param clause  the one whose operand it is; "": none @throws CommandFailure */
  filter(filter: Value, clause = ""): Condition<Place, Test> {
    const fields = this.#algebra.fieldsOf(filter, clause);
    if (fields.length === 0 && this.#algebra.countsEmpty) this.count();
    const parts: Condition<Place, Test>[] = [];
    for (const [name, operand] of fields) {
      this.count();
      const part = name.startsWith("$") ? this.#clause(name, operand) : this.member(name, operand);
      if (part !== null) parts.push(part);
    }
    return allOf(parts);
  }

  /** Compiles what a filter says of one member, operators or a value. @throws CommandFailure */
  member(name: string, operand: Value): Condition<Place, Test> {
    const place = this.#algebra.placeOf(name);
    return this.#algebra.hasOperators(operand)
      ? this.operators(place, operand)
      : { kind: "member", place, test: this.#algebra.same(operand) };
  }

  /** Compiles the operators that a member has to meet. @throws CommandFailure */
  operators(place: Place, siblings: Value): Condition<Place, Test> {
    const parts: Condition<Place, Test>[] = [];
    for (const [operator, operand] of this.#algebra.fieldsOf(siblings, "")) {
      this.count();
      const part = this.#operator({ operator, operand, siblings, place });
      if (part !== null) parts.push(part);
    }
    return this.#algebra.joined(place, parts);
  }

  /** Counts a condition. @throws CommandFailure  there are too many */
  count(): void {
    if (++this.conditions > this.#algebra.conditionsMax) throw this.#algebra.tooManyConditions();
  }

  /** @returns null: it says nothing */
  #clause(name: string, operand: Value): Condition<Place, Test> | null {
    if (!this.#algebra.clauses.includes(name)) throw this.#algebra.unknownClause(name);
    if (name === "$comment") return null;
    if (name === "$not") return { kind: "not", part: this.filter(operand, name) };
    if (!COMBINATIONS.includes(name)) return this.#algebra.ownClause(name, operand);
    const parts = this.#algebra.filtersOf(operand, name).map((filter) => this.filter(filter, name));
    if (name === "$and") return { kind: "all", parts };
    const any = { kind: "any", parts } as const;
    return name === "$or" ? any : { kind: "not", part: any };
  }

  #operator(call: OperatorCall<Value, Place>): Condition<Place, Test> | null {
    const { operator, place } = call;
    const algebra = this.#algebra;
    const leaf = (test: Test): Condition<Place, Test> => ({ kind: "member", place, test });
    switch (operator) {
      case "$eq":
        return leaf(algebra.equals(call));
      case "$ne":
        return this.#negated(place, algebra.equals(call));
      case "$gt":
      case "$gte":
      case "$lt":
      case "$lte":
        return leaf(algebra.compares(operator, call));
      case "$in":
        return leaf(algebra.isOneOf(call));
      case "$nin":
        return this.#negated(place, algebra.isOneOf(call));
      case "$regex":
        return leaf(algebra.matches(call));
      case "$exists":
        return algebra.asksForMember(call) ? leaf(algebra.isThere) : this.#negated(place, algebra.isThere);
      case "$not":
        return { kind: "not", part: this.#inNegation(call) };
      default:
        return algebra.operator(call, this);
    }
  }

  #negated(place: Place, test: Test): Condition<Place, Test> {
    const complement = this.#algebra.complement(test);
    if (complement !== null) return { kind: "member", place, test: complement };
    return { kind: "not", part: { kind: "member", place, test } };
  }

  #inNegation({ operand, place }: OperatorCall<Value, Place>): Condition<Place, Test> {
    return this.#algebra.negatesOperators(operand)
      ? this.operators(place, operand)
      : { kind: "member", place, test: this.#algebra.same(operand) };
  }
}
