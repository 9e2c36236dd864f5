/**
 * Array elements that a path of an update selects: `$` selects the first one that the statement's filter matches, `$[]`
 * all elements, and `$[name]` those that a filter in `arrayFilters` matches. Source: MongoDB's manual, "Array Update
 * Operators".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../values/bson.js";
import type { FieldPath } from "../values/index-keys.js";
import { type Filter, filterOf } from "./bson-filter.js";
import type { Scope } from "./expressions.js";
import { badValue, ELEMENTS_PER_UNIT, failedToParse, spend } from "./mongo-failure.js";
import { valueAt } from "./update-paths.js";

/** The part of a path that selects the first element that the filter matches. */
export const FIRST_ELEMENT = "$";

export const isPositional = (part: ByteString): boolean => part === FIRST_ELEMENT || /^\$\[.*\]$/s.test(part);

interface NamedFilter {
  readonly filter: Filter;
  isUsed: boolean;
}

export class PositionalElements {
  readonly #query: BsonDocument;
  readonly #scope: Scope;
  readonly #named = new Map<ByteString, NamedFilter>();

  /** @param query the statement's filter @throws CommandFailure */
  constructor(query: BsonDocument, arrayFilters: Bson | undefined, scope: Scope) {
    this.#query = query;
    this.#scope = scope;
    if (arrayFilters === undefined || arrayFilters === null) return;
    if (!isArray(arrayFilters)) throw failedToParse("arrayFilters has to be an array");
    for (const one of arrayFilters) {
      const name = nameOf(one);
      if (this.#named.has(name))
        throw failedToParse(`Found multiple array filters with the same top-level field name ${name}`);
      this.#named.set(name, { filter: filterOf(one as BsonDocument, scope.work), isUsed: false });
    }
  }

  /** Marks the filter of a positional part as used. @throws CommandFailure if no filter has that name */
  use(part: ByteString, path: ByteString): void {
    if (part === FIRST_ELEMENT || part === "$[]") return;
    const arrayFilter = this.#named.get(part.slice(2, -1));
    if (arrayFilter === undefined)
      throw badValue(`No array filter found for identifier '${part.slice(2, -1)}' in path '${path}'`);
    arrayFilter.isUsed = true;
  }

  /** Checks that every filter was used. @throws CommandFailure if a filter was not used */
  checkUse(): void {
    for (const [name, { isUsed }] of this.#named)
      if (!isUsed)
        throw failedToParse(`The array filter for identifier '${name}' was not used in the update`);
  }

  /**
   * Yields a path for each position that a path selects in a document, one by one, so that the caller can limit them.
   * @param before the resolved parts before the path
   * @throws CommandFailure @throws BudgetExceeded
   */
  *positions(path: FieldPath, document: BsonDocument, before: FieldPath = []): Generator<FieldPath> {
    const at = path.findIndex(isPositional);
    if (at < 0) {
      yield [...before, ...path];
      return;
    }
    const array = [...before, ...path.slice(0, at)];
    for (const i of this.#elements(path[at] as ByteString, array, document))
      yield* this.positions(path.slice(at + 1), document, [...array, String(i)]);
  }

  /** Returns the indexes of the selected elements. */
  #elements(part: ByteString, path: FieldPath, document: BsonDocument): Iterable<number> {
    const array = valueAt(document, path);
    const name = path.join(".");
    if (part === FIRST_ELEMENT) return [this.#first(path, array, document)];
    if (array === undefined)
      throw badValue(`The path '${name}' must exist in the document in order to apply array updates.`);
    if (!isArray(array)) throw badValue(`Cannot apply array updates to non-array element ${name}`);
    if (part === "$[]") {
      spend(this.#scope.work, array.length / ELEMENTS_PER_UNIT);
      return array.keys();
    }

    const { filter } = this.#named.get(part.slice(2, -1)) as NamedFilter;
    spend(this.#scope.work, (array.length * (1 + filter.tests)) / ELEMENTS_PER_UNIT);
    return [...array.keys()].filter((i) => filter.isMet(new Map([[part.slice(2, -1), array[i] as Bson]])));
  }

  /**
   * Returns the index of the first element that meets all of the filter's conditions on the array or, if there is none,
   * of the first that meets one of them.
   */
  #first(path: FieldPath, array: Bson | undefined, document: BsonDocument): number {
    const conditions = conditionsOf(this.#query, path);
    if (isArray(array))
      for (const some of [conditions, ...conditions.map((one) => [one])]) {
        if (some.length === 0) continue;
        const filter = filterOf(
          new Map<ByteString, Bson>([["$and", some.map((one) => new Map([one]))]]),
          this.#scope.work,
          this.#scope,
        );
        spend(this.#scope.work, (array.length * (1 + filter.tests)) / ELEMENTS_PER_UNIT);
        const index = array.findIndex((one) => filter.isMet(withValue(document, path, [one])));
        if (index >= 0) return index;
      }
    throw badValue("The positional operator did not find the match needed from the query.");
  }
}

/** Returns the name with which all paths of an element filter begin. @throws CommandFailure */
function nameOf(filter: Bson): ByteString {
  if (!isDocument(filter)) throw failedToParse("an element of arrayFilters has to be a document");
  const names = new Set<ByteString>();
  collectNames(filter, names);
  const [name] = names;
  if (name === undefined)
    throw failedToParse("Cannot use an expression without a top-level field name in arrayFilters");
  if (names.size > 1)
    throw failedToParse(
      `Error parsing array filter: Expected a single top-level field name, found ${[...names].map((one) => `'${one}'`).join(" and ")}`,
    );
  if (!/^[a-z][a-zA-Z0-9]*$/.test(name))
    throw badValue(
      `The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '${name}'`,
    );

  return name;
}

function collectNames(filter: BsonDocument, names: Set<ByteString>): void {
  for (const [name, operand] of filter) {
    if (!name.startsWith("$")) names.add(name.split(".", 1)[0] as ByteString);
    else if (isArray(operand)) for (const one of operand) if (isDocument(one)) collectNames(one, names);
  }
}

/** Returns the conditions of a filter on an array or on its elements. */
function conditionsOf(query: BsonDocument, path: FieldPath): readonly (readonly [ByteString, Bson])[] {
  const name = path.filter((part) => !/^\d+$/.test(part)).join(".");
  return [...query].flatMap(([field, operand]) => {
    if (field === "$and" && isArray(operand))
      return operand.flatMap((one) => (isDocument(one) ? conditionsOf(one, path) : []));
    const plain = field
      .split(".")
      .filter((part) => !/^\d+$/.test(part))
      .join(".");
    const isOfArray = plain === name || plain.startsWith(`${name}.`);
    return isOfArray ? positive(operand).map((one) => [field, one] as const) : [];
  });
}

/** The operators of a condition that no single element meets. */
const NEGATIONS = ["$ne", "$nin", "$not"];

/** Returns the parts of a condition that an element can meet: without negations, and one for each value of `$all`. */
function positive(operand: Bson): readonly Bson[] {
  const [first = ""] = isDocument(operand) ? operand.keys() : [];
  if (!isDocument(operand) || !first.startsWith("$")) return [operand];
  const rest = new Map(operand);
  for (const name of [...NEGATIONS, "$all"]) rest.delete(name);
  const all = operand.get("$all");
  return [...(rest.size === 0 ? [] : [rest]), ...(isArray(all) ? all : [])];
}

/** Returns the document with another value at an existing position. */
function withValue(document: BsonDocument, path: FieldPath, value: Bson): BsonDocument {
  const [name = "", ...innerPath] = path;
  const inner = document.get(name);
  return new Map(document).set(name, innerPath.length === 0 ? value : inside(inner, innerPath, value));
}

function inside(outer: Bson | undefined, path: FieldPath, value: Bson): Bson {
  if (isDocument(outer)) return withValue(outer, path, value);
  const [name = "", ...innerPath] = path;
  const copy = isArray(outer) ? [...outer] : [];
  copy[Number(name)] = innerPath.length === 0 ? value : inside(copy[Number(name)], innerPath, value);
  return copy;
}
