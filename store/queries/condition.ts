/** The conditions of a filter as a tree; each algebra defines how values are reached and tested. */

export type Condition<Path, Test> =
  | { readonly kind: "all" | "any"; readonly parts: readonly Condition<Path, Test>[] }
  | { readonly kind: "not"; readonly part: Condition<Path, Test> }
  | { readonly kind: "member"; readonly path: Path; readonly test: Test };

export type Predicate<Subject> = (subject: Subject) => boolean;

/** Returns a single part itself, or the conjunction of several. */
export function allOf<Path, Test>(parts: readonly Condition<Path, Test>[]): Condition<Path, Test> {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: "all", parts };
}

/**
 * Returns a function that evaluates a condition, its parts in order.
 * @param reach evaluates the test of a single member
 */
export function predicateOf<Path, Test, Subject>(
  condition: Condition<Path, Test>,
  reach: (path: Path, test: Test) => Predicate<Subject>,
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

/** Calls `visit` for each member that a condition tests, in the condition's order. */
export function visitPaths<Path, Test>(condition: Condition<Path, Test>, visit: (path: Path) => void): void {
  if (condition.kind === "member") visit(condition.path);
  else if (condition.kind === "not") visitPaths(condition.part, visit);
  else for (const part of condition.parts) visitPaths(part, visit);
}
