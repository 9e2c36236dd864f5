/** Filters: which documents are meant. Source: MongoDB's manual, "Query Predicates". What is not here is refused by name. */

import type { ByteString } from "../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument, Regex } from "../../values/collections/bson.js";
import type { FieldPath } from "../../values/collections/index-keys.js";
import { badValue, ELEMENTS_A_UNIT, spend, type Work } from "./mongo-failure.js";
import { unknownName } from "./names-elsewhere.js";
import { isTrue } from "./spec.js";
import { compares, equals, hasRemainder, hasSize, isIn, isOfType, matches } from "./value-tests.js";
import { isAny, type Leaf, type ValueTest, wayTo } from "./ways.js";

export interface Filter {
  readonly isMet: (document: BsonDocument) => boolean;
  /** The fields in which its ways begin: no others need be read. */
  readonly roots: ReadonlySet<ByteString>;
  /** How many things it asks: each is as much work as looking at a document. */
  readonly tests: number;
}

/** Things that a filter may ask. */
const TESTS_MAX = 10_000;

/** What one operator, or several, ask: of the values at the end of a way, or of one value by itself. */
interface Condition {
  readonly onPath: (document: BsonDocument, path: FieldPath) => boolean;
  readonly onValue: ValueTest;
}

/** @throws CommandFailure  an operator that there is not, or one that is misused */
export function filterOf(query: BsonDocument, work: Work): Filter {
  const compiling = new Compiling(work);
  const isMet = compiling.all(query);
  return { isMet, roots: compiling.roots, tests: compiling.tests };
}

/** What an element has to be that $pull takes out: of documents the fields, of others the value. */
export function elementTest(
  wanted: Bson,
  work: Work,
): { readonly isMeant: ValueTest; readonly tests: number } {
  const compiling = new Compiling(work);
  if (!isDocument(wanted))
    return { isMeant: wanted instanceof Regex ? matches(wanted, work) : equals(wanted), tests: 1 };
  if (isOperators(wanted)) {
    const { onValue } = compiling.operators(wanted);
    return { isMeant: onValue, tests: compiling.tests };
  }
  const isMet = compiling.all(wanted);
  return { isMeant: (value) => isDocument(value) && isMet(value), tests: compiling.tests };
}

const not = ({ onPath, onValue }: Condition): Condition => ({
  onPath: (document, path) => !onPath(document, path),
  onValue: (value) => !onValue(value),
});

const every = (conditions: readonly Condition[]): Condition => ({
  onPath: (document, path) => conditions.every(({ onPath }) => onPath(document, path)),
  onValue: (value) => conditions.every(({ onValue }) => onValue(value)),
});

/** Whether a document is one of operators; references to other documents are values. */
export function isOperators(value: Bson): value is BsonDocument {
  if (!isDocument(value)) return false;
  const [first] = value.keys();
  return first?.startsWith("$") === true && !REFERENCE.includes(first);
}
const REFERENCE = ["$ref", "$id", "$db"];

class Compiling {
  readonly roots = new Set<ByteString>();
  tests = 0;
  readonly #work: Work;

  constructor(work: Work) {
    this.#work = work;
  }

  all(query: BsonDocument): (document: BsonDocument) => boolean {
    const clauses = [...query].flatMap(([name, operand]) => this.#clause(name, operand));
    const [only] = clauses;
    if (clauses.length === 1 && only !== undefined) return only;
    return (document) => clauses.every((isMet) => isMet(document));
  }

  #clause(name: ByteString, operand: Bson): readonly ((document: BsonDocument) => boolean)[] {
    this.#count();
    if (name === "$comment") return [];
    if (LOGICAL.includes(name)) return [this.#logical(name, operand)];
    if (name.startsWith("$"))
      throw unknownName("filter", name, badValue(`unknown top level operator: ${name}`));
    const path = wayTo(name);
    this.roots.add(path[0] as ByteString);
    const { onPath } = isOperators(operand) ? this.operators(operand) : this.#leaf(this.#same(operand));
    return [(document) => onPath(document, path)];
  }

  #leaf(test: ValueTest, kind: Leaf = "both"): Condition {
    const work = this.#work;
    return {
      onPath: (document, path) => isAny(document, { path, leaf: kind, test, work }),
      onValue: test,
    };
  }

  #count(): void {
    if (++this.tests > TESTS_MAX) throw badValue(`a filter asks ${TESTS_MAX} things at most`);
  }

  #logical(name: ByteString, operand: Bson): (document: BsonDocument) => boolean {
    if (!isArray(operand) || operand.length === 0) throw badValue(`${name} must be a nonempty array`);
    const tests = operand.map((query) => {
      if (!isDocument(query)) throw badValue(`${name} entries need to be full objects`);
      return this.all(query);
    });
    if (name === "$and") return (document) => tests.every((isMet) => isMet(document));
    const isOr = name === "$or";
    return (document) => tests.some((isMet) => isMet(document)) === isOr;
  }

  /** A value where operators might stand: a pattern is looked for. */
  #same(operand: Bson): ValueTest {
    return operand instanceof Regex ? matches(operand, this.#work) : equals(operand);
  }

  operators(operand: BsonDocument): Condition {
    const conditions = [...operand].flatMap(([name, value]) => {
      this.#count();
      if (name === "$options") {
        if (!operand.has("$regex")) throw badValue("$options needs a $regex");
        return [];
      }
      return [this.#operator(name, value, operand)];
    });
    const [only] = conditions;
    return conditions.length === 1 && only !== undefined ? only : every(conditions);
  }

  #operator(name: ByteString, value: Bson, siblings: BsonDocument): Condition {
    switch (name) {
      case "$eq":
        return this.#leaf(equals(value));
      case "$ne":
        if (value instanceof Regex) throw badValue("Can't have regex as arg to $ne.");
        return not(this.#leaf(equals(value)));
      case "$lt":
      case "$lte":
      case "$gt":
      case "$gte":
        if (value instanceof Regex)
          throw badValue(`Can't have RegEx as arg to predicate over field '${name}'.`);
        return this.#leaf(compares(name, value));
      case "$in":
      case "$nin":
        if (!isArray(value)) throw badValue(`${name} needs an array`);
        return name === "$in"
          ? this.#leaf(isIn(value, this.#work))
          : not(this.#leaf(isIn(value, this.#work)));
      case "$exists":
        return isTrue(value) ? this.#leaf(isThere) : not(this.#leaf(isThere));
      case "$type":
        return this.#leaf(isOfType(value));
      case "$size":
        return this.#leaf(hasSize(value), "itself");
      case "$mod":
        return this.#leaf(hasRemainder(value));
      case "$regex":
        return this.#leaf(matches(regexOf(value, siblings.get("$options")), this.#work));
      case "$not":
        return not(this.#negated(value));
      case "$all":
        return this.#allOf(value);
      case "$elemMatch":
        return this.#element(value);
      default:
        throw unknownName("filter", name, badValue(`unknown operator: ${name}`));
    }
  }

  #negated(value: Bson): Condition {
    if (value instanceof Regex) return this.#leaf(matches(value, this.#work));
    if (!isDocument(value)) throw badValue("$not needs a regex or a document");
    if (value.size === 0) throw badValue("$not cannot be empty");
    for (const name of value.keys()) if (!name.startsWith("$")) throw badValue(`unknown operator: ${name}`);
    return this.operators(value);
  }

  #allOf(value: Bson): Condition {
    if (!isArray(value)) throw badValue("$all needs an array");
    if (value.length === 0) return this.#leaf(() => false);
    const isElementMatch = (one: Bson) => isDocument(one) && [...one.keys()][0] === "$elemMatch";
    if (value.some(isElementMatch)) {
      if (!value.every(isElementMatch)) throw badValue("$all/$elemMatch has to be consistent");
      return every(value.map((one) => this.operators(one as BsonDocument)));
    }
    return every(
      value.map((one) => {
        this.#count();
        if (isOperators(one)) throw badValue("no $ expressions in $all");
        return this.#leaf(this.#same(one));
      }),
    );
  }

  #element(value: Bson): Condition {
    if (!isDocument(value)) throw badValue("$elemMatch needs an Object");
    const [first] = value.keys();
    const isOfValues = isOperators(value) && !LOGICAL.includes(first ?? "");
    if (isOfValues) {
      const { onValue } = this.operators(value);
      return this.#leaf(this.#some(onValue, value.size), "itself");
    }
    // Its ways begin in the elements.
    const inside = new Compiling(this.#work);
    const isMet = inside.all(value);
    this.tests += inside.tests;
    const isMetBy: ValueTest = (one) =>
      isDocument(one) ? isMet(one) : isArray(one) && isMet(new Map(one.map((each, i) => [String(i), each])));
    return this.#leaf(this.#some(isMetBy, inside.tests), "itself");
  }

  /** @param tests  of each element */
  #some(isMet: ValueTest, tests: number): ValueTest {
    const work = this.#work;
    return (array) => {
      if (!isArray(array)) return false;
      spend(work, (array.length * tests) / ELEMENTS_A_UNIT);
      return array.some(isMet);
    };
  }
}

const LOGICAL: readonly string[] = ["$and", "$or", "$nor"];
const isThere: ValueTest = (value) => value !== undefined;

function regexOf(pattern: Bson, options: Bson | undefined): Regex {
  if (options !== undefined && typeof options !== "string") throw badValue("$options has to be a string");
  if (pattern instanceof Regex) return options === undefined ? pattern : new Regex(pattern.pattern, options);
  if (typeof pattern !== "string") throw badValue("$regex has to be a string");
  return new Regex(pattern, options ?? "");
}
