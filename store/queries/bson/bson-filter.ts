/**
 * Filters of the MDB.* commands, on BSON values. Source: MongoDB's manual, "Query Predicates". Unsupported operators
 * are rejected by name.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument, Regex } from "../../values/collections/bson.js";
import type { FieldPath } from "../../values/collections/index-keys.js";
import { allOf, type Condition, type Predicate, predicateOf, visitPaths } from "../condition.js";
import {
  type Comparison,
  type FilterAlgebra,
  FilterCompiler,
  type OperatorCall,
} from "../filter-compiler.js";
import { isTrue } from "./command-fields.js";
import { isAny, type Leaf, pathTo, type ValueTest } from "./document-paths.js";
import { expressionOf, type Scope } from "./expressions.js";
import { badValue, ELEMENTS_PER_UNIT, spend, type Work } from "./mongo-failure.js";
import { unknownName } from "./mongodb-names.js";
import { compares, equals, hasRemainder, hasSize, isIn, isOfType, matches } from "./value-tests.js";

export interface Filter {
  readonly isMet: Predicate<BsonDocument>;
  /**
   * The fields with which the filter's paths begin: a reader may skip all other fields. Null if an expression may read
   * every field.
   */
  readonly roots: ReadonlySet<ByteString> | null;
  /** Number of the filter's conditions, each of which costs as much as reading a document. */
  readonly tests: number;
}

/** Maximum number of conditions in one filter. */
const TESTS_MAX = 10_000;

/** A condition on a field: it holds if one of the values at the end of its path passes. */
export interface BsonTest {
  readonly leaf: Leaf;
  readonly test: ValueTest;
  /** The operator and its operand, by which an index may find the values that pass. */
  readonly operator: string;
  readonly operand: Bson;
}

export type BsonCondition = Condition<FieldPath, BsonTest>;
type Call = OperatorCall<Bson, FieldPath>;
type Compiler = FilterCompiler<Bson, FieldPath, BsonTest>;

/**
 * Compiles a filter.
 * @param scope the scope of `$expr`; null if the filter must not contain it
 * @throws CommandFailure if an operator is not supported, or its operand is wrong
 */
export function filterOf(query: BsonDocument, work: Work, scope: Scope | null = null): Filter {
  const { condition, tests } = conditionOf(query, work, scope);
  const roots = new Set<ByteString>();
  let isAnyRoot = false;
  visitPaths(condition, ([root]) => {
    if (root === undefined) isAnyRoot = true;
    else roots.add(root);
  });
  return { isMet: ofDocuments(condition, work), roots: isAnyRoot ? null : roots, tests };
}

/**
 * Compiles a filter to a condition, for values that are not read as documents.
 * @param scope as for `filterOf`
 * @returns the condition, and the number of its parts @throws CommandFailure
 */
export function conditionOf(
  query: BsonDocument,
  work: Work,
  scope: Scope | null = null,
): { readonly condition: BsonCondition; readonly tests: number } {
  const compiler: Compiler = new FilterCompiler(new BsonFilters(work, scope));
  return { condition: compiler.filter(query), tests: compiler.conditions };
}

const ofDocuments = (condition: BsonCondition, work: Work): Predicate<BsonDocument> =>
  predicateOf(condition, (path, { leaf, test }) => {
    const search = { path, leaf, test, work };
    return (document) => isAny(document, search);
  });

/** Tests values directly, ignoring the path. */
const ofValues = (condition: BsonCondition): ValueTest => predicateOf(condition, (_, { test }) => test);

/**
 * Returns a test for the elements that $pull removes: documents are tested by their fields, other values directly.
 * @throws CommandFailure
 */
export function elementTest(
  operand: Bson,
  work: Work,
): { readonly isMeant: ValueTest; readonly tests: number } {
  const algebra = new BsonFilters(work, null);
  if (!isDocument(operand)) return { isMeant: algebra.same(operand).test, tests: 1 };
  const compiler: Compiler = new FilterCompiler(algebra);
  if (isOperators(operand)) {
    const isMeant = ofValues(compiler.operators([], operand));
    return { isMeant, tests: compiler.conditions };
  }
  const isMet = ofDocuments(compiler.filter(operand), work);
  return { isMeant: (value) => isDocument(value) && isMet(value), tests: compiler.conditions };
}

/** Whether a document consists of operators; a reference to another document is a value. */
export function isOperators(value: Bson): value is BsonDocument {
  if (!isDocument(value)) return false;
  const [first] = value.keys();
  return first?.startsWith("$") === true && !REFERENCE.includes(first);
}
const REFERENCE = ["$ref", "$id", "$db"];
const LOGICAL: readonly string[] = ["$and", "$or", "$nor"];
const CLAUSES = [...LOGICAL, "$comment", "$expr"];
const IS_THERE = both("$exists", true, (value) => value !== undefined);

class BsonFilters implements FilterAlgebra<Bson, FieldPath, BsonTest> {
  readonly conditionsMax = TESTS_MAX;
  readonly clauses = CLAUSES;
  readonly isThere = IS_THERE;
  readonly #work: Work;
  readonly #scope: Scope | null;

  constructor(work: Work, scope: Scope | null) {
    this.#work = work;
    this.#scope = scope;
  }

  /** Compiles `$expr`, a condition on the complete document. */
  ownClause(name: string, operand: Bson): BsonCondition {
    const scope = this.#scope;
    if (scope === null) throw this.unknownClause(name);
    const calculate = expressionOf(operand, scope);
    const test: ValueTest = (document) => isTrue(calculate(document as BsonDocument) ?? null);
    return { kind: "member", path: [], test: { leaf: "itself", test, operator: name, operand } };
  }

  tooManyConditions(): Error {
    return badValue(`a filter has at most ${TESTS_MAX} conditions`);
  }

  unknownClause(name: string): Error {
    return unknownName("filter", name, badValue(`unknown top level operator: ${name}`));
  }

  fieldsOf(filter: Bson, clause: string): readonly (readonly [string, Bson])[] {
    if (!isDocument(filter)) throw badValue(`${clause} entries need to be full objects`);
    return [...filter];
  }

  filtersOf(operand: Bson, clause: string): readonly Bson[] {
    if (!isArray(operand) || operand.length === 0) throw badValue(`${clause} must be a nonempty array`);
    return operand;
  }

  pathOf(name: string): FieldPath {
    return pathTo(name);
  }

  hasOperators(operand: Bson): boolean {
    return isOperators(operand);
  }

  negatesOperators(operand: Bson): boolean {
    if (operand instanceof Regex) return false;
    if (!isDocument(operand)) throw badValue("$not needs a regex or a document");
    if (operand.size === 0) throw badValue("$not cannot be empty");
    for (const name of operand.keys()) if (!name.startsWith("$")) throw badValue(`unknown operator: ${name}`);
    return true;
  }

  /** Tests for equality. A pattern also matches the strings that contain a match. */
  same(value: Bson): BsonTest {
    return value instanceof Regex
      ? both("$regex", value, matches(value, this.#work))
      : both("$eq", value, equals(value));
  }

  equals({ operator, operand }: Call): BsonTest {
    if (operator === "$ne" && operand instanceof Regex) throw badValue("Can't have regex as arg to $ne.");
    return both("$eq", operand, equals(operand));
  }

  compares(comparison: Comparison, { operand }: Call): BsonTest {
    if (operand instanceof Regex)
      throw badValue(`Can't have RegEx as arg to predicate over field '${comparison}'.`);
    return both(comparison, operand, compares(comparison, operand));
  }

  isOneOf({ operator, operand }: Call): BsonTest {
    if (!isArray(operand)) throw badValue(`${operator} needs an array`);
    return both("$in", operand, isIn(operand, this.#work));
  }

  matches({ operand, siblings }: Call): BsonTest {
    const options = isDocument(siblings) ? siblings.get("$options") : undefined;
    const regex = regexOf(operand, options);
    return both("$regex", regex, matches(regex, this.#work));
  }

  asksForMember({ operand }: Call): boolean {
    return isTrue(operand);
  }

  /** Returns null, because some elements of an array may pass a test while the remaining ones fail it. */
  complement(): null {
    return null;
  }

  /** Tests each operator separately: different elements of an array may pass different operators. */
  joined(_: FieldPath, parts: readonly BsonCondition[]): BsonCondition {
    return allOf(parts);
  }

  operator({ operator, operand, siblings, path }: Call, compiler: Compiler): BsonCondition | null {
    const leaf = (test: BsonTest): BsonCondition => ({ kind: "member", path, test });
    switch (operator) {
      case "$type":
        return leaf(both(operator, operand, isOfType(operand)));
      case "$size":
        return leaf({ leaf: "itself", test: hasSize(operand), operator, operand });
      case "$mod":
        return leaf(both(operator, operand, hasRemainder(operand)));
      case "$all":
        return this.#allOf(operand, path, compiler);
      case "$elemMatch":
        return leaf({ leaf: "itself", test: this.#element(operand, compiler), operator, operand });
      case "$options":
        if (!(siblings as BsonDocument).has("$regex")) throw badValue("$options needs a $regex");
        return null;
      default:
        throw unknownName("filter", operator, badValue(`unknown operator: ${operator}`));
    }
  }

  #allOf(operand: Bson, path: FieldPath, compiler: Compiler): BsonCondition {
    if (!isArray(operand)) throw badValue("$all needs an array");
    if (operand.length === 0) return { kind: "member", path, test: both("$in", operand, () => false) };
    const isElementMatch = (one: Bson) => isDocument(one) && [...one.keys()][0] === "$elemMatch";
    if (operand.some(isElementMatch)) {
      if (!operand.every(isElementMatch)) throw badValue("$all/$elemMatch has to be consistent");
      return { kind: "all", parts: operand.map((one) => compiler.operators(path, one)) };
    }
    const parts = operand.map((one): BsonCondition => {
      compiler.count();
      if (isOperators(one)) throw badValue("no $ expressions in $all");
      return { kind: "member", path, test: this.same(one) };
    });
    return { kind: "all", parts };
  }

  #element(operand: Bson, compiler: Compiler): ValueTest {
    if (!isDocument(operand)) throw badValue("$elemMatch needs an Object");
    const [first] = operand.keys();
    if (isOperators(operand) && !LOGICAL.includes(first ?? ""))
      return this.#some(ofValues(compiler.operators([], operand)), operand.size);
    // The paths of this filter begin in the elements.
    const inside: Compiler = new FilterCompiler(new BsonFilters(this.#work, null));
    const isMet = ofDocuments(inside.filter(operand), this.#work);
    compiler.conditions += inside.conditions;
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

/** Returns a test for an array's elements and for the array itself. */
function both(operator: string, operand: Bson, test: ValueTest): BsonTest {
  return { leaf: "both", test, operator, operand };
}

function regexOf(pattern: Bson, options: Bson | undefined): Regex {
  if (options !== undefined && typeof options !== "string") throw badValue("$options must be a string");
  if (pattern instanceof Regex) return options === undefined ? pattern : new Regex(pattern.pattern, options);
  if (typeof pattern !== "string") throw badValue("$regex must be a string");
  return new Regex(pattern, options ?? "");
}
