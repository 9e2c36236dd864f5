/** The conditions of a filter as a tree, whose tests apply to the values at the ends of paths. */
import type { Bson } from "../values/bson.js";
import type { FieldPath } from "../values/index-keys.js";
import type { Leaf, ValueTest } from "./document-paths.js";

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
export function allOf(parts: readonly Condition[]): Condition {
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
