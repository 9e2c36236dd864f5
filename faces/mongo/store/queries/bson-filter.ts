/** Filters of documents and of array elements, compiled from BSON. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isDocument, Regex } from "../values/bson.js";
import type { ValueTest } from "./document-paths.js";
import type { Scope } from "./expressions.js";
import {
  type Condition,
  FilterCompiler,
  isFieldOperators,
  ofDocuments,
  type Predicate,
  visitPaths,
} from "./filter-compiler.js";
import type { Work } from "./mongo-failure.js";

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
): { readonly condition: Condition; readonly tests: number } {
  const compiler = new FilterCompiler(work, scope);
  return { condition: compiler.filter(query), tests: compiler.conditions };
}

/** The name under which $pull tests an element like a field, so that it also looks into an array. */
const ELEMENT = "";

/**
 * Returns a test for the elements that $pull removes. Operators and patterns test an element like the value of a field,
 * conditions on fields only documents; another operand is compared.
 * @throws CommandFailure
 */
export function elementTest(
  operand: Bson,
  work: Work,
): { readonly isMeant: ValueTest; readonly tests: number } {
  const compiler = new FilterCompiler(work, null);
  if (!isDocument(operand) && !(operand instanceof Regex))
    return { isMeant: compiler.same(operand).test, tests: 1 };

  if (!isDocument(operand) || isFieldOperators(operand)) {
    const condition: Condition = isDocument(operand)
      ? compiler.operators([ELEMENT], operand)
      : { kind: "member", path: [ELEMENT], test: compiler.same(operand) };
    const isMet = ofDocuments(condition, work);
    return {
      isMeant: (value) => value !== undefined && isMet(new Map([[ELEMENT, value]])),
      tests: 1 + compiler.conditions,
    };
  }

  const isMet = ofDocuments(compiler.filter(operand), work);
  return { isMeant: (value) => isDocument(value) && isMet(value), tests: compiler.conditions };
}
