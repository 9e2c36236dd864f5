/**
 * Finds the parts of a condition that may be checked before the remaining parts, for example with an index. In the
 * recorded form, a part that can fail and the parts after it keep their positions. A plan that checks the earlier parts
 * first therefore fails wherever checking the complete condition for all rows fails. In the standard form, all parts
 * may move, because a failure of a part counts only if no other part rejects the row.
 */
import { type Binary, type Expression, type Form, operandsOf } from "../../sql/tree.js";

/** Parts of a condition that must all hold, and may be checked before the remaining ones. */
export interface Demands {
  readonly parts: readonly Expression[];
  /**
   * In the recorded form, the parts up to the first one that can fail, including that part; in the standard form, all
   * parts.
   */
  readonly leading: readonly Expression[];
  /** Whether no part of the condition can fail. */
  readonly isSafe: boolean;
}

export function demandsOf(condition: Expression, form: Form): Demands {
  const all = conjuncts(condition, form);
  const end = all.findIndex((part) => !isSafe(part));
  if (end < 0 || form === "standard") return { parts: all, leading: all, isSafe: end < 0 };
  return { parts: all.slice(0, end), leading: all.slice(0, end + 1), isSafe: false };
}

export type Equality = Binary & { readonly operator: "=" };

/** Returns the equalities that may be checked before the remaining parts, in order. */
export function leadingEqualities(condition: Expression, form: Form): readonly Equality[] {
  return demandsOf(condition, form).parts.filter(isEquality);
}

export const isEquality = (part: Expression): part is Equality =>
  part.kind === "binary" && part.operator === "=";

/** Returns the parts that must all hold, in the order in which they are checked. */
function conjuncts(condition: Expression, form: Form): readonly Expression[] {
  const parts: Expression[] = [];
  const pending = [condition];
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    // In the recorded form, the right side of an AND remains one part, even if it is an AND in parentheses.
    const isSplit = form === "standard" || pending.length === 0;
    if (isSplit && part.kind === "binary" && part.operator === "and") pending.push(part.left, part.right);
    else parts.push(part);
  }
  return parts.reverse();
}

/** Whether a part cannot fail. Arithmetic, for example, can fail. */
export function isSafe(part: Expression): boolean {
  switch (part.kind) {
    case "literal":
    case "parameter":
    case "column":
      return true;
    case "call":
    case "like":
      return false;
    case "binary":
      return !["+", "-", "*", "/"].includes(part.operator) && isSafe(part.left) && isSafe(part.right);
    default:
      return operandsOf(part).every(isSafe);
  }
}
