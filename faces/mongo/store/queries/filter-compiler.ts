/**
 * The compiler of filters, with MongoDB's operators and rules: those of the MDB.* commands, and of WHERE and $pull of
 * the DOC.* commands. Source: MongoDB's manual, "Query Predicates";
 * docs/decisions/0056-one-compiler-of-filters-and-updates.md.
 */
import { type Bson, type BsonDocument, isArray, isDocument, Regex } from "../values/bson.js";
import type { FieldPath } from "../values/index-keys.js";
import { isTrue } from "./command-fields.js";
import { isAny, type Leaf, pathTo, REFERENCE_FIELDS, type ValueTest } from "./document-paths.js";
import { expressionOf, type Scope } from "./expressions.js";
import { badValue, ELEMENTS_PER_UNIT, spend, type Work } from "./mongo-failure.js";
import { unknownName } from "./mongodb-names.js";
import {
  compares,
  equals,
  hasRemainder,
  hasSize,
  isIn,
  isOfType,
  isOperators,
  matches,
} from "./value-tests.js";

/** A condition on a field: it holds if one of the values at the end of its path passes. */
export interface FieldTest {
  readonly leaf: Leaf;
  readonly test: ValueTest;
  /** The operator and its operand, by which an index may find the values that pass. */
  readonly operator: string;
  readonly operand: Bson;
}

export type Condition =
  | { readonly kind: "all" | "any"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition }
  | { readonly kind: "member"; readonly path: FieldPath; readonly test: FieldTest };

export type Predicate<Subject> = (subject: Subject) => boolean;

/** Returns a single part itself, or the conjunction of several. */
function allOf(parts: readonly Condition[]): Condition {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: "all", parts };
}

/**
 * Returns a function that evaluates a condition, its parts in order.
 * @param reach evaluates the test of a single field
 */
export function predicateOf<Subject>(
  condition: Condition,
  reach: (path: FieldPath, test: FieldTest) => Predicate<Subject>,
): Predicate<Subject> {
  if (condition.kind === "member") return reach(condition.path, condition.test);
  if (condition.kind === "not") {
    const predicate = predicateOf(condition.part, reach);
    return (subject) => !predicate(subject);
  }

  const predicates = condition.parts.map((part) => predicateOf(part, reach));
  const [only] = predicates;
  if (predicates.length === 1 && only !== undefined) return only;

  const isAny = condition.kind === "any";
  return (subject) => {
    for (const predicate of predicates) if (predicate(subject) === isAny) return isAny;
    return !isAny;
  };
}

/** Calls `visit` for each path that a condition tests, in the condition's order. */
export function visitPaths(condition: Condition, visit: (path: FieldPath) => void): void {
  if (condition.kind === "member") visit(condition.path);
  else if (condition.kind === "not") visitPaths(condition.part, visit);
  else for (const part of condition.parts) visitPaths(part, visit);
}

/** One use of an operator in a filter. */
interface OperatorCall {
  readonly operator: string;
  readonly operand: Bson;
  /** The document that contains the operator. */
  readonly siblings: BsonDocument;
  /** The path of the field to which the operator applies. */
  readonly path: FieldPath;
}

/** Maximum number of fields and operators in one filter. An empty filter in $and, $or or $nor counts as one. */
const CONDITIONS_MAX = 10_000;
const COMBINATIONS: readonly string[] = ["$and", "$or", "$nor"];

/**
 * Whether a document consists of operators on one value, instead of conditions on fields. Conditions may name only some
 * fields of a reference to another document.
 */
export function isFieldOperators(value: Bson): value is BsonDocument {
  if (!isOperators(value) || REFERENCE_FIELDS.some((name) => value.has(name))) return false;
  return !COMBINATIONS.includes([...value.keys()][0] ?? "");
}

/** Returns a test of documents. */
export const ofDocuments = (condition: Condition, work: Work): Predicate<BsonDocument> =>
  predicateOf(condition, (path, { leaf, test }) => {
    const search = { path, leaf, test, work };
    return (document) => isAny(document, search);
  });

/** Returns a test of values themselves, without following paths. */
export const ofValues = (condition: Condition): ValueTest => predicateOf(condition, (_, { test }) => test);

export class FilterCompiler {
  /** Number of fields and operators so far. */
  conditions = 0;
  readonly #work: Work;
  readonly #scope: Scope | null;

  /** @param scope the scope of `$expr`; null if the filter must not contain it */
  constructor(work: Work, scope: Scope | null) {
    this.#work = work;
    this.#scope = scope;
  }

  /**
   * Compiles a complete filter.
   * @param clause the clause of which the filter is the operand, or "" if there is none
   * @throws CommandFailure
   */
  filter(filter: Bson, clause = ""): Condition {
    if (!isDocument(filter)) throw badValue(`${clause} entries need to be full objects`);
    if (filter.size === 0 && clause !== "") this.#count();
    const parts: Condition[] = [];
    for (const [name, operand] of filter) {
      this.#count();
      const part = !name.startsWith("$")
        ? this.#field(name, operand)
        : REFERENCE_FIELDS.includes(name)
          ? this.#equal(name, operand)
          : this.#clause(name, operand);
      if (part !== null) parts.push(part);
    }

    return allOf(parts);
  }

  /** Compiles the operators that a field must meet. @throws CommandFailure */
  operators(path: FieldPath, siblings: BsonDocument): Condition {
    const parts: Condition[] = [];
    for (const [operator, operand] of siblings) {
      this.#count();
      const part = this.#operator({ operator, operand, siblings, path });
      if (part !== null) parts.push(part);
    }
    // Different elements of an array may meet different operators.
    return allOf(parts);
  }

  /** Compiles a test for an equal value. A pattern also matches the strings that contain a match. */
  same(value: Bson): FieldTest {
    return value instanceof Regex
      ? both("$regex", value, matches(value, this.#work))
      : both("$eq", value, equals(value, this.#work));
  }

  /** @throws CommandFailure if there are too many conditions */
  #count(): void {
    if (++this.conditions > CONDITIONS_MAX)
      throw badValue(`a filter has at most ${CONDITIONS_MAX} conditions`);
  }

  #field(name: string, operand: Bson): Condition {
    const path = pathTo(name);
    return isOperators(operand)
      ? this.operators(path, operand)
      : { kind: "member", path, test: this.same(operand) };
  }

  /** Compiles a condition on a field of a reference to another document, whose operand is always a value. */
  #equal(name: string, operand: Bson): Condition {
    return { kind: "member", path: [name], test: both("$eq", operand, equals(operand, this.#work)) };
  }

  /** @returns null if the clause is not a condition */
  #clause(name: string, operand: Bson): Condition | null {
    if (name === "$comment") return null;
    if (name === "$expr" && this.#scope !== null) return expressionCondition(operand, this.#scope);
    if (!COMBINATIONS.includes(name))
      throw unknownName("filter", name, badValue(`unknown top level operator: ${name}`));
    if (!isArray(operand) || operand.length === 0) throw badValue(`${name} must be a nonempty array`);
    const parts = operand.map((filter) => this.filter(filter, name));
    if (name === "$and") return { kind: "all", parts };
    const any = { kind: "any", parts } as const;
    return name === "$or" ? any : { kind: "not", part: any };
  }

  /** @returns null if the operator is not a condition itself */
  #operator(call: OperatorCall): Condition | null {
    const { operator, operand, siblings, path } = call;
    const leaf = (test: FieldTest): Condition => ({ kind: "member", path, test });
    switch (operator) {
      case "$ne":
        if (operand instanceof Regex) throw badValue("Can't have regex as arg to $ne.");
        return { kind: "not", part: leaf(both("$eq", operand, equals(operand, this.#work))) };
      case "$nin":
        return { kind: "not", part: leaf(this.#oneOf(call)) };
      case "$exists":
        return isTrue(operand) ? leaf(EXISTS) : { kind: "not", part: leaf(EXISTS) };
      case "$not":
        return { kind: "not", part: this.#negated(operand, path) };
      case "$all":
        return this.#all(operand, path);
      case "$options":
        if (!siblings.has("$regex")) throw badValue("$options needs a $regex");
        return null;
      default:
        return leaf(this.#test(call));
    }
  }

  /** Compiles an operator that tests single values. @throws CommandFailure */
  #test(call: OperatorCall): FieldTest {
    const { operator, operand, siblings } = call;
    switch (operator) {
      case "$eq":
        return both(operator, operand, equals(operand, this.#work));
      case "$gt":
      case "$gte":
      case "$lt":
      case "$lte":
        if (operand instanceof Regex)
          throw badValue(`Can't have RegEx as arg to predicate over field '${operator}'.`);
        return both(operator, operand, compares(operator, operand, this.#work));
      case "$in":
        return this.#oneOf(call);
      case "$regex": {
        const regex = regexOf(operand, siblings.get("$options"));
        return both(operator, regex, matches(regex, this.#work));
      }
      case "$type":
        return both(operator, operand, isOfType(operand));
      case "$mod":
        return both(operator, operand, hasRemainder(operand));
      case "$size":
        return { leaf: "itself", test: hasSize(operand), operator, operand };
      case "$elemMatch":
        return { leaf: "itself", test: this.#element(operand), operator, operand };
      default:
        throw unknownName("filter", operator, badValue(`unknown operator: ${operator}`));
    }
  }

  #oneOf({ operator, operand }: OperatorCall): FieldTest {
    if (!isArray(operand)) throw badValue(`${operator} needs an array`);
    return both("$in", operand, isIn(operand, this.#work));
  }

  #negated(operand: Bson, path: FieldPath): Condition {
    if (operand instanceof Regex) return { kind: "member", path, test: this.same(operand) };
    if (!isDocument(operand)) throw badValue("$not needs a regex or a document");
    if (operand.size === 0) throw badValue("$not cannot be empty");
    for (const name of operand.keys()) if (!name.startsWith("$")) throw badValue(`unknown operator: ${name}`);
    return this.operators(path, operand);
  }

  #all(operand: Bson, path: FieldPath): Condition {
    if (!isArray(operand)) throw badValue("$all needs an array");
    if (operand.length === 0) return { kind: "member", path, test: both("$in", operand, () => false) };

    const isElementMatch = (one: Bson): one is BsonDocument =>
      isDocument(one) && [...one.keys()][0] === "$elemMatch";
    if (operand.some(isElementMatch)) {
      if (!operand.every(isElementMatch)) throw badValue("$all/$elemMatch has to be consistent");
      return { kind: "all", parts: operand.map((one) => this.operators(path, one)) };
    }
    const parts = operand.map((one): Condition => {
      this.#count();
      if (isOperators(one)) throw badValue("no $ expressions in $all");
      return { kind: "member", path, test: this.same(one) };
    });
    return { kind: "all", parts };
  }

  #element(operand: Bson): ValueTest {
    if (!isDocument(operand)) throw badValue("$elemMatch needs an Object");
    if (isFieldOperators(operand)) return this.#some(ofValues(this.operators([], operand)), operand.size);
    // The paths of this filter begin in the elements.
    const inside = new FilterCompiler(this.#work, null);
    const isMet = ofDocuments(inside.filter(operand), this.#work);
    this.conditions += inside.conditions;
    const isMetBy: ValueTest = (one) =>
      isDocument(one) ? isMet(one) : isArray(one) && isMet(new Map(one.map((each, i) => [String(i), each])));
    return this.#some(isMetBy, inside.conditions);
  }

  /** @param tests number of conditions for each element */
  #some(isMet: ValueTest, tests: number): ValueTest {
    const work = this.#work;
    return (array) => {
      if (!isArray(array)) return false;
      spend(work, (array.length * tests) / ELEMENTS_PER_UNIT);
      return array.some(isMet);
    };
  }
}

/** Compiles `$expr`, a condition on the complete document. @throws CommandFailure */
function expressionCondition(operand: Bson, scope: Scope): Condition {
  const calculate = expressionOf(operand, scope);
  const test: ValueTest = (document) => isTrue(calculate(document as BsonDocument) ?? null);
  return { kind: "member", path: [], test: { leaf: "itself", test, operator: "$expr", operand } };
}

/** Returns a test for an array's elements and for the array itself. */
const both = (operator: string, operand: Bson, test: ValueTest): FieldTest => ({
  leaf: "both",
  test,
  operator,
  operand,
});
const EXISTS = both("$exists", true, (value) => value !== undefined);

function regexOf(pattern: Bson, options: Bson | undefined): Regex {
  if (options !== undefined && typeof options !== "string") throw badValue("$options must be a string");
  if (pattern instanceof Regex) return options === undefined ? pattern : new Regex(pattern.pattern, options);
  if (typeof pattern !== "string") throw badValue("$regex must be a string");
  return new Regex(pattern, options ?? "");
}
