/**
 * Equalities that a condition demands before anything in it can fail: by them an index says which rows to look at, and nobody sees a
 * difference to looking at them all.
 */
import type { Binary, Expression } from "../../sql/tree.js";

/** Parts of a condition that must all hold, and are checked before anything in it can fail. */
export interface Demands {
  readonly parts: readonly Expression[];
  /** Whether these are all its parts. */
  readonly isAll: boolean;
}

export function demandsOf(condition: Expression): Demands {
  const all = conjuncts(condition);
  const end = all.findIndex((part) => !isSafe(part));
  return { parts: end < 0 ? all : all.slice(0, end), isAll: end < 0 };
}

export type Equality = Binary & { readonly operator: "=" };

/** In their order. */
export function leadingEqualities(condition: Expression): readonly Equality[] {
  return demandsOf(condition).parts.filter(isEquality);
}

export const isEquality = (part: Expression): part is Equality =>
  part.kind === "binary" && part.operator === "=";

/** The parts that must all hold, in the order in which they are looked at. */
function conjuncts(condition: Expression): readonly Expression[] {
  const parts: Expression[] = [];
  let rest = condition;
  for (; rest.kind === "binary" && rest.operator === "and"; rest = rest.left) parts.push(rest.right);
  parts.push(rest);
  // What stands on the right of an AND may be one itself, in parentheses: it stays one part.
  return parts.reverse();
}

/** Whether a part cannot fail, as arithmetic can. */
function isSafe(part: Expression): boolean {
  switch (part.kind) {
    case "literal":
    case "parameter":
    case "column":
      return true;
    case "call":
      return false;
    case "not":
    case "negative":
    case "is-null":
      return isSafe(part.operand);
    case "binary":
      return !["+", "-", "*", "/"].includes(part.operator) && isSafe(part.left) && isSafe(part.right);
  }
}
